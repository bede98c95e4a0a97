"""`zkgpu samples`: files that the other commands take, and none replaced unasked."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from zkgpu.backend import open_backend
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.demo import samples
from zkgpu.demo.digits import IMAGE, model
from zkgpu.demo.samples import KEPT, NAMES, sample

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer powers, which take less time to make."""
    monkeypatch.setattr(samples, "POWER", 3)


@pytest.mark.usefixtures("few")
def test_the_files_are_written_and_prove(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wasmtime")
    monkeypatch.chdir(tmp_path)
    outcome = command("samples", "--json")
    assert outcome.code == 0, outcome.err
    assert "for tests" in outcome.err
    assert outcome.json["files"] == list(NAMES)
    assert {path.name for path in tmp_path.iterdir()} == set(NAMES)
    assert read_ptau("pot.ptau").contributions[0].name == samples.CONTRIBUTOR
    assert command("powers", "verify", "pot.ptau").code == 0
    assert command("setup", "circuit.r1cs", "pot.ptau", "key.zkey").code == 0
    assert command("fullprove", "input.json", "circuit.wasm", "key.zkey").code == 0


@pytest.mark.usefixtures("few")
def test_what_is_there_stays_unless_told_otherwise(tmp_path: Path, command: Command) -> None:
    (tmp_path / "data.npz").write_text("mine")
    assert f"{tmp_path / 'data.npz'}: there is a file: --force replaces it" in command("samples", tmp_path).error(2)
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]
    assert command("samples", tmp_path, "--force").code == 0
    assert (tmp_path / "data.npz").read_bytes() == sample("data.npz")


def test_the_model_is_that_of_the_examples_and_its_samples_fit() -> None:
    assert sample("model.onnx") == (EXAMPLES / "models" / "digits_cnn.onnx").read_bytes()
    images, image = (np.load(io.BytesIO(sample(name)))["image"] for name in ("data.npz", "input.npz"))
    assert (images.shape[1:], image.shape) == ((1, 8, 8), (1, 1, 8, 8))
    assert len(images) >= 32
    assert (image.reshape(8, 8) == IMAGE).all()
    assert 1 << (samples.POWER - 1) < model().circuit.r1cs.n_constraints <= 1 << samples.POWER


def test_they_are_small() -> None:
    assert sum(len(sample(name)) for name in KEPT) < 50_000


def test_samples_that_were_interrupted_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(samples, "contribute_powers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        samples.write_samples(tmp_path / "there", open_backend("cpu"))
    assert not list((tmp_path / "there").iterdir())
