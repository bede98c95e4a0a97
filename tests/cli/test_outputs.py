"""Where commands write: never over what they read or over each other, nor over another circuit's files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def made(work: Any) -> Any:
    return work.proven()


def test_no_output_takes_the_place_of_an_input_or_of_another_output(made: Any, samples: Path, command: Any) -> None:
    r1cs, wtns, key, vk = (made / name for name in ("circuit.r1cs", "witness.wtns", "key.zkey", "vk.json"))
    os.link(key, made / "hard.zkey")
    (made / "soft.zkey").symlink_to(key)
    (made / "pot.ptau").write_bytes((samples / "pot6_final.ptau").read_bytes())
    inputs, wasm = made.input(x=3, y=35), samples / "multiplier" / "multiplier.wasm"
    lines = [
        ("compile", made.source(), "-o", made / "cubic.py"),
        ("witness", made.source(), inputs, "-o", inputs),
        ("setup", r1cs, made / "pot.ptau", made / "pot.ptau"),
        ("setup", r1cs, "--unsafe", r1cs),
        ("prove", key, wtns, "--proof", made / "x", "--public", made / "x"),
        ("prove", key, wtns, "--proof", made / "x", "--public", made / "." / "y" / ".." / "x"),
        ("prove", key, wtns, "--proof", made / "hard.zkey"),
        ("prove", key, wtns, "--proof", made / "soft.zkey"),
        ("prove", key, wtns, "--public", wtns),
        ("prove", key, wtns, "--circuit", r1cs, "--public", r1cs),
        ("fullprove", inputs, wasm, key, "--proof", key),
        ("export", "vk", key, key),
        ("export", "solidity", vk, vk),
    ]
    before = contents(made.folder)
    for line in lines:
        assert "place" in command(*line).error(2), line
    assert contents(made.folder) == before


def test_no_output_takes_the_place_of_a_file_of_another_kind(made: Any, samples: Path, command: Any) -> None:
    r1cs, wtns, key, vk = (made / name for name in ("circuit.r1cs", "witness.wtns", "key.zkey", "vk.json"))
    inputs, other = made.input(x=3, y=35), samples / "multiplier" / "multiplier_groth16.zkey"
    (made / "pot.ptau").write_bytes((samples / "pot6_final.ptau").read_bytes())
    (made / "source.circom").write_text("pragma circom 2.0.0;")
    lines = [
        ("compile", made.source(), "-o", key, "a proving key"),
        ("witness", made.source(), inputs, "-o", made / "pot.ptau", "powers of tau"),
        ("prove", key, wtns, "--proof", r1cs, "a constraint system"),
        ("prove", key, wtns, "--proof", inputs, "a JSON file"),
        ("prove", key, wtns, "--proof", made / "p.json", "--public", vk, "a verification key"),
        ("prove", key, wtns, "--proof", made / "public.json", "public values"),
        ("export", "vk", other, made / "proof.json", "a proof"),
        ("export", "solidity", other, made / "cubic.py", "a source"),
        ("export", "solidity", other, made / "source.circom", "a source"),
        ("fullprove", inputs, made.source(), key, "--proof", wtns, "a witness"),
    ]
    before = contents(made.folder)
    for *line, found in lines:
        assert f"there is {found}" in command(*line).error(2), line
    assert contents(made.folder) == before
    (made / "empty").touch()
    for _ in range(2):  # onto an empty file, and onto what the command made
        made.done("prove", key, wtns, *made.outputs)
        made.done("export", "solidity", key, made / "empty")


@pytest.mark.parametrize("name", ["-", "--json", "-v"])
def test_an_option_is_no_output(made: Any, command: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.folder)
    before = made.names()
    outcome = command("prove", "key.zkey", "witness.wtns", "--proof", name)
    assert (outcome.code, f"give ./{name}" in outcome.err) == (2, True)
    assert made.names() == before


def test_an_output_that_cannot_be_written_is_found_before_the_work(
    made: Any, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(*_: object) -> None:
        raise AssertionError("the work began")

    key, wtns = made / "key.zkey", made / "witness.wtns"
    for name in ("proof._read_key", "export._read_verifying_key", "circuit.load_circuit", "circuit._python_witness"):
        monkeypatch.setattr(f"zkgpu.cli.{name}", work)
    monkeypatch.setattr("zkgpu.formats.r1cs.read_r1cs", work)
    nowhere = made / "nowhere" / "file"
    for line in (
        ("prove", key, wtns, "--proof", nowhere),
        ("prove", key, wtns, "--public", nowhere),
        ("export", "vk", key, nowhere),
        ("export", "solidity", key, nowhere),
        ("compile", made.source(), "-o", nowhere),
        ("witness", made.source(), made.input(x=3, y=35), "-o", nowhere),
        ("setup", made / "circuit.r1cs", "--unsafe", nowhere),
    ):
        assert "nowhere" in command(*line).error(5), line


def test_a_second_proof_has_public_values_of_its_own(made: Any, command: Any) -> None:
    before = contents(made.folder)
    made.done("prove", made / "key.zkey", made / "witness.wtns", "--proof", made / "p2.json")
    after = contents(made.folder)
    assert set(after) - set(before) == {"p2.json", "p2.public.json"}
    assert {name: after[name] for name in before} == before
    made.done("verify", made / "vk.json", made / "p2.public.json", made / "p2.json")


@pytest.mark.parametrize("failing", range(4))  # two looks at the places, then the two files
def test_a_disk_that_fills_up_leaves_the_old_proof_as_it_was(
    made: Any, command: Any, monkeypatch: pytest.MonkeyPatch, failing: int
) -> None:
    before, count = contents(made.folder), iter(range(100))

    def full(call: Any) -> Any:
        def asked(*arguments: int) -> None:
            if next(count) == failing:
                raise OSError(28, "No space left on device")
            call(*arguments)

        return asked

    for name in ("posix_fallocate", "fsync"):
        monkeypatch.setattr(os, name, full(getattr(os, name)))
    assert "No space left" in command("prove", made / "key.zkey", made / "witness.wtns", *made.outputs).error(5)
    assert contents(made.folder) == before


OTHER = """
from zkgpu import Circuit


