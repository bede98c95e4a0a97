"""Weights that are no finite numbers: ends of a clip and masks are what they are, all others refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.errors import FormatError
from zkgpu.inference import CompiledModel, compile_model

SAMPLES = normal(40, 1, 1, 6)


def compiled(operator: str, weight: object) -> CompiledModel:
    inputs = "x - w" if operator == "Clip" else "x w"
    proto = model([node(operator, inputs, "out")], {"x": (1, 1, 6)}, weights={"w": np.array(weight)})
    return compile_model(proto, SAMPLES, limb=6, bits=8)


@pytest.mark.parametrize("operator", ["MatMul", "Conv"])
def test_a_weight_of_minus_infinity_is_refused_by_its_layer(operator: str) -> None:
    weight = normal(2, 1, 3) if operator == "Conv" else normal(6, 2)
    weight[1, 0] = -np.inf
    with pytest.raises(FormatError, match="layer '/out': one of its weights is not a finite number"):
        compiled(operator, weight)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_mask_with_another_number_that_is_not_finite_is_refused(wrong: float) -> None:
    with pytest.raises(FormatError, match="weights 'w' hold a value that is not a finite number"):
        compiled("Add", [0.0, -np.inf, wrong, 0.0, 0.0, 0.0])


def test_a_clip_up_to_infinity_is_open() -> None:
    found = compiled("Clip", np.inf).predict(SAMPLES[0])["out"]
    assert found == pytest.approx(SAMPLES[0], abs=0.05)
    with pytest.raises(FormatError, match="weights 'w'"):
        compiled("Clip", np.nan)
