"""zkml in a build folder whose key comes from a ceremony, and every file of it damaged or exchanged: one line each."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.cli import main

PIXELS = np.random.default_rng(0).integers(0, 17, (20, 4))
SAMPLES = Path(__file__).parents[1] / "data" / "samples"
POWERS = SAMPLES / "pot6_final.ptau"


def dense(inputs: int = 4, outputs: int = 3, seed: int = 0) -> Any:
    weights = {"w": normal(inputs, outputs, seed=seed)}
    return model([node("Gemm", "x w", "out")], {"x": ("N", inputs)}, weights=weights)


def done(*arguments: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["-q", *map(str, arguments)])
    assert not ended.value.code


def built(folder: Path, name: str, network: Any, samples: np.ndarray, *setup: object) -> None:
    """folder/name, a build folder with keys, and name.json, a proof of it, beside name.public.json."""
    onnx.save(network, folder / f"{name}.onnx")
    np.save(folder / f"{name}.npy", samples)
    np.save(folder / f"{name}.one.npy", samples[0])
    done("zkml", "compile", folder / f"{name}.onnx", "--calibrate", folder / f"{name}.npy", "-o", folder / name)
    done("zkml", "setup", folder / name, *setup)
    proof = ("-o", folder / f"{name}.json", "--public", folder / f"{name}.public.json")
    done("zkml", "prove", folder / name, folder / f"{name}.one.npy", *proof)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("zkml")
    built(folder, "mine", dense(), PIXELS, POWERS, "--name", "me")
    built(folder, "other", dense(seed=5), PIXELS, "--unsafe")
    built(folder, "wider", dense(inputs=5), np.pad(PIXELS, ((0, 0), (0, 1))), "--unsafe")
    return folder


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def verify(folder: Path, proof: str = "mine", public: str = "mine") -> tuple[object, ...]:
    return ("zkml", "verify", folder / "mine", folder / f"{proof}.json", "--public", folder / f"{public}.public.json")


def prove(folder: Path, inputs: Path | None = None, *options: object) -> tuple[object, ...]:
    given = inputs or folder / "mine.one.npy"
    return ("zkml", "prove", folder / "mine", given, "-o", folder / "new.json", *options)


def test_a_key_from_a_ceremony_is_not_marked_unsafe(made: Path, command: Any) -> None:
    assert "UNSAFE" not in (made / "mine" / "Verifier.sol").read_text()
    assert "UNSAFE" in (made / "other" / "Verifier.sol").read_text()
    verdict = command(*verify(made))
    assert (verdict.code, verdict.out.splitlines()[-1], verdict.err) == (0, "valid proof", "")
    facts = command("--json", "inspect", made / "mine" / "key.zkey").json
    assert "me" in str(facts)


@pytest.mark.parametrize(
    ("powers", "code", "message"),
    [(SAMPLES / "pot6_0.ptau", 3, "not prepared"), (SAMPLES / "multiplier.onnx", 2, "does not exist")],
)
def test_powers_that_are_none_are_refused(made: Path, command: Any, powers: Path, code: int, message: str) -> None:
    assert message in command("zkml", "setup", made / "mine", powers).error(code)


def test_too_few_powers_are_refused_with_the_number_it_takes(made: Path, tmp_path: Path, command: Any) -> None:
    onnx.save(dense(4, 80), tmp_path / "big.onnx")
    done("zkml", "compile", tmp_path / "big.onnx", "--calibrate", made / "mine.npy", "-o", tmp_path / "big")
    assert "needs 2^7 powers of tau and the file has 2^6" in command("zkml", "setup", tmp_path / "big", POWERS).error(2)
    assert not (tmp_path / "big" / "key.zkey").exists()


INPUTS = {
    "x at index [0, 2] is outside of": np.array([1, 2, 40, 3]),
    "x at index [0, 3] is not a finite number": np.array([1, 2, 3, np.nan]),
    "x must hold numbers of shape (1, 4), not int64 of shape (3,)": np.array([1, 2, 3]),
    "x must hold numbers of shape (1, 4), not <U1 of shape (4,)": np.array(["a", "b", "c", "d"]),
    "x must hold numbers of shape (1, 4), not complex128 of shape (4,)": np.array([1j, 2, 3, 4]),
}


@pytest.mark.parametrize("message", INPUTS)
def test_inputs_that_do_not_fit_are_refused_with_their_index(copy: Path, command: Any, message: str) -> None:
    np.save(copy / "wrong.npy", INPUTS[message])
    line = command(*prove(copy, copy / "wrong.npy")).error(3).replace("'", "")
    assert f"{copy / 'wrong.npy'}: input {message}" in line
    assert not (copy / "new.json").exists()


def test_inputs_under_another_name_are_refused(copy: Path, command: Any) -> None:
    np.savez(copy / "wrong.npz", y=PIXELS[0])
    assert f"{copy / 'wrong.npz'}: missing input 'x'" in command(*prove(copy, copy / "wrong.npz")).error(3)


def damaged(data: bytes) -> dict[str, bytes]:
    return {"cut": data[: len(data) // 2], "junk": b"\x00junk" * 9, "empty": b"", "[]": b"[]"}


@pytest.mark.parametrize("how", ["cut", "junk", "empty", "[]"])
@pytest.mark.parametrize("name", ["model.npz", "key.zkey", "verification_key.json", "statement.json"])
def test_a_damaged_build_folder_is_refused_by_the_file_and_the_place(
    copy: Path, command: Any, name: str, how: str
) -> None:
    file = copy / "mine" / name
    file.write_bytes(damaged(file.read_bytes())[how])
    line = command(*(prove(copy) if name in ("model.npz", "key.zkey") else verify(copy))).error(3)
    assert name in line
    assert not (copy / "new.json").exists()


@pytest.mark.parametrize("name", ["model.npz", "key.zkey", "verification_key.json", "statement.json"])
def test_a_file_missing_from_the_build_folder_is_named_with_the_command_that_makes_it(
    copy: Path, command: Any, name: str
) -> None:
    (copy / "mine" / name).unlink()
    line = command(*(prove(copy) if name in ("model.npz", "key.zkey") else verify(copy))).error(2)
    assert f"there is no {name} in this folder: run `zkgpu zkml" in line


@pytest.mark.parametrize("name", ["verification_key.json", "Verifier.sol"])
def test_a_key_or_a_contract_of_another_folder_is_refused_before_a_proof(copy: Path, command: Any, name: str) -> None:
    assert command(*prove(copy)).code == 0
    (copy / "new.json").unlink()
    shutil.copy(copy / "other" / name, copy / "mine" / name)
    assert f"{name}: this is not the" in command(*prove(copy)).error(3)
    assert not (copy / "new.json").exists()


def test_a_contract_is_read_through_once(copy: Path, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(*prove(copy)).code == 0
    monkeypatch.setattr("zkgpu.inference.folder._numbers", None)
    assert command(*prove(copy)).code == 0
    with (copy / "mine" / "Verifier.sol").open("a") as file:
        file.write("// changed")
    assert "TypeError" in command(*prove(copy)).error(70)


@pytest.mark.parametrize("how", ["cut", "junk", "empty", "[]"])
@pytest.mark.parametrize("name", ["mine.json", "mine.public.json"])
def test_a_damaged_proof_is_refused_by_the_file_and_the_place(copy: Path, command: Any, name: str, how: str) -> None:
    (copy / name).write_bytes(damaged((copy / name).read_bytes())[how])
    outcome = command(*verify(copy))
    if (name, how) == ("mine.public.json", "[]"):  # public values it could be, of a circuit with none
        assert "0 bytes of packed public values, but the circuit has 16" in outcome.error(2)
    else:
        assert name in outcome.error(3)


def test_the_proof_of_another_model_is_invalid(made: Path, command: Any) -> None:
    for proof, public in (("other", "other"), ("mine", "other"), ("other", "mine")):
        outcome = command(*verify(made, proof, public))
        assert (outcome.code, outcome.out) == (1, "INVALID proof\n")
    assert "17 bytes of packed public values, but the circuit has 16" in command(*verify(made, "wider", "wider")).error(
        2
    )


def test_the_key_of_another_model_makes_no_proof(copy: Path, command: Any) -> None:
    for name in ("other", "wider"):
        shutil.copy(copy / name / "key.zkey", copy / "mine" / "key.zkey")
        assert "that of another circuit" in command(*prove(copy)).error(2)
        assert not (copy / "new.json").exists()


def test_other_weights_are_refused_where_they_are_part_of_the_circuit(copy: Path, command: Any) -> None:
    line = command(*prove(copy, None, "--weights", copy / "other.onnx")).error(2)
    assert "part of the circuit" in line


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_the_packages_for_onnx_the_command_says_what_to_install(
    made: Path, tmp_path: Path, command: Any, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    compile_it = ("zkml", "compile", made / "mine.onnx", "--calibrate", made / "mine.npy", "-o", tmp_path / "new")
    assert "pip install 'zkgpu[onnx]'" in command(*compile_it).error(5)
    assert not (tmp_path / "new").exists()
    assert command(*verify(made)).code == 0
