"""Circuits whose prover gives the weights, proving for weights other than those they were made of.

Layers are written for the intervals that the model's own weights give. Weights that lead out of them may be refused,
and if they are not, the output is the one they really give: so a hash of weights stands for one network.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from tests.zkml import faults
from tests.zkml.models import model, node, normal
from tests.zkml.networks import all_inputs, compiled, model_of, proven_output
from tests.zkml.random_models import KINDS, Kind, linear, random_inputs, random_model, requantize, with_other_weights
from zkgpu.circuits import CompiledCircuit
from zkgpu.errors import UsageError, ZkgpuError
from zkgpu.inference import compile_model
from zkgpu.testing import Draws
from zkgpu.zkml import semantics
from zkgpu.zkml.operations import IntegerModel, Linear, Requantize

GIVEN = ("private", "hashed")
MOSTLY_PRIVATE = ("private",) * 7 + ("hashed",)  # a hash takes most of the time of a small circuit
BOTH = [10, 10]  # the inputs of the small model below


def small(factor: int, low: int | None, high: int | None, shift: int) -> IntegerModel:
    """A clamp of factor * (x_0 + x_1 + 1) / 2^shift."""
    ones, factors = np.ones((1, 2, 1), dtype=np.int64), np.full((1, 1), factor)
    layer = Linear("dense", ("x",), "h", ones, factors, np.ones((1, 1), dtype=np.int64))
    return model_of([layer, Requantize("clip", ("h",), "out", shift, low, high)], x=((1, 1, 2), 0, 10))


@pytest.mark.parametrize("weights", GIVEN)
@pytest.mark.parametrize("shift", [0, 2])
@pytest.mark.parametrize(
    ("low", "high"),
    [
        *[(-20, 20), (-3, 20), (0, 20), (20, 30), (None, 20), (20, None)],
        *[(-80, 80), (0, 80), (80, 90), (None, 80)],
    ],
)
def test_a_clamp_holds_for_weights_that_reach_it_where_the_model_s_do_not(
    weights: str, shift: int, low: int | None, high: int | None
) -> None:
    circuit = compiled(small(1, low, high, shift), weights)
    for factor in range(8):
        assert_right_or_refused(circuit, small(factor, low, high, shift), {"x": np.array([[BOTH]])}, weights)


def assert_right_or_refused(
    circuit: CompiledCircuit, model: IntegerModel, inputs: dict[str, np.ndarray], weights: str
) -> bool:
    """Whether the circuit takes these weights."""
    (output,) = model.outputs
    try:
        shown = proven_output(circuit, all_inputs(model, inputs, weights), output.name)
    except ZkgpuError:
        return False
    wanted = semantics.run(model, inputs)[output.name]
    assert (np.asarray(shown) == wanted).all(), f"{model.operations} of {inputs}: {shown}, not {wanted}"
    return True


def try_others(seed: int, models: int, kinds: tuple[Kind, ...], ways: tuple[str, ...]) -> Counter[bool]:
    """How many other weights were refused, and how many gave their own answers."""
    taken: Counter[bool] = Counter()
    for number in range(models):
        draws = Draws(seed << 32 | number)
        model = random_model(draws, kinds)
        weights = draws.one_of(ways)
        if not model.n_weights:
            continue
        try:
            circuit = compiled(model, weights)
        except ZkgpuError:
            continue
        for _ in range(8):
            taken[
                assert_right_or_refused(circuit, with_other_weights(draws, model), random_inputs(draws, model), weights)
            ] += 1
    return taken


@pytest.mark.filterwarnings("ignore:.*appear in no constraint")
@pytest.mark.parametrize("kinds", [(linear, requantize), (linear, *KINDS)], ids=["clamps", "all layers"])
@pytest.mark.parametrize(
    ("ways", "least"),
    [
        pytest.param(MOSTLY_PRIVATE, 12, id="mostly private"),
        pytest.param(GIVEN, 20, id="as many hashed", marks=pytest.mark.slow),
    ],
)
def test_other_weights_give_their_own_output_or_none(
    kinds: tuple[Kind, ...], ways: tuple[str, ...], least: int
) -> None:
    taken = try_others(3, 70, kinds, ways)
    assert min(taken[True], taken[False]) > least, taken


@pytest.mark.filterwarnings("ignore:.*appear in no constraint")
@pytest.mark.parametrize(
    "ways",
    [
        pytest.param(MOSTLY_PRIVATE, id="mostly private"),
        pytest.param(GIVEN, id="as many hashed", marks=pytest.mark.slow),
    ],
)
def test_a_clamp_that_is_left_out_is_found(ways: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    faults.clamps_outside_an_interval_are_left_out(monkeypatch)
    with pytest.raises(AssertionError, match="Requantize"):
        try_others(6, 150, (linear, requantize), ways)


@pytest.mark.parametrize("how", ["private", "hashed"])
@pytest.mark.parametrize("factor", [10.0, 100.0])
def test_weights_that_leave_the_range_are_refused_as_that(how: str, factor: float) -> None:
    def network(factor: float) -> Any:
        nodes = [node("Gemm", "x w", "z"), node("Relu", "z", "a"), node("Gemm", "a u", "b"), node("Relu", "b", "out")]
        return model(nodes, {"x": ("N", 6)}, weights={"w": factor * normal(6, 20), "u": factor * normal(20, 10)})

    mine = compile_model(network(1.0), normal(40, 6), weights=how, limb=6)
    assert mine.with_weights(network(1.05))
    with pytest.raises(UsageError, match="these weights give") as error:
        mine.with_weights(network(factor))
    assert "differs in more than weights" not in str(error.value)
