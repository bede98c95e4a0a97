"""Polynomials at a point of the circuit: vectors as coefficients, for digests and random linear combinations."""

from __future__ import annotations

from zkgpu.circuits.evaluation import Values
from zkgpu.circuits.wires import Wires, concatenate


def horner(coefficients: Wires, point: Wires) -> Wires:
    """The sum of c_i point^(n-1-i) along the last axis: one constraint a coefficient, save the first.

    The running values s_i = s_(i-1) point + c_i are wires of their own, computed in one go.
    """
    *outer, n = coefficients.shape
    circuit = coefficients.circuit
    if n < 2:
        return coefficients.sum(axis=-1)
    modulus = circuit.field.modulus
    running = circuit.hint(
        lambda c, x: _running(c, int(x), modulus), [coefficients, point], shape=(*outer, n - 1), label="horner"
    )
    before = concatenate([coefficients[..., :1], running[..., :-1]], axis=-1)
    point = point.broadcast_to(before.shape)
    circuit.assert_product(before, point, running - coefficients[..., 1:], label="horner")
    return running[..., -1]


def _running(coefficients: Values, point: int, modulus: int) -> Values:
    """(..., n - 1): the partial sums, from the second coefficient on."""
    rows = coefficients.reshape(-1, coefficients.shape[-1]).T
    sums = rows.copy()
    for i in range(1, len(rows)):
        sums[i] = (sums[i - 1] * point + rows[i]) % modulus
    return sums[1:].T.reshape(*coefficients.shape[:-1], len(rows) - 1)
