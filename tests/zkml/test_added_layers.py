"""Layers whose sums are added: all of them have one scale, and the sum is rounded by one limb and no factor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.counting import size_of
from zkgpu.zkml.layers.network import build_circuit
from zkgpu.zkml.operations import Combine, Requantize
from zkgpu.zkml.visibility import Visibilities

SHAPE = (1, 4, 6, 6)


def compiled(nodes: list[Any], outputs: tuple[str, ...] = ("out",)) -> CompiledModel:
    """Of 3 x 3 and 1 x 1 convolutions w0, w1 and w2, whose sums are of different sizes."""
    weights = {
        f"w{i}": size * normal(4, 4, side, side) for i, (side, size) in enumerate([(3, 1.0), (1, 30.0), (3, 0.2)])
    }
    samples = np.random.default_rng(0).normal(size=(12, *SHAPE[1:]))
    return compile_model(model(nodes, {"x": SHAPE}, outputs, weights), samples, limb=14, allow_error=0.05)


def conv(x: str, weight: str, out: str) -> Any:
    side = 1 if weight == "w1" else 3
    return node("Conv", f"{x} {weight}", out, kernel_shape=[side, side], pads=[side // 2] * 4)


def added(operator: str = "Add") -> list[Any]:
    return [conv("x", "w0", "a"), conv("x", "w1", "b"), node(operator, "a b", "sum"), node("Relu", "sum", "out")]


def combined(model: CompiledModel) -> list[list[int]]:
    """The factors of each sum."""
    return [[int(m) for m in op.multipliers] for op in model.model.operations if isinstance(op, Combine)]


@pytest.mark.parametrize("operator", ["Add", "Sub"])
def test_two_layers_that_are_added_have_one_scale(operator: str) -> None:
    found = compiled(added(operator))
    assert combined(found) == [[1, -1 if operator == "Sub" else 1]]
    assert [op.shift for op in found.model.operations if isinstance(op, Requantize)] == [14]


def test_what_is_added_to_a_layer_takes_the_scale_of_its_sums() -> None:
    nodes = [conv("x", "w0", "a"), node("Relu", "a", "r"), conv("r", "w2", "b"), node("Add", "b r", "s")]
    found = compiled([*nodes, node("Relu", "s", "out")])
    (sums,) = combined(found)
    assert sums[0] == 1 < sums[1]
    assert [op.shift for op in found.model.operations if isinstance(op, Requantize)] == [14, 14]


@pytest.mark.parametrize("others", [[node("Relu", "b", "other")], [conv("sum", "w2", "c"), node("Relu", "c", "other")]])
def test_layers_or_sums_that_something_else_reads_keep_their_own_scale(others: list[Any]) -> None:
    found = compiled([*added(), *others], ("out", "other"))
    assert combined(found)[0] != [1, 1]


def test_their_circuits_are_counted() -> None:
    found = compiled(added())
    r1cs = build_circuit(found.model, Visibilities()).compile().r1cs
    assert size_of(found.model).constraints == r1cs.n_constraints
