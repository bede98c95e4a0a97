"""zkgpu and snarkjs read each other's files and accept each other's proofs; the verdicts are snarkjs' own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zkgpu import Circuit, open_backend
from zkgpu.curves.bn254 import Fr
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.formats.wtns import write_wtns
from zkgpu.groth16 import unsafe_setup
from zkgpu.groth16.zkey import write_zkey

pytestmark = pytest.mark.node

PROVED = "OK!"
KEY_VERIFIED = "ZKey Ok!"


class Files:
    """A circuit's files in one folder, by the names that snarkjs' guide gives them."""

    def __init__(self, folder: Path, r1cs: Path, witness: Path, key: Path):
        self.r1cs, self.witness, self.key = r1cs, witness, key
        self.proof, self.public, self.vk = (folder / f"{name}.json" for name in ("proof", "public", "vk"))

    @property
    def verification(self) -> tuple[Path, Path, Path]:
        return self.vk, self.public, self.proof


def sample_files(samples: Path, folder: Path, name: str, key: Path | None = None) -> Files:
    source = samples / name
    return Files(folder, source / f"{name}.r1cs", source / "witness.wtns", key or source / f"{name}_groth16.zkey")


def succeed(command: Any, *arguments: object) -> None:
    outcome = command(*arguments)
    assert outcome.code == 0, outcome.err


def prove_with_zkgpu(command: Any, files: Files) -> None:
    """proof.json, public.json and vk.json by zkgpu."""
    succeed(command, "prove", files.key, files.witness, "--proof", files.proof, "--public", files.public)
    succeed(command, "export", "vk", files.key, files.vk)


def prove_with_snarkjs(snarkjs: Any, files: Files) -> None:
    """The same by snarkjs."""
    snarkjs("groth16", "prove", files.key, files.witness, files.proof, files.public)
    snarkjs("zkey", "export", "verificationkey", files.key, files.vk)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A circuit written in Python: .r1cs, .wtns and an unsafe .zkey, all written by zkgpu."""
    circuit = Circuit()
    x, y = circuit.public("x", shape=3), circuit.private("y", shape=3)
    circuit.output("dot", (x * y).sum())
    circuit.assert_equal(y[0] * y[1], y[2] + 1, label="relation")
    compiled = circuit.compile()
    folder = tmp_path_factory.mktemp("own")
    write_r1cs(folder / "own.r1cs", compiled.r1cs)
    write_wtns(folder / "own.wtns", compiled.r1cs.field, compiled.witness({"x": [2, -3, 5], "y": [7, 11, 76]}))
    write_zkey(folder / "own.zkey", unsafe_setup(compiled.r1cs, open_backend("cpu")))
    return Files(folder, folder / "own.r1cs", folder / "own.wtns", folder / "own.zkey")


@pytest.mark.parametrize("name", ["multiplier", "range"])
def test_snarkjs_accepts_a_proof_of_zkgpu_made_with_its_key(
    samples: Path, tmp_path: Path, command: Any, snarkjs: Any, name: str
) -> None:
    files = sample_files(samples, tmp_path, name)
    prove_with_zkgpu(command, files)
    assert PROVED in snarkjs("groth16", "verify", *files.verification)


def test_snarkjs_ignores_the_mark_of_an_unsafe_key(own: Files, command: Any, snarkjs: Any) -> None:
    prove_with_zkgpu(command, own)
    assert json.loads(own.vk.read_text())["unsafe"] is True
    assert PROVED in snarkjs("groth16", "verify", *own.verification)


def test_snarkjs_refuses_a_proof_of_zkgpu_for_other_public_inputs(
    samples: Path, tmp_path: Path, command: Any, snarkjs: Any
) -> None:
    files = sample_files(samples, tmp_path, "range")
    prove_with_zkgpu(command, files)
    inputs = json.loads(files.public.read_text())
    files.public.write_text(json.dumps([str(int(inputs[0]) + 1), *inputs[1:]]))
    assert "Invalid proof" in snarkjs("groth16", "verify", *files.verification, fails=True)


@pytest.mark.parametrize("name", ["multiplier", "range"])
def test_zkgpu_accepts_a_fresh_proof_of_snarkjs(
    samples: Path, tmp_path: Path, command: Any, snarkjs: Any, name: str
) -> None:
    files = sample_files(samples, tmp_path, name)
    prove_with_snarkjs(snarkjs, files)
    assert command("verify", *files.verification).out == "valid proof\n"


