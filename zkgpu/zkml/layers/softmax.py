"""Softmax: distances from the maximum, a table of exp, one reciprocal a row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Circuit, Wires
from zkgpu.zkml.layers.maximum import spread, top_of
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.layers.tables import Tables, rounded_look_up
from zkgpu.zkml.operations import Softmax
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import reciprocal


def softmax(checks: Checks, operation: Softmax, tables: Tables, x: Wires, interval: Interval) -> Wires:
    """The scaled exponentials.

    That no distance is negative is enforced by the table, whose first key is 0: it is looked up at floor(d / 2^shift),
    and d = 2^shift floor + remainder with a remainder from 0 on, by its range check.
    """
    _, distance = top_of(checks, x, interval.reach_bits)
    half = 1 << operation.shift - 1 if operation.shift else 0
    reach = Interval(np.array([-half]), np.array([spread(interval) - half]), 2 * interval.reach + half)
    values = np.append(operation.table, 0)
    # to the nearest after half a step less: down
    e = rounded_look_up(checks, tables, values, 0, distance - half, reach, operation.shift)
    most = int(operation.table[0])
    inverse = _reciprocal(checks, e.sum(axis=-1), operation.bits, most, most * x.shape[-1])
    return e * inverse.reshape(*inverse.shape, 1).broadcast_to(e.shape)


def _reciprocal(checks: Checks, x: Wires, bits: int, least: int, greatest: int) -> Wires:
    """R = floor(2^bits / x) for x known to lie in [least, greatest]: 2^bits = R x + rest with 0 <= rest < x.

    0 <= rest and rest <= x - 1 are enforced by two range checks whose low ends are exact; those of R and the high ends
    only keep the numbers from wrapping. x > 0 is the caller's: the largest entry of the table is among its terms.
    """
    circuit = Circuit.of(x)
    inverse = circuit.hint(lambda v: _safe_reciprocal(v, bits), [x], shape=x.shape, label="reciprocal", signed=True)
    inverse_bits = checks.within(inverse, 0, (1 << bits) // least, exactly=False)
    checks.require_room(x, max(bits, inverse_bits + greatest.bit_length()) + 1)
    rest = circuit.materialize((1 << bits) - inverse * x)
    checks.within(rest, 0, greatest - 1, exactly=False)
    checks.within(x - 1 - rest, 0, greatest - 1, exactly=False)
    return inverse


def _safe_reciprocal(x: NDArray[Any], bits: int) -> NDArray[Any]:
    return np.where(x > 0, reciprocal(np.where(x > 0, x, 1), bits), 0)
