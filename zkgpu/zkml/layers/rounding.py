"""Requantisation: dropping low bits with half-way values up, and the clamps that are Relu and saturation.

With w = x + 2^(s-1), the rounded value q is floor(w / 2^s): w - 2^s q lies in 0 .. 2^s - 1, and q in an interval far
below r / 2^s, which together leave one q. Sources of the bounds: the interval analysis.
"""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Wires
from zkgpu.circuits.gadgets.bits import assert_boolean
from zkgpu.zkml.layers.signed import Checks, Integers
from zkgpu.zkml.operations import Requantise
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import low_bits, round_half_up


def requantise(checks: Checks, operation: Requantise, x: Wires, interval: Interval) -> Wires:
    """The rounded and clamped values, each of them one wire."""
    least, greatest = rounded_ends(interval, operation.shift)
    low = operation.low if operation.low is not None and operation.low > least else None
    high = operation.high if operation.high is not None and operation.high < greatest else None
    if low is None and high is None:
        return rounded(checks, x, operation.shift, least, greatest)
    if high is None and low is not None:
        return at_least(checks, x, operation.shift, low, least, greatest)
    y = clamped(checks, x, operation.shift, low, high, least, greatest)
    checks.within(y, least if low is None else low, greatest if high is None else high)
    return y


def rounded_ends(interval: Interval, shift: int) -> tuple[int, int]:
    """The interval of the rounded values."""
    least, greatest = (int(round_half_up(np.array(end), shift)) for end in (interval.least, interval.greatest))
    return least, greatest


def rounded(checks: Checks, x: Wires, shift: int, least: int, greatest: int) -> Wires:
    """round_half_up(x / 2^shift), known to lie in [least, greatest]."""
    y = rounded_unchecked(checks, x, shift)
    if shift:
        checks.within(y, least, greatest, exactly=False)
    return y


def rounded_unchecked(checks: Checks, x: Wires, shift: int) -> Wires:
    """round_half_up(x / 2^shift), provided the caller constrains it to a small interval."""
    if shift == 0:
        return x
    circuit = x.circuit
    y = circuit.hint(lambda v: round_half_up(v, shift), [x], shape=x.shape, label="rounded", signed=True)
    _bind_remainder(checks, x, y, shift)
    return y


def _bind_remainder(checks: Checks, x: Wires, q: Wires, shift: int) -> None:
    """Constrains x + 2^(shift - 1) - 2^shift q to shift bits: q is then x rounded, if q is small at all."""
    if shift == 0:
        x.circuit.assert_equal(q, x, label="same")
        return
    checks.within(x + (1 << shift - 1) - q * (1 << shift), 0, (1 << shift) - 1)


def at_least(checks: Checks, x: Wires, shift: int, low: int, least: int, greatest: int) -> Wires:
    """max(low, rounded x): with z = w - 2^s low in two's complement, the upper part of z where its sign bit is 0.

    Two constraints an entry besides the range checks of all of z's bits.
    """
    circuit = x.circuit
    half = 1 << shift - 1 if shift else 0
    z = x + (half - (low << shift))
    bits = max(greatest - low, low - 1 - least, 1).bit_length()  # of the rounded value less low, without its sign
    negative = circuit.hint(lambda v: v < 0, [z], shape=z.shape, label="sign", signed=True)
    assert_boolean(negative)
    u = z + negative * (1 << bits + shift)
    upper = u
    if shift:
        lower = circuit.hint(lambda v: low_bits(v, shift), [u], shape=z.shape, label="remainder", signed=True)
        checks.within(lower, 0, (1 << shift) - 1)
        upper = (u - lower) / (1 << shift)
    checks.within(upper, 0, (1 << bits) - 1)
    return circuit.materialize((1 - negative) * upper) + low


def clamped(
    checks: Checks, x: Wires, shift: int, low: int | None, high: int | None, least: int, greatest: int
) -> Wires:
    """The rounded x clamped to [low, high], provided the caller constrains it to that interval.

    q = y + over - under, both not negative; over is 0 unless y is high, under 0 unless y is low.
    """
    circuit = x.circuit

    def clamp(v: np.ndarray) -> Integers:
        return np.clip(round_half_up(v, shift), low, high)

    q = y = circuit.hint(clamp, [x], shape=x.shape, label="clamped", signed=True)
    if high is not None:
        q = q + _excess(checks, x, y, shift, high, greatest, 1)
    if low is not None:
        q = q - _excess(checks, x, y, shift, low, least, -1)
    _bind_remainder(checks, x, q, shift)
    return y


def _excess(checks: Checks, x: Wires, y: Wires, shift: int, bound: int, extreme: int, sign: int) -> Wires:
    """How far the rounded x lies beyond `bound`, in the direction of `sign`: not negative, and 0 unless y is there."""
    circuit = x.circuit

    def beyond(v: np.ndarray) -> Integers:
        return np.maximum(sign * (round_half_up(v, shift) - bound), 0)

    excess = circuit.hint(beyond, [x], shape=x.shape, label="excess", signed=True)
    checks.within(excess, 0, sign * (extreme - bound), exactly=False)
    circuit.assert_product(excess, bound - y, np.zeros(x.shape, dtype=np.int64), label="excess")
    return excess
