"""PLONK keys with valid proofs: snarkjs' sample files, and keys made in place from a known tau."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from groth16_instances import DATA, SAMPLES, full_width_inputs

from zkgpu import Circuit, open_backend
from zkgpu.curves.bn254 import Fr
from zkgpu.formats.public_values import read_public
from zkgpu.plonk import Proof, Prover, VerifyingKey, unsafe_setup
from zkgpu.plonk.prover import Blinding
from zkgpu.systems.files import read_proof, read_verifying_key

__all__ = ["DATA", "PLONK_MADE", "PlonkInstance", "plonk_made", "plonk_sample"]

PLONK_MADE = (0, 1, 16, 100)
TAU = 0x7A6B677075


@dataclass(frozen=True)
class PlonkInstance:
    """A key whose contract is compiled under `name`, and one proof that it accepts."""

    name: str
    verifying_key: VerifyingKey
    proof: Proof
    public_inputs: list[int]


def plonk_sample(name: str) -> PlonkInstance:
    folder = SAMPLES[name]
    key = read_verifying_key(folder / "plonk_vk.json")
    proof = read_proof(folder / "plonk_proof.json", key)
    assert isinstance(key, VerifyingKey)
    assert isinstance(proof, Proof)
    return PlonkInstance(f"plonk_{name}", key, proof, read_public(folder / "plonk_public.json"))


@cache
def plonk_made(n_public: int) -> PlonkInstance:
    """x (x + 1) = y for a secret x, beside n public inputs; blinded the same way every time."""
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.private("y")
    inputs = {f"input{i}": value for i, value in enumerate(full_width_inputs(n_public))}
    for name in inputs:
        circuit.public(name)
    circuit.assert_equal(x * (x + 1), y, label="relation")
    compiled = circuit.compile()
    backend, source = open_backend("cpu"), random.Random(n_public)
    prover = Prover(unsafe_setup(compiled.r1cs, backend, _tau=TAU), backend)
    assignment = compiled.witness({**inputs, "x": 6, "y": 42})
    blinding = Blinding(tuple(source.randrange(Fr.modulus) for _ in range(11)))
    proof = prover.prove(assignment, _blinding=blinding)
    return PlonkInstance(f"plonk_inputs_{n_public}", prover.key.verifying_key, proof, prover.public_inputs(assignment))
