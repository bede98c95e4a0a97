"""The digest of public arrays: a polynomial with all their values as coefficients, at a challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkgpu.circuits.committed import PublicArray
from zkgpu.circuits.horner import horner
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
