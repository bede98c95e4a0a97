"""Norms as exporters spell them out: found in every spelling, right, and not found in what only looks like one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from tests.zkml.test_right_or_refused import assert_right
from zkgpu.errors import FormatError
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.operations import Normalize, RootMeanSquare

SHAPE = (1, 3, 16)
SAMPLES = normal(40, 3, 16)
ROOTS = {
    "Sqrt, Div": [node("Sqrt", "a", "r"), node("Div", "y r", "out")],
    "Pow, Div": [node("Pow", "a half", "r"), node("Div", "y r", "out")],
    "Sqrt, Reciprocal, Mul": [node("Sqrt", "a", "r"), node("Reciprocal", "r", "i"), node("Mul", "y i", "out")],
    "Sqrt, Div, Mul": [node("Sqrt", "a", "r"), node("Div", "one r", "i"), node("Mul", "i y", "out")],
    "Pow, Mul": [node("Pow", "a minus", "i"), node("Mul", "y i", "out")],
}
NUMBERS = {"two": np.array(2.0), "half": np.array(0.5), "minus": np.array(-0.5), "one": np.array(1.0)}


def spelled(root: str, *, square: str = "Pow", centered: bool = False, epsilon: float = 1e-6, **mean: object):
    """A norm of x, or of x less its mean."""
    first = [node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "y")] if centered else [node("Neg", "x", "y")]
    squares = node("Pow", "y two", "s") if square == "Pow" else node("Mul", "y y", "s")
    sums = [node("ReduceMean", "s", "v", **{"axes": [-1], **mean}), node("Add", "e v", "a")]
    weights = {**NUMBERS, "e": np.array(epsilon)}
    return model([*first, squares, *sums, *ROOTS[root]], {"x": SHAPE}, weights=weights)


def kinds(compiled: CompiledModel) -> set[type]:
    return {type(operation) for operation in compiled.model.operations} & {Normalize, RootMeanSquare}


@pytest.mark.parametrize("centered", [False, True], ids=["root mean square", "layer norm"])
@pytest.mark.parametrize("square", ["Pow", "Mul"])
@pytest.mark.parametrize("root", ROOTS)
def test_every_spelling_is_one_operation(root: str, square: str, centered: bool) -> None:
    network = spelled(root, square=square, centered=centered)
    compiled = compile_model(network, SAMPLES, limb=6)
    assert kinds(compiled) == {Normalize if centered else RootMeanSquare}
    assert compiled.accuracy.amiss < 0.02
    assert_right(network, compiled, SAMPLES[:8])


@pytest.mark.parametrize("size", [1e-2, 1.0, 100.0])
def test_a_root_mean_square_holds_for_numbers_of_any_size(size: float) -> None:
    compiled = compile_model(spelled("Sqrt, Reciprocal, Mul"), SAMPLES * size, limb=6)
    assert compiled.accuracy.amiss < 0.02


def test_epsilon_counts_where_it_is_large() -> None:
    network = spelled("Sqrt, Div", epsilon=0.7)
    assert_right(network, compile_model(network, SAMPLES, limb=6), SAMPLES[:8])


@pytest.mark.parametrize("mean", [{"axes": [1]}, {"axes": [1, 2]}], ids=str)
def test_a_mean_over_other_axes_is_none(mean: dict[str, object]) -> None:
    network = spelled("Sqrt, Reciprocal, Mul", **mean)
    try:
        compiled = compile_model(network, SAMPLES, limb=6)
    except FormatError as error:
        assert "worst layer" in str(error)  # noqa: PT017
        return
    assert not kinds(compiled)
    assert_right(network, compiled, SAMPLES[:8])


def test_the_operator_is_the_same() -> None:
    named = model([node("RMSNormalization", "x g", "out")], {"x": SHAPE}, weights={"g": normal(16) + 2}, opset=23)
    compiled = compile_model(named, SAMPLES, limb=6)
    assert kinds(compiled) == {RootMeanSquare}
    assert_right(named, compiled, SAMPLES[:8])
