"""Whole Groth16 proofs on the emulated device: byte for byte those of snarkjs and the CPU with the same blinding."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.emulation.driver import EmulatedDriver
from zkgpu.backend import Backend, open_backend
from zkgpu.backend.cuda import CudaBackend
from zkgpu.circuits import Circuit
from zkgpu.curves.bn254 import BN254
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns
from zkgpu.gpu.recorded import Recorded
from zkgpu.groth16 import Prover, unsafe_setup
from zkgpu.groth16.json import write_proof
from zkgpu.groth16.prover import Blinding
from zkgpu.groth16.zkey import read_zkey

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
BLINDING = Blinding(12345, 67890)


@pytest.fixture(scope="module")
def device(driver: EmulatedDriver) -> CudaBackend:
    return CudaBackend(driver, BN254, log_tile=3)


def proof_bytes(name: str, backend: Backend, target: Path) -> bytes:
    folder = SAMPLES / name
    key = read_zkey(folder / f"{name}_groth16.zkey", backend.first_invalid_point)
    prover = Prover(key, backend, circuit=read_r1cs(folder / f"{name}.r1cs"))
    write_proof(target, prover.prove(read_wtns(folder / "witness.wtns"), _blinding=BLINDING))
    return target.read_bytes()


def test_with_the_blinding_of_the_sample_the_proof_is_that_of_snarkjs(device: CudaBackend, tmp_path: Path) -> None:
    wanted = (SAMPLES / "multiplier" / "groth16_proof_r12345_s67890.json").read_bytes()
    assert proof_bytes("multiplier", device, tmp_path / "proof.json") == wanted


@pytest.mark.slow
def test_the_proof_is_that_of_the_cpu(device: CudaBackend, tmp_path: Path) -> None:
    wanted = proof_bytes("range", open_backend("cpu", threads=2), tmp_path / "cpu.json")
    assert proof_bytes("range", device, tmp_path / "device.json") == wanted


def test_a_key_made_on_the_device_proves_on_the_cpu(device: CudaBackend) -> None:
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.public("y")
    circuit.assert_equal(x**3 + x + 5, y, label="cubic")
    compiled = circuit.compile()
    assignment = compiled.witness({"x": 3, "y": 35})
    key = unsafe_setup(compiled.r1cs, device)
    on_device = Prover(key, device).prove(assignment, _blinding=BLINDING)
    assert on_device == Prover(key, open_backend("cpu", threads=2)).prove(assignment, _blinding=BLINDING)


def test_proofs_that_replay_the_sums_of_the_first_are_those_of_the_cpu(
    driver: EmulatedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed, replay = [], Recorded.replay
    monkeypatch.setattr(Recorded, "replay", lambda self, values: (replayed.append(self), replay(self, values))[1])
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.public("y")
    circuit.assert_equal(x**3 + x + 5, y, label="cubic")
    compiled = circuit.compile()
    key = unsafe_setup(compiled.r1cs, open_backend("cpu", threads=2))
    cpu = Prover(key, open_backend("cpu", threads=2))
    on_device = Prover(key, CudaBackend(driver, BN254, log_tile=3, tables=True))
    for k in range(1, 5):
        assignment = compiled.witness({"x": k, "y": k**3 + k + 5})
        assert on_device.prove(assignment, _blinding=BLINDING) == cpu.prove(assignment, _blinding=BLINDING)
        assert len(replayed) == 5 * (k - 1)
