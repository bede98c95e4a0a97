"""What setup, proof and verification of a circuit will cost, before anything long starts.

Figures of a two-core server CPU with AVX-512; other machines differ by a factor, not by an order of magnitude.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkgpu.circuits.r1cs import R1CS

_POINTS = 64 * 4 + 128  # bytes of a wire's points in a key: three queries and h in G1, one in G2
_KEY_COPIES = 2  # the key, and what the device keeps of it
_ENTRY = 12 * 2  # bytes of a matrix entry, with its copy in the other order
_WITNESS = 160  # bytes of a wire's value while it is a Python integer
_FIXED_SECONDS = 0.035
_SECONDS_PER_WIRE = 1.0e-6
_SECONDS_PER_ENTRY = 0.35e-6
_SECONDS_OF_SETUP_PER_WIRE = 6e-6
_GAS = 259_000  # of a proof with a commitment, the whole transaction
_GAS_PER_INPUT = 7_157  # challenges and digest too
_GAS_PER_VALUE = 85  # with a byte or two of calldata


@dataclass(frozen=True)
class Costs:
    """Estimated costs.

    Attributes:
        constraints, wires, entries: of the R1CS
        prove_seconds, setup_seconds: on two cores
        memory: bytes, at the peak of setup or proof
        key_bytes: size of the proving key's file, about
        gas: of the contract's call
    """

    constraints: int
    wires: int
    entries: int
    setup_seconds: float
    prove_seconds: float
    memory: int
    key_bytes: int
    gas: int


def estimate(r1cs: R1CS) -> Costs:
    """The costs of a circuit."""
    entries = sum(len(side.indices) for side in (r1cs.a, r1cs.b, r1cs.c))
    domain = 1 << (r1cs.n_constraints + r1cs.n_public).bit_length()
    key = r1cs.n_wires * _POINTS + domain * 64 + entries * 44
    memory = key * _KEY_COPIES + entries * _ENTRY + r1cs.n_wires * _WITNESS + domain * 160
    values = sum(array.size for round_ in r1cs.rounds for array in round_.arrays)
    return Costs(
        constraints=r1cs.n_constraints,
        wires=r1cs.n_wires,
        entries=entries,
        setup_seconds=0.1 + r1cs.n_wires * _SECONDS_OF_SETUP_PER_WIRE,
        prove_seconds=_FIXED_SECONDS + domain * _SECONDS_PER_WIRE * 1.2 + entries * _SECONDS_PER_ENTRY,
        memory=memory + (200 << 20),
        key_bytes=key,
        gas=_GAS + _GAS_PER_INPUT * r1cs.n_public + _GAS_PER_VALUE * values,
    )
