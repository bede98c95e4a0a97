"""Rows of tables at computed places, comparisons, truths and choices.

A truth is 0 or 1. A comparison is a clamp (layers.rounding): of integers, x > y just where x - y clamped to 0 .. 1 is
1.
"""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.graph import Array, Node, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantized, fitting_scale
from zkgpu.zkml.lowering.linear import MASK, expanded, is_for_softmax, linear
from zkgpu.zkml.operations import ArgMax, Integers, Lookup, Multiply, Requantize, Rows

_SAME = 1e-6  # a constant this close to an integer, in units of what it is compared with, is it


def rows(builder: Builder, node: Node) -> Quantized:
    """Entries of a constant along an axis, at computed places; negative ones count from the end, as ONNX has it."""
    x, data = builder.tensors[node.inputs[1]], builder.graph.constants[node.inputs[0]]
    axis = int(node.attributes.get("axis", 0)) % data.ndim
    length, interval = data.shape[axis], builder.interval(x)
    first, last = max(interval.least, -length), min(interval.greatest, length - 1)
    if x.scale != 1.0 or first > last:
        raise unsupported(node, f"its places are not known to be whole numbers from {-length} to {length - 1}")
    table = np.moveaxis(data, axis, 0)[np.arange(first, last + 1)].reshape(last - first + 1, -1)
    if builder.settings.open_weights and data.dtype.kind == "f":
        found = _product_with_table(builder, node, x, table, first)
    else:
        unit = _unit(builder, table)
        found = builder.add(Rows, [x], unit, table=builder.rounded(table / unit), first=first)
    places, (before, after) = builder.shape(x), (data.shape[:axis], data.shape[axis + 1 :])
    order = np.arange(math.prod(builder.shape(found))).reshape(*places, *before, *after)
    ends = range(len(places), len(places) + len(before))
    return builder.arrange([found], np.moveaxis(order, list(ends), list(range(len(before)))))


def _unit(builder: Builder, table: Array) -> float:
    """Integers stay as they are; other numbers fill the width of an activation."""
    if table.dtype.kind in "iub":
        return 1.0
    return fitting_scale(min(float(table.min()), 0.0), max(float(table.max()), 0.0), builder.settings.bits)


def _product_with_table(builder: Builder, node: Node, x: Quantized, table: Array, first: int) -> Quantized:
    """The table as weights, which the prover gives: a row of 0 and a single 1 for each place, times the table."""
    interval, length = builder.interval(x), len(table)
    if interval.least < first or interval.greatest >= first + length:
        raise unsupported(
            node, f"a place could lie outside of {first} to {first + length - 1}, which only public weights can refuse"
        )
    count = math.prod(builder.shape(x))
    ones = _ones_at(builder, builder.reshape(x, (count,)), first, length)
    weights = table.astype(np.float64)[None]
    return linear(builder, node, builder.reshape(ones, (1, count, length)), weights, np.zeros((1, table.shape[1])))


def _ones_at(builder: Builder, x: Quantized, first: int, length: int) -> Quantized:
    """Rows of 0 and a single 1, at places from `first` on that are known to lie in a row."""
    shape = builder.shape(x)
    spread = expanded(builder, builder.reshape(x, (*shape, 1)), (*shape, length))
    distance = builder.combine([spread], [1], 1.0, -np.arange(first, first + length))
    is_it = (np.arange(1 - length, length) == 0).astype(np.int64)
    return builder.add(Lookup, [distance], 1.0, table=is_it, first=1 - length)


def hardmax(builder: Builder, node: Node) -> Quantized:
    """1 at the first of the largest entries along an axis, else 0."""
    x, shape = builder.tensors[node.inputs[0]], builder.graph.shapes[node.output]
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    order = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), axis, -1)
    ones = _ones_at(builder, builder.add(ArgMax, [builder.arrange([x], order)], 1.0), 0, shape[axis])
    return builder.arrange([ones], np.moveaxis(np.arange(math.prod(shape)).reshape(order.shape), -1, axis))


# comparisons


def compare(builder: Builder, node: Node) -> Quantized:
    """Less and Greater, and their opposites."""
    x, y = node.inputs
    if node.operator == "Greater":
        return _exceeds(builder, x, y)
    if node.operator == "Less":
        return _exceeds(builder, y, x)
    return _opposite(builder, _exceeds(builder, x, y) if node.operator == "LessOrEqual" else _exceeds(builder, y, x))


def equal(builder: Builder, node: Node) -> Quantized:
    """Neither less nor greater, of whole numbers that stand for themselves."""
    x, y = node.inputs
    if any(builder.tensors[name].scale != 1.0 for name in node.inputs if name not in builder.graph.constants):
        raise unsupported(node, "what it compares is not known to be whole numbers")
    return builder.combine([_exceeds(builder, x, y), _exceeds(builder, y, x)], [-1, -1], 1.0, 1)


def _exceeds(builder: Builder, first: str, second: str) -> Quantized:
    """1 where the first tensor is above the second, else 0. A constant is compared with exactly."""
    constants = builder.graph.constants
    if first in constants or second in constants:
        x = builder.tensors[second if first in constants else first]
        bound = _in_units(builder, constants[first if first in constants else second], x)
        if first in constants:
            distance = builder.combine([x], [-1], x.scale, np.ceil(bound).astype(np.int64))
        else:
            distance = builder.combine([x], [1], x.scale, -np.floor(bound).astype(np.int64))
    else:
        pair = [builder.narrow(builder.tensors[name], name) for name in (first, second)]
        (mine, its), scale = builder.aligned(pair)
        distance = builder.combine(pair, [mine, -its], scale)
    return builder.add(Requantize, [distance], 1.0, shift=0, low=0, high=1)


