"""What takes whole rows: places of the largest, the largest in order, softmax, and normalization."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.graph import Node
from zkgpu.zkml.lowering import labels
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.linear import negated
from zkgpu.zkml.lowering.masks import hidden
from zkgpu.zkml.operations import ArgMax, Normalize, RootMeanSquare, Softmax, TopK

_USUAL = 12, 1 / 32  # bits of the largest entry of a table of exp, and the exponent between neighbors in it, at most
_OF_TABLE = 14, 1 / 128  # those of a small model of tables, where more bits are wanted
_OF_STREAM = 10, 7  # the first, and bits of the reciprocal, where what the shares weigh is not rounded
_FINE = 10  # bits, above which a small model of tables has a finer table of exp
_BELOW_ONE = 8  # bits that whole numbers get below 1 before they are normalized
_LEAST_REACH = 64  # units that entries of a row reach before its squares are taken, so that epsilon is a part of one
_GUARD = 8  # bits of a reciprocal or an inverse root beyond what its range takes


def argmax(builder: Builder, node: Node) -> Quantized:
    """The first of the largest entries, or the last: the first of them from behind."""
    axis = int(node.attributes.get("axis", 0)) % len(builder.graph.shapes[node.inputs[0]])
    chosen = labels.choice_of_two(builder, node, axis)
    if chosen is not None:
        return builder.reshape(chosen, builder.graph.shapes[node.output])
    x, _ = labels.scores(builder, node.inputs[0], axis)
    lines = np.moveaxis(builder.positions([x])[0], axis, -1)
    from_behind = bool(node.attributes.get("select_last_index", 0))
    places = builder.add(ArgMax, [builder.arrange([x], lines[..., ::-1] if from_behind else lines)], 1.0)
    if from_behind:
        places = builder.combine([places], [-1], 1.0, lines.shape[-1] - 1)
    return builder.reshape(places, builder.graph.shapes[node.output])


def top_k(builder: Builder, node: Node) -> Quantized:
    """The largest or least entries along an axis, in order, and their places, of which the lower comes first."""
    graph, name = builder.graph, node.inputs[0]
    axis = int(node.attributes.get("axis", -1)) % len(graph.shapes[name])
    is_read = node.output in graph.outputs or node.output in graph.consumers()
    x, source = (builder.tensors[name], name) if is_read else labels.scores(builder, name, axis)
    x = builder.narrow(x, source)
    count = int(np.ravel(graph.argument(node, 1, "k"))[0])
    (positions,) = builder.positions([x])
    row = builder.arrange([x], np.moveaxis(positions, axis, -1))
    is_largest = node.attributes.get("largest", 1)
    found = builder.add(TopK, [row if is_largest else negated(builder, row)], x.scale, count=count)
    values, places = (np.moveaxis(p, -1, axis) for p in np.split(builder.positions([found])[0], 2, axis=-1))
    if len(node.outputs) > 1:
        builder.tensors[node.outputs[1]] = builder.arrange([Quantized(found.name, 1.0)], places)
    largest = builder.arrange([found], values)
    return largest if is_largest else negated(builder, largest)


def softmax(builder: Builder, node: Node) -> Quantized:
    x = builder.tensors[node.inputs[0]]
    shape = builder.shape(x)
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    positions = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), axis, -1)
    unseen = hidden(builder.graph, node)
    seen = np.ones(shape, dtype=bool) if unseen is None else ~unseen
    seen = np.moveaxis(seen, axis, -1).reshape(-1, shape[axis])
    rows = positions.reshape(-1, shape[axis])
    parts, places = list[Quantized](), np.full(rows.shape, -1)
    for length in np.unique(seen.sum(axis=1)):
        chosen = seen.sum(axis=1) == length
        entries = builder.arrange([x], rows[chosen][seen[chosen]].reshape(-1, length))
        parts.append(softmax_of_rows(builder, entries, shape[axis]))
        start = sum(math.prod(builder.shape(part)) for part in parts[:-1])
        places[chosen[:, None] & seen] = start + np.arange(math.prod(builder.shape(parts[-1])))
    return builder.arrange(parts, np.moveaxis(places.reshape(positions.shape), -1, axis))


def softmax_of_rows(builder: Builder, rows: Quantized, longest: int = 0) -> Quantized:
    """Of a tensor of shape (rows, entries), along its second axis; its unit is that of rows of `longest` entries."""
    exp_bits, finest = _OF_TABLE if builder.settings.of_table and builder.settings.bits > _FINE else _USUAL
    guard = _GUARD
    if builder.settings.stream:
        exp_bits, guard = _OF_STREAM
    rows, shift = _in_exponent_steps(builder, rows, finest)
    step = rows.scale * 2.0**shift
    length = int((exp_bits * math.log(2) + 1) / step) + 1
    # a distance rounded down stands for the middle of its step; the largest entry's, which is 0, for itself
    steps = np.arange(length) + (0.5 - 0.5 / 2**shift)
    steps[0] = 0
    table = np.rint(2.0**exp_bits * np.exp(-step * steps)).astype(np.int64)
    table = table[: np.flatnonzero(table)[-1] + 1]
    bits = exp_bits + (longest or builder.shape(rows)[-1]).bit_length() + guard
    return builder.add(Softmax, [rows], 2.0**-bits, shift=shift, table=table, bits=bits)


def _in_exponent_steps(builder: Builder, x: Quantized, step: float) -> tuple[Quantized, int]:
    """(x, shift) such that x / 2^shift counts steps between half of a step and a whole one."""
    shift = builder.whole_limbs(max(0.0, math.log2(step / x.scale)))
    factor = max(1, math.ceil(x.scale * 2.0**shift / step))
    return (x if factor == 1 else builder.combine([x], [factor], x.scale / factor)), shift


def normalize(builder: Builder, node: Node) -> Quantized:
    return _over_root(builder, node, Normalize, builder.graph.shapes[node.output][-1])


def root_mean_square(builder: Builder, node: Node) -> Quantized:
    return _over_root(builder, node, RootMeanSquare, 1)


def before_squares(builder: Builder, node: Node) -> tuple[Quantized, float]:
    """A node's input in units so small that one more in a sum of its squares is nothing, and how many it reaches."""
    x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0])
    if x.scale == 1.0:  # whole numbers, of which a row may hold small ones alone
        x = builder.combine([x], [1 << _BELOW_ONE], 2.0**-_BELOW_ONE)
    low, high = builder.bounds(node.inputs[0])
    reach = min(max(high, -low) / x.scale or math.inf, builder.interval(x).magnitude)
    if 0 < reach < _LEAST_REACH:
        factor = math.ceil(_LEAST_REACH / reach)
        x, reach = builder.combine([x], [factor], x.scale / factor), reach * factor
    return x, reach


def _over_root(builder: Builder, node: Node, kind: type[Normalize | RootMeanSquare], times: int) -> Quantized:
    """Rows over the root of the mean of their squares, which the operation takes of `times` x."""
    x, reach = before_squares(builder, node)
    n = builder.shape(x)[-1]
    epsilon = max(1, round(node.attributes["epsilon"] * n * times**2 / x.scale**2))
    bits = math.ceil(math.log2(max(2.0, reach * times * math.sqrt(n)))) + max(_GUARD, builder.bits(node.output))
    shape = builder.shape(x)
    rows = builder.reshape(x, (math.prod(shape[:-1]), n))
    out = builder.add(kind, [rows], math.sqrt(n) / 2.0**bits, bits=bits, epsilon=epsilon)
    return builder.reshape(out, shape)