def groth16():
    c = Circuit()
    x, y = c.private("x"), c.public("y")
    c.assert_equal(x * x * (x + 1) + x + 5, y)
    return c


def plonk():
    c = Circuit()
    x, y = c.private("x"), c.public("y")
    c.assert_equal(x**3 + x + 6, y)
    return c
"""


@pytest.mark.parametrize("protocol", ["groth16", "plonk"])
def test_a_key_of_another_circuit_is_replaced_by_force_alone(work: Any, command: Any, protocol: str) -> None:
    """The other circuit differs in one constant, so that all of its sizes are the same.

    In Groth16 it is one of A or B: what C was cannot be seen from a key.
    """
    work.done("compile", work.source(), "-o", work / "one.r1cs")
    (work / "other.py").write_text(OTHER)
    work.done("compile", f"{work / 'other.py'}:{protocol}", "-o", work / "other.r1cs")
    setup = ("setup", "--protocol", protocol, "--unsafe")
    work.done(*setup, work / "one.r1cs", work / "key.zkey")
    work.done(*setup, work / "one.r1cs", work / "key.zkey")
    before = (work / "key.zkey").read_bytes()
    assert "another circuit: --force" in command(*setup, work / "other.r1cs", work / "key.zkey").error(2)
    assert (work / "key.zkey").read_bytes() == before
    work.done(*setup, work / "other.r1cs", work / "key.zkey", "--force")
    assert "another circuit: --force" in command(*setup, work / "one.r1cs", work / "key.zkey").error(2)
    (work / "notes.txt").write_text("mine")
    assert "no key: --force" in command(*setup, work / "one.r1cs", work / "notes.txt").error(2)


def test_a_key_that_others_contributed_to_is_replaced_by_force_alone(work: Any, command: Any, samples: Path) -> None:
    work.done("compile", work.source(), "-o", work / "one.r1cs")
    setup = ("setup", work / "one.r1cs", samples / "pot6_final.ptau", work / "key.zkey")
    work.done(*setup)
    work.done(*setup)  # what one machine made, it can make again
    work.done("key", "contribute", work / "key.zkey", work / "next.zkey", "--name", "ann")
    os.replace(work / "next.zkey", work / "key.zkey")
    before = (work / "key.zkey").read_bytes()
    for again in (setup, ("setup", "--unsafe", work / "one.r1cs", work / "key.zkey")):
        assert "took 2 contributions: --force" in command(*again).error(2)
    assert (work / "key.zkey").read_bytes() == before
    work.done(*setup, "--force")
    assert (work / "key.zkey").read_bytes() != before


SAMPLES = np.random.default_rng(1).integers(0, 17, (20, 4))


def network(seed: int, width: int = 3) -> Any:
    return model([node("Gemm", "x w", "out")], {"x": ("N", 4)}, weights={"w": normal(4, width, seed=seed)})


@pytest.fixture
def build(work: Any) -> Path:
    """A build folder with keys, beside model.onnx, other.onnx (other weights), wider.onnx and data.npy, input.npy."""
    onnx.save(network(0), work / "model.onnx")
    onnx.save(network(1), work / "other.onnx")
    onnx.save(network(0, width=4), work / "wider.onnx")
    np.save(work / "data.npy", SAMPLES)
    np.save(work / "input.npy", SAMPLES[0])
    work.done(*compiling(work, "model.onnx"))
    work.done("zkml", "setup", work / "build", "--unsafe")
    return work / "build"


def compiling(work: Any, name: str) -> tuple[object, ...]:
    return ("zkml", "compile", work / name, "--calibrate", work / "data.npy", "-o", work / "build")


def test_a_build_folder_of_another_circuit_is_replaced_by_force_alone(build: Path, work: Any, command: Any) -> None:
    before = contents(build)
    work.done(*compiling(work, "model.onnx"))  # the same
    assert contents(build) == before
    for other in ("other.onnx", "wider.onnx"):
        assert "another circuit: --force" in command(*compiling(work, other)).error(2)
    assert contents(build) == before
    work.done(*compiling(work, "wider.onnx"), "--force")
    assert set(contents(build)) == {"model.npz", "circuit.bin", "statement.json"}  # no key of another model
    (build / "key.zkey").write_bytes(before["key.zkey"])
    assert "another circuit: --force" in command("zkml", "setup", build, "--unsafe").error(2)
    work.done("zkml", "setup", build, "--unsafe", "--force")


def test_a_key_beside_a_contract_or_verifying_key_of_another_is_noticed(build: Path, work: Any, command: Any) -> None:
    before = contents(build)
    work.done("zkml", "setup", build, "--unsafe")
    prove = ("zkml", "prove", build, work / "input.npy", "-o", work / "proof.json")
    for name in ("Verifier.sol", "verification_key.json"):
        own = (build / name).read_bytes()
        (build / name).write_bytes(before[name])
        assert f"{name}: this is not the" in command(*prove).error(3)
        (build / name).write_bytes(own)
    assert not (work / "proof.json").exists()
    contract = (build / "Verifier.sol").read_text()
    (build / "Verifier.sol").write_text("// mine\n" + contract.replace("contract ", "contract  ").replace("\n", "\r\n"))
    work.done(*prove)
    (build / "Verifier.sol").unlink()
    work.done(*prove)


def test_proofs_in_one_folder_keep_their_public_values(build: Path, work: Any, command: Any) -> None:
    np.save(work / "second.npy", SAMPLES[1])
    work.done("zkml", "prove", build, work / "input.npy", "-o", work / "proof.json")
    work.done("zkml", "prove", build, work / "second.npy", "-o", work / "p2.json")
    for name in ("proof", "p2"):
        work.done("zkml", "verify", build, work / f"{name}.json")
    assert json.loads((work / "public.json").read_text()) != json.loads((work / "p2.public.json").read_text())
    (work / "p2.public.json").rename(work / "public.json")
    work.done("zkml", "verify", build, work / "p2.json")  # as earlier versions left it
    assert "place" in command("zkml", "prove", build, work / "input.npy", "-o", build / "key.zkey").error(2)


def test_the_demo_s_folder_is_replaced_by_force_alone(build: Path, command: Any) -> None:
    assert "another circuit: --force" in command("demo", "--output", build).error(2)


@pytest.mark.parametrize(
    "line",
    [
        ("samples", ""),
        ("powers", "new", "3", ""),
        ("batch", "KEY", "FOLDER", "-o", ""),
        ("zkml", "compile", "FILE", "--calibrate", "FILE", "-o", ""),
        ("zkml", "report", ""),
        ("audit", "status", ""),
        ("audit", "log", "FOLDER", "", "FILE"),
        ("demo", "--output", ""),
        ("prove", "FILE", "FILE", "--proof", ""),
        ("profile", "FILE", "-o", ""),
    ],
    ids=" ".join,
)
def test_an_empty_name_is_not_the_folder_that_one_is_in(
    line: tuple[str, ...], command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a shell's variable that is not set."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    places = {"FILE": "file", "KEY": "file", "FOLDER": "folder"}
    assert "the name is empty" in command(*(places.get(word, word) for word in line)).error(2)
    assert {path.name for path in tmp_path.rglob("*")} == {"file", "folder"}


@pytest.mark.parametrize("name", ["batch", "serve", "samples", "demo"])
def test_a_folder_that_cannot_be_made_is_a_place_to_change(
    made: Any, command: Any, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zkgpu.cli.serve._require_packages", lambda *_: None)
    (tmp_path / "file").write_text("x")
    place, key = tmp_path / "file" / "folder", made / "key.zkey"
    lines = {
        "batch": ("batch", key, made.folder, "-o", place),
        "serve": ("serve", "--key", f"k={key}", "--spool", place, "--listen", "127.0.0.1:0"),
        "samples": ("samples", place),
        "demo": ("demo", "--output", place),
    }
    line = command(*lines[name]).error(5)
    assert str(place) in line
    assert line.endswith("choose another place")


@pytest.mark.parametrize("name", ["circuit.r1cs", "witness.wtns", "key.zkey", "vk.json", "proof.json"])
def test_a_page_takes_the_place_of_a_page_only(made: Any, command: Any, name: str) -> None:
    before = contents(made.folder)
    refused = command("profile", made.source(), "-o", made / name).error(2)
    assert "in whose place a web page would be written" in refused
    assert contents(made.folder) == before
    for _ in range(2):
        assert command("profile", made.source(), "-o", made / "page.html").code == 0


@pytest.mark.parametrize("place", ["{}", "{}.public"])
def test_a_batch_takes_the_place_of_no_other_files(made: Any, command: Any, tmp_path: Path, place: str) -> None:
    (tmp_path / "out").mkdir()
    there = tmp_path / "out" / f"{place.format('witness')}.json"
    there.write_text((made / "vk.json").read_text())
    line = command("batch", made / "key.zkey", made.folder, "-o", tmp_path / "out", "--workers", "1").error(2)
    assert f"{there}: there is a verification key, in whose place" in line
    assert there.read_text() == (made / "vk.json").read_text()