def _in_units(builder: Builder, value: Array, x: Quantized) -> Array:
    """A constant in units of a tensor, at most a bit beyond what that can hold."""
    units = value.astype(np.float64) / x.scale
    near = np.rint(np.nan_to_num(units))
    units = np.where(np.abs(units - near) <= _SAME * np.maximum(1, np.abs(near)), near, units)
    return np.clip(units, builder.interval(x).least - 2, builder.interval(x).greatest + 2)


# truths


def negation(builder: Builder, node: Node) -> Quantized:
    return _opposite(builder, _truth(builder, node, node.inputs[0]))


def _opposite(builder: Builder, x: Quantized) -> Quantized:
    return builder.combine([x], [-1], 1.0, 1)


def _truth(builder: Builder, node: Node, name: str) -> Quantized:
    x = builder.tensors[name]
    is_one = builder.graph.types.get(name) == np.dtype(bool)  # whatever its interval, which knows nothing of Or
    if x.scale != 1.0 or not (is_one or 0 <= builder.interval(x).least <= builder.interval(x).greatest <= 1):
        raise unsupported(node, f"'{name}' is not known to be 0 or 1 throughout")
    return x


def connect(builder: Builder, node: Node) -> Quantized:
    """And, Or, Xor: xy, x + y - xy, x + y - 2xy. A constant costs nothing, two computed truths one product."""
    once, both = {"And": (0, 1), "Or": (1, -1), "Xor": (1, -2)}[node.operator]
    computed = [name for name in node.inputs if name not in builder.graph.constants]
    known = [builder.graph.constants[n].astype(np.int64) for n in node.inputs if n in builder.graph.constants]
    truths = [_truth(builder, node, name) for name in computed]
    if known:
        return builder.combine(truths, [once + both * known[0]], 1.0, once * known[0])
    product = builder.add(Multiply, truths, 1.0)
    return builder.combine([*truths, product], [once, once, both], 1.0)


# choices


def choose(builder: Builder, node: Node) -> Quantized:
    """Where: by a constant condition entries are moved, by a computed one c (x - y) + y is one product an entry."""
    condition, *names = node.inputs
    shape, constants = builder.graph.shapes[node.output], builder.graph.constants
    if condition in constants:
        return _chosen(builder, node, np.broadcast_to(constants[condition].astype(bool), shape), names)
    truth = _truth(builder, node, condition)
    if all(name in constants for name in names):
        return _of_two_constants(builder, node, truth, *(constants[name] for name in names))
    (x, y), scale = _brought_together(builder, node, names)
    difference = builder.combine([x, y], [1, -1], scale)
    return builder.combine([builder.add(Multiply, [truth, difference], scale), y], [1, 1], scale)


def _chosen(builder: Builder, node: Node, condition: Array, names: list[str]) -> Quantized:
    pair, scale = _brought_together(builder, node, names)
    x, y = (expanded(builder, v, condition.shape) for v in pair)
    order: Integers = np.arange(condition.size).reshape(condition.shape)
    return builder.arrange([Quantized(v.name, scale) for v in (x, y)], np.where(condition, order, order + order.size))


def _brought_together(builder: Builder, node: Node, names: list[str]) -> tuple[list[Quantized], float]:
    """Two tensors, one of which may be a constant, at one scale. A mask is as far below as a softmax can tell."""
    constants = builder.graph.constants
    found = {n: builder.narrow(builder.tensors[n], n) for n in names if n not in constants}
    finest = min(found.values(), key=lambda x: x.scale)
    low, high = (end * finest.scale for end in (builder.interval(finest).least, builder.interval(finest).greatest))
    for name in names:
        if name in constants:
            value = np.asarray(constants[name], dtype=np.float64)
            if is_for_softmax(builder, node.output):
                value = np.where(value < MASK, np.maximum(value, 2 * low - high - 64), value)
            own = float(np.abs(value).max(initial=0)) / (2 ** (builder.settings.bits - 1) - 1)
            whole = finest.scale == 1.0 and bool((value == np.rint(value)).all())
            found[name] = builder.constant(value, 1.0 if whole else min(finest.scale, own or finest.scale))
    pair = [found[name] for name in names]
    multipliers, scale = builder.aligned(pair)
    return [x if m == 1 else builder.combine([x], [m], scale) for x, m in zip(pair, multipliers, strict=True)], scale


def _of_two_constants(builder: Builder, node: Node, truth: Quantized, x: Array, y: Array) -> Quantized:
    whole = x.dtype.kind in "iub" and y.dtype.kind in "iub"
    least = MASK if is_for_softmax(builder, node.output) else -np.inf
    x, y = (np.maximum(v.astype(np.float64), least) for v in (x, y))
    scale = 1.0 if whole else max(float(np.abs(v).max()) for v in (x, y)) / 2**15 or 1.0
    ends = [builder.rounded(v / scale) for v in (x, y)]
    return builder.combine([truth], [ends[0] - ends[1]], scale, ends[1])