def test_snarkjs_counts_the_constraints_and_wires_of_our_r1cs(own: Files, snarkjs: Any) -> None:
    said = snarkjs("r1cs", "info", own.r1cs)
    for line in (
        "Curve: bn-128",
        "# of Wires: 11",
        "# of Private Inputs: 3",
        "# of Public Inputs: 3",
        "# of Outputs: 1",
    ):
        assert line in said


def test_snarkjs_finds_that_our_witness_satisfies_our_circuit(own: Files, snarkjs: Any) -> None:
    assert "WITNESS IS CORRECT" in snarkjs("wtns", "check", own.r1cs, own.witness)


def test_snarkjs_proves_with_a_key_and_a_witness_that_zkgpu_wrote(own: Files, command: Any, snarkjs: Any) -> None:
    prove_with_snarkjs(snarkjs, own)
    assert PROVED in snarkjs("groth16", "verify", *own.verification)
    assert command("verify", *own.verification).out == "valid proof\n"
    assert json.loads(own.public.read_text())[1:] == ["2", str(Fr.modulus - 3), "5"]


def test_both_export_the_same_verification_key_and_calldata(
    own: Files, tmp_path: Path, command: Any, snarkjs: Any
) -> None:
    prove_with_zkgpu(command, own)
    snarkjs("zkey", "export", "verificationkey", own.key, tmp_path / "theirs.json")
    ours = json.loads(own.vk.read_text())
    assert ours.pop("unsafe") is True  # which snarkjs cannot see from the key
    assert ours == json.loads((tmp_path / "theirs.json").read_text())
    theirs = snarkjs("zkey", "export", "soliditycalldata", own.public, own.proof)
    assert command("export", "calldata", own.public, own.proof).out.strip() == theirs.strip()


def test_a_key_from_snarkjs_powers_of_tau_passes_snarkjs_key_verification(
    samples: Path, tmp_path: Path, command: Any, snarkjs: Any
) -> None:
    ptau = samples / "pot6_final.ptau"
    files = sample_files(samples, tmp_path, "multiplier", key=tmp_path / "key.zkey")
    succeed(command, "setup", files.r1cs, ptau, files.key, "--name", "zkgpu")
    assert KEY_VERIFIED in snarkjs("zkey", "verify", files.r1cs, ptau, files.key)
    prove_with_snarkjs(snarkjs, files)
    assert command("verify", *files.verification).out == "valid proof\n"
    prove_with_zkgpu(command, files)
    assert PROVED in snarkjs("groth16", "verify", *files.verification)


def test_snarkjs_contributes_to_a_key_of_zkgpu(samples: Path, tmp_path: Path, command: Any, snarkjs: Any) -> None:
    ptau = samples / "pot6_final.ptau"
    first, second = tmp_path / "first.zkey", tmp_path / "second.zkey"
    files = sample_files(samples, tmp_path, "multiplier", key=second)
    succeed(command, "setup", files.r1cs, ptau, first)
    snarkjs("zkey", "contribute", first, second, "--name=second", "-e=any text")
    assert KEY_VERIFIED in snarkjs("zkey", "verify", files.r1cs, ptau, second)
    prove_with_zkgpu(command, files)
    assert PROVED in snarkjs("groth16", "verify", *files.verification)


@pytest.mark.slow
def test_a_key_for_the_range_circuit_passes_snarkjs_key_verification(
    samples: Path, tmp_path: Path, command: Any, snarkjs: Any, powers_of_tau: Path
) -> None:
    files = sample_files(samples, tmp_path, "range", key=tmp_path / "key.zkey")
    succeed(command, "setup", files.r1cs, powers_of_tau, files.key, "--name", "zkgpu")
    assert KEY_VERIFIED in snarkjs("zkey", "verify", files.r1cs, powers_of_tau, files.key)
    prove_with_snarkjs(snarkjs, files)
    assert command("verify", *files.verification).out == "valid proof\n"
    prove_with_zkgpu(command, files)
    assert PROVED in snarkjs("groth16", "verify", *files.verification)


@pytest.mark.slow
def test_snarkjs_verifies_the_key_of_a_circuit_written_in_python(
    own: Files, tmp_path: Path, command: Any, snarkjs: Any, powers_of_tau: Path
) -> None:
    files = Files(tmp_path, own.r1cs, own.witness, tmp_path / "key.zkey")
    succeed(command, "setup", own.r1cs, powers_of_tau, files.key)
    assert KEY_VERIFIED in snarkjs("zkey", "verify", own.r1cs, powers_of_tau, files.key)
    prove_with_zkgpu(command, files)
    assert PROVED in snarkjs("groth16", "verify", *files.verification)
