"""Whole proofs with a committed round on the emulated device: byte for byte those of the reference.

Groth16 proofs without one are in test_groth16_on_device.py; PLONK's are in tests/plonk, beside those of other devices.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from tests.zkml.networks import all_inputs, compiled, model_of
from zkgpu.backend import Backend
from zkgpu.backend.cuda import CudaBackend
from zkgpu.backend.reference import ReferenceBackend
from zkgpu.circuits import CompiledCircuit
from zkgpu.curves.bn254 import BN254
from zkgpu.groth16 import Prover, ProvingKey, unsafe_setup, verify
from zkgpu.groth16.json import write_proof
from zkgpu.groth16.prover import Blinding
from zkgpu.zkml import semantics
from zkgpu.zkml.operations import IntegerModel, Linear, Requantize

X = np.array([[[3, 1, 2]]])


@pytest.fixture(scope="module")
def network() -> IntegerModel:
    """Two neurons: a layer of weights, rounded, with nothing below zero."""
    weight, bias = np.array([[[100, -7], [-20, 90], [30, -128]]]), np.array([[5, -9]])
    dense = Linear("dense", ("x",), "z", weight, np.ones((1, 2), np.int64), bias)
    return model_of([dense, Requantize("relu", ("z",), "out", 6, 0)], limb=2, x=((1, 1, 3), 0, 3))


@pytest.fixture(scope="module")
def key(network: IntegerModel) -> ProvingKey:
    return unsafe_setup(compiled(network).r1cs, ReferenceBackend(BN254))


def proof_bytes(circuit: CompiledCircuit, key: ProvingKey, inputs: dict, backend: Backend, target: Path) -> bytes:
    proven = Prover(key, backend).prove_circuit(circuit, inputs, _blinding=Blinding(11, 22, 33))
    assert verify(key.verifying_key, proven.public_inputs, proven.proof, packed=proven.packed)
    write_proof(target, proven.proof)
    return target.read_bytes() + proven.packed


def test_a_network_is_proven_as_by_the_reference(
    network: IntegerModel, key: ProvingKey, driver: EmulatedDriver, tmp_path: Path
) -> None:
    circuit, inputs = compiled(network), all_inputs(network, {"x": X})
    wanted = proof_bytes(circuit, key, inputs, ReferenceBackend(BN254), tmp_path / "reference.json")
    assert proof_bytes(circuit, key, inputs, CudaBackend(driver, BN254, log_tile=4), tmp_path / "gpu.json") == wanted
    assert "commitment" in str(json.loads((tmp_path / "gpu.json").read_text()))
    outputs = semantics.run(network, {"x": X})["out"].ravel()
    assert outputs.tolist() == [5, 0]
