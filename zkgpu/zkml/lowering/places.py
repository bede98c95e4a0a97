"""Entries put at constant places, and entries taken from computed ones.

A computed place becomes a row of zeros with a single 1, from comparisons with all places there are (layers.steps); what
stands there is the sum of that row times the entries.
"""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.graph import Array, Node, Shape, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.linear import extreme
from zkgpu.zkml.lowering.scales import fitting_scale
from zkgpu.zkml.operations import MatMul, Multiply, Requantize, Steps, Total


def ones_at(builder: Builder, x: Quantized, length: int) -> Quantized:
    """Rows of 0 with a 1 at each place, of x's shape and an axis of `length`; all 0 for a place that there is not.

    Negative places count from the end. About one constraint for each place that x may be: x is at v where it reaches v
    and does not reach v + 1.
    """
    interval, shape = builder.interval(x), builder.shape(x)
    low, high = max(interval.least, -length - 1), min(interval.greatest, length)
    counted = [np.arange(length), *([np.arange(-length, 0)] if low < 0 else [])]
    always = np.sum([(places == low) & (low == interval.least) for places in counted], axis=0)
    if low >= high:
        return builder.constant(np.broadcast_to(always, (*shape, length)), 1.0)
    reached = np.arange(low + 1, high + 1)
    column = builder.reshape(x, (*shape, 1))
    steps = builder.add(Steps, [column], 1.0, places=np.zeros(reached.size, dtype=np.int64), bounds=reached)
    ends = [_columns_of(builder, steps, reached, places + after) for places in counted for after in (0, 1)]
    return builder.combine(ends, [1, -1] * len(counted), 1.0, always)


def _columns_of(builder: Builder, x: Quantized, names: Array, wanted: Array) -> Quantized:
    """The columns with the wanted ones of rising names; 0 for those that there are not."""
    (positions,) = builder.positions([x])
    found = positions[..., np.clip(wanted - names[0], 0, names.size - 1)]
    return builder.arrange([x], np.where((wanted >= names[0]) & (wanted <= names[-1]), found, -1))


def one_hot(builder: Builder, node: Node) -> Quantized:
    """The second of two constants at each computed place along a new axis, the first elsewhere."""
    x, (depth, values) = builder.tensors[node.inputs[0]], (builder.graph.constants[name] for name in node.inputs[1:])
    if x.scale != 1.0:
        raise unsupported(node, "its places are not known to be whole numbers")
    found = between(builder, ones_at(builder, x, int(np.ravel(depth)[0])), values[0], values[1])
    (order,) = builder.positions([found])
    return builder.arrange([found], np.moveaxis(order, -1, int(node.attributes.get("axis", -1))))


def between(builder: Builder, truth: Quantized, no: Array, yes: Array, least: float = -np.inf) -> Quantized:
    """One of two constants by a computed truth, neither of them below `least`. Whole numbers stay as they are."""
    whole = no.dtype.kind in "iub" and yes.dtype.kind in "iub"
    no, yes = (np.maximum(v.astype(np.float64), least) for v in (no, yes))
    scale = 1.0 if whole else max(float(np.abs(v).max()) for v in (no, yes)) / 2**15 or 1.0
    ends = [builder.rounded(v / scale) for v in (no, yes)]
    return builder.combine([truth], [ends[1] - ends[0]], scale, ends[0])


def selected(builder: Builder, node: Node) -> Quantized:
    """Gather, where data and places are computed: a product of the marks of places with the entries along the axis."""
    data, places = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0]), builder.tensors[node.inputs[1]]
    shape, at = builder.shape(data), builder.shape(places)
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    ones = builder.reshape(_ones_in(builder, node, places, shape[axis]), (1, math.prod(at), shape[axis]))
    lines = np.moveaxis(builder.positions([data])[0], axis, 0).reshape(1, shape[axis], -1)
    found = builder.add(MatMul, [ones, builder.arrange([data], lines)], data.scale)
    return laid_out(builder, found, at, shape[:axis], shape[axis + 1 :])


