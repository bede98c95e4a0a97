"""The bench of architectures: each is built, and one that cannot be proven fails by name."""

import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

pytest.importorskip("sklearn")  # for the digits, which the benches of examples read

import architectures  # noqa: E402
from models import Architecture, builders  # noqa: E402
from models.exported import Exported  # noqa: E402
from models.vision import images  # noqa: E402


def little(operator: str) -> Architecture:
    net = Exported((1, 2, 4, 4))
    return Architecture(net.model(net.flatten(net.node(operator, net.conv("input", 2, 3)))), images(2, 4, 4))


def record(monkeypatch: pytest.MonkeyPatch, architecture: Architecture) -> tuple[bool, list[dict]]:
    lines: list[dict] = []
    monkeypatch.setattr(architectures, "builders", lambda: {"little": lambda: architecture})
    monkeypatch.setattr(architectures.Recorder, "add", lambda self, run, **facts: lines.append(facts))
    return architectures.tried("little", "public"), lines


def test_a_proven_model_is_a_line(monkeypatch):
    passed, (line,) = record(monkeypatch, little("Relu"))
    assert passed
    assert line["constraints"] > 48
    assert 0 < line["error"] < 0.05
    assert line["checked"]


def test_a_model_that_cannot_be_compiled_is_a_line_on_standard_error(monkeypatch, capsys):
    passed, lines = record(monkeypatch, little("Hardmaxx"))
    assert not passed
    assert not lines
    assert capsys.readouterr().err.startswith("little: ")


def test_outputs_far_from_the_float_models_fail(monkeypatch, capsys):
    wrong = {"output": np.zeros((1, 48))}
    monkeypatch.setattr(architectures, "answers", lambda architecture, sample: wrong)
    passed, lines = record(monkeypatch, little("Relu"))
    assert not passed
    assert not lines
    assert "onnxruntime" in capsys.readouterr().err


@pytest.mark.parametrize("name", builders())
def test_a_builder_is_a_valid_model_and_draws_its_inputs(name):
    architecture = Architecture(*builders()[name]())
    onnx.checker.check_model(architecture.model)
    samples = architecture.draw(2, np.random.default_rng(0))
    given = samples if isinstance(samples, dict) else {architecture.model.graph.input[0].name: samples}
    for info in architecture.model.graph.input:
        shape = [dim.dim_value or 1 for dim in info.type.tensor_type.shape.dim]
        assert np.size(given[info.name]) == 2 * np.prod(shape)
