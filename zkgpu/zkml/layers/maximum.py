"""The largest of several values, and its place.

Two relations make a number the maximum: it equals an entry, as a product of the differences is 0; and no difference
from an entry is negative. The second is enforced on the differences themselves, by a range check whose low end is exact
(`argmax`), or by their place in a table from 0 on after rounding *down*, as a floor is negative just where the
difference is (`softmax`). Rounded to the nearest, a difference of minus half a step would pass for 0.

Where only the maximum is wanted, it is that of two at a time (`maximum`, `larger`): n entries take n - 1 range checks.
"""

from __future__ import annotations

from itertools import accumulate

import numpy as np

from zkgpu.circuits import Circuit, Wires, concatenate
from zkgpu.circuits.numbers import Values
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.ranges import Interval


def spread(interval: Interval) -> int:
    """The largest difference of two entries of one row."""
    return int((interval.high.max(axis=-1) - interval.low.min(axis=-1)).max())


def maximum(checks: Checks, x: Wires, interval: Interval) -> Wires:
    """The maximum along the last axis: that of neighbors, of these maxima, and so on until one is left."""
    reach = spread(interval)
    checks.require_room(x, interval.reach_bits + 1)
    while (n := x.shape[-1]) > 1:
        paired = n - n % 2
        won = larger(checks, x[..., 0:paired:2], x[..., 1:paired:2], reach)
        x = concatenate([won, x[..., paired:]], axis=-1)
    return x[..., 0]


def larger(checks: Checks, x: Wires, y: Wires, reach: int) -> Wires:
    """Entry by entry the larger of two, provided the caller has room for their differences.

    With m for it, (m - x) (m - y) = 0 leaves one of them ("one of two"), and 2 m - x - y, which is |x - y| for the
    larger and -|x - y| for the other, is not negative, by the low end of its range check.

    Args:
        reach: the largest |x - y| that there can be
    """
    top = Circuit.of(x).hint(lambda v, w: np.maximum(v, w), [x, y], x.shape, "maximum", signed=True)
    Circuit.of(x).assert_product(top - x, top - y, np.zeros(x.shape, dtype=np.int64), label="one of two")
    checks.within(top * 2 - x - y, 0, reach, exactly=False)
    return top


def top_of(checks: Checks, x: Wires, bits: int) -> tuple[Wires, Wires]:
    """(maximum, maximum - x), provided the caller constrains the differences not to be negative.

    Args:
        bits: those of the entries
    """
    circuit = Circuit.of(x)
    checks.require_room(x, bits + 1)
    top = circuit.hint(lambda v: v.max(axis=-1), [x], shape=x.shape[:-1], label="maximum", signed=True)
    distance = top.reshape(*top.shape, 1).broadcast_to(x.shape) - x
    assert_one_is_zero(distance)
    return top, distance


def assert_one_is_zero(x: Wires) -> None:
    """Constrains the product along the last axis to 0: one constraint less than there are entries, if not one.

    With p_1 = x_1 they are p_(i-1) x_i = p_i, the last of which is 0: "one of them".
    """
    circuit, n, rows = Circuit.of(x), x.shape[-1], x.size // max(1, x.shape[-1])
    columns, modulus = x.reshape(rows, n).T, circuit.field.modulus
    if n == 1:
        circuit.assert_equal(columns[0], np.zeros(rows, dtype=np.int64), label="one of them")
        return
    made = circuit.hint(lambda v: _products(v, modulus), [columns[:-1]], (n - 2, rows), "products")
    before = concatenate([columns[:1], made])
    after = concatenate([made, circuit.constant(np.zeros((1, rows), dtype=np.int64))])
    circuit.assert_product(before, columns[1:], after, label="one of them")


def _products(x: Values, modulus: int) -> Values:
    """(n - 1, ...): those of the first two rows, the first three, and so on."""
    return np.array(list(accumulate(x, lambda p, v: p * v % modulus)), dtype=object)[1:]


def argmax(checks: Checks, x: Wires, interval: Interval) -> Wires:
    """The place of the maximum, the lowest one of several.

    All n x_i + (n - 1 - i) are distinct and their maximum M belongs to the answer, which is n - 1 - (M mod n).
    M = n y + rest is enforced with 0 <= rest < n exactly, and y held to few bits, which leaves one rest.
    """
    circuit, n = Circuit.of(x), x.shape[-1]
    if n == 1:
        return circuit.constant(np.zeros(x.shape[:-1], dtype=np.int64))
    top, distance = top_of(checks, x * n + np.arange(n)[::-1], interval.reach_bits + n.bit_length())
    checks.within(distance, 0, n * spread(interval) + n - 1, exactly=False)
    rest = circuit.hint(lambda v: v % n, [top], shape=top.shape, label="place of the maximum", signed=True)
    checks.within(rest, 0, n - 1)
    bits = checks.within((top - rest) / n, interval.least, interval.greatest, exactly=False)
    checks.require_room(x, bits + n.bit_length() + 1)
    return n - 1 - rest
