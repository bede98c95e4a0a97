"""examples/foundry and examples/hardhat: what lies in them is what zkgpu writes, and their own tests pass."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from contracts import VAULT
from evm import FALSE, TRUE, Contract, creation_code
from model_contracts import linked_code
from test_classified_vault import error, opening

from zkgpu.demo.digits import IMAGE
from zkgpu.formats.public_values import read_public_values
from zkgpu.groth16 import VerifyingKey
from zkgpu.groth16.json import read_proof
from zkgpu.inference import Folder, binding_of, values_of, verify
from zkgpu.provers.statement import Statement
from zkgpu.solidity import verifier_source

ROOT = Path(__file__).parents[2]
SKELETONS = {name: ROOT / "examples" / name for name in ("foundry", "hardhat")}
FOUNDRY = SKELETONS["foundry"]
SENDER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
COMMON = ["contracts/ClassifiedVault.sol", "contracts/Verifier.sol", "prove.sh", "test/calldata.txt"]
COMMON += [f"test/{name}.json" for name in ("proof", "public", "statement", "verification_key")]


@pytest.fixture(scope="module")
def key() -> VerifyingKey:
    return Folder(FOUNDRY / "test").read_verifying_key()


@pytest.fixture(scope="module")
def proven() -> Statement:
    return read(FOUNDRY / "test")


def read(folder: Path) -> Statement:
    public, packed = read_public_values(folder / "public.json")
    return Statement(public, read_proof(folder / "proof.json"), packed)


@pytest.mark.parametrize("name", COMMON)
def test_both_have_the_same_files(name: str) -> None:
    assert (SKELETONS["hardhat"] / name).read_bytes() == (FOUNDRY / name).read_bytes()


def test_the_vault_is_that_of_the_examples() -> None:
    vault = ROOT / "examples" / "solidity" / "ClassifiedVault.sol"
    assert (FOUNDRY / "contracts" / "ClassifiedVault.sol").read_text() == vault.read_text()


def test_the_verifier_is_what_the_key_gives(key: VerifyingKey) -> None:
    notes = Folder(FOUNDRY / "test").read_statement().comments()
    assert (FOUNDRY / "contracts" / "Verifier.sol").read_text() == verifier_source(key, notes=notes)


def test_the_proof_is_of_a_three_for_the_sender(key: VerifyingKey, proven: Statement) -> None:
    assert verify(key, proven)
    seen = values_of(key, proven)
    assert (seen["image"].reshape(8, 8) == IMAGE).all()
    assert seen["gemm4"].argmax() == 3
    assert binding_of(key, proven) == bytes.fromhex(SENDER[2:])
    assert not verify(key, replace(proven, packed=bytes([1]) + proven.packed[1:]))


def test_the_calldata_is_that_of_the_proof_and_opens_the_vault(key: VerifyingKey, proven: Statement) -> None:
    data = proven.calldata()
    assert (FOUNDRY / "test" / "calldata.txt").read_text() == f"0x{data.hex()}\n"
    verifier = Contract(linked_code(key))
    arguments = [int(verifier.address, 16), IMAGE.size, 10, 3]
    vault = Contract(creation_code(VAULT) + b"".join(a.to_bytes(32, "big") for a in arguments), beside=verifier)
    altered = replace(proven, packed=proven.packed[:-1] + bytes([proven.packed[-1] ^ 1]))
    assert [verifier.call(s.calldata()) for s in (proven, altered)] == [TRUE, FALSE]
    assert vault.call(opening(proven)) == error("MadeForAnother(address)", int(SENDER, 16))
    assert vault.call(opening(proven), sender=SENDER) == TRUE


def modules(*names: str) -> Path:
    """The folder with npm's packages, which must have these; skips where it has not."""
    folders = [Path(folder) for folder in (os.environ.get("ZKGPU_NODE_MODULES"), ROOT / "node_modules") if folder]
    found = next((folder for folder in folders if all((folder / name).is_dir() for name in names)), None)
    if found is None:
        pytest.skip(f"npm install {' '.join(names)}")
    return found


