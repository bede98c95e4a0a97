"""Many proofs by one command: what is there stays, what is another's is made again, failures keep nobody up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.service.running import running
from zkgpu import Circuit, open_backend, unsafe_setup
from zkgpu.cli.serve import places_for
from zkgpu.cli.session import Session
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import ResourceError
from zkgpu.formats.wtns import write_wtns
from zkgpu.inference import Folder, compile_model
from zkgpu.inference import unsafe_setup as set_up_model
from zkgpu.service.processes import Plan, places_of
from zkgpu.service.served import by_name, model_of
from zkgpu.service.settings import Settings
from zkgpu.systems.files import write_key, write_verifying_key

ONE = ("--workers", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key for x * x = y, and witnesses for x = 2, 3 and 4, of which one is damaged and one wrong."""
    made = tmp_path_factory.mktemp("squares")
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.public("y")
    circuit.assert_equal(x * x, y)
    compiled = circuit.compile()
    key = unsafe_setup(compiled, backend="cpu")
    write_key(made / "key.zkey", key)
    write_verifying_key(made / "vk.json", key.verifying_key)
    (made / "in").mkdir()
    for value in (2, 3, 4):
        write_wtns(made / "in" / f"{value}.wtns", Fr, compiled.witness({"x": value, "y": value * value}))
    wrong = compiled.witness({"x": 2, "y": 4})
    wrong[-1, 0] += np.uint64(1)
    write_wtns(made / "in" / "wrong.wtns", Fr, wrong)
    (made / "in" / "damaged.wtns").write_bytes(b"wtns")
    return made


def test_a_folder_is_proven_and_gone_on_with(folder: Path, tmp_path: Path, command: Any) -> None:
    out = tmp_path / "out"
    first = command("--json", "batch", folder / "key.zkey", folder / "in", "-o", out, *ONE)
    assert (first.code, first.json["made"], first.json["kept"]) == (4, 3, 0)
    assert {Path(one["file"]).name: one["exit_code"] for one in first.json["failed"]} == {
        "damaged.wtns": 3,
        "wrong.wtns": 4,
    }
    for value in (2, 3, 4):
        files = (folder / "vk.json", out / f"{value}.public.json", out / f"{value}.json")
        assert command("verify", *files).code == 0
        assert json.loads(files[1].read_text()) == [str(value * value)]
    kept = (out / "2.json").read_text()
    (out / "3.json").write_text((out / "2.json").read_text())  # a valid proof of something else
    (out / "3.public.json").write_text((out / "2.public.json").read_text())
    (out / "4.json").write_text("{")
    again = command("--json", "batch", folder / "key.zkey", folder / "in", "-o", out, *ONE)
    assert (again.code, again.json["made"], again.json["kept"]) == (4, 2, 1)
    assert (out / "2.json").read_text() == kept
    assert json.loads((out / "3.public.json").read_text()) == ["9"]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"{value}{kind}.json" for value in (2, 3, 4) for kind in ("", ".public")
    )


def test_what_makes_no_sense_is_refused_before_anything_starts(folder: Path, tmp_path: Path, command: Any) -> None:
    (tmp_path / "empty").mkdir()
    key = folder / "key.zkey"
    assert "no .wtns" in command("batch", key, tmp_path / "empty", "-o", tmp_path / "out").error(2)
    (tmp_path / "empty" / "a.wtns").write_bytes(b"wtns")
    (tmp_path / "empty" / "a.json").write_text("{}")
    wasm = ("--wasm", key)
    assert "one proof" in command("batch", key, tmp_path / "empty", "-o", tmp_path / "out", *wasm).error(2)
    (tmp_path / "empty" / "a.wtns").unlink()
    there = command("batch", key, tmp_path / "empty", "-o", tmp_path / "empty", *wasm)
    assert "another place" in there.error(2)
    assert not (tmp_path / "out").exists()


def test_a_key_that_cannot_be_opened_ends_it(folder: Path, tmp_path: Path, command: Any) -> None:
    (tmp_path / "key.zkey").write_bytes((folder / "key.zkey").read_bytes()[:-1])
    assert command("batch", tmp_path / "key.zkey", folder / "in", "-o", tmp_path / "out", *ONE).error(3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the build folder of a small model, and inputs.npz, three samples."""
    from tests.zkml import models

    folder = tmp_path_factory.mktemp("model")
    samples = np.random.default_rng(1).integers(0, 17, (20, 3))
    weights = {"w": models.normal(3, 2), "v": models.normal(2)}
    gemm = models.model([models.node("Gemm", "x w v", "out")], {"x": ("N", 3)}, weights=weights)
    compiled = compile_model(gemm, samples)
    build = Folder(folder / "build")
    build.write_model(compiled)
    build.write_key(set_up_model(compiled, open_backend("cpu")), compiled)
    np.savez(folder / "inputs.npz", x=samples[:3])
    np.savez(folder / "one.npz", x=samples[0])
    return folder


@pytest.mark.slow
def test_samples_of_a_model_are_proven_each_to_its_file(model: Path, tmp_path: Path, command: Any) -> None:
    build, out = model / "build", tmp_path / "out"
    first = command("--json", "zkml", "batch", build, model / "inputs.npz", "-o", out, *ONE)
    assert (first.code, first.json["made"]) == (0, 3), first.err
    for i in range(3):
        assert command("zkml", "verify", build, out / f"proof_{i}.json").code == 0
    for name in ("proof_1.json", "proof_1.public.json"):
        (out / name).write_text((out / name.replace("1", "0")).read_text())
    again = command("--json", "zkml", "batch", build, model / "inputs.npz", "-o", out, *ONE)
    assert (again.json["made"], again.json["kept"]) == (1, 2)


@pytest.mark.slow
def test_a_service_proves_what_a_model_answers(model: Path, tmp_path: Path, command: Any) -> None:
    served = by_name([model_of(f"gemm={model / 'build'}")])
    with running(
        Settings(served, tmp_path / "spool"), *places_of(served.values(), Plan.of(["cpu"], 1, 1, 1 << 30))
    ) as at:
        there = ("--json", "--server", f"http://127.0.0.1:{at.port}", "zkml", "prove")
        inputs = (model / "one.npz", "-o", tmp_path / "p.json")
        here = command("--json", "zkml", "prove", model / "build", *inputs)
        for build in (model / "build", "gemm"):
            done = command(*there, build, *inputs)
            assert (done.code, done.json) == (0, here.json), done.err
        batch = command(*there, "gemm", model / "inputs.npz", "-o", tmp_path / "p.json")
        assert len(batch.json["proofs"]) == 3
        np.savez(tmp_path / "far.npz", x=np.full(3, 1000))
        there_says = command(*there[1:], "gemm", tmp_path / "far.npz", "-o", tmp_path / "q.json").error(3)
        here_says = command("zkml", "prove", model / "build", tmp_path / "far.npz", "-o", tmp_path / "q.json").error(3)
        assert here_says.removeprefix("error: ") in there_says


def test_a_system_that_hands_on_no_sockets_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zkgpu.cli.serve._HANDS_ON_SOCKETS", False)
    with pytest.raises(ResourceError, match="serve and batch need Linux or macOS"):
        places_for(Session(), {}, {})
