"""A network as it was imported: nodes over named float tensors of known shape, before any of them is an integer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError
from zkgpu.records import dataclass

Shape = tuple[int, ...]
Array = NDArray[Any]
_OF_CLASSES = ("ArgMax", "Names")
_KEEPING = {"Compress", "Flatten", "Gather", "GatherElements", "GatherND", "Reshape", "ReverseSequence", "Squeeze"}
_KEEPING |= {"Transpose", "Unsqueeze"}  # of the values that they move
MOVING = {*_KEEPING, "CenterCropPad", "Expand", "Pad", "Slice", "Split", "Tile", "Trilu"}
ROWS = "Gather of rows"  # of a constant table, at computed places
SELECT, SELECT_ELEMENTS = "Gather of computed entries", "GatherElements at computed places"
NEWEST = 1 << 10  # the opset of nodes that rewrites make: they mean what the operator means today


@dataclass(frozen=True, eq=False)
class Node:
    """One operator.

    Attributes:
        name: the node's own name, or its operator and first output where it has none
        operator: as in ONNX, or one of those that patterns make
        inputs: tensor names; '' for an optional input that is absent
        attributes: numbers, strings, tuples, arrays; for 'Function' also the function
        opset: version of the operator's domain
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(repr=False, default_factory=dict)
    opset: int = NEWEST

    @property
    def output(self) -> str:
        return self.outputs[0]


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which they can run.

    Attributes:
        inputs: name and shape of what the user gives, each with a batch of one
        outputs: the tensors asked for
        constants: weights and other arrays known from the file
        shapes: of every tensor
        types: of those that the file has, where they are known
        alike: of tensors that take part in the same step over and over, a name for all that play one part
    """

    inputs: Mapping[str, Shape]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, Array] = field(repr=False)
    shapes: Mapping[str, Shape]
    types: Mapping[str, np.dtype[Any]] = field(repr=False, default_factory=dict)
    alike: Mapping[str, str] = field(repr=False, default_factory=dict)

    def producers(self) -> Mapping[str, Node]:
        return self._producers

    @cached_property
    def _producers(self) -> dict[str, Node]:
        return {out: node for node in self.nodes for out in node.outputs}

    def consumers(self) -> Mapping[str, list[Node]]:
        """For each tensor the nodes that read it; an output of the graph has one reader more that is not listed."""
        return self._consumers

    @cached_property
    def _consumers(self) -> dict[str, list[Node]]:
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def members(self, name: str) -> list[str]:
        """All tensors that are alike with one that is alike with some."""
        return self._parts[self.alike[name]]

    @cached_property
    def _parts(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, part in self.alike.items():
            found.setdefault(part, []).append(name)
        return found

    def sole_consumer(self, name: str) -> Node | None:
        """The one node that reads a tensor, when nothing else needs it."""
        readers = self.consumers().get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def constant(self, name: str) -> Array | None:
        return self.constants.get(name)

    def argument(self, node: Node, index: int, attribute: str, default: Any = None) -> Any:
        """What newer opsets give as an input and older ones as an attribute; the constant's value, or the default."""
        if index < len(node.inputs) and node.inputs[index]:
            return self.constants.get(node.inputs[index], default)
        return node.attributes.get(attribute, default)

    def is_integral(self, name: str) -> bool:
        """Whether the file has the tensor as integers or booleans."""
        kind = self.types.get(name)
        return kind is not None and kind.kind in "iub"

    def class_tensors(self) -> set[str]:
        """Those that hold places or names of classes, or truths, not quantities."""
        found = {name for name, kind in self.types.items() if kind.kind == "b"}
        for node in self.nodes:
            if node.operator == "TopK":
                found.update(node.outputs[1:])
            names = node.operator in _OF_CLASSES or self._is_one_of_names(node, found)
            if names or (node.operator in {*_KEEPING, "Function"} and node.inputs[0] in found):
                found.update(node.outputs)
        return found

    def _is_one_of_names(self, node: Node, classes: set[str]) -> bool:
        """Whether a node takes from a list what the class at each place is called."""
        table = self.constants.get(node.inputs[0]) if node.operator == ROWS else None
        return table is not None and table.ndim == 1 and node.inputs[1] in classes

    def places(self) -> dict[str, int]:
        """The tensors that hold places in tables or are compared for equality, and those they are moved from.

        With how long the longest table is, 1 for none.
        """
        found: dict[str, int] = {}
        for node in reversed(self.nodes):
            for source, length in self._places_in(node, found):
                found[source] = max(found.get(source, 0), length)
        return found

    def _places_in(self, node: Node, found: Mapping[str, int]) -> list[tuple[str, int]]:
        if node.operator in (ROWS, SELECT, SELECT_ELEMENTS):
            return [(node.inputs[1], self.shapes[node.inputs[0]][int(node.attributes.get("axis", 0))])]
        if node.operator == "OneHot":
            return [(node.inputs[0], 1)]
        if node.operator == "Equal":
            return [(name, 1) for name in node.inputs]
        moved = [found[name] for name in node.outputs if name in found]
        sources = {"Concat": node.inputs, "Where": node.inputs[1:]}.get(node.operator, node.inputs[:1])
        is_moved = bool(moved) and node.operator in {*MOVING, "Concat", "Where"}
        return [(name, max(moved)) for name in sources if is_moved]

    def reduced_axes(self, node: Node) -> list[int]:
        """The axes, in order, that a reduction adds up or compares. None or an empty list of them stands for all."""
        rank, axes = len(self.shapes[node.inputs[0]]), self.argument(node, 1, "axes")
        if axes is None or not np.size(axes):
            return [] if node.attributes.get("noop_with_empty_axes", 0) else list(range(rank))
        return sorted({int(axis) % rank for axis in np.ravel(axes)}) if rank else []

    def with_nodes(
        self,
        nodes: Iterable[Node],
        constants: Mapping[str, Array] | None = None,
        shapes: Mapping[str, Shape] | None = None,
    ) -> Graph:
        """The same inputs and outputs with other nodes, in any order, of which only those needed are kept."""
        merged = {**self.constants, **(constants or {})}
        kept = _needed(list(nodes), self.outputs)
        return replace(
            self,
            nodes=tuple(_in_order(kept, {*self.inputs, *merged, ""})),
            constants=merged,
            shapes={**self.shapes, **{k: v.shape for k, v in merged.items()}, **(shapes or {})},
        )


