"""Every operation of an integer model, with any answer of any hint: no second output, and no wire that is free."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.circuits.mutation import assert_computed_wires_are_defined
from tests.soundness import tried
from tests.zkml.networks import all_inputs, compiled, model_of, unpublished
from tests.zkml.test_layers import OTHERS, PINNED, linear
from zkgpu.circuits import CompiledCircuit
from zkgpu.testing import attack_circuit
from zkgpu.zkml import operations
from zkgpu.zkml.semantics import run


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


@pytest.mark.parametrize("image", ["different", "equal"])
def test_windows_that_overlap_have_one_witness(image: str) -> None:
    """Rows of three, two apart, and then columns of them: some maxima go into two windows."""
    rows, columns = (np.arange(2)[:, None] * 2 + np.arange(3) for _ in range(2))
    along = (np.arange(5)[:, None, None] * 5 + columns).reshape(10, 3)  # (row, window) by entry
    across = (rows[:, None, :] * 2 + np.arange(2)[:, None]).reshape(4, 3)
    model = model_of(
        [
            operations.Arrange("p", ("x",), "p/0", along),
            operations.Maximum("p", ("p/0",), "p/1"),
            operations.Arrange("p", ("p/1",), "p/2", across),
            operations.Maximum("p", ("p/2",), "out"),
        ],
        x=((25,), -8, 7),
    )
    x = np.random.default_rng(7).integers(-8, 8, 25) if image == "different" else np.full(25, -8)
    expected = x.reshape(5, 5)
    largest = [expected[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max() for i in range(2) for j in range(2)]
    assert (run(model, {"x": x})["out"] == largest).all()
    assert_one_witness(compiled(model), {"x": x})


@pytest.mark.parametrize("weights", ["public", "private", "hashed"])
@pytest.mark.parametrize("shape", [(1, 1, 5), (1, 4, 3)])
def test_a_layer_with_weights_has_one_witness(weights: str, shape: tuple[int, int, int]) -> None:
    groups, m, k = shape
    model = model_of(linear(m, k, 3, groups), x=(shape, -128, 127))
    x = np.random.default_rng(6).integers(-128, 128, shape)
    given = all_inputs(model, {"x": x}, weights)
    assert_one_witness(compiled(model, weights), given)


@pytest.mark.parametrize("name", [name for name, (_, inputs) in PINNED.items() if list(inputs) == ["x"]])
def test_products_that_a_layer_reads_have_constraints_of_their_own(name: str) -> None:
    """They get their wires where they are read: each layer would lose them by itself."""
    reader, _ = PINNED[name]
    square = operations.Multiply("square", ("x", "x"), "y")
    placed = operations.Requantize("place", ("y",), "z", 0, -8, 7)
    is_table = isinstance(reader, operations.Lookup | operations.Rows)
    read = replace(reader, inputs=("z" if is_table else "y",) * len(reader.inputs))
    model = model_of([square, placed, read] if is_table else [square, read], x=((2, 4), -3, 3))
    assert_computed_wires_are_defined(unpublished(model))


def test_every_operation_is_among_them() -> None:
    kinds = {type(operation) for operation, _ in PINNED.values()} | {operations.Linear}
    assert kinds == set(operations.Operation.__subclasses__())
