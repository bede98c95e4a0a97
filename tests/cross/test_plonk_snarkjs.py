"""PLONK between zkgpu and snarkjs: keys, proofs and verdicts go both ways."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from zkgpu import Circuit, open_backend
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.formats.wtns import write_wtns
from zkgpu.plonk import unsafe_setup
from zkgpu.plonk.zkey import write_plonk_zkey

pytestmark = pytest.mark.node

PROVED, REFUSED = "OK!", "Invalid"
# log2 of the rows: the larger ones take snarkjs half a minute
SIZES = [8, 10, *(pytest.param(size, marks=pytest.mark.slow) for size in (11, 12, 14))]


@dataclass(frozen=True)
class Files:
    """A circuit's files in one folder."""

    r1cs: Path
    witness: Path
    key: Path
    folder: Path

    @property
    def verification(self) -> tuple[Path, Path, Path]:
        return self.folder / "vk.json", self.folder / "public.json", self.folder / "proof.json"


def sample_files(samples: Path, folder: Path, key: Path | None = None) -> Files:
    source = samples / "multiplier"
    return Files(source / "multiplier.r1cs", source / "witness.wtns", key or source / "multiplier_plonk.zkey", folder)


def chain_files(log_rows: int, folder: Path) -> Files:
    """x -> x^2 + 3x + step, over and over: about 2^log_rows rows, with sums of several terms and two public values."""
    steps = (1 << log_rows) // 3 - 2
    circuit = Circuit()
    start, seed = circuit.public("start"), circuit.private("seed")
    x = start + seed
    for step in range(steps):
        x = x * x + 3 * x + step
    circuit.output("end", x)
    compiled, backend = circuit.compile(), open_backend("cpu")
    key = unsafe_setup(compiled.r1cs, backend)
    assert key.domain_size == 1 << log_rows, key.n_rows
    files = Files(folder / "c.r1cs", folder / "c.wtns", folder / "c.zkey", folder)
    write_r1cs(files.r1cs, compiled.r1cs)
    write_wtns(files.witness, compiled.r1cs.field, compiled.witness({"start": 5, "seed": 7}))
    write_plonk_zkey(files.key, key)
    return files


def prove_with_zkgpu(command: Any, files: Files) -> None:
    """proof.json, public.json and vk.json by zkgpu."""
    vk, public, proof = files.verification
    for arguments in (
        ("prove", files.key, files.witness, "--proof", proof, "--public", public),
        ("export", "vk", files.key, vk),
    ):
        outcome = command(*arguments)
        assert outcome.code == 0, outcome.err


def prove_with_snarkjs(snarkjs: Any, files: Files) -> None:
    """The same by snarkjs."""
    vk, public, proof = files.verification
    snarkjs("plonk", "prove", files.key, files.witness, proof, public)
    snarkjs("zkey", "export", "verificationkey", files.key, vk)


def test_snarkjs_ignores_the_mark_of_an_unsafe_key(tmp_path: Path, command: Any, snarkjs: Any) -> None:
    files = chain_files(8, tmp_path)
    prove_with_zkgpu(command, files)
    assert json.loads(files.verification[0].read_text())["unsafe"] is True
    assert PROVED in snarkjs("plonk", "verify", *files.verification)


def test_snarkjs_accepts_our_proof_of_its_sample_and_no_other_inputs(
    samples: Path, tmp_path: Path, command: Any, snarkjs: Any
) -> None:
    files = sample_files(samples, tmp_path)
    prove_with_zkgpu(command, files)
    assert PROVED in snarkjs("plonk", "verify", *files.verification)
    public = files.verification[1]
    public.write_text(public.read_text().replace("1107", "1108"))
    assert REFUSED in snarkjs("plonk", "verify", *files.verification, fails=True)


def test_we_accept_a_fresh_proof_of_snarkjs(samples: Path, tmp_path: Path, command: Any, snarkjs: Any) -> None:
    files = sample_files(samples, tmp_path)
    prove_with_snarkjs(snarkjs, files)
    assert command("verify", *files.verification).out == "valid proof\n"


def test_both_make_the_same_key(samples: Path, tmp_path: Path, command: Any, snarkjs: Any) -> None:
    r1cs, ptau = samples / "multiplier" / "multiplier.r1cs", samples / "pot6_final.ptau"
    snarkjs("plonk", "setup", r1cs, ptau, tmp_path / "theirs.zkey")
    assert command("setup", "--protocol", "plonk", r1cs, ptau, tmp_path / "ours.zkey").code == 0
    assert (tmp_path / "ours.zkey").read_bytes() == (tmp_path / "theirs.zkey").read_bytes()


@pytest.mark.parametrize("log_rows", SIZES)
def test_circuits_of_many_sizes_go_both_ways_with_our_key(
    tmp_path: Path, command: Any, snarkjs: Any, log_rows: int
) -> None:
    files = chain_files(log_rows, tmp_path)
    prove_with_zkgpu(command, files)
    assert PROVED in snarkjs("plonk", "verify", *files.verification)
    prove_with_snarkjs(snarkjs, files)
    assert command("verify", *files.verification).out == "valid proof\n"
