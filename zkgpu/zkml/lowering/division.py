"""Quotients of computed tensors, and rows divided by what they add up to, by their length or by their largest entry."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.graph import Node, TooCoarse, unsupported
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.linear import expanded, multiply
from zkgpu.zkml.lowering.rows import before_squares
from zkgpu.zkml.operations import Divide, Maximum, Multiply, Requantize, RootMeanSquare

_GUARD = 5  # bits of a quotient beyond those of an activation
_FEWEST_UNITS = 64  # of a divisor
_MARGIN = 16  # how many times as large as any of the calibration a quotient may be


def divide(builder: Builder, node: Node) -> Quantized:
    """A quotient; by a constant, a change of scale."""
    if node.inputs[1] in builder.graph.constants:
        return multiply(builder, node)
    low, high = _seen(builder, node.inputs[1])
    if low <= 0 <= high:
        raise unsupported(node, f"its divisor was seen from {low:g} to {high:g}: it must have one sign, and not be 0")
    x, y = _terms(builder, node)
    _require_fine(node, min(abs(low), abs(high)), y)
    if high < 0:
        x, y = (builder.combine([v], [-1], v.scale) for v in (x, y))
    return _quotient(builder, node, x, y, 1 if y.scale == 1.0 else _FEWEST_UNITS)


def _terms(builder: Builder, node: Node) -> list[Quantized]:
    """What is divided and by what; a constant fills the width of a weight."""
    top = 2 ** (builder.settings.bits - 1) - 1
    return [
        part
        if isinstance(part, Quantized)
        else builder.constant(part.astype(np.float64), float(np.abs(part).max()) / top or 1.0)
        for part in builder.read(node)
    ]


def _require_fine(node: Node, least: float, y: Quantized) -> None:
    """Raises FormatError where the least divisor of the calibration is but a few units, by which quotients are luck."""
    if y.scale != 1.0 and least < _FEWEST_UNITS * y.scale:  # whole numbers are exact
        reason = f"its divisor was seen as small as {least:.3g}, and is known in steps of {y.scale:.3g}"
        raise unsupported(node, reason, "give more bits", kind=TooCoarse)


def share(builder: Builder, node: Node) -> Quantized:
    """Rows over a number of each; a row of zeros stays as it is."""
    x, y = _terms(builder, node)
    if _seen(builder, node.inputs[1])[0] < 0:
        is_below = builder.add(
            Requantize, [builder.combine([y], [-1], y.scale)], 1.0, shift=0, low=0, high=1
        )  # of integers, y < 0 just where -y clamped to 0 .. 1 is 1
        x, y = (_with_sign(builder, v, is_below) for v in (x, y))
    y = builder.add(Requantize, [y], y.scale, shift=0, low=1)
    return _quotient(builder, node, x, y, 1)


def _with_sign(builder: Builder, x: Quantized, is_below: Quantized) -> Quantized:
    """-x where a truth is 1, else x."""
    product = builder.add(Multiply, [x, is_below], x.scale)
    return builder.combine([x, product], [1, -2], x.scale)


def _seen(builder: Builder, name: str) -> tuple[float, float]:
    return builder.calibration.seen(name) if name in builder.calibration.low else builder.bounds(name)


def _quotient(builder: Builder, node: Node, x: Quantized, y: Quantized, least: int) -> Quantized:
    shape = builder.graph.shapes[node.output]
    x, y = expanded(builder, x, shape), expanded(builder, y, shape)
    wanted = builder.nominal_here(node.output) / 2**_GUARD
    shift = max(0, math.ceil(math.log2(x.scale / (y.scale * wanted))))
    scale = x.scale / y.scale / 2.0**shift
    low, high = builder.bounds(node.output)
    most = _MARGIN * max(math.ceil(max(high, -low) / scale), 1)
    return builder.add(Divide, [x, y], scale, shift=shift, most=most, least=least)


def magnitude(builder: Builder, node: Node) -> Quantized:
    """The larger one of x and -x."""
    x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0])
    shape = builder.shape(x)
    pair = [x, builder.combine([x], [-1], x.scale)]
    places = np.arange(2 * math.prod(shape)).reshape(2, -1).T.reshape(*shape, 2)
    return builder.add(Maximum, [builder.arrange(pair, places)], x.scale)


def unit(builder: Builder, node: Node) -> Quantized:
    """Rows over their lengths."""
    x, _ = before_squares(builder, node)
    shape = builder.shape(x)
    rows = builder.reshape(x, (math.prod(shape[:-1]), shape[-1]))
    bits = builder.interval(x).bits + math.ceil(math.log2(shape[-1]) / 2) + builder.settings.bits + _GUARD
    out = builder.add(RootMeanSquare, [rows], 2.0**-bits, bits=bits, epsilon=1)
    return builder.reshape(out, shape)
