"""Files of circom and snarkjs: their proofs verify here, and with their blinding ours are theirs, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from zkgpu.backend import Backend, open_backend
from zkgpu.errors import LengthError, UsageError
from zkgpu.formats.public_values import read_public, write_public
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns
from zkgpu.groth16 import Prover, verify
from zkgpu.groth16.json import read_proof, read_verifying_key, write_proof
from zkgpu.groth16.prover import Blinding
from zkgpu.groth16.zkey import read_zkey
from zkgpu.jit.isa import supported

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
BLINDING = Blinding(12345, 67890)
DEVICES = ["reference", *(f"cpu-{path.name}" for path in supported())]
NAMES = ["multiplier", "range"]


def opened(device: str, threads: int = 2) -> Backend:
    kind, _, instructions = device.partition("-")
    return open_backend(kind, threads=threads, instructions=instructions or None)


def sample_prover(name: str, backend: Backend) -> Prover:
    key = read_zkey(SAMPLES / name / f"{name}_groth16.zkey", backend.first_invalid_point)
    return Prover(key, backend, circuit=read_r1cs(SAMPLES / name / f"{name}.r1cs"))


@pytest.mark.parametrize("name", NAMES)
def test_a_proof_of_snarkjs_verifies(name: str) -> None:
    folder = SAMPLES / name
    key = read_verifying_key(folder / "groth16_vk.json")
    inputs = read_public(folder / "groth16_public.json")
    proof = read_proof(folder / "groth16_proof.json")
    assert verify(key, inputs, proof)
    assert not verify(key, [inputs[0] ^ 1, *inputs[1:]], proof)


@pytest.mark.parametrize(
    "device", [pytest.param(d, marks=[pytest.mark.slow] if d == "cpu-fma" else []) for d in DEVICES]
)
def test_with_the_blinding_of_the_sample_the_proof_is_the_sample_byte_for_byte(tmp_path: Path, device: str) -> None:
    folder = SAMPLES / "multiplier"
    prover = sample_prover("multiplier", opened(device))
    assignment = read_wtns(folder / "witness.wtns")
    write_proof(tmp_path / "proof.json", prover.prove(assignment, _blinding=BLINDING))
    write_public(tmp_path / "public.json", prover.public_inputs(assignment))
    wanted = folder / "groth16_proof_r12345_s67890.json"
    assert (tmp_path / "proof.json").read_bytes() == wanted.read_bytes()
    assert (tmp_path / "public.json").read_bytes() == (folder / "groth16_public.json").read_bytes()


@pytest.mark.slow
def test_every_instruction_path_and_thread_count_gives_the_same_proof() -> None:
    assignment = read_wtns(SAMPLES / "range" / "witness.wtns")
    backends = [opened(f"cpu-{path.name}", threads) for path in supported() for threads in (1, 2)]
    proofs = [sample_prover("range", b).prove(assignment, _blinding=BLINDING) for b in backends]
    assert all(proof == proofs[0] for proof in proofs)


@pytest.mark.parametrize("name", NAMES)
def test_each_proof_is_fresh_and_verifies_under_the_key_that_snarkjs_exported(name: str) -> None:
    folder = SAMPLES / name
    prover = sample_prover(name, open_backend("cpu"))
    assignment = read_wtns(folder / "witness.wtns")
    first, second = prover.prove(assignment), prover.prove(assignment)
    assert first != second
    key, inputs = read_verifying_key(folder / "groth16_vk.json"), read_public(folder / "groth16_public.json")
    assert verify(key, inputs, first)
    assert verify(key, inputs, second)


def test_a_witness_of_another_circuit_is_refused_by_its_length() -> None:
    prover = sample_prover("multiplier", open_backend("reference"))
    with pytest.raises(LengthError, match="another circuit"):
        prover.prove(read_wtns(SAMPLES / "range" / "witness.wtns"))


def test_a_circuit_that_does_not_belong_to_the_key_is_refused() -> None:
    backend = open_backend("reference")
    key = read_zkey(SAMPLES / "multiplier" / "multiplier_groth16.zkey", backend.first_invalid_point)
    with pytest.raises(UsageError, match="do not belong together"):
        Prover(key, backend, circuit=read_r1cs(SAMPLES / "range" / "range.r1cs"))
