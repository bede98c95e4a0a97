"""Interval analysis: no input in range leads out of the intervals, and what does not fit is refused by its layer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zkml.networks import model_of
from zkgpu.errors import FormatError, UsageError
from zkgpu.zkml import semantics
from zkgpu.zkml.operations import (
    ArgMax,
    Arrange,
    Combine,
    Linear,
    Lookup,
    MatMul,
    Maximum,
    Multiply,
    Normalize,
    Requantize,
    RootMeanSquare,
    Rows,
    Softmax,
    Steps,
    Total,
    in_layer,
)
from zkgpu.zkml.ranges import analyze

rng = np.random.default_rng(7)
WEIGHTS = rng.integers(-127, 128, (1, 3, 4))
TABLE = rng.integers(-128, 128, 300)

OPERATIONS = [
    Linear("l", ("x",), "out", WEIGHTS, rng.integers(1, 9, (1, 4)), rng.integers(-99, 99, (1, 4))),
    Combine("c", ("x", "y"), "out", (np.array(-3), np.array([2, -5, 7])), np.array(11)),
    Arrange("a", ("x",), "out", np.array([5, -1, 0])),
    Total("t", ("x",), "out"),
    Multiply("m", ("x", "y"), "out"),
    Requantize("r", ("x",), "out", 3, -4, 9),
    Lookup("u", ("x",), "out", TABLE, -128),
    Rows("e", ("x",), "out", TABLE[:256].reshape(256, 1) * [[1, -1]], -128),
    Steps("b", ("x",), "out", np.array([0, 2, 2]), np.array([-100, 3, 50])),
    Maximum("x", ("x",), "out"),
    ArgMax("g", ("x",), "out"),
    Softmax("s", ("x",), "out", 2, np.array([50, 20, 9, 1]), 12),
    Normalize("n", ("x",), "out", 18, 5),
    RootMeanSquare("m", ("x",), "out", 18, 5),
]


def corners(x: tuple[int, int], y: tuple[int, int]) -> list[int]:
    return [a * b for a in x for b in y]


def of_two_ranges(rows: list[int], k: int) -> Arrange:
    """Rows of k entries of x, from -3 to 5, or of y, from -90 to 7."""
    places = [[row * k + j for j in range(k)] for row in rows]
    return Arrange("a", ("x", "y"), "rows", np.array([places]))


ENDS = {0: (-3, 5), 1: (-90, 7)}


@pytest.mark.parametrize("kind", [np.int64, np.int16])
def test_the_ends_of_a_layers_sums_are_reached_row_by_row(kind) -> None:
    weight = np.array([[[-32768, 2, 0], [4, 32767, -1]]], dtype=kind)
    layer = Linear("l", ("rows",), "out", weight, np.array([[1, 3, 1]]), np.array([[5, -5, 0]]))
    rows = [0, 1, 1, 0, 1]
    model = model_of([of_two_ranges(rows, 2), layer], x=((2,), *ENDS[0]), y=((2,), *ENDS[1]))
    found = analyze(model)["out"]
    for t, row in enumerate(rows):
        for o in range(3):
            sums = [sum(pick(corners(ENDS[row], (int(w),) * 2)) for w in weight[0, :, o]) for pick in (min, max)]
            low, high = (int(layer.multiplier[0, o]) * (s + int(layer.bias[0, o])) for s in sums)
            assert (found.low[0, t, o], found.high[0, t, o]) == (low, high)


def test_the_ends_of_a_product_of_matrices_are_reached_entry_by_entry() -> None:
    rows, columns = [1, 0, 1], [0, 1, 1, 0]
    turned = Arrange("b", ("x", "y"), "turned", of_two_ranges(columns, 2).positions.swapaxes(1, 2))
    product = MatMul("m", ("rows", "turned"), "out")
    model = model_of([of_two_ranges(rows, 2), turned, product], x=((2,), *ENDS[0]), y=((2,), *ENDS[1]))
    found = analyze(model)["out"]
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            all_corners = corners(ENDS[row], ENDS[column])
            assert (found.low[0, i, j], found.high[0, i, j]) == (2 * min(all_corners), 2 * max(all_corners))


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda op: type(op).__name__)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_value_leaves_its_interval(operation, data) -> None:
    shapes = {name: ((1, 2, 3), -128, 127) for name in operation.inputs}
    model = model_of(operation, **shapes)
    value = st.one_of(st.integers(-128, 127), st.sampled_from([-128, 127, 0, 1, -1]))
    rows = st.lists(value, min_size=6, max_size=6)
    inputs = {name: np.array(data.draw(rows)).reshape(1, 2, 3) for name in operation.inputs}
    interval, got = analyze(model)["out"], semantics.run(model, inputs)["out"]
    assert (interval.low <= got).all()
    assert (got <= interval.high).all()


def test_the_ends_of_a_linear_layer_are_reached() -> None:
    model = model_of(OPERATIONS[0], x=((1, 1, 3), -128, 127))
    interval = analyze(model)["out"]
    worst = np.where(WEIGHTS[0, :, 0] > 0, 127, -128).reshape(1, 1, 3)
    assert semantics.run(model, {"x": worst})["out"][0, 0, 0] == interval.high[0, 0, 0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-7, 7), min_size=12, max_size=12))
def test_a_product_of_two_tensors_stays_in_its_interval(values: list[int]) -> None:
    model = model_of(MatMul("m", ("x", "y"), "out"), x=((1, 2, 3), -7, 7), y=((1, 3, 2), -7, 7))
    x, y = np.array(values[:6]).reshape(1, 2, 3), np.array(values[6:]).reshape(1, 3, 2)
    interval, got = analyze(model)["out"], semantics.run(model, {"x": x, "y": y})["out"]
    assert (interval.low <= got).all()
    assert (got <= interval.high).all()


def test_a_sum_that_could_wrap_around_the_field_is_refused_by_its_layer() -> None:
    squares = [Multiply(f"square {i}", ("x" if i == 0 else f"t{i}",) * 2, f"t{i + 1}") for i in range(8)]
    with pytest.raises(FormatError, match="layer 'square 5': a value could need 251 bits"):
        model_of([*squares, Total("end", ("t8",), "out")], x=((2,), -15, 15))


def test_a_value_that_could_leave_its_table_is_refused_by_its_layer() -> None:
    with pytest.raises(FormatError, match=r"layer 'act': a value could leave the table of \[-8, 7\]"):
        model_of(Lookup("act", ("x",), "out", np.arange(16), -8), x=((2,), -9, 7))


@pytest.mark.parametrize("message", ["424 bits: a width must be from 1 to 254", "layer 'conv': too wide"])
def test_an_error_on_the_way_to_a_circuit_names_its_layer_once(message: str) -> None:
    with pytest.raises(UsageError) as raised, in_layer("conv"):
        raise UsageError(message, values="it is 7")
    assert str(raised.value).startswith("layer 'conv': ")
    assert str(raised.value).count("layer") == 1
    assert raised.value.values == "it is 7"
