"""Data with outliers: activations that end in straight lines follow them, and all other samples keep their steps."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from tests.zkml.test_precision import error_on
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model
from zkgpu.zkml.functions import FUNCTIONS, gelu, sigmoid
from zkgpu.zkml.ramps import ramps_of

WIDTH = 16


def network(activation: str, layers: int = 2):
    """Dense layers with an activation between them; Silu and Gelu as PyTorch writes them."""
    draws, nodes, x = np.random.default_rng(0), [], "x"
    weights = {"root": np.array(2**0.5), "one": np.array(1.0), "half": np.array(0.5)} if activation == "Gelu" else {}
    for i in range(layers):
        weights |= {f"w{i}": draws.normal(size=(WIDTH, WIDTH)) / 3, f"b{i}": draws.normal(size=WIDTH) / 10}
        nodes.append(node("Gemm", f"{x} w{i} b{i}", f"h{i}"))
        nodes += _activation(activation, i)
        x = f"r{i}"
    weights["w"] = draws.normal(size=(WIDTH, 5))
    return model([*nodes, node("Gemm", f"{x} w", "out")], {"x": ("N", WIDTH)}, weights=weights)


def _activation(name: str, i: int) -> list:
    if name == "Silu":
        return [node("Sigmoid", f"h{i}", f"s{i}"), node("Mul", f"h{i} s{i}", f"r{i}")]
    if name == "Gelu":
        return [
            node("Div", f"h{i} root", f"d{i}"),
            node("Erf", f"d{i}", f"e{i}"),
            node("Add", f"e{i} one", f"a{i}"),
            node("Mul", f"h{i} a{i}", f"m{i}"),
            node("Mul", f"m{i} half", f"r{i}"),
        ]
    return [node(name, f"h{i}", f"r{i}")]


def samples_with(outlier: int | None, factor: float = 100.0) -> np.ndarray:
    samples = normal(128, WIDTH)
    if outlier is not None:
        samples[outlier] *= factor
    return samples


FRESH = normal(40, WIDTH, seed=9)


@pytest.mark.parametrize("activation", ["Gelu", "Softplus", "Sigmoid", "Relu"])
def test_one_sample_a_hundred_times_as_large_takes_no_bits_from_the_others(activation: str) -> None:
    proto, samples = network(activation), samples_with(0)
    compiled = compile_model(proto, samples, limb=6)
    assert error_on(compiled, proto, FRESH) < 0.02
    assert error_on(compiled, proto, samples[:1]) < 0.02


@pytest.mark.parametrize("activation", ["Gelu", "Relu"])
def test_one_that_was_held_out_of_the_calibration_is_right_too(activation: str) -> None:
    proto, samples = network(activation), samples_with(3)
    compiled = compile_model(proto, samples, limb=6)
    assert error_on(compiled, proto, FRESH) < 0.02
    assert error_on(compiled, proto, samples[3:4]) < 0.02


def test_tables_are_not_made_longer_for_an_outlier() -> None:
    """Two activations of 16 numbers: tables of the whole range had 4,096 rows each, and were not fine enough."""
    compiled = compile_model(network("Silu"), samples_with(0), limb=6)
    assert compiled.recipe.settings.ramps
    assert compiled.circuit.r1cs.n_constraints < 6000


def test_numbers_of_all_sizes_are_near_their_floats_one_by_one() -> None:
    """Large ones hide the error of all others in the root of a mean square: it was 1 % where most were 14 % off."""
    proto, samples = network("Gelu"), np.random.default_rng(1).standard_cauchy((128, WIDTH))
    compiled = compile_model(proto, samples, limb=6)
    errors = [error_on(compiled, proto, row[None]) for row in np.random.default_rng(7).standard_cauchy((30, WIDTH))]
    assert np.median(errors) < 0.01


def test_a_large_sample_among_those_held_out_does_not_hide_the_error_of_the_others() -> None:
    samples = samples_with(3, 1e4)
    with pytest.raises(FormatError, match="its error is"):
        compile_model(network("Tanh", 1), samples, limb=6, bits=8)


def test_a_model_near_its_floats_stays_as_it_is() -> None:
    compiled = compile_model(network("Gelu", 1), normal(64, WIDTH), limb=6)
    assert not compiled.recipe.settings.ramps


def test_the_same_circuit_takes_other_weights() -> None:
    compiled = compile_model(network("Gelu"), samples_with(0), limb=6, weights="private")
    assert compiled.recipe.settings.ramps
    other = network("Gelu")
    for tensor in other.graph.initializer:
        if tensor.name == "w":
            tensor.CopyFrom(model([], {}, [], {"w": normal(WIDTH, 5) / 2}).graph.initializer[0])
    assert error_on(compiled.with_weights(other), other, FRESH) < 0.03


@pytest.mark.parametrize(
    ("function", "slopes"),
    [
        (gelu, (0, 1)),
        (sigmoid, (0, 0)),
        (lambda x: FUNCTIONS["Softplus"](x), (0, 1)),
        (lambda x: FUNCTIONS["HardSwish"](x), (0, 1)),
        (lambda x: np.abs(np.abs(x) - 1), (-1, 1)),
        (lambda x: 3 - 2 * gelu(x) - x, (-1, -3)),
    ],
)
@pytest.mark.parametrize("reach", [20.0, 1e3, 1e5])
def test_lines_and_rest_are_the_function(function, slopes: tuple[int, int], reach: float) -> None:
    found = ramps_of(function, -reach, reach, 2.0**-12, 0.6)
    assert found is not None
    assert (found.left, found.right) == pytest.approx(slopes, abs=1e-4)
    assert -16 < found.low < 0 < found.high < 16
    points = np.concatenate([np.linspace(-12, 12, 997), np.linspace(-4 * reach, 4 * reach, 997)])
    rest = found.rest(np.clip(points, found.low, found.high))
    lines = found.left * np.minimum(points, 0) + found.right * np.maximum(points, 0)
    assert np.abs(lines + rest - function(points)).max() < 2.0**-9


@pytest.mark.parametrize("function", [np.exp, np.sqrt, np.square, np.sin, np.sign, np.log, lambda x: 1 / x])
def test_what_has_no_straight_ends_has_no_lines(function) -> None:
    assert ramps_of(function, -100.0, 100.0, 2.0**-8, 0.5) is None


@pytest.mark.parametrize("reach", [0.99, 1.0, 1.2])
@pytest.mark.parametrize(
    "pole", [np.cos, lambda x: 2 - np.exp(x / 3), lambda x: x * x - 7], ids=["cos", "exp", "square"]
)
def test_a_function_with_poles_beyond_what_was_seen_has_no_lines(pole, reach: float) -> None:
    assert ramps_of(lambda x: -0.2 / pole(x), -reach, reach, 2.0**-12, 2.0) is None
