"""If, Loop and Scan whose course does not depend on the input: the nodes of their subgraphs, as often as they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.zkml.expansion.writer import Writer
from zkgpu.zkml.graph import Array, Graph, Node, unsupported
from zkgpu.zkml.onnx_model import import_onnx
from zkgpu.zkml.onnx_worker import evaluate

OPERATORS = ("If", "Loop", "Scan")

Known = Mapping[str, Array]


# names


def captured(graph: Any) -> list[str]:
    """The names that a subgraph reads from the graph around it, in the order in which it does."""
    own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
    found: dict[str, None] = {}
    for node in graph.node:
        for name in (*node.input, *_captured_by(node)):
            if name and name not in own:
                found[name] = None
        own.update(node.output)
    found.update({end.name: None for end in graph.output if end.name not in own})
    return list(found)


def _captured_by(proto: Any) -> Iterator[str]:
    for graph in subgraphs(proto):
        yield from captured(graph)


def subgraphs(proto: Any) -> Iterator[Any]:
    """Those of a node."""
    for attribute in proto.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def reads(proto: Any) -> tuple[str, ...]:
    """The inputs of a node, and behind them what its subgraphs capture."""
    return (*proto.input, *dict.fromkeys(_captured_by(proto)))


class _Body:
    """A subgraph to be written out.

    Attributes:
        names: what its tensors are called outside, so far: of the weights, which all of its runs share
    """

    def __init__(self, graph: Any, write: Writer) -> None:
        self.graph, self._write = graph, write
        self.names: dict[str, str] = {}
        for tensor in graph.initializer:
            copy = type(tensor)()
            copy.CopyFrom(tensor)
            copy.name = self.names[tensor.name] = write.name(tensor.name)
            write.tensors.append(copy)

    def run(self, inputs: list[str]) -> list[str]:
        """Writes its nodes for these inputs; the names of its outputs."""
        names = {**self.names, **dict(zip((i.name for i in self.graph.input), inputs, strict=True))}
        for node in self.graph.node:
            copy = type(node)()
            copy.CopyFrom(node)
            names.update((out, self._write.name(out)) for out in node.output if out)
            _rename(copy, names)
            self._write.append(copy)
        return [names.get(end.name, end.name) for end in self.graph.output]


def _rename(proto: Any, names: Mapping[str, str]) -> None:
    """Gives a node, and what its subgraphs capture, other names."""
    proto.name = names.get(proto.output[0], proto.name)
    proto.input[:] = [names.get(name, name) for name in proto.input]
    proto.output[:] = [names.get(name, name) for name in proto.output]
    for graph in subgraphs(proto):
        own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
        own |= {out for node in graph.node for out in node.output}
        outer = {name: new for name, new in names.items() if name not in own}
        for node in graph.node:
            _rename(node, outer)
        for end in graph.output:
            end.name = outer.get(end.name, end.name)


def _give(write: Writer, sources: list[str], outputs: tuple[str, ...]) -> None:
    for source, out in zip(sources, outputs, strict=False):
        if out:
            write.add("Identity", source, to=out)


# operators


def branch(graph: Graph, node: Node, write: Writer) -> None:
    """The branch of an If that is taken."""
    taken = bool(np.all(graph.constants[node.inputs[0]]))
    body = _Body(node.attributes["then_branch" if taken else "else_branch"], write)
    _give(write, body.run([]), node.outputs)


def loop(graph: Graph, node: Node, write: Writer) -> None:
    """All turns of a Loop: (turn, condition, carried...) -> (condition, carried..., collected...)."""
    proto = node.attributes["body"]
    body, carried = _Body(proto, write), list(node.inputs[2 : len(proto.input)])
    going = _Condition(graph, node, write)
    collected: list[list[str]] = []
    for turn in going.turns():
        _, *results = body.run([write.constant(np.int64(turn)), write.constant(np.bool_(True)), *carried])
        carried = results[: len(carried)]
        collected.append(results[len(carried) :])
    _give(write, carried, node.outputs)
    for i, out in enumerate(node.outputs[len(carried) :]):
        _collect(node, write, [scanned[i] for scanned in collected], 0, out)


def scan(graph: Graph, node: Node, write: Writer) -> None:
    """All steps of a Scan: (states..., an entry of each sequence) -> (states..., an entry of each result)."""
    proto, count = node.attributes["body"], int(node.attributes["num_scan_inputs"])
    body, given = _Body(proto, write), node.inputs[: len(proto.input)]
    state, sequences = list(given[:-count]), given[-count:]
    axes, steps = _places(graph, node, sequences)
    backwards = _numbers(node, "scan_input_directions", count)
    collected: list[list[str]] = []
    write.require_room(steps * len(proto.node))
    for step in range(steps):
        entries = [
            write.gather(x, steps - 1 - step if back else step, axis)
            for x, axis, back in zip(sequences, axes, backwards, strict=True)
        ]
        results = body.run([*state, *entries])
        state = results[: len(state)]
        collected.append(results[len(state) :])
    _give(write, state, node.outputs)
    ends = node.outputs[len(state) :]
    kinds = (_numbers(node, key, len(ends)) for key in ("scan_output_axes", "scan_output_directions"))
    for i, (out, axis, back) in enumerate(zip(ends, *kinds, strict=True)):
        parts = [results[i] for results in collected]
        _collect(node, write, parts[::-1] if back else parts, axis, out)


def _places(graph: Graph, node: Node, sequences: tuple[str, ...]) -> tuple[tuple[int, ...], int]:
    """(the axis of each sequence along which it is read, how long they are)."""
    axes = _numbers(node, "scan_input_axes", len(sequences))
    lengths = {graph.shapes[x][axis] for x, axis in zip(sequences, axes, strict=True)}
    if len(lengths) != 1:
        raise unsupported(node, f"its sequences have lengths {sorted(lengths)}")
    return axes, lengths.pop()


def _numbers(node: Node, key: str, count: int) -> tuple[int, ...]:
    return tuple(node.attributes.get(key) or (0,) * count)


def _collect(node: Node, write: Writer, parts: list[str], axis: int, out: str) -> None:
    """The results of all turns, one after another along a new axis."""
    if not out:
        return
    if not parts:
        raise unsupported(node, f"it takes no turn, so that its output '{out}' is empty")
    write.add("Concat", *(write.unsqueeze(part, axis) for part in parts), axis=axis, to=out)


# the condition of a Loop


class _Condition:
    """Whether a Loop goes on: found from constants and from what its body makes of them, turn by turn."""

    def __init__(self, graph: Graph, node: Node, write: Writer) -> None:
        body = node.attributes["body"]
        self._node, self._body, self._write = node, body, write
        self._producers = {out: proto for proto in body.node for out in proto.output}
        self._most = graph.constants[node.inputs[0]].item() if node.inputs[0] else None
        self._given = graph.constants[node.inputs[1]] if node.inputs[1] else None
        carried = [i.name for i in body.input[2:]]
        self._next = dict(zip(carried, (end.name for end in body.output[1:]), strict=False))
        self._known: dict[str, Array] = {
            **graph.constants,
            **{t.name: import_onnx().numpy_helper.to_array(t) for t in body.initializer},
            **{n: graph.constants[x] for n, x in zip(carried, node.inputs[2:], strict=False) if x in graph.constants},
            body.input[1].name: np.array(True),
        }

    def turns(self) -> Iterator[int]:
        """The number of each turn that is taken."""
        turn, goes_on = 0, self._given is None or bool(np.all(self._given))
        wanted, nodes, leaves = self._deciding()
        changes = self._body.input[0].name in leaves or len(wanted) > 1
        if not changes and self._most is not None:
            self._write.require_room(self._most * len(self._body.node))
        while goes_on and (self._most is None or turn < self._most):
            yield turn
            turn += 1
            if turn == self._most:
                return
            if turn == 1 or changes:
                goes_on = self._after(turn - 1, wanted, nodes, leaves)
            if self._given is None and not goes_on:
                raise unsupported(self._node, "its body ends it, though it is given no condition")

    def _after(self, turn: int, wanted: list[str], nodes: list[Any], leaves: list[str]) -> bool:
        """The condition that a turn gives. What the turn carries on is known from then on."""
        self._known[self._body.input[0].name] = np.array(turn, dtype=np.int64)
        found = self._values(wanted, nodes, leaves)
        self._known.update({name: found[end] for name, end in self._next.items() if end in wanted})
        return bool(np.all(found[wanted[0]]))

    def _deciding(self) -> tuple[list[str], list[Any], list[str]]:
        """(the condition and what decides it from turn to turn, the nodes that compute it, what those read)."""
        wanted = [self._body.output[0].name]
        while True:
            nodes, leaves = self._slice(wanted)
            more = [self._next[leaf] for leaf in leaves if leaf in self._next and self._next[leaf] not in wanted]
            if not more:
                return wanted, nodes, leaves
            wanted += dict.fromkeys(more)

    def _slice(self, wanted: list[str]) -> tuple[list[Any], list[str]]:
        """The nodes of the body that compute these tensors, and the names that they read from outside of it."""
        needed, leaves, todo = set(), dict[str, None](), list(wanted)
        while todo:
            name = todo.pop()
            proto = self._producers.get(name)
            if proto is None:
                leaves[name] = None
            elif proto.output[0] not in needed:
                needed.add(proto.output[0])
                todo += [read for read in reads(proto) if read]
        return [proto for proto in self._body.node if proto.output[0] in needed], list(leaves)

    def _values(self, wanted: list[str], nodes: list[Any], leaves: list[str]) -> Known:
        unknown = next((leaf for leaf in leaves if leaf not in self._known), None)
        if unknown is not None:
            raise unsupported(self._node, f"how often it turns depends on '{unknown}', which is computed")
        helper = import_onnx().helper
        feed = {leaf: self._known[leaf] for leaf in leaves}
        kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in feed.items()}
        infos = [helper.make_tensor_value_info(name, kind, None) for name, kind in kinds.items()]
        computed = [name for name in wanted if name in self._producers]
        ends = [import_onnx().ValueInfoProto(name=name) for name in computed]
        opsets = [helper.make_opsetid("", self._node.opset)]
        model = helper.make_model(helper.make_graph(nodes, "condition", infos, ends), opset_imports=opsets)
        try:
            values = evaluate(model.SerializeToString(), feed) if computed else []
        except FormatError as error:
            raise unsupported(self._node, f"its condition cannot be computed: {error}") from error
        return {**feed, **dict(zip(computed, values, strict=True))}


RULES = {"If": branch, "Loop": loop, "Scan": scan}
