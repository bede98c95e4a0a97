"""Logistic values divided by their sum, as a softmax of their logarithms."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.graph import Node
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.rows import softmax_of_rows
from zkgpu.zkml.lowering.scales import WIDEST_TABLE
from zkgpu.zkml.operations import Lookup, Requantize
from zkgpu.zkml.shares import logarithm_beside

_FAR = 16.0  # where the logarithm of a logistic value is a straight line
_UNDERFLOW = -88.0  # scores up to here have a value of 0 in single precision


def logistic_share(builder: Builder, node: Node) -> Quantized:
    logarithms = _logarithms(builder, builder.tensors[node.inputs[0]])
    rows = softmax_of_rows(builder, logarithms)
    return builder.reshape(rows, builder.graph.shapes[node.output])


def _logarithms(builder: Builder, x: Quantized) -> Quantized:
    """Of the logistic values of x: what is below 0 of x, and a table of what is missing near 0."""
    low = math.floor(_UNDERFLOW / x.scale)
    below = x
    if builder.interval(x).greatest > 0 or builder.interval(x).least < low:
        below = builder.add(Requantize, [x], x.scale, shift=0, low=low, high=0)
    scale = 2 * _FAR / (2 ** min(builder.settings.bits, WIDEST_TABLE) - 1)
    reached = builder.reached_scale(x, scale)
    last = math.ceil(_FAR / reached)
    index = builder.requantize(x, scale, -last, last)
    unit = x.scale if x.scale < reached else min(reached / 2, scale)
    table = builder.rounded(logarithm_beside(np.arange(-last, last + 1) * index.scale) / unit)
    near = builder.add(Lookup, [index], unit, table=table, first=-last)
    multipliers, together = builder.aligned([below, near])
    return builder.combine([below, near], multipliers, together)
