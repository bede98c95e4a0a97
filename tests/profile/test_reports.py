"""The page of a compiled model, and pages in a browser."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.conftest import Command
from zkgpu.inference import CompiledModel, Folder, compile_model, estimate
from zkgpu.profile import page, profile
from zkgpu.profile.layered import Box, svg
from zkgpu.profile.report import report
from zkgpu.zkml.ranges import analyze

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def residual(name: str = "add") -> onnx.ModelProto:
    """relu(x W) W' + x, whose last node has a name of one's choice."""
    random = np.random.default_rng(1)
    weights = [numpy_helper.from_array(random.normal(size=(6, 6)).astype(np.float32), f"w{i}") for i in range(2)]
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["a"], "first"),
        helper.make_node("Relu", ["a"], ["b"], "act"),
        helper.make_node("MatMul", ["b", "w1"], ["c"], "second"),
        helper.make_node("Add", ["c", "x"], ["y"], name),
    ]
    ends = [helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, [1, 6]) for end in "xy"]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def compiled(name: str = "add", **options: Any) -> CompiledModel:
    return compile_model(residual(name), np.random.default_rng(2).normal(size=(64, 1, 6)).astype(np.float32), **options)


def shown(model: CompiledModel) -> str:
    return report(model, estimate(model.circuit.r1cs), "net")


def cells(text: str, row: str) -> list[str]:
    """Those after the first of a row of the first table that has it."""
    found, *_ = re.findall(rf'<tr><th scope="row">{row}</th>(.*?)</tr>', text)
    return re.findall(r"<td[^>]*>(.*?)</td>", found)


def test_a_report_tells_what_is_public_and_what_each_layer_holds_and_takes() -> None:
    model = compiled(inputs={"x": "private"})
    text = shown(model)
    assert cells(text, "constraints") == [f"{model.circuit.r1cs.n_constraints:,}"]
    assert cells(text, "x") == ["", "private", "", "", "", ""]
    assert cells(text, "y")[:3] == ["output", "public", "1 x 6"]
    activation = next(op for op in model.model.operations if op.layer == "act")
    held = analyze(model.model)[activation.output]
    kinds, _, shape, integers, bits, constraints, _ = cells(text, "act")
    assert (kinds, shape, integers, bits) == ("Requantize", "1 x 6", f"0 .. {held.greatest:,}", str(held.bits))
    assert int(constraints) >= 6
    assert model.accuracy is not None
    assert f"{model.accuracy.layers['y']:.2%}" in text


def test_each_layer_is_drawn_once_and_each_edge() -> None:
    drawn = svg([Box(n) for n in "abcd"], [[], [0], [1], [2, 0]])
    assert drawn.count("<rect") == 4
    assert drawn.count("marker-end") == 4
    heights = [int(y) for y in re.findall(r'<rect x="-?\d+" y="(\d+)"', drawn)]
    assert heights == sorted(heights)
    assert len(set(heights)) == 4


def test_names_are_text(command: Command) -> None:
    text = shown(compiled('<script>alert("x")</script>'))
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text


def test_the_report_of_weights_that_are_not_public_is_for_its_owner(tmp_path: Path, command: Command) -> None:
    Folder(tmp_path / "build").write_model(compiled(weights="private"))
    outcome = command("zkml", "report", tmp_path / "build", "-o", tmp_path / "report.html")
    assert outcome.code == 0, outcome.err
    assert stat.S_IMODE((tmp_path / "report.html").stat().st_mode) == 0o600
    assert "The weights are not public" in (tmp_path / "report.html").read_text()


def test_without_a_build_folder_there_is_no_report(tmp_path: Path, command: Command) -> None:
    assert "run `zkgpu zkml compile` first" in command("zkml", "report", tmp_path).error(2)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
def test_a_browser_draws_the_flame_graph(tmp_path: Path) -> None:
    assert CHROMIUM is not None
    model = compiled()
    root = profile(model.circuit.r1cs, "net")
    for name, text in (("profile", page(root)), ("report", shown(model))):
        (tmp_path / f"{name}.html").write_text(text)
        drawn = browse(CHROMIUM, tmp_path / f"{name}.html", "--dump-dom").decode()
        bars = re.findall(r'<button title="([^"]*)"', drawn)
        assert bars[0] == f"net: {root.constraints:,} constraints, {root.entries:,} entries, 100.0 % of constraints"
        assert len(bars) > len(root.children)
        browse(CHROMIUM, tmp_path / f"{name}.html", f"--screenshot={tmp_path / name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 10_000  # an empty page is a tenth of it


def browse(chromium: str, path: Path, *options: str) -> bytes:
    """What headless Chromium prints."""
    fixed = ("--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={path.parent / 'chromium'}")
    return subprocess.run(
        [chromium, *fixed, *options, path.as_uri()], capture_output=True, check=True, timeout=60
    ).stdout
