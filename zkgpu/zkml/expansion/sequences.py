"""Sequences of tensors, of which it is known which tensors they hold: their operators are left out of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from zkgpu.zkml.expansion.writer import Writer
from zkgpu.zkml.graph import Array, Graph, Node, unsupported

Rule = Callable[[Graph, Node, Writer], None]


def _empty(graph: Graph, node: Node, write: Writer) -> None:
    write.sequences[node.output] = ()


def _construct(graph: Graph, node: Node, write: Writer) -> None:
    write.sequences[node.output] = node.inputs


def _insert(graph: Graph, node: Node, write: Writer) -> None:
    held = list(write.sequences[node.inputs[0]])
    held.insert(_place(graph, node, 2, len(held), len(held)), node.inputs[1])
    write.sequences[node.output] = tuple(held)


def _erase(graph: Graph, node: Node, write: Writer) -> None:
    held = list(write.sequences[node.inputs[0]])
    del held[_place(graph, node, 1, -1, len(held))]
    write.sequences[node.output] = tuple(held)


def _at(graph: Graph, node: Node, write: Writer) -> None:
    held = write.sequences[node.inputs[0]]
    write.add("Identity", held[_place(graph, node, 1, 0, len(held))], to=node.output)


def _length(graph: Graph, node: Node, write: Writer) -> None:
    length = write.constant(np.int64(len(write.sequences[node.inputs[0]])))
    write.add("Identity", length, to=node.output)


def _place(graph: Graph, node: Node, at: int, absent: int, length: int) -> int:
    """A constant place in a sequence, or behind it for an insertion; negative ones count from the end."""
    place = int(graph.constants[node.inputs[at]].item()) if at < len(node.inputs) and node.inputs[at] else absent
    if not -length <= place < length + (node.operator == "SequenceInsert"):
        raise unsupported(node, f"its sequence of {length} tensors has no place {place}")
    return place


def _join(graph: Graph, node: Node, write: Writer) -> None:
    held, axis = write.sequences[node.inputs[0]], int(node.attributes["axis"])
    if not held:
        raise unsupported(node, "its sequence is empty")
    parts = [write.unsqueeze(x, axis) for x in held] if node.attributes.get("new_axis", 0) else held
    write.add("Concat", *parts, axis=axis, to=node.output)


def _split(graph: Graph, node: Node, write: Writer) -> None:
    """Parts of given lengths, or of one; entries without the axis where no lengths are given and it is not kept."""
    x, shape = node.inputs[0], graph.shapes[node.inputs[0]]
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    lengths = graph.constants[node.inputs[1]] if len(node.inputs) > 1 and node.inputs[1] else None
    starts = _starts(lengths, shape[axis])
    if lengths is None and not node.attributes.get("keepdims", 1):
        write.sequences[node.output] = tuple(write.gather(x, i, axis) for i in starts[:-1])
        return
    write.sequences[node.output] = tuple(write.gather(x, np.arange(i, j), axis) for i, j in pairwise(starts))


def _starts(lengths: Array | None, total: int) -> list[int]:
    """Where the parts begin, and where the last one ends."""
    if lengths is None or lengths.ndim == 0:
        step = 1 if lengths is None else int(lengths)
        return [*range(0, total, step), total]
    return [0, *np.cumsum(lengths).tolist()]


def same(graph: Graph, node: Node, write: Writer) -> None:
    """The Identity of a sequence."""
    write.sequences[node.output] = write.sequences[node.inputs[0]]


RULES: Mapping[str, Rule] = {
    "ConcatFromSequence": _join,
    "SequenceAt": _at,
    "SequenceConstruct": _construct,
    "SequenceEmpty": _empty,
    "SequenceErase": _erase,
    "SequenceInsert": _insert,
    "SequenceLength": _length,
    "SplitToSequence": _split,
}
OF_A_SEQUENCE = ("ConcatFromSequence", "SequenceAt", "SequenceErase", "SequenceInsert", "SequenceLength")
"""Operators whose first input is a sequence."""
