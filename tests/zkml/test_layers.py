"""Every layer's constraints against the integer semantics: all of int8 where that can be, edges and ties elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.circuits.mutation import assert_every_wire_is_pinned
from tests.zkml.networks import all_inputs, assert_same_as_semantics, compiled, model_of, unpublished
from zkgpu.errors import UnsatisfiedError
from zkgpu.zkml.operations import (
    ArgMax,
    Arrange,
    Combine,
    Divide,
    Linear,
    Lookup,
    MatMul,
    Maximum,
    Multiply,
    Normalize,
    Operation,
    Requantize,
    Rescale,
    RootMeanSquare,
    Rows,
    Softmax,
    Steps,
    TopK,
    Total,
)

rng = np.random.default_rng(3)
BYTES = np.arange(-128, 128)
SINE = np.rint(100 * np.sin(np.arange(-128, 128) / 20)).astype(np.int64)
EXP = np.rint(200 * np.exp(-np.arange(24) / 4)).astype(np.int64)


def linear(m: int, k: int, n: int, groups: int = 1) -> Linear:
    return Linear(
        "dense",
        ("x",),
        "out",
        rng.integers(-127, 128, (groups, k, n)),
        rng.integers(1, 5, (groups, n)),
        rng.integers(-1000, 1000, (groups, n)),
    )


ROUNDINGS = [
    Requantize("r", ("x",), "out", 3),
    Requantize("r", ("x",), "out", 0, 0),
    Requantize("r", ("x",), "out", 3, 0),
    Requantize("r", ("x",), "out", 4, -2),
    Requantize("r", ("x",), "out", 2, None, 9),
    Requantize("r", ("x",), "out", 2, -8, 7),
    Requantize("r", ("x",), "out", 0, -5, 6),
    Rescale("r", ("x",), "out", 3, -16, 16),
    Rescale("r", ("x",), "out", 0, -128, 127),
    Requantize("r", ("x",), "out", 1, 3, 3),
    Requantize("r", ("x",), "out", 3, 100),
    Requantize("r", ("x",), "out", 3, -100, 100),
    Requantize("r", ("x",), "out", 9, 0),
]


@pytest.mark.parametrize("operation", ROUNDINGS, ids=lambda r: f"{r.shift},{r.low},{r.high}")
@pytest.mark.parametrize("limb", [3, 8])
def test_rounding_and_clamping_agree_on_every_byte(operation: Requantize, limb: int) -> None:
    assert_same_as_semantics(model_of(operation, limb, x=((256,), -128, 127)), {"x": BYTES})


@pytest.mark.parametrize("shift", [1, 4, 7])
@pytest.mark.parametrize(("low", "high"), [(None, None), (0, None), (-128, 127), (0, 255)])
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_rounding_agrees_at_ties_ends_and_around_zero(shift: int, low, high, data) -> None:
    half = 1 << shift - 1
    value = st.one_of(
        st.integers(-(2**16), 2**16 - 1),
        st.integers(-40, 40).map(lambda k: (k << shift) + half),
        st.integers(-40, 40).map(lambda k: (k << shift) + half - 1),
        st.sampled_from([0, -1, 1, -half, half, -half - 1, -(2**16), 2**16 - 1]),
    )
    x = np.array(data.draw(st.lists(value, min_size=24, max_size=24)))
    assert_same_as_semantics(
        model_of(Requantize("r", ("x",), "out", shift, low, high), x=((24,), -(2**16), 2**16 - 1)), {"x": x}
    )


def test_a_table_agrees_on_every_byte() -> None:
    assert_same_as_semantics(model_of(Lookup("f", ("x",), "out", SINE, -128), x=((256,), -128, 127)), {"x": BYTES})


@pytest.mark.parametrize("count", [4, 700])
def test_a_rounded_table_agrees_however_it_clamps(count: int) -> None:
    operations = [
        Requantize("r", ("x",), "rounded", 3, -128, 127),
        Lookup("f", ("rounded",), "out", SINE, -128),
    ]
    x = np.append(rng.integers(-9000, 9000, count - 2), [-9000, 9000])
    model = model_of(operations, x=((count,), -9000, 9000))
    assert_same_as_semantics(model, {"x": x})


@pytest.mark.parametrize("weights", ["public", "private"])
@pytest.mark.parametrize(
    ("groups", "m", "k", "n"), [(1, 1, 4, 3), (1, 1, 5, 3), (1, 1, 2, 2), (1, 1, 1, 3), (2, 6, 5, 4), (1, 3, 9, 7)]
)
def test_linear_layers_agree(groups: int, m: int, k: int, n: int, weights: str) -> None:
    model = model_of(linear(m, k, n, groups), x=((groups, m, k), -128, 127))
    for x in (rng.integers(-128, 128, (groups, m, k)), np.full((groups, m, k), -128), np.zeros((groups, m, k), int)):
        assert_same_as_semantics(model, {"x": x}, weights)


def test_public_weights_cost_no_constraint_and_private_ones_half_a_product_each() -> None:
    model = model_of(linear(1, 64, 10), x=((1, 1, 64), -128, 127))
    public, private = (compiled(model, weights).r1cs.n_constraints for weights in ("public", "private"))
    assert private - public == 10 * 32 + 32


OTHERS = {
    "rows": (Rows("e", ("x",), "out", rng.integers(-9, 9, (16, 3)), -8), {"x": ((2, 2), -8, 7)}),
    "rows of one": (Rows("e", ("x",), "out", np.arange(16).reshape(16, 1), -8), {"x": ((3,), -8, 7)}),
    "equal rows": (Rows("e", ("x",), "out", np.ones((16, 2), dtype=int), -8), {"x": ((3,), -8, 7)}),
    "steps": (Steps("t", ("x",), "out", np.array([0, 0, 2]), np.array([-3, 4, 0])), {"x": ((2, 3), -8, 7)}),
    "steps beyond": (Steps("t", ("x",), "out", np.array([0, 0]), np.array([-9, 8])), {"x": ((3, 1), -8, 7)}),
    "arrange": (Arrange("a", ("x",), "out", np.array([[3, -1], [0, 0]])), {"x": ((4,), -8, 7)}),
    "combine": (
        Combine("c", ("x", "y"), "out", (np.array(3), np.array([-2, 5])), np.array([[1], [2]])),
        {"x": ((2, 2), -8, 7), "y": ((2,), -8, 7)},
    ),
    "total": (Total("t", ("x",), "out"), {"x": ((3, 4), -8, 7)}),
    "multiply": (Multiply("m", ("x", "y"), "out"), {"x": ((2, 3), -8, 7), "y": ((3,), -8, 7)}),
    "square": (Multiply("m", ("x", "x"), "out"), {"x": ((5,), -8, 7)}),
    "matmul": (MatMul("m", ("x", "y"), "out"), {"x": ((2, 3, 4), -8, 7), "y": ((2, 4, 3), -8, 7)}),
    "maximum": (Maximum("m", ("x",), "out"), {"x": ((4, 3), -8, 7)}),
    "maximum of one": (Maximum("m", ("x",), "out"), {"x": ((4, 1), -8, 7)}),
    "argmax": (ArgMax("m", ("x",), "out"), {"x": ((4, 5), -2, 2)}),
    "argmax of one": (ArgMax("m", ("x",), "out"), {"x": ((4, 1), -2, 2)}),
    "two of five": (TopK("k", ("x",), "out", 2), {"x": ((4, 5), -2, 2)}),
    "all in order": (TopK("k", ("x",), "out", 4), {"x": ((3, 4), -8, 7)}),
    "the larger of two": (TopK("k", ("x",), "out", 1), {"x": ((3, 2), -8, 7)}),
    "top of one": (TopK("k", ("x",), "out", 1), {"x": ((4, 1), -2, 2)}),
    "softmax": (Softmax("s", ("x",), "out", 2, EXP, 16), {"x": ((3, 4), -128, 127)}),
    "softmax of one": (Softmax("s", ("x",), "out", 2, EXP, 16), {"x": ((3, 1), -128, 127)}),
    "normalize": (Normalize("n", ("x",), "out", 16, 2), {"x": ((3, 4), -128, 127)}),
    "divide": (Divide("d", ("x", "y"), "out", 3, 1 << 20, 1), {"x": ((5,), -128, 127), "y": ((5,), 1, 40)}),
    "divide whole": (Divide("d", ("x", "y"), "out", 0, 200, 1), {"x": ((2, 2), 0, 9), "y": ((2, 2), 1, 9)}),
    "normalize one": (Normalize("n", ("x",), "out", 12, 1), {"x": ((2, 1), -9, 9)}),
    "root mean square": (RootMeanSquare("n", ("x",), "out", 16, 2), {"x": ((3, 4), -128, 127)}),
    "root mean square of one": (RootMeanSquare("n", ("x",), "out", 12, 1), {"x": ((2, 1), -9, 9)}),
}


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_other_layers_agree(name: str, data) -> None:
    operation, inputs = OTHERS[name]
    values = {}
    for key, (shape, low, high) in inputs.items():
        entries = st.lists(st.integers(low, high), min_size=math.prod(shape), max_size=math.prod(shape))
        values[key] = np.array(data.draw(entries)).reshape(shape)
    assert_same_as_semantics(model_of(operation, **inputs), values)


@pytest.mark.parametrize(
    "name", ["maximum", "argmax", "two of five", "all in order", "softmax", "normalize", "root mean square"]
)
@pytest.mark.parametrize("value", [-2, 0, 2])
def test_rows_of_equal_entries_agree(name: str, value: int) -> None:
    operation, inputs = OTHERS[name]
    ((shape, _, _),) = inputs.values()
    assert_same_as_semantics(model_of(operation, **inputs), {"x": np.full(shape, value)})


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_largest_of_all_rows_of_small_numbers_come_in_order_the_first_of_equals_first(count: int) -> None:
    rows = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 4), axis=-1).reshape(-1, 4)
    assert_same_as_semantics(model_of(TopK("k", ("x",), "out", count), x=(rows.shape, -1, 1)), {"x": rows})


def test_argmax_of_all_rows_of_small_numbers_takes_the_first_of_equals() -> None:
    rows = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 4), axis=-1).reshape(-1, 4)
    assert_same_as_semantics(model_of(ArgMax("a", ("x",), "out"), x=(rows.shape, -1, 1)), {"x": rows})


SCALAR = {"x": ((), -128, 127)}


@pytest.mark.parametrize(
    "operation",
    [
        *ROUNDINGS,
        Multiply("m", ("x", "x"), "out"),
        Rows("e", ("x",), "out", np.arange(512).reshape(256, 2), -128),
        Lookup("f", ("x",), "out", np.arange(256) ** 2, -128),
    ],
    ids=lambda op: f"{type(op).__name__} {getattr(op, 'low', '')} {getattr(op, 'high', '')}",
)
def test_a_single_number_without_axes_agrees(operation: Operation) -> None:
    """NumPy gives a scalar for it where it gives an array for all else."""
    for value in (-128, -1, 0, 5, 127):
        assert_same_as_semantics(model_of(operation, **SCALAR), {"x": np.array(value)})


PINNED = {
    **OTHERS,
    **{f"round {i}": (op, {"x": ((7,), -128, 127)}) for i, op in enumerate(ROUNDINGS)},
    "table": (Lookup("f", ("x",), "out", SINE[:16], -8), {"x": ((7,), -8, 7)}),
}


@pytest.mark.parametrize("name", PINNED)
def test_every_wire_of_a_layer_is_pinned(name: str) -> None:
    operation, inputs = PINNED[name]
    model = model_of(operation, **inputs)
    for seed in range(2):
        draw = np.random.default_rng(seed)
        values = {key: draw.integers(low, high + 1, shape) for key, (shape, low, high) in inputs.items()}
        assert_every_wire_is_pinned(compiled(model), values)


LINEAR = ("arrange", "combine", "total", "multiply", "maximum of one", "argmax of one", "top of one", "normalize one")


@pytest.mark.parametrize("name", [name for name in PINNED if name not in LINEAR])
def test_every_wire_of_a_layer_is_pinned_by_the_layer_alone(name: str) -> None:
    """A published output would pin the layer's results by itself."""
    operation, inputs = PINNED[name]
    model = model_of(operation, **inputs)
    for seed in range(2):
        draw = np.random.default_rng(seed)
        values = {key: draw.integers(low, high + 1, shape) for key, (shape, low, high) in inputs.items()}
        assert_every_wire_is_pinned(unpublished(model), values)


