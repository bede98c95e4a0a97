"""Requantization: dropping low bits with half-way values up, and the clamps that are Relu and saturation.

With w = x + 2^(s-1), the rounded value q is floor(w / 2^s), and the constraints on it are

    w - 2^s q lies in 0 .. 2^s - 1     exactly, by the range check of the remainder (_bind_remainder)
    q lies in some interval            up to whole limbs, or in a table: by the caller's check of q

Two answers q differ by at least 1, so that their remainders differ by at least 2^s as integers: the first constraint
leaves one of them, provided that nothing wraps around the field. That is what the second one is for, and no more: that
w and 2^s q plus a remainder have at most `Checks.require_room` bits, for any q the second one lets through.
"""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Circuit, Wires
from zkgpu.circuits.gadgets.bits import assert_boolean
from zkgpu.zkml.layers.range_checks import Checks, Integers
from zkgpu.zkml.operations import Requantize, Rescale
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import low_bits, round_half_up


def requantize(checks: Checks, operation: Requantize, x: Wires, interval: Interval) -> Wires:
    """The rounded and clamped values, each of them one wire; a constant where the clamp leaves one value, for sure.

    An end of the clamp that lies outside the interval is left out. Where the prover gives the weights, others than the
    model's may leave the interval: what a clamp left out would have changed is refused, by a range check of y that is
    exact (checks.within).
    """
    least, greatest = rounded_ends(interval, operation.shift)
    low = operation.low if operation.low is not None and operation.low > least else None
    high = operation.high if operation.high is not None and operation.high < greatest else None
    least_left, greatest_left = (clipped(end, operation) for end in (least, greatest))
    if least_left == greatest_left != least and not checks.weights_are_given:
        return Circuit.of(x).constant(np.full(x.shape, least_left))
    if high is not None:
        y = clamped(checks, x, operation.shift, low, high, interval)
        checks.within(y, least_left, greatest_left)
        return y
    if low is not None:
        y = at_least(checks, x, operation.shift, low, interval)
    else:
        y = rounded(checks, x, operation.shift, interval)
    if checks.weights_are_given and (low, high) != (operation.low, operation.high):
        checks.within(y, least_left, greatest_left)
    return y


def rescale(checks: Checks, operation: Rescale, x: Wires, interval: Interval) -> Wires:
    """The rounded values, kept to [low, high] by a range check of them that is exact at both ends (checks.within)."""
    y = rounded_unchecked(checks, x, operation.shift, interval, (operation.low, operation.high))
    checks.within(y, operation.low, operation.high)
    return y


def clipped(value: int, operation: Requantize) -> int:
    value = value if operation.low is None else max(value, operation.low)
    return value if operation.high is None else min(value, operation.high)


def rounded_ends(interval: Interval, shift: int) -> tuple[int, int]:
    """The interval of the rounded values."""
    least, greatest = (int(round_half_up(np.array(end), shift)) for end in (interval.least, interval.greatest))
    return least, greatest


def rounded(checks: Checks, x: Wires, shift: int, interval: Interval) -> Wires:
    """round_half_up(x / 2^shift). A shift of 0 leaves x as it is, with no constraint."""
    if shift == 0:
        return x
    y = _rounded_hint(x, shift)
    bits = checks.within(y, *rounded_ends(interval, shift), exactly=False)
    _bind_remainder(checks, x, y, shift, interval, bits)
    return y


def rounded_unchecked(
    checks: Checks, x: Wires, shift: int, interval: Interval, ends: tuple[int, int] | None = None
) -> Wires:
    """round_half_up(x / 2^shift), provided the caller constrains it to an interval: that of the rounded values.

    Args:
        ends: another interval that holds them, to which the caller constrains it
    """
    if shift == 0:
        return x
    y = _rounded_hint(x, shift)
    bits = max(end.bit_length() for end in ends or rounded_ends(interval, shift))
    _bind_remainder(checks, x, y, shift, interval, bits)
    return y


