"""The width of limbs that formulas choose, beside those of all widths."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model
from zkgpu.zkml import limbs
from zkgpu.zkml.counting import size_of
from zkgpu.zkml.onnx_model import OnnxModel

ROOT = Path(__file__).parents[2]
FILES = [
    ROOT / "examples/models/digits_cnn.onnx",
    ROOT / "tests/data/onnx/pytorch_encoder.onnx",
    ROOT / "tests/data/onnx/pytorch_convolutions.onnx",
]


def observed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """By call of best_of: widths that were quantized, constraints of all, told and counted, and which was taken."""
    seen: list[dict[str, Any]] = []
    best_of = limbs.best_of

    def watched(quantized: Any, given: bool) -> Any:
        tried: list[int] = []
        width, found = best_of(lambda limb: (tried.append(limb), quantized(limb))[1], given)
        sizes = {limb: size_of(quantized(limb).model).constraints for limb in limbs.WIDTHS}
        sketch = limbs._sketched(quantized(1))
        told = {limb: sketch.constraints_with(limb, given) for limb in limbs.WIDTHS}
        seen.append({"tried": tried, "sizes": sizes, "width": width, "told": told})
        return width, found

    monkeypatch.setattr(limbs, "best_of", watched)
    return seen


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_width_is_that_of_the_fewest_constraints(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = observed(monkeypatch)
    shapes = OnnxModel.read(path).shapes
    samples = {n: normal(3, *(length or 4 for length in shape[1:])) for n, shape in shapes.items()}
    compile_model(path, samples, bits=8, allow_error=np.inf)
    for found in seen:
        assert found["sizes"][found["width"]] <= 1.005 * min(found["sizes"].values())


def test_formulas_tell_convolutions_exactly_but_for_inputs_and_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that two quantizations do: with limbs of one bit, and of the width that is taken."""
    nodes = [
        node("Conv", "x k", "a", kernel_shape=[3, 3]),
        node("MaxPool", "a", "b", kernel_shape=[2, 2], strides=[2, 2]),
        node("Relu", "b", "c"),
        node("Flatten", "c", "d"),
        node("Gemm", "d w", "e"),
        node("Relu", "e", "f"),
        node("Gemm", "f v", "out"),
    ]
    monkeypatch.setattr(limbs, "_SMALL", 0)
    weights = {"k": normal(6, 2, 3, 3), "w": normal(6 * 25, 20), "v": normal(20, 4)}
    seen = observed(monkeypatch)
    monkeypatch.setattr("zkgpu.zkml.layers.network.build_circuit", lambda *_: pytest.fail("a circuit was built"))
    compile_model(model(nodes, {"x": ("N", 2, 12, 12)}, weights=weights), normal(9, 2, 12, 12), bits=8, allow_error=9)
    for found in seen:
        assert len(set(found["tried"])) == 2
        assert len({found["sizes"][limb] - found["told"][limb] for limb in limbs.WIDTHS}) <= 2


def test_a_width_whose_numbers_are_too_wide_is_passed_over() -> None:
    proto = model([node("Gemm", "x w", "a"), node("Relu", "a", "out")], {"x": ("N", 6)}, weights={"w": normal(6, 40)})
    tried: list[int] = []

    def quantized(limb: int) -> Any:
        tried.append(limb)
        if limb > 5:
            raise FormatError("too wide")
        return real[limb]

    real: dict[int, Any] = {}
    best_of = limbs.best_of

    def watched(quantized: Any, given: bool) -> Any:
        real.update({limb: quantized(limb) for limb in (1, 4, 5)})
        return best_of(quantized, given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limbs, "best_of", watched)
        compile_model(proto, normal(40, 6), bits=8)
    width, found = limbs.best_of(quantized)
    assert width in (4, 5)
    assert found is real[width]
    assert max(tried) > 5
