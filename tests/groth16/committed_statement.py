"""A small circuit with a committed round: squares by a table, one public input, two packed arrays."""

from __future__ import annotations

from dataclasses import dataclass

from zkgpu.backend import open_backend
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.circuits.gadgets import Table
from zkgpu.curves.bn254 import Fr
from zkgpu.groth16 import Prover, ProvingKey, unsafe_setup
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
