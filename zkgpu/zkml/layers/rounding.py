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
from zkgpu.zkml.layers.long_sums import LongSums
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.operations import Requantize, Rescale
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import round_half_up


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
    if low is None and high is None:
        y = rounded(checks, x, operation.shift, interval)
    else:
        y = clamped(checks, x, operation.shift, low, high, interval)
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
    if isinstance(x, LongSums):
        values, shape = x.values, x.shape
        return Circuit.of(x).hint(
            lambda v: round_half_up(values(v), shift).reshape(shape), [x.given], shape, label="rounded", signed=True
        )
    return Circuit.of(x).hint(lambda v: round_half_up(v, shift), [x], shape=x.shape, label="rounded", signed=True)


def _bind_remainder(checks: Checks, x: Wires, q: Wires, shift: int, interval: Interval, bits: int) -> None:
    """Constrains x + 2^(shift - 1) - 2^shift q to shift bits, exactly: q is then x rounded.

    Args:
        bits: those of the largest magnitude that the other constraints on q let through
    """
    checks.require_room(x, max(interval.reach_bits, shift + bits) + 1)
    checks.within(x + (1 << shift - 1) - q * (1 << shift), 0, (1 << shift) - 1)


def clamped(checks: Checks, x: Wires, shift: int, low: int | None, high: int | None, interval: Interval) -> Wires:
    """The rounded x clamped to [low, high], of which the caller has left out an end beyond the rounded values.

    Exactly enforced: q is x rounded (_bind_remainder), and each end in turn by `_farther`.
    """
    q, (least, greatest) = _rounded_hint(x, shift) if shift else x, rounded_ends(interval, shift)
    y, bits = q, max(end.bit_length() for end in (least, greatest))
    if low is not None:
        y, reached = _farther(checks, y, low, max(greatest - low, low - least), 1)
        bits, least = max(bits, reached), low
    if high is not None:
        y, reached = _farther(checks, y, high, max(greatest - high, high - least), -1)
        bits = max(bits, reached)
    if shift:
        _bind_remainder(checks, x, q, shift, interval, bits)
    else:
        checks.require_room(x, max(interval.reach_bits, bits) + 1)
    return y


def _farther(checks: Checks, q: Wires, bound: int, reach: int, sign: int) -> tuple[Wires, int]:
    """q or the bound, whichever lies farther in the direction of `sign`: its maximum with a low end, with a high end
    its minimum.

    With z = y - bound and p = q - bound, z (z - p) = 0 leaves z = 0 or z = p ("clamp"), and sign (2 z - p), which is
    the distance |p| of q from the bound where the choice is right and -|p| where it is not, is not negative, by the low
    end of its range check. The high end only keeps q from wrapping: it lies no farther from the bound than that.
    One constraint an entry, and the range check of |p|.

    Args:
        reach: the largest |p| that there can be

    Returns y with the bits of the largest magnitude that q can then have.
    """
    circuit = Circuit.of(q)
    y = circuit.hint(lambda v: sign * np.maximum(sign * v, sign * bound), [q], q.shape, "clamped", signed=True)
    circuit.assert_product(y - bound, y - q, np.zeros(q.shape, dtype=np.int64), label="clamp")
    bits = checks.within((y * 2 - q - bound) * sign, 0, reach, exactly=False)
    return y, max(bits, bound.bit_length()) + 1
