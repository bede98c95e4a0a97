"""The digest of public arrays: the polynomial with all their values as coefficients, at a challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkgpu.circuits.committed import PublicArray
from zkgpu.circuits.numbers import Values
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.wires import Shape, Wires, concatenate
from zkgpu.errors import UsageError

if TYPE_CHECKING:
    from zkgpu.circuits.circuit import Circuit


def public_array_of(name: str, shape: Shape, bits: int | None, interval: tuple[int, int] | None) -> PublicArray:
    """The array of integers of `bits` bits, or of the interval (low, high); UsageError unless just one is given."""
    if (bits is None) == (interval is None) or (bits is not None and bits < 1):
        raise UsageError(f"public array '{name}' needs either a width in bits or an interval (low, high)")
    low, high = interval or (0, (1 << (bits or 1)) - 1)
    return PublicArray(name, shape, low, high)


def publish(circuit: Circuit, array: PublicArray, value: Wires) -> None:
    """Has the digest cover the values, which are committed so that they come before its point."""
    circuit.rounds.arrays.append((array, value.lc))
    circuit.commit(value, array.name)
    circuit.collect("digest", value.ravel() + array.offset, _write_digest)


def _write_digest(circuit: Circuit, coefficients: list[Wires]) -> None:
    """One constraint a value."""
    with circuit.scope("digest"):
        value = horner(concatenate(coefficients), circuit.challenge(DIGEST_POINT))
        circuit.rounds.digest = circuit.define(value)


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
