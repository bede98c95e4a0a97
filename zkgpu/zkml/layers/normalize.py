"""Normalization of rows: mean, variance or mean of squares, and an inverse square root that two inequalities pin."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Circuit, Wires
from zkgpu.zkml.layers.composition import FREE
from zkgpu.zkml.layers.maximum import spread
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.operations import Normalize, RootMeanSquare
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import inverse_root


def normalize(checks: Checks, operation: Normalize, x: Wires, interval: Interval) -> Wires:
    """c * R along the last axis."""
    n = x.shape[-1]
    total = x.sum(axis=-1)
    if has_wire_of_sum(x.size, n) and not x.is_constant:
        total = Circuit.of(x).materialize(total)
    c = x * n - _along(total, x)
    variance = (c * c).sum(axis=-1) + operation.epsilon
    most, reached = (n * (n * d) ** 2 + operation.epsilon for d in (spread(interval), 2 * interval.reach))
    root = _inverse_root(checks, variance, operation.bits, operation.epsilon, most, reached.bit_length())
    return c * _along(root, x)


def root_mean_square(checks: Checks, operation: RootMeanSquare, x: Wires, interval: Interval) -> Wires:
    """x * R along the last axis."""
    n = x.shape[-1]
    squares = (x * x).sum(axis=-1) + operation.epsilon
    most, reached = (n * d**2 + operation.epsilon for d in (interval.magnitude, interval.reach))
    return x * _along(_inverse_root(checks, squares, operation.bits, operation.epsilon, most, reached.bit_length()), x)


def has_wire_of_sum(size: int, n: int) -> bool:
    """Whether the sums of rows of n get wires, where each of `size` entries less its mean would have n terms else."""
    return size * n > FREE


def _along(row: Wires, x: Wires) -> Wires:
    return row.reshape(*row.shape, 1).broadcast_to(x.shape)


def _inverse_root(checks: Checks, x: Wires, bits: int, least: int, greatest: int, reach_bits: int) -> Wires:
    """R = floor(2^bits / sqrt(x)) for x in [least, greatest]: R^2 x <= 4^bits < (R + 1)^2 x.

    Both inequalities are enforced by range checks of the two differences, whose low ends are exact. The range check of
    R, up to whole limbs above 2^bits / sqrt(least), and the high ends only keep the numbers from wrapping.

    Args:
        reach_bits: those of the largest x there can be
    """
    circuit = Circuit.of(x)
    root = circuit.hint(lambda v: _safe_inverse_root(v, bits), [x], shape=x.shape, label="inverse root", signed=True)
    top = int(inverse_root(np.array([least]), bits)[0])
    root_bits = checks.within(root, 0, top, exactly=False)
    checks.require_room(x, max(2 * bits, 2 * root_bits + reach_bits) + 2)
    square = circuit.materialize(root * root)
    below = circuit.materialize(square * x)
    above = circuit.materialize((2 * root + 1) * x)
    slack = (2 << bits) * _root_above(greatest) + greatest  # (2 R + 1) x is at most this
    checks.within((1 << 2 * bits) - below, 0, slack, exactly=False)
    checks.within(below + above - (1 << 2 * bits) - 1, 0, slack, exactly=False)
    return root


def _root_above(x: int) -> int:
    """A power of two that is not below the square root of x."""
    return 1 << (x.bit_length() + 1) // 2


def _safe_inverse_root(x: NDArray[Any], bits: int) -> NDArray[Any]:
    return np.where(x > 0, inverse_root(np.where(x > 0, x, 1), bits), 0)