def laid_out(builder: Builder, x: Quantized, places: Shape, before: Shape, after: Shape) -> Quantized:
    """What was found for each place, a row each, with the axes of the places between those before and after."""
    order = builder.positions([x])[0].reshape(*places, *before, *after)
    ends = list(range(len(places), len(places) + len(before)))
    return builder.arrange([x], np.moveaxis(order, ends, list(range(len(before)))))


def selected_elements(builder: Builder, node: Node) -> Quantized:
    """GatherElements at computed places: of each line along the axis the entry that stands at its place."""
    places, shape = builder.tensors[node.inputs[1]], builder.graph.shapes[node.inputs[0]]
    axis = int(node.attributes.get("axis", 0)) % len(shape)
    ones = _ones_in(builder, node, places, shape[axis])
    grid = list(np.indices(builder.shape(ones)))
    grid[axis] = grid.pop()
    data = builder.graph.constant(node.inputs[0])
    if data is None:
        x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0])
        lines = builder.arrange([x], builder.positions([x])[0][tuple(grid)])
        found = builder.add(Total, [builder.add(Multiply, [ones, lines], x.scale)], x.scale)
        return _one_of(builder, x, found) if x.scale == 1.0 else found
    unit = unit_of(builder, node, data)
    return builder.add(Total, [builder.combine([ones], [data[tuple(grid)] / unit], unit)], unit)


def _one_of(builder: Builder, x: Quantized, found: Quantized) -> Quantized:
    """One of x's integers, as places it may be: the sum of a row of which one mark alone is 1, said to be in range."""
    low, high = builder.interval(x).least, builder.interval(x).greatest
    return builder.add(Requantize, [found], 1.0, shift=0, low=low, high=high)


def unit_of(builder: Builder, node: Node, table: Array) -> float:
    """Integers stay as they are; other numbers fill the width of an activation."""
    if table.dtype.kind in "iub":
        return 1.0
    return fitting_scale(min(float(table.min()), 0.0), max(float(table.max()), 0.0), builder.bits(node.output))


def _ones_in(builder: Builder, node: Node, places: Quantized, length: int) -> Quantized:
    """The marks of places. Raises FormatError where one could be none of the axis: its mark would be lost."""
    interval = builder.interval(places)
    if places.scale != 1.0 or interval.least < -length or interval.greatest >= length:
        raise unsupported(node, f"its places are not known to be whole numbers from {-length} to {length - 1}")
    return ones_at(builder, places, length)


def scatter(builder: Builder, node: Node) -> Quantized:
    """Entries put at places, or added to what is there, or times it, or compared with it."""
    parts, scale = builder.together(builder.read(node))
    data, updates = builder.positions(parts)
    places, reduction = node.attributes["places"], node.attributes["reduction"]
    if reduction == "mul":
        before, after = (builder.arrange(parts, at) for at in (data.ravel()[places], updates))
        parts, _ = builder.together([parts[0], builder.add(Multiply, [before, after], scale * scale)])
    if reduction in ("none", "mul"):
        written = data.ravel().copy()
        written[places.ravel()] = updates.ravel()
        return builder.arrange(parts, written.reshape(data.shape))
    rows = _rows_of_updates(data.ravel(), places.ravel(), updates.ravel()).reshape(*data.shape, -1)
    if reduction == "add":
        return builder.add(Total, [builder.arrange(parts, rows)], scale)
    return extreme(builder, parts, np.where(rows < 0, data[..., None], rows), largest=reduction == "max")


def _rows_of_updates(data: Array, places: Array, updates: Array) -> Array:
    """(entries, n): each entry, and what is put at its place; -1 behind these."""
    order = np.argsort(places, kind="stable")
    starts = np.searchsorted(places[order], places[order])
    rank = np.arange(places.size) - starts
    rows = np.full((data.size, 2 + int(rank.max(initial=-1))), -1)
    rows[:, 0] = data
    rows[places[order], 1 + rank] = updates[order]
    return rows
