"""Rows of tables at computed places."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.graph import Array, Node, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantised, fitting_scale
from zkgpu.zkml.lowering.linear import expanded, linear
from zkgpu.zkml.operations import Lookup, Rows


def rows(builder: Builder, node: Node) -> Quantised:
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


def _product_with_table(builder: Builder, node: Node, x: Quantised, table: Array, first: int) -> Quantised:
    """The table as weights, which the prover gives: a row of 0 and a single 1 for each place, times the table."""
    interval, length = builder.interval(x), len(table)
    if interval.least < first or interval.greatest >= first + length:
        raise unsupported(
            node, f"a place could lie outside of {first} to {first + length - 1}, which only public weights can refuse"
        )
    count = math.prod(builder.shape(x))
    spread = expanded(builder, builder.reshape(x, (count, 1)), (count, length))
    distance = builder.combine([spread], [1], 1.0, -np.arange(first, first + length))
    is_it = (np.arange(1 - length, length) == 0).astype(np.int64)
    ones = builder.add(Lookup, [distance], 1.0, table=is_it, first=1 - length)
    weights = table.astype(np.float64)[None]
    return linear(builder, node, builder.reshape(ones, (1, count, length)), weights, np.zeros((1, table.shape[1])))
