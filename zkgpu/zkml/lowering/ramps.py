"""Functions that end in straight lines, as a Relu and a table of what is left (zkml.ramps)."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.graph import Graph, Node
from zkgpu.zkml.lowering import tables
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.linear import expanded, scaled
from zkgpu.zkml.operations import Lookup
from zkgpu.zkml.ramps import Ramps, ramps_of

_SHARE = 2.0**-8  # of how far what is left of a function reaches, which is nothing
_SHORT, _LONGEST = 0.5, 2.0  # than what was seen: where what is left varies, and a table of it is worth it or possible


def named_function(builder: Builder, node: Node) -> Quantized:
    """By its lines where that is asked for and it has some; else by a table of all of it."""
    ramps = None
    if builder.settings.ramps:
        ramps = _ramps(builder.graph, builder.calibration, node, _LONGEST, 2.0 ** -builder.bits(node.output))
    return tables.named_function(builder, node) if ramps is None else _by_lines(builder, node, ramps)


def has_ramps(graph: Graph, calibration: Calibration) -> bool:
    """Whether a function of the graph reaches far along its lines."""
    return any(node.operator == "Function" and _ramps(graph, calibration, node, _SHORT, _SHARE) for node in graph.nodes)


def _ramps(graph: Graph, calibration: Calibration, node: Node, longest: float, share: float) -> Ramps | None:
    name = node.inputs[0]
    if name not in calibration.low or name in graph.alike or graph.is_integral(name) or node.attributes.get("square"):
        return None
    return ramps_of(node.attributes["function"], *calibration.bounds(name), share, longest)


def _by_lines(builder: Builder, node: Node, ramps: Ramps) -> Quantized:
    """left x + (right - left) max(x, 0) + rest(x), the maximum in steps as fine as the function has where it bends."""
    x, shape = builder.tensors[node.inputs[0]], builder.graph.shapes[node.output]
    lines = [(x, ramps.left), (_maximum(builder, node, ramps, x), ramps.right - ramps.left)]
    parts = [expanded(builder, _rest(builder, node, ramps, x), shape)]
    parts += [scaled(builder, part, np.array(slope), np.zeros(1), shape) for part, slope in lines if slope]
    multipliers, scale = builder.aligned(parts)
    return builder.combine(parts, multipliers, scale)


def _rest(builder: Builder, node: Node, ramps: Ramps, x: Quantized) -> Quantized:
    """A table over the interval where it varies."""
    bits = builder.table_bits(node.inputs[0])
    scale = (ramps.high - ramps.low) / (2**bits - 1)
    reached = builder.reached_scale(x, scale)
    first, last = math.floor(ramps.low / reached), math.ceil(ramps.high / reached)
    index = builder.requantize(x, scale, first, last)
    values = ramps.rest(np.arange(first, last + 1, dtype=np.float64) * index.scale)
    unit = tables.unit_of(values, 2 ** builder.bits(node.output) - 1)
    return builder.add(Lookup, [index], unit, table=builder.rounded(values / unit), first=first)


def _maximum(builder: Builder, node: Node, ramps: Ramps, x: Quantized) -> Quantized:
    """max(x, 0), with an activation's steps in the interval of the rest; it reaches as far as numbers were seen."""
    scale = max(ramps.high, -ramps.low) / (2 ** builder.bits(node.output) - 1)
    _, high = builder.bounds(node.inputs[0])
    return builder.bounded(x, scale, 0, math.ceil(math.log2(max(high / scale, 2.0))))
