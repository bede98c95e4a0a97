"""Rows of tables at computed places, comparisons, truths and choices.

A truth is 0 or 1. A comparison is a clamp (layers.rounding): of integers, x > y just where x - y clamped to 0 .. 1 is
1.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from zkgpu.zkml.graph import MOVING, Array, Node, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.linear import is_whole, linear
from zkgpu.zkml.lowering.masks import MASK, is_for_softmax, is_unseen
from zkgpu.zkml.lowering.places import between, laid_out, ones_at, unit_of
from zkgpu.zkml.operations import ArgMax, Multiply, Requantize, Rows
from zkgpu.zkml.trees import TREES

_TRUTHS = ("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Xor")
_WHOLE = (TREES, "Names", "ArgMax")  # what gives integers where its scale is 1
_OF_WHOLE = ("Add", "Concat", "Mul", "Neg", "Sub")  # of which whole numbers make whole numbers
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
        unit = unit_of(builder, node, table)
        found = builder.add(Rows, [x], unit, table=builder.weights(table / unit), first=first)
    return laid_out(builder, found, builder.shape(x), data.shape[:axis], data.shape[axis + 1 :])


def _product_with_table(builder: Builder, node: Node, x: Quantized, table: Array, first: int) -> Quantized:
    """The table as weights, which the prover gives: a row of 0 and a single 1 for each place, times the table."""
    interval, length = builder.interval(x), len(table)
    if interval.least < first or interval.greatest >= first + length:
        raise unsupported(
            node, f"a place could lie outside of {first} to {first + length - 1}, which only public weights can refuse"
        )
    count = math.prod(builder.shape(x))
    shifted = builder.combine([builder.reshape(x, (count,))], [1], 1.0, -first)
    ones = ones_at(builder, shifted, length)
    weights = table.astype(np.float64)[None]
    return linear(builder, node, builder.reshape(ones, (1, count, length)), weights, np.zeros((1, table.shape[1])))


def hardmax(builder: Builder, node: Node) -> Quantized:
    """1 at the first of the largest entries along an axis, else 0."""
    x, shape = builder.tensors[node.inputs[0]], builder.graph.shapes[node.output]
    axis = int(node.attributes.get("axis", -1)) % len(shape)
    order = np.moveaxis(np.arange(math.prod(shape)).reshape(shape), axis, -1)
    ones = ones_at(builder, builder.add(ArgMax, [builder.arrange([x], order)], 1.0), shape[axis])
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
    computed = [name for name in node.inputs if name not in builder.graph.constants]
    if not all(builder.tensors[name].scale == 1.0 and _is_whole(builder, name) for name in computed):
        instead = "compare with Less and Greater, or give the model what comes of it"
        raise unsupported(node, "what it compares is not known to be whole numbers", instead)
    return builder.combine([_exceeds(builder, x, y), _exceeds(builder, y, x)], [-1, -1], 1.0, 1)


def _is_whole(builder: Builder, name: str) -> bool:
    """Whether a tensor holds integers, an input whole numbers, or trees' leaves do; of measured numbers it is luck."""
    graph, producer = builder.graph, builder.graph.producers().get(name)
    if name in graph.constants:
        return is_whole(graph.constants[name])
    if graph.is_integral(name) or name in builder.calibration.integral:
        return True
    if producer is None or producer.operator in _WHOLE:
        return producer is not None
    sources = {"Where": producer.inputs[1:], **dict.fromkeys(_OF_WHOLE, producer.inputs)}
    moved = producer.inputs[:1] if producer.operator in {*MOVING, "ReduceSum"} else ("",)
    return all(name and _is_whole(builder, name) for name in sources.get(producer.operator, moved))


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
    """A constant in units of a tensor, at most a bit beyond what that can hold.

    What differs from a whole number by rounding alone is that number; beside decimals of an input, which the float
    model has in single precision, it is on the same side of it as there.
    """
    units = value.astype(np.float64) / x.scale
    near = np.rint(np.nan_to_num(units))
    is_decimal = x.scale in builder.calibration.units.values()
    side = np.sign(value.astype(np.float64) - (near * x.scale).astype(np.float32)) if is_decimal else 0
    units = np.where(np.abs(units - near) <= _SAME * np.maximum(1, np.abs(near)), near + side / 2, units)
    return np.clip(units, builder.interval(x).least - 2, builder.interval(x).greatest + 2)


# truths


def negation(builder: Builder, node: Node) -> Quantized:
    return _opposite(builder, _truth(builder, node, node.inputs[0]))


def _opposite(builder: Builder, x: Quantized) -> Quantized:
    return builder.combine([x], [-1], 1.0, 1)


def _truth(builder: Builder, node: Node, name: str) -> Quantized:
    x = builder.tensors[name]
    producer = builder.graph.producers().get(name)
    is_one = builder.graph.types.get(name) == np.dtype(bool)  # whatever its interval, which does not follow from Or
    is_one |= producer is not None and producer.operator in _TRUTHS
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
        least = MASK if is_for_softmax(builder.graph, node.output) else -np.inf
        return between(builder, truth, constants[names[1]], constants[names[0]], least)
    (x, y), scale = _brought_together(builder, node, names)
    difference = builder.combine([x, y], [1, -1], scale)
    return builder.combine([builder.add(Multiply, [truth, difference], scale), y], [1, 1], scale)


def _chosen(builder: Builder, node: Node, condition: Array, names: list[str]) -> Quantized:
    pair, _ = _brought_together(builder, node, names)
    x, y = (np.broadcast_to(p, condition.shape) for p in builder.positions(pair))
    return builder.arrange(pair, np.where(condition, x, y))


def _brought_together(builder: Builder, node: Node, names: list[str]) -> tuple[list[Quantized], float]:
    """Two tensors, one of which may be a constant, at one scale. A mask is as far below as a softmax can show.

    What nothing but softmaxes read that see no mask is not narrowed: they round it, of what they see alone.
    """
    constants, unseen = builder.graph.constants, is_unseen(builder.graph, node.output)
    parts = (
        [constants[n] if n in constants else builder.tensors[n] for n in names]
        if unseen
        else builder.read(replace(node, inputs=tuple(names)))
    )
    finest = min((x for x in parts if isinstance(x, Quantized)), key=lambda x: x.scale)
    low, high = (end * finest.scale for end in (builder.interval(finest).least, builder.interval(finest).greatest))
    if is_for_softmax(builder.graph, node.output):
        least = 2 * low - high - 64
        if unseen:
            least = 0.0
            builder.hidden.add(node.output)
        parts = [x if isinstance(x, Quantized) else np.where(x < MASK, np.maximum(x, least), x) for x in parts]
    return builder.together(parts)
