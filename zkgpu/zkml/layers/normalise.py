"""Normalisation of rows: mean, variance, and an inverse square root that two inequalities pin."""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Wires
from zkgpu.zkml.layers.maximum import spread
from zkgpu.zkml.layers.signed import Checks
from zkgpu.zkml.operations import Normalise
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import inverse_root


def normalise(checks: Checks, operation: Normalise, x: Wires, interval: Interval) -> Wires:
    """c * R along the last axis."""
    n = x.shape[-1]
    c = x * n - _along(x.sum(axis=-1), x)
    variance = (c * c).sum(axis=-1) + operation.epsilon
    most = n * (n * spread(interval)) ** 2 + operation.epsilon
    root = _inverse_root(checks, variance, operation.bits, operation.epsilon, most)
    return c * _along(root, x)


def _along(row: Wires, x: Wires) -> Wires:
    return row.reshape(*row.shape, 1).broadcast_to(x.shape)


def _inverse_root(checks: Checks, x: Wires, bits: int, least: int, greatest: int) -> Wires:
    """R = floor(2^bits / sqrt(x)) for x in [least, greatest]: R^2 x <= 4^bits < (R + 1)^2 x.

    R is at most 2^bits / sqrt(least), so that no product here comes near the modulus.
    """
    circuit = x.circuit
    root = circuit.hint(lambda v: _safe_inverse_root(v, bits), [x], shape=x.shape, label="inverse root", signed=True)
    top = int(inverse_root(np.array([least]), bits)[0])
    checks.within(root, 0, top, exactly=False)
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


def _safe_inverse_root(x: np.ndarray, bits: int) -> np.ndarray:
    return np.where(x > 0, inverse_root(np.where(x > 0, x, 1), bits), 0)
