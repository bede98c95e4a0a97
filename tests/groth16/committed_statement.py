"""A small circuit with a committed round: squares by a table, one public input, two packed arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from zkgpu.backend import open_backend
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.circuits.gadgets import Table
from zkgpu.curves.bn254 import Fr
from zkgpu.groth16 import Proof, Prover, ProvingKey, VerifyingKey, unsafe_setup
from zkgpu.groth16.keys import Commitment
from zkgpu.groth16.setup import ToxicWaste
from zkgpu.provers.statement import Statement

INPUTS = {"x": [3, -1], "y": [9, 1], "total": 10}


@dataclass(frozen=True)
class CommittedStatement:
    """A circuit, a key, the key's secrets, and a proof for INPUTS."""

    circuit: CompiledCircuit
    waste: ToxicWaste
    key: ProvingKey
    proven: Statement


def with_points(proof: Proof, *, point: Any = None, knowledge: Any = None, **changes: Any) -> Proof:
    """The proof with another D or pi in its commitment, or another A, B, C."""
    (commitment,) = proof.commitments
    other = Commitment(
        commitment.point if point is None else point, commitment.knowledge if knowledge is None else knowledge
    )
    return replace(proof, commitments=(other,), **changes)


def with_part(key: VerifyingKey, **changes: Any) -> VerifyingKey:
    """The key with another part of its commitment."""
    return replace(key, commitments=(replace(key.required_commitment, **changes),))


def with_queries(key: ProvingKey, **changes: Any) -> ProvingKey:
    """The key with other queries for its committed wires."""
    (queries,) = key.commitments
    return replace(key, commitments=(replace(queries, **changes),))


def squares() -> CompiledCircuit:
    """y = x^2 for secret y; x and 2 y are packed, the sum of y is an ordinary public input."""
    c = Circuit()
    x, y = c.public_array("x", 2, interval=(-3, 3)), c.private("y", 2)
    Table("squares", [[-3, -1, 0, 2, 3], [9, 1, 0, 4, 9]]).look_up(x, y)
    c.assert_equal(y.sum(), c.public("total"))
    c.output_array("doubled", 2 * y, bits=9)
    return c.compile()


def make() -> CommittedStatement:
    circuit, waste = squares(), ToxicWaste.random(Fr)
    key = unsafe_setup(circuit.r1cs, open_backend("cpu"), _waste=waste)
    proven = Prover(key, open_backend("cpu")).prove_circuit(circuit, INPUTS)
    return CommittedStatement(circuit, waste, key, proven)
