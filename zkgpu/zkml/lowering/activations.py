"""Relu and its kin, and Clip: rounded and clamped, without a table."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.graph import Node, one_value
from zkgpu.zkml.lowering.builder import Builder, Quantized

_OPEN = 1e30  # an end of a clip beyond this one is none
_FEWEST_UNITS = 128  # between the ends of a clip


def relu(builder: Builder, node: Node) -> Quantized:
    x = builder.tensors[node.inputs[0]]
    return builder.bounded(x, builder.nominal(node.output), 0, builder.bits(node.output), node.output)


def leaky_relu(builder: Builder, node: Node) -> Quantized:
    """alpha * x + (1 - alpha) * max(x, 0), from one requantization of x and one Relu."""
    alpha = float(node.attributes.get("alpha", 0.01))
    x = builder.tensors[node.inputs[0]]
    if alpha in (0.0, 1.0):
        return x if alpha else relu(builder, node)
    positive = builder.requantize(x, builder.nominal_here(node.output), 0)
    linear = Quantized(x.name, x.scale * abs(alpha))
    part = Quantized(positive.name, positive.scale * abs(1 - alpha))
    (mine, its), scale = builder.aligned([linear, part])
    return builder.combine([x, positive], [mine if alpha > 0 else -mine, its if alpha < 1 else -its], scale)


def leaky_relu_by_channel(builder: Builder, node: Node) -> Quantized:
    """slope * x + (1 - slope) * max(x, 0), with factors that fill the width of a weight or more."""
    x, slope = builder.tensors[node.inputs[0]], builder.graph.constants[node.inputs[1]].astype(np.float64)
    positive = builder.requantize(x, builder.nominal_here(node.output), 0)
    scale = min(x.scale, positive.scale) / 2 ** builder.bits(node.output)
    factors = slope * x.scale / scale, (1 - slope) * positive.scale / scale
    return builder.combine([x, positive], factors, scale)


def clip(builder: Builder, node: Node) -> Quantized:
    """Rounded and clamped; where the ends lie only a few units apart, or are one, in smaller units."""
    low, high = (one_value(builder.graph.argument(node, i, key)) for i, key in ((1, "min"), (2, "max")))
    low, high = (None if b is None or abs(b) > _OPEN else b for b in (low, high))
    x = builder.tensors[node.inputs[0]]
    scale = builder.nominal(node.output)
    reached = builder.reached_scale(x, scale)
    factor = 1
    if low is not None and high is not None:
        low = min(low, high)  # as ONNX has it, the upper bound wins
        factor = math.ceil(reached * _FEWEST_UNITS / (high - low or abs(low) or math.inf))
    if any(b is not None and not _is_whole(b / reached) for b in (low, high)):
        factor = max(factor, math.floor(reached / scale))
    if factor > 1:
        x, scale = builder.combine([x], [factor], x.scale / factor), scale / factor
    reached = builder.reached_scale(x, scale)
    first, last = (None if b is None else round(b / reached) for b in (low, high))
    return builder.requantize(x, scale, first, last)


def _is_whole(number: float) -> bool:
    return abs(number - round(number)) < 1 / _FEWEST_UNITS