@pytest.mark.parametrize(
    ("weights", "shape"), [("private", (1, 1, 5)), ("hashed", (1, 1, 5)), ("hashed", (2, 4, 3))], ids=str
)
def test_every_sum_is_pinned_by_the_layer_alone(weights: str, shape: tuple[int, int, int]) -> None:
    groups, m, k = shape
    model = model_of(linear(m, k, 3, groups), x=(shape, -128, 127))
    values = all_inputs(model, {"x": rng.integers(-128, 128, shape)}, weights)
    assert_every_wire_is_pinned(unpublished(model, weights), values)


@pytest.mark.parametrize("shape", [(1, 1, 5), (2, 4, 3)])
def test_every_wire_of_private_weights_is_pinned(shape: tuple[int, int, int]) -> None:
    groups, m, k = shape
    model = model_of(linear(m, k, 3, groups), x=(shape, -128, 127))
    values = all_inputs(model, {"x": rng.integers(-128, 128, shape)}, "private")
    assert_every_wire_is_pinned(compiled(model, "private"), values)


@pytest.mark.parametrize("value", [-129, 128, 1 << 40])
def test_a_private_input_out_of_range_satisfies_no_constraint(value: int) -> None:
    model = model_of(Requantize("r", ("x",), "out", 3), x=((1,), -128, 127))
    with pytest.raises(UnsatisfiedError):
        compiled(model).witness({"x": [value]})
