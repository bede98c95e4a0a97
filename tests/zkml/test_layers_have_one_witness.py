"""Every operation of an integer model, with any answer of any hint: no second output, and no wire that is free."""

from __future__ import annotations

import numpy as np
import pytest

from tests.soundness import tried
from tests.zkml.networks import all_inputs, compiled, model_of
from tests.zkml.test_layers import OTHERS, PINNED, linear
from zkgpu.circuits import CompiledCircuit
from zkgpu.testing import attack_circuit
from zkgpu.zkml import operations


def assert_one_witness(circuit: CompiledCircuit, inputs: dict[str, object], tries: int = 400) -> None:
    report = attack_circuit(circuit, inputs, tries=tries, wires=500, pairs=500)
    tried("second witnesses", sum(report.tried.values()))
    report.require_sound()


@pytest.mark.parametrize("name", PINNED)
def test_a_layer_has_one_witness(name: str) -> None:
    operation, inputs = PINNED[name]
    draw = np.random.default_rng(4)
    values = {key: draw.integers(low, high + 1, shape) for key, (shape, low, high) in inputs.items()}
    assert_one_witness(compiled(model_of(operation, **inputs)), values)


@pytest.mark.parametrize(
    "name", ["maximum", "argmax", "two of five", "all in order", "softmax", "normalize", "root mean square"]
)
def test_rows_of_nearly_equal_entries_have_one_witness(name: str) -> None:
    operation, inputs = OTHERS[name]
    ((shape, low, high),) = inputs.values()
    values = np.random.default_rng(5).integers(0, 3, shape).clip(low, high)
    assert_one_witness(compiled(model_of(operation, **inputs)), {"x": values}, tries=1000)


@pytest.mark.parametrize("weights", ["public", "private", "hashed"])
@pytest.mark.parametrize("shape", [(1, 1, 5), (1, 4, 3)])
def test_a_layer_with_weights_has_one_witness(weights: str, shape: tuple[int, int, int]) -> None:
    groups, m, k = shape
    model = model_of(linear(m, k, 3, groups), x=(shape, -128, 127))
    x = np.random.default_rng(6).integers(-128, 128, shape)
    given = all_inputs(model, {"x": x}, weights)
    assert_one_witness(compiled(model, weights), given)


def test_every_operation_is_among_them() -> None:
    kinds = {type(operation) for operation, _ in PINNED.values()} | {operations.Linear}
    assert kinds == set(operations.Operation.__subclasses__())