def _rounded_hint(x: Wires, shift: int) -> Wires:
    return Circuit.of(x).hint(lambda v: round_half_up(v, shift), [x], shape=x.shape, label="rounded", signed=True)


def _bind_remainder(checks: Checks, x: Wires, q: Wires, shift: int, interval: Interval, bits: int) -> None:
    """Constrains x + 2^(shift - 1) - 2^shift q to shift bits, exactly: q is then x rounded.

    Args:
        bits: those of the largest magnitude that the other constraints on q let through
    """
    checks.require_room(x, max(interval.reach_bits, shift + bits) + 1)
    if shift == 0:
        Circuit.of(x).assert_equal(q, x, label="same")
        return
    checks.within(x + (1 << shift - 1) - q * (1 << shift), 0, (1 << shift) - 1)


def at_least(checks: Checks, x: Wires, shift: int, low: int, interval: Interval) -> Wires:
    """max(low, rounded x): with z = w - 2^s low in two's complement, the upper part of z where its sign bit is 0.

    z >= 0 or z < 0 is enforced exactly: z + negative 2^(b + s) = 2^s upper + lower, of which the two range checks hold
    all b + s bits, so that z lies in 0 .. 2^(b + s) - 1 with a sign bit of 0, and just below 0 with one of 1.
    Two constraints an entry besides the range checks of all of z's bits.
    """
    circuit = Circuit.of(x)
    least, greatest = rounded_ends(interval, shift)
    half = 1 << shift - 1 if shift else 0
    z = x + (half - (low << shift))
    bits = max(greatest - low, low - 1 - least, 1).bit_length()  # of the rounded value less low, without its sign
    checks.require_room(x, max(interval.reach_bits, low.bit_length() + shift, bits + shift) + 2)
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


def clamped(checks: Checks, x: Wires, shift: int, low: int | None, high: int | None, interval: Interval) -> Wires:
    """The rounded x clamped to [low, high], provided the caller constrains it to that interval, cut to the values' own.

    q = y + over - under. Exactly enforced: q is x rounded (_bind_remainder), over >= 0 and under >= 0 (the low ends of
    their range checks), and over (high - y) = 0, under (low - y) = 0: so q > high leaves y = high, q < low leaves
    y = low, and between them both are 0.
    """
    circuit = Circuit.of(x)
    least, greatest = rounded_ends(interval, shift)

    def clamp(v: Integers) -> Integers:
        return np.clip(round_half_up(v, shift), low, high)

    q = y = circuit.hint(clamp, [x], shape=x.shape, label="clamped", signed=True)
    bits = max(end.bit_length() for end in (least, greatest, low, high) if end is not None)
    if high is not None:
        over, over_bits = _excess(checks, x, y, shift, high, greatest, 1)
        q, bits = q + over, max(bits, over_bits) + 1
    if low is not None:
        under, under_bits = _excess(checks, x, y, shift, low, least, -1)
        q, bits = q - under, max(bits, under_bits) + 1
    _bind_remainder(checks, x, q, shift, interval, bits)
    return y


def _excess(checks: Checks, x: Wires, y: Wires, shift: int, bound: int, extreme: int, sign: int) -> tuple[Wires, int]:
    """How far the rounded x lies beyond `bound`, in the direction of `sign`: not negative, and 0 unless y is there.

    Returns it with the bits that its range check lets through.
    """
    circuit = Circuit.of(x)

    def beyond(v: Integers) -> Integers:
        distance: Integers = np.maximum(sign * (round_half_up(v, shift) - bound), 0)
        return distance

    excess = circuit.hint(beyond, [x], shape=x.shape, label="excess", signed=True)
    bits = checks.within(excess, 0, sign * (extreme - bound), exactly=False)
    circuit.assert_product(excess, bound - y, np.zeros(x.shape, dtype=np.int64), label="excess")
    return excess, bits
