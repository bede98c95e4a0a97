"""The commands of zkml, one after the other in a build folder, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.cli.main import main

DIGITS = Path(__file__).parents[2] / "examples" / "models" / "digits_cnn.onnx"
SAMPLES = np.random.default_rng(1).integers(0, 17, (20, 6))


def network(seed: int = 0):
    nodes = [node("Gemm", "x w v", "z"), node("Relu", "z", "a"), node("Gemm", "a u", "out")]
    weights = {"w": normal(6, 8, seed=seed), "v": normal(8), "u": normal(8, 3, seed=seed)}
    return model(nodes, {"x": ("N", 6)}, weights=weights)


def run(capsys, *arguments: object) -> tuple[int, dict, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["--json", "--device", "cpu", *map(str, arguments)])
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), json.loads(out.splitlines()[-1]), err


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    onnx.save(network(), tmp_path / "model.onnx")
    onnx.save(network(seed=1), tmp_path / "other.onnx")
    np.savez(tmp_path / "data.npz", x=SAMPLES)
    np.savez(tmp_path / "input.npz", x=SAMPLES[0])
    np.save(tmp_path / "far.npy", SAMPLES[0] + 100)
    return tmp_path


def test_compile_setup_prove_verify(folder: Path, capsys) -> None:
    build, proof = folder / "build", folder / "proof.json"
    calibrated = ("--calibrate", folder / "data.npz", "--weights", "private")
    code, told, _ = run(capsys, "zkml", "estimate", folder / "model.onnx", *calibrated)
    assert code == 0
    assert not build.exists()
    code, report, _ = run(capsys, "zkml", "compile", folder / "model.onnx", *calibrated, "-o", build)
    assert (code, report["costs"]) == (0, told["costs"])
    assert report["accuracy"]["out"]["agreement"] > 0.8
    code, _, err = run(capsys, "zkml", "setup", build, "--unsafe")
    assert (code, "UNSAFE" in err) == (0, True)
    assert (build / "Verifier.sol").read_text().count("contract ") >= 1
    code, proven, _ = run(capsys, "zkml", "prove", build, folder / "input.npz", "-o", proof)
    assert (code, proven["values"]["x"]) == (0, [SAMPLES[0].tolist()])
    code, verdict, err = run(capsys, "zkml", "verify", build, proof)
    assert (code, verdict["valid"], verdict["values"]) == (0, True, proven["values"])
    assert (verdict["unsafe_key"], verdict["insecure_key"], "UNSAFE" in err) == (True, None, True)
    other = (
        "--weights",
        folder / "other.onnx",
        "-o",
        folder / "second.json",
        "--public",
        folder / "second_public.json",
    )
    code, second, _ = run(capsys, "zkml", "prove", build, folder / "input.npz", *other)
    assert code == 0
    assert second["values"]["out"] != proven["values"]["out"]
    mixed = run(capsys, "zkml", "verify", build, proof, "--public", folder / "second_public.json")
    assert mixed[:2] == (1, {**mixed[1], "valid": False})


def test_refusals_are_one_line_with_their_exit_code(folder: Path, capsys) -> None:
    build, calibrated = folder / "build", ("--calibrate", folder / "data.npz")
    (folder / "bad.npz").write_bytes(b"not numbers")
    compile_it = ("zkml", "compile", folder / "model.onnx")
    assert run(capsys, *compile_it, "--calibrate", folder / "bad.npz", "-o", build)[0] == 3
    assert run(capsys, *compile_it, *calibrated, "--private", "nothing", "-o", build)[0] == 2
    assert run(capsys, "zkml", "setup", build, "--unsafe")[0] == 2
    assert run(capsys, *compile_it, *calibrated, "-o", build)[0] == 0
    assert run(capsys, "zkml", "setup", build)[0] == 2
    assert run(capsys, "zkml", "prove", build, folder / "input.npz")[0] == 2
    assert run(capsys, "zkml", "setup", build, "--unsafe")[0] == 0
    code, failed, _ = run(capsys, "zkml", "prove", build, folder / "far.npy", "-o", folder / "p.json")
    assert (code, "input 'x' at index [0, 0]" in failed["error"]) == (2, True)
    assert not (folder / "p.json").exists()


def test_a_convolutional_network_proves_the_scores_of_the_float_model(tmp_path: Path, capsys) -> None:
    import onnxruntime

    images = np.random.default_rng(3).integers(0, 17, (20, 1, 8, 8)).astype(np.float32)
    np.savez(tmp_path / "data.npz", image=images)
    np.savez(tmp_path / "input.npz", image=images[0])
    build = tmp_path / "build"
    compile_it = ("zkml", "compile", DIGITS, "--calibrate", tmp_path / "data.npz", "--weights", "hashed")
    code, report, _ = run(capsys, *compile_it, "-o", build)
    assert (code, run(capsys, "zkml", "setup", build, "--unsafe")[0]) == (0, 0)
    code, proven, _ = run(capsys, "zkml", "prove", build, tmp_path / "input.npz", "-o", tmp_path / "proof.json")
    assert (code, proven["hashes"]) == (0, {"weights.hash": report["weights_hash"]})
    session = onnxruntime.InferenceSession(DIGITS.read_bytes(), providers=["CPUExecutionProvider"])
    expected = session.run(None, {"image": images[:1]})[0].ravel()
    scores = np.array(proven["values"]["gemm4"]).ravel()
    assert np.corrcoef(scores, expected)[0, 1] > 0.999


def test_hashed_weights_are_shown_by_their_hash_and_compared_with_it(folder: Path, capsys) -> None:
    build, proof, other = folder / "build", folder / "proof.json", folder / "other.json"
    compile_it = ("zkml", "compile", folder / "model.onnx", "--calibrate", folder / "data.npz", "--weights", "hashed")
    code, report, _ = run(capsys, *compile_it, "-o", build)
    wanted = report["weights_hash"]
    assert (code, run(capsys, "zkml", "setup", build, "--unsafe")[0]) == (0, 0)
    assert run(capsys, "zkml", "prove", build, folder / "input.npz", "-o", proof)[0] == 0
    for hidden in ("model.npz", "key.zkey"):
        (build / hidden).rename(folder / hidden)
    code, verdict, _ = run(capsys, "zkml", "verify", build, proof, "--weights-hash", wanted)
    assert (code, verdict["valid"], verdict["hashes"]) == (0, True, {"weights.hash": wanted})
    for hidden in ("model.npz", "key.zkey"):
        (folder / hidden).rename(build / hidden)
    theirs = ("--weights", folder / "other.onnx", "-o", other, "--public", folder / "theirs.json")
    assert run(capsys, "zkml", "prove", build, folder / "input.npz", *theirs)[0] == 0
    verify = ("zkml", "verify", build, other, "--public", folder / "theirs.json")
    code, verdict, _ = run(capsys, *verify)
    assert (code, verdict["valid"], verdict["hashes"]["weights.hash"] != wanted) == (0, True, True)
    code, verdict, _ = run(capsys, *verify, "--weights-hash", wanted)
    assert (code, verdict["valid"], verdict["proof_valid"]) == (1, False, True)
