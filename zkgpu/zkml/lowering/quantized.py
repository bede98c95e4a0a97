"""Tensors that the file itself has quantized: QuantizeLinear and DequantizeLinear.

The integers of the file become those of the circuit, so that two roundings do not become four (Jacob et al.,
"Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", arXiv 1712.05877).
"""

from __future__ import annotations

import numpy as np

from zkgpu.zkml.graph import MOVING, Graph, Node
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.linear import scaled
from zkgpu.zkml.restated import QUANTIZE

_SAME = 1e-6  # part by which scales of single precision may differ
_NEAR = 2.0**-10  # part by which a scale may be missed: an eighth of a unit at the end of 8 bits


def quantize_linear(builder: Builder, node: Node) -> Quantized:
    """round(x / scale) + zero, clamped: requantize. What is within the clamp at this scale already stays as it is."""
    x, scale, zero = builder.tensors[node.inputs[0]], node.attributes["scale"], node.attributes["zero"]
    low, high = (node.attributes[end] - zero for end in ("least", "greatest"))
    interval = builder.interval(x)
    if abs(x.scale / scale - 1) > _SAME or interval.least < low or interval.greatest > high:
        x = builder.at_scale(x, scale, low, high, seen=0, near=_NEAR)
    whole = Quantized(x.name, 1.0)
    return builder.combine([whole], [1], 1.0, zero) if zero else whole


def dequantize_linear(builder: Builder, node: Node) -> Quantized:
    """(x - zero) * scale: an offset, and another scale; or a factor for each place along an axis."""
    x, scale, zero = builder.tensors[node.inputs[0]], node.attributes["scale"], node.attributes["zero"]
    whole = builder.combine([x], [1], x.scale, -np.asarray(zero) / x.scale) if np.any(zero) else x
    if np.size(scale) == 1:
        return Quantized(whole.name, whole.scale * scale)
    return scaled(builder, whole, scale, np.zeros(1), builder.graph.shapes[node.output])


def scale_of_reader(graph: Graph, name: str) -> float:
    """The scale by which the only reader of a tensor makes integers of it; 0 where it is no such reader."""
    reader = graph.sole_consumer(name)
    while reader is not None and reader.operator in MOVING:
        reader = graph.sole_consumer(reader.output)
    return reader.attributes["scale"] if reader is not None and reader.operator == QUANTIZE else 0.0
