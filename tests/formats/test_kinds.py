"""What a file is, by its first bytes: what was given in place of what, and files of other tools that are as good."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError
from zkgpu.formats.circuit_inputs import read_inputs
from zkgpu.formats.primes import read_scalar_field
from zkgpu.formats.public_values import read_public_values
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns, write_wtns
from zkgpu.systems.files import read_key, read_proof, read_verifying_key

READERS = {
    "a constraint system (.r1cs)": read_r1cs,
    "a witness (.wtns)": read_wtns,
    "a proving key (.zkey)": read_key,
    "a proof": read_proof,
    "a verification key": read_verifying_key,
    "public values": read_public_values,
}
FILES = {
    "a constraint system (.r1cs)": "multiplier.r1cs",
    "a witness (.wtns)": "witness.wtns",
    "a proving key (.zkey)": "multiplier_groth16.zkey",
    "a WebAssembly module (.wasm)": "multiplier.wasm",
    "a proof": "groth16_proof.json",
    "a verification key": "groth16_vk.json",
    "public values": "groth16_public.json",
}
DOWNLOADS = {
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a circuit in circom": b"// ours\npragma circom 2.0.0;\ntemplate A() {}\n",
    "a web page": b"\n<!DOCTYPE HTML><html><body>404: not found</body></html>",
    "a gzip archive": gzip.compress(b"zkey"),
    "a file of zeros": bytes(1 << 12),
}


@pytest.mark.parametrize(("given", "wanted"), [(g, w) for g in FILES for w in READERS if g != w])
def test_a_swapped_file_is_named_with_what_was_expected(samples: Path, tmp_path: Path, given: str, wanted: str) -> None:
    path = tmp_path / "no name"
    path.write_bytes((samples / "multiplier" / FILES[given]).read_bytes())
    with pytest.raises(FormatError) as error:
        READERS[wanted](path)
    assert f"{'these are' if given == 'public values' else 'this is'} {given}; {wanted} w" in str(error.value)


@pytest.mark.parametrize("wanted", [*READERS, "a JSON file of inputs"])
@pytest.mark.parametrize("found", DOWNLOADS)
def test_what_a_download_left_is_named_as_what_it_is(tmp_path: Path, found: str, wanted: str) -> None:
    (tmp_path / "file").write_bytes(DOWNLOADS[found])
    with pytest.raises(FormatError, match=found) as error:
        {**READERS, "a JSON file of inputs": read_inputs}[wanted](tmp_path / "file")
    assert wanted in str(error.value)


@pytest.mark.parametrize("cut", [1, 100, 400, 700])
def test_a_truncated_json_file_is_called_truncated(samples: Path, tmp_path: Path, cut: int) -> None:
    (tmp_path / "proof.json").write_bytes((samples / "multiplier" / "groth16_proof.json").read_bytes()[:cut])
    with pytest.raises(FormatError, match="truncated"):
        read_proof(tmp_path / "proof.json")


def rewritten(source: Path, target: Path, **changed: Any) -> Path:
    value = {**json.loads(source.read_text()), **changed}
    target.write_text(json.dumps({key: item for key, item in value.items() if item is not None}))
    return target


@pytest.mark.parametrize("curve", [None, "bn128", "bn254", "BN254", "alt_bn128"])
@pytest.mark.parametrize("protocol", ["groth16", "plonk"])
def test_the_curve_may_be_left_out_or_have_gnark_s_name(
    samples: Path, tmp_path: Path, command: Any, protocol: str, curve: str | None
) -> None:
    folder = samples / "multiplier"
    vk = rewritten(folder / f"{protocol}_vk.json", tmp_path / "vk.json", curve=curve)
    proof = rewritten(folder / f"{protocol}_proof.json", tmp_path / "proof.json", curve=curve)
    assert command("verify", vk, folder / f"{protocol}_public.json", proof).code == 0
    assert command("inspect", proof).code == 0


@pytest.mark.parametrize("curve", ["secp256k1", "", 1, ["bn128"]])
def test_another_curve_is_refused_by_name(samples: Path, tmp_path: Path, curve: Any) -> None:
    path = rewritten(samples / "multiplier" / "groth16_vk.json", tmp_path / "vk.json", curve=curve)
    with pytest.raises(FormatError, match="the curve of the verification key is"):
        read_verifying_key(path)


@pytest.mark.parametrize("key", ["curv", "Curve", "curvve", "7urve"])
def test_a_curve_under_another_name_is_not_taken_for_none(samples: Path, tmp_path: Path, key: str) -> None:
    path = rewritten(samples / "multiplier" / "groth16_vk.json", tmp_path / "vk.json", curve=None, **{key: "bn128"})
    with pytest.raises(FormatError, match="is the file damaged"):
        read_verifying_key(path)


class Header:
    """What reads a header with one prime."""

    def __init__(self, prime: int) -> None:
        self.prime = prime

    def u32(self) -> int:
        return -(-self.prime.bit_length() // 64) * 8

    def integer(self, size: int) -> int:
        return self.prime

    def error(self, message: str) -> FormatError:
        return FormatError(message)


@pytest.mark.parametrize(
    ("name", "prime"),
    [
        # of headers that circom 2.2.3 writes with --prime
        ("BLS12-381", 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001),
        ("goldilocks", 0xFFFFFFFF00000001),
        ("grumpkin", 0x30644E72E131A029B85045B68181585D97816A916871CA8D3C208C16D87CFD47),
        ("pallas", 0x40000000000000000000000000000000224698FC094CF91B992D30ED00000001),
        ("vesta", 0x40000000000000000000000000000000224698FC0994A8DD8C46EB2100000001),
        ("secq256r1", 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF),
        ("BLS12-377", 0x12AB655E9A2CA55660B44D1E5C37B00159AA76FED00000010A11800000000001),
    ],
)
def test_a_prime_of_circom_s_is_called_by_circom_s_name(name: str, prime: int) -> None:
    with pytest.raises(FormatError, match=name):
        read_scalar_field(Header(prime))  # type: ignore[arg-type]


CIRCOM = Path(__file__).parents[1] / "data" / "circom"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder with circom's mixed circuit, and a witness in which main.t, that is wire 7, is wrong."""
    (tmp_path / "mixed.r1cs").write_bytes((CIRCOM / "mixed_O2.r1cs").read_bytes())
    assignment = read_wtns(CIRCOM / "mixed_O2.wtns").copy()
    assignment[7, 0] += np.uint64(1)
    write_wtns(tmp_path / "wrong.wtns", Fr, assignment)
    return tmp_path