def copied(name: str, packages: Path, folder: Path) -> Path:
    """The skeleton elsewhere, with npm's packages."""
    copy = shutil.copytree(SKELETONS[name], folder / name, ignore=shutil.ignore_patterns("made", "node_modules"))
    (copy / "node_modules").symlink_to(packages)
    return copy


def ends(program: list[str], folder: Path, **environment: str) -> tuple[int, str]:
    """Its exit code, and what it printed."""
    own = {**os.environ, **environment}
    done = subprocess.run(program, cwd=folder, env=own, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


def exchange_proof(folder: Path) -> None:
    """Puts another call in the place of the true one: with a pixel that is another."""
    path = folder / "test" / "calldata.txt"
    data = bytearray.fromhex(path.read_text().strip()[2:])
    data[4 + 32 * 14] ^= 1
    path.write_text(f"0x{data.hex()}\n")


@pytest.mark.slow
@pytest.mark.node
def test_forge_tests_the_skeleton(tmp_path: Path) -> None:
    packages = modules("@foundry-rs/forge", "solc")
    folder = copied("foundry", packages, tmp_path)
    program = [str(packages / ".bin" / "forge"), "test", "--offline"]
    code, said = ends(program, folder, FOUNDRY_SOLC=str(folder / "solc.cjs"))
    assert (code, "4 tests passed, 0 failed" in said) == (0, True), said
    exchange_proof(folder)
    _, said = ends(program, folder, FOUNDRY_SOLC=str(folder / "solc.cjs"))  # npm's forge ends with 0 all the same
    assert "the true proof was refused" in said, said


@pytest.mark.slow
@pytest.mark.node
def test_hardhat_tests_the_skeleton(tmp_path: Path) -> None:
    packages = modules(*json.loads((SKELETONS["hardhat"] / "package.json").read_text())["devDependencies"])
    path = f"{packages / '.bin'}{os.pathsep}{os.environ['PATH']}"  # where npm's `node` is, if it is there
    node = shutil.which("node", path=path) or "node"
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version[1:].split(".")[0]) < 22:
        pytest.skip(f"Hardhat needs Node 22, this is {version.strip()}: npm install node@22")
    folder = copied("hardhat", packages, tmp_path)
    program = [node, str(packages / "hardhat" / "dist" / "src" / "cli.js"), "test"]
    quiet = {"PATH": path, "CI": "true", "HARDHAT_DISABLE_TELEMETRY_PROMPT": "true"}
    code, said = ends(program, folder, **quiet)
    assert (code, "4 passing" in said) == (0, True), said
    exchange_proof(folder)
    code, said = ends(program, folder, **quiet)
    assert (code, "the true proof is accepted" in said, "failing" in said) == (1, True, True), said


@pytest.mark.slow
@pytest.mark.parametrize("name", SKELETONS)
def test_the_script_makes_the_files_anew(name: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    folder = shutil.copytree(SKELETONS[name], tmp_path / name, ignore=shutil.ignore_patterns("made", "node_modules"))
    program = tmp_path / "bin" / "zkgpu"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m zkgpu "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    code, said = ends(["sh", "prove.sh"], folder, PATH=path, PYTHONPATH=str(ROOT))
    assert code == 0, said
    key = Folder(folder / "test").read_verifying_key()
    assert key != Folder(SKELETONS[name] / "test").read_verifying_key()
    proven = read(folder / "test")
    assert verify(key, proven)
    assert (folder / "test" / "calldata.txt").read_text() == f"0x{proven.calldata().hex()}\n"
    notes = Folder(folder / "test").read_statement().comments()
    assert (folder / "contracts" / "Verifier.sol").read_text() == verifier_source(key, notes=notes)
