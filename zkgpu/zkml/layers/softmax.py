"""Softmax: distances from the maximum, a table of exp, one reciprocal a row."""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Wires
from zkgpu.zkml.layers.maximum import spread, top_of
from zkgpu.zkml.layers.signed import Checks
from zkgpu.zkml.layers.tables import Tables, rounded_look_up
from zkgpu.zkml.operations import Softmax
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import reciprocal


def softmax(checks: Checks, operation: Softmax, tables: Tables, x: Wires, interval: Interval) -> Wires:
    """The scaled exponentials. Their table keeps the distances from the maximum from being negative."""
    _, distance = top_of(x)
    reach = Interval(np.zeros(1, dtype=np.int64), np.array([spread(interval)]))
    values = np.append(operation.table, 0)
    e = rounded_look_up(checks, tables, values, 0, distance, reach, operation.shift)
    most = int(operation.table[0])
    inverse = _reciprocal(checks, e.sum(axis=-1), operation.bits, most, most * x.shape[-1])
    return e * inverse.reshape(*inverse.shape, 1).broadcast_to(e.shape)


def _reciprocal(checks: Checks, x: Wires, bits: int, least: int, greatest: int) -> Wires:
    """R = floor(2^bits / x) for x known to lie in [least, greatest]: 2^bits = R x + rest with 0 <= rest < x."""
    circuit = x.circuit
    inverse = circuit.hint(lambda v: _safe_reciprocal(v, bits), [x], shape=x.shape, label="reciprocal", signed=True)
    checks.within(inverse, 0, (1 << bits) // least, exactly=False)
    rest = circuit.materialize((1 << bits) - inverse * x)
    checks.within(rest, 0, greatest - 1, exactly=False)
    checks.within(x - 1 - rest, 0, greatest - 1, exactly=False)
    return inverse


def _safe_reciprocal(x: np.ndarray, bits: int) -> np.ndarray:
    return np.where(x > 0, reciprocal(np.where(x > 0, x, 1), bits), 0)