def test_a_constraint_that_fails_names_its_signals(broken: Path, command: Any) -> None:
    files = broken / "mixed.r1cs", broken / "wrong.wtns"
    assert "of main" not in command("check", *files).error(4)
    named = command("check", *files, "--sym", CIRCOM / "mixed_O2.sym").error(4)
    assert "constraint 0: A * B is not C, of main.y, main.z, main.a, main.s.o" in named
    (broken / "mixed.sym").write_bytes((CIRCOM / "mixed_O2.sym").read_bytes())
    assert command("check", *files).error(4) == named


@pytest.mark.parametrize("name", ["mixed_O1.sym", "asserted.circom"])
def test_names_of_another_circuit_are_not_taken(broken: Path, command: Any, name: str) -> None:
    (broken / "mixed.sym").write_bytes((CIRCOM / name).read_bytes())
    error = command("check", broken / "mixed.r1cs", broken / "wrong.wtns").error(4)
    assert "constraint 0: A * B is not C (its signals are not known: " in error


def test_what_is_given_as_names_must_be_some(broken: Path, command: Any) -> None:
    files = broken / "mixed.r1cs", broken / "wrong.wtns"
    assert "this is a constraint system" in command("check", *files, "--sym", broken / "mixed.r1cs").error(3)


def test_commands_tell_files_by_their_bytes(samples: Path, tmp_path: Path, command: Any) -> None:
    source = samples / "multiplier"
    for name in ("multiplier.wasm", "multiplier_groth16.zkey", "groth16_vk.json"):
        (tmp_path / name.replace(".", "_")).write_bytes((source / name).read_bytes())
    witness = command("witness", tmp_path / "multiplier_wasm", source / "input.json", "-o", tmp_path / "w")
    assert witness.code == 0, witness.err
    for name in ("multiplier_groth16_zkey", "groth16_vk_json"):
        assert command("export", "solidity", tmp_path / name, tmp_path / f"{name}.sol").code == 0
