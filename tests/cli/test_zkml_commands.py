"""The commands of zkml, one after the other in a build folder, and what they refuse."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tests.json_objects import require_documented
from tests.zkml.models import model, node, normal, onnx
from zkgpu.cli.program import main

DIGITS = Path(__file__).parents[2] / "examples" / "models" / "digits_cnn.onnx"
SAMPLES = np.random.default_rng(1).integers(0, 17, (20, 6))
WEIGHT = normal(6, 3).astype(np.float32)


def network(seed: int = 0):
    nodes = [node("Gemm", "x w v", "z"), node("Relu", "z", "a"), node("Gemm", "a u", "out")]
    weights = {"w": normal(6, 8, seed=seed), "v": normal(8), "u": normal(8, 3, seed=seed)}
    return model(nodes, {"x": ("N", 6)}, weights=weights)


def run(capsys, *arguments: object) -> tuple[int, dict, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["--json", "--device", "cpu", *map(str, arguments)])
    out, err = capsys.readouterr()
    found = json.loads(out.splitlines()[-1])
    require_documented([str(a) for a in arguments], found)
    return int(stopped.value.code or 0), found, err


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
    code, answer, _ = run(capsys, "zkml", "estimate", folder / "model.onnx", *calibrated)
    assert code == 0
    assert not build.exists()
    code, report, _ = run(capsys, "zkml", "compile", folder / "model.onnx", *calibrated, "-o", build)
    for what in ("constraints", "wires", "gas"):
        assert (code, report["costs"][what]) == (0, answer["costs"][what])
    assert {layer["way"] for layer in report["products"]} == {"private"}
    assert report["products"] == answer["products"]
    assert 0 < report["challenges"]["degree"] < 1 << 254 - report["challenges"]["error_bits"]
    code, made_up, err = run(capsys, "zkml", "estimate", folder / "model.onnx", "--weights", "private")
    assert (code, "accuracy" in made_up, "numbers were made up" in err) == (0, False, True)
    assert 0.8 < made_up["costs"]["constraints"] / report["costs"]["constraints"] < 1.25
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


@pytest.mark.parametrize(("weights", "mode"), [("public", 0o644), ("private", 0o600), ("hashed", 0o600)])
def test_weights_that_are_not_public_are_for_their_owner_only(folder: Path, capsys, weights: str, mode: int) -> None:
    before = os.umask(0o022)
    try:
        options = ("--calibrate", folder / "data.npz", "--weights", weights)
        run(capsys, "zkml", "compile", folder / "model.onnx", *options, "-o", folder / "build")
    finally:
        os.umask(before)
    assert (folder / "build" / "model.npz").stat().st_mode & 0o777 == mode


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
    assert (code, "input 'x' at index [0, 0]" in failed["error"]) == (3, True)
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


def text(capsys, *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["--device", "cpu", *map(str, arguments)])
    return int(stopped.value.code or 0), capsys.readouterr().out


ADDRESS = "0x" + "5a" * 20


@pytest.fixture
def bound(folder: Path, capsys) -> Path:
    """A model with private weights whose proofs are for an address, and one proof."""
    compile_it = ("zkml", "compile", folder / "model.onnx", "--calibrate", folder / "data.npz", "--weights", "private")
    code, out = text(capsys, *compile_it, "--bind", 20, "--labels", "out=cat,dog,fish", "-o", folder / "build")
    assert (code, "any answer that some weights of this architecture give" in out) == (0, True)
    assert text(capsys, "zkml", "setup", folder / "build", "--unsafe")[0] == 0
    prove = ("zkml", "prove", folder / "build", folder / "input.npz", "-o", folder / "proof.json")
    assert text(capsys, *prove)[0] == 2
    code, out = text(capsys, *prove, "--binding", ADDRESS)
    assert (code, "dog=" in out) == (0, True)
    return folder


def test_verify_tells_what_was_proven_with_neither_the_model_nor_the_proving_key(bound: Path, capsys) -> None:
    (bound / "build" / "model.npz").unlink()
    (bound / "build" / "key.zkey").unlink()
    code, out = text(capsys, "zkml", "verify", bound / "build", bound / "proof.json")
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "input x: " + " ".join(str(v) for v in SAMPLES[0])
    assert [part.split("=")[0] for part in lines[1].removeprefix("output out: ").split()] == ["cat", "dog", "fish"]
    assert lines[2] == f"binding: {ADDRESS}"
    assert "any answer that some weights of this architecture give" in out
    code, answer, _ = run(capsys, "zkml", "verify", bound / "build", bound / "proof.json")
    x, scores, binding = answer["tensors"]
    assert (x["values"], x["scale"], x["type"], x["offset"]) == ([SAMPLES[0].tolist()], "1.0", "uint8", 0)
    assert scores["labels"] == ["cat", "dog", "fish"]
    assert np.allclose(np.array(scores["values"]) * float(scores["scale"]), scores["real"])
    assert [f"{v:.6g}" for v in scores["real"][0]] == [part.split("=")[1] for part in lines[1].split()[2:]]
    assert bytes(binding["values"]) == bytes.fromhex(ADDRESS[2:])
    contract = (bound / "build" / "Verifier.sol").read_text()
    assert '// output "out": int32[1, 3]' in contract
    assert '"cat", "dog", "fish"' in contract


def test_a_proof_for_another_binding_is_none(bound: Path, capsys) -> None:
    verify = ("zkml", "verify", bound / "build", bound / "proof.json", "--binding")
    assert text(capsys, *verify, ADDRESS)[0] == 0
    code, out = text(capsys, *verify, "0x" + "11" * 20)
    assert (code, out.splitlines()[-1]) == (1, f"valid proof, but for ANOTHER BINDING, {ADDRESS}")
    for wrong in ("5a5a", "0x5", "0xzz"):
        assert text(capsys, *verify, wrong)[0] == 2
    public = json.loads((bound / "public.json").read_text())
    public["packed"] = public["packed"][:-40] + "11" * 20
    (bound / "public.json").write_text(json.dumps(public))
    assert text(capsys, *verify, "0x" + "11" * 20) == (1, "INVALID proof\n")


def test_a_statement_of_another_key_is_refused(bound: Path, capsys) -> None:
    compile_it = ("zkml", "compile", bound / "model.onnx", "--calibrate", bound / "data.npz", "-o", bound / "second")
    assert text(capsys, *compile_it)[0] == 0
    (bound / "build" / "statement.json").write_bytes((bound / "second" / "statement.json").read_bytes())
    assert text(capsys, "zkml", "verify", bound / "build", bound / "proof.json")[0] == 3


@pytest.mark.parametrize("labels", ["out", "=a,b,c", "out=a,b", "x=a", "out="])
def test_labels_on_the_command_line_that_do_not_fit_are_refused(folder: Path, capsys, labels: str) -> None:
    compile_it = ("zkml", "compile", folder / "model.onnx", "--calibrate", folder / "data.npz", "-o", folder / "build")
    assert text(capsys, *compile_it, "--labels", labels)[0] == 2
    assert not (folder / "build").exists()


def test_check_needs_no_data_and_exits_with_3_where_something_is_not_supported(folder: Path, capsys) -> None:
    code, answer, _ = run(capsys, "zkml", "check", folder / "model.onnx")
    assert (code, answer["supported"], answer["obstacles"]) == (0, True, [])
    nodes = [node("Det", "x", "d"), node("Relu", "d", "r"), node("Det", "r", "out")]
    onnx.save(model(nodes, {"x": ("N", "T", 6)}), folder / "det.onnx")
    code, answer, _ = run(capsys, "zkml", "check", folder / "det.onnx", "--shape", "x=1,6,6")
    found = answer["obstacles"][0]
    assert (code, answer["supported"], found["operator"], found["nodes"]) == (3, False, "Det", ["/d", "/out"])
    code, out = text(capsys, "zkml", "check", folder / "det.onnx")
    header, row, *notes, verdict = out.splitlines()
    assert (code, header.split()[0], row.split()[:3]) == (3, "operator", ["Det", "2", "/d"])
    assert "axis 1 of input 'x'" in notes[0]
    assert verdict.endswith("3 nodes, 1 not supported")


@pytest.mark.parametrize("shape", ["x", "x=", "x=1,a", "=1,2", "x=1,-2", "x=0"])
def test_shapes_on_the_command_line_that_are_none_are_refused(folder: Path, capsys, shape: str) -> None:
    assert text(capsys, "zkml", "check", folder / "model.onnx", "--shape", shape)[0] == 2


def test_a_batch_gives_one_proof_a_sample(folder: Path, capsys) -> None:
    np.savetxt(folder / "data.csv", SAMPLES, delimiter=",", fmt="%d")
    np.savetxt(folder / "two.csv", SAMPLES[:2], delimiter=",", fmt="%d")
    compile_it = ("zkml", "compile", folder / "model.onnx", "--calibrate", folder / "data.csv", "-o", folder / "build")
    assert run(capsys, *compile_it)[0] == 0
    assert run(capsys, "zkml", "setup", folder / "build", "--unsafe")[0] == 0
    prove = ("zkml", "prove", folder / "build", folder / "two.csv", "-o", folder / "p.json")
    code, answer, _ = run(capsys, *prove)
    assert (code, [one["values"]["x"] for one in answer["proofs"]]) == (0, [[row.tolist()] for row in SAMPLES[:2]])
    for i in (0, 1):
        assert Path(answer["proofs"][i]["proof"]) == folder / f"p_{i}.json"
        assert run(capsys, "zkml", "verify", folder / "build", folder / f"p_{i}.json")[1]["valid"]
    assert run(capsys, *prove, "--public", folder / "public.json")[0] == 2
    assert run(capsys, "zkml", "prove", folder / "build", folder / "p_0.json", "-o", folder / "p.json")[0] == 3


def test_more_bits_are_closer_to_the_float_model(folder: Path, capsys) -> None:
    np.save(folder / "real.npy", normal(40, 6))
    errors = []
    for bits in (6, 12, 14):
        asked = ("zkml", "compile", folder / "model.onnx", "--calibrate", folder / "real.npy", "--bits", bits)
        code, answer, _ = run(
            capsys, *asked, "--test", folder / "real.npy", "--allow-error", 1, "-o", folder / f"b{bits}"
        )
        assert code == 0
        errors.append(answer["accuracy"]["out"]["error"])
    assert errors[0] > 4 * errors[1] > 8 * errors[2]
    asked = ("zkml", "compile", folder / "model.onnx", "--calibrate", folder / "real.npy", "-o", folder / "c", "--bits")
    for wrong in (1, 17, "eight"):
        assert text(capsys, *asked, wrong)[0] == 2


KINDS = {
    "uint8": (onnx.TensorProto.UINT8, np.uint8),
    "int8": (onnx.TensorProto.INT8, np.int8),
    "float16": (onnx.TensorProto.FLOAT16, np.float16),
    "bool": (onnx.TensorProto.BOOL, np.bool_),
    "int64": (onnx.TensorProto.INT64, np.int64),
}


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_of_every_type_go_all_the_way(kind: str, tmp_path: Path, capsys) -> None:
    """A file of the third version whose weights are no inputs, with a symbolic batch, and an input of the type."""
    code, dtype = KINDS[kind]
    proto = model([node("Cast", "x", "f", to=1), node("MatMul", "f w", "out")], {"x": ("N", 6)}, weights={"w": WEIGHT})
    proto.graph.input[0].type.tensor_type.elem_type = code
    proto.ir_version = 3
    (tmp_path / "m.onnx").write_bytes(proto.SerializeToString())
    drawn = np.random.default_rng(2).normal(size=(40, 6)) * 20
    samples = drawn > 0 if kind == "bool" else (np.abs(drawn) if kind == "uint8" else drawn).astype(dtype)
    np.save(tmp_path / "x.npy", samples)
    np.save(tmp_path / "one.npy", samples[3])
    assert text(capsys, "zkml", "check", tmp_path / "m.onnx")[0] == 0
    compile_it = ("zkml", "compile", tmp_path / "m.onnx", "--calibrate", tmp_path / "x.npy", "-o", tmp_path / "b")
    assert text(capsys, *compile_it)[0] == 0
    assert text(capsys, "zkml", "setup", tmp_path / "b", "--unsafe")[0] == 0
    code, answer, _ = run(capsys, "zkml", "prove", tmp_path / "b", tmp_path / "one.npy", "-o", tmp_path / "p.json")
    assert (code, run(capsys, "zkml", "verify", tmp_path / "b", tmp_path / "p.json")[1]["valid"]) == (0, True)
    wanted = samples.astype(np.float64) @ WEIGHT
    found = np.array(next(tensor for tensor in answer["tensors"] if tensor["name"] == "out")["real"])[0]
    assert np.abs(found - wanted[3]).max() < 0.02 * np.abs(wanted).max()


def test_what_onnxruntime_cannot_run_is_the_fault_of_the_file(tmp_path: Path, capsys) -> None:
    nodes = [node("Gather", "x i", "g", axis=1), node("Relu", "g", "out")]
    onnx.save(model(nodes, {"x": (1, 6)}, weights={"i": np.array([2, 9])}), tmp_path / "m.onnx")
    np.save(tmp_path / "x.npy", SAMPLES)
    with pytest.raises(SystemExit) as stopped:
        main(["zkml", "compile", str(tmp_path / "m.onnx"), "--calibrate", str(tmp_path / "x.npy"), "-o", "b"])
    assert stopped.value.code == 3
    assert "onnxruntime cannot run this model" in capsys.readouterr().err