class Unsupported(FormatError):
    """A node that cannot be compiled.

    Attributes:
        node: it; None for what is no node's fault
        reason: why not
        instead: what would do in its place, or ""
    """

    node: Node | None = None
    reason: str = ""
    instead: str = ""


Refusal = Callable[[Unsupported], None]
"""What is done with an obstacle: raised, or put down beside others."""


def refuse(error: Unsupported) -> None:
    """Raises the error."""
    raise error


class TooCoarse(Unsupported):
    """A node that can be compiled with wider integers."""


def unsupported(
    node: Node, reason: str, instead: str = "", message: str = "", kind: type[Unsupported] = Unsupported
) -> Unsupported:
    """The error for a node that cannot be compiled.

    Args:
        message: in place of the one made of the node's name and operator, the reason, and what would do instead
    """
    text = f"{reason}: {instead}" if instead else reason
    error = kind(message or f"node '{node.name}' ({node.operator}): {text}")
    error.node, error.reason, error.instead = node, reason, instead
    return error


def _needed(nodes: list[Node], outputs: Iterable[str]) -> list[Node]:
    producer = {out: node for node in nodes for out in node.outputs}
    wanted, todo = set(), list(outputs)
    while todo:
        node = producer.get(todo.pop())
        if node is not None and id(node) not in wanted:
            wanted.add(id(node))
            todo.extend(node.inputs)
    return [node for node in nodes if id(node) in wanted]


def _in_order(nodes: list[Node], known: set[str]) -> list[Node]:
    """Each node after those it reads from: by the length of the longest way to it."""
    producer = {out: node for node in nodes for out in node.outputs if out not in known}
    before = {id(node): {id(producer[n]) for n in node.inputs if n in producer} for node in nodes}
    if not all(name in known or name in producer for node in nodes for name in node.inputs):
        raise AssertionError("the graph reads a tensor that nothing makes")
    after: dict[int, list[int]] = {}
    for node, sources in before.items():
        for source in sources:
            after.setdefault(source, []).append(node)
    level, waiting = dict.fromkeys(before, 0), {node: len(sources) for node, sources in before.items()}
    ready = [node for node, count in waiting.items() if not count]
    for node in ready:
        for reader in after.get(node, []):
            level[reader] = max(level[reader], level[node] + 1)
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(ready) < len(nodes):
        raise AssertionError("the graph has a cycle")
    return sorted(nodes, key=lambda node: level[id(node)])


def one_value(array: Array | None) -> float | None:
    """The value of a constant that holds a single one, else None."""
    return float(np.ravel(array)[0]) if array is not None and np.size(array) == 1 else None
