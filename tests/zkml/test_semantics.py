"""The integer semantics against arithmetic on fractions, one number at a time."""

from __future__ import annotations

from fractions import Fraction
from math import floor, isqrt
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.zkml.networks import model_of
from zkgpu.errors import UsageError
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
)

wide = st.integers(-(2**80), 2**80)


@given(st.lists(wide, min_size=1, max_size=5), st.integers(0, 70))
def test_rounding_takes_halves_up(values: list[int], shift: int) -> None:
    got = semantics.round_half_up(np.array(values, dtype=object), shift)
    assert [int(v) for v in got] == [floor(Fraction(v, 2**shift) + Fraction(1, 2)) for v in values]


@pytest.mark.parametrize(("x", "y"), [(3, 2), (-3, -1), (1, 1), (-1, 0), (5, 3), (-5, -2), (0, 0)])
def test_ties_go_up_on_both_sides_of_zero(x: int, y: int) -> None:
    assert semantics.round_half_up(np.array([x]), 1)[0] == y


@given(st.lists(st.integers(-(2**70), 2**70), min_size=6, max_size=6))
def test_products_and_sums_never_wrap(values: list[int]) -> None:
    x = semantics.narrowed(np.array(values, dtype=object).reshape(2, 3))
    squares = semantics.matrix_product(x, x.T)
    assert int(squares[0, 1]) == sum(a * b for a, b in zip(values[:3], values[3:], strict=True))
    assert [int(v) for v in semantics.total(x)] == [sum(values[:3]), sum(values[3:])]


@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 40), st.integers(0, 2**32))
def test_wide_matrix_products_are_exact(bits_of_x: int, bits_of_y: int, terms: int, seed: int) -> None:
    random = Random(seed)
    x, y = (
        [[random.randint(-(2**bits) + 1, 2**bits - 1) for _ in range(terms)] for _ in range(3)]
        for bits in (bits_of_x, bits_of_y)
    )
    x[0], y[0] = [2**bits_of_x - 1] * terms, [1 - 2**bits_of_y] * terms  # the largest sum that there is
    wanted = [[sum(a * b for a, b in zip(row, column, strict=True)) for column in y] for row in x]
    got = semantics.matrix_product(
        semantics.narrowed(np.array(x, dtype=object)), semantics.narrowed(np.array(y, dtype=object)).T
    )
    assert got.tolist() == wanted


@pytest.mark.parametrize(("bits", "products"), [(22, 1), (24, 2), (31, 3), (40, 4)])
def test_wide_matrices_take_few_products_of_floats(bits: int, products: int) -> None:
    (digits_of_x, wide_x), (digits_of_y, wide_y) = semantics._pieces(bits, bits, 512)
    assert digits_of_x * digits_of_y == products
    assert 2**wide_x * 2**wide_y * 512 <= 2**53


def test_sums_of_small_numbers_stay_in_machine_words() -> None:
    x = np.full((2, 512), 2**40)
    x[:, 1:] = 1
    assert semantics.matrix_product(x, x.T[:, :1] // 2**20).dtype == np.int64
    combine = Combine("c", ("x",), "out", (np.array(3),), np.array([1]))
    assert semantics.apply(combine, [np.array([2**50])]).dtype == np.int64


def test_a_linear_layer_scales_each_channel_by_its_own_multiplier() -> None:
    layer = Linear("l", ("x",), "out", np.array([[[1, -2], [3, 4]]]), np.array([[2, 5]]), np.array([[7, -1]]))
    assert semantics.apply(layer, [np.array([[[10, -1]]])]).tolist() == [[[2 * (10 - 3 + 7), 5 * (-20 - 4 - 1)]]]


def test_arranging_picks_positions_and_pads_with_zero() -> None:
    arrange = Arrange("a", ("x", "y"), "out", np.array([[3, 0], [-1, 1]]))
    assert semantics.apply(arrange, [np.array([5, 6]), np.array([7, 8])]).tolist() == [[8, 5], [0, 6]]


def test_combining_broadcasts_multipliers_and_offset() -> None:
    combine = Combine("c", ("x", "y"), "out", (np.array(2), np.array([1, -1])), np.array([[10], [20]]))
    got = semantics.apply(combine, [np.array([[1, 2], [3, 4]]), np.array([5, 6])])
    assert got.tolist() == [[2 + 5 + 10, 4 - 6 + 10], [6 + 5 + 20, 8 - 6 + 20]]


@pytest.mark.parametrize(
    ("operation", "inputs", "wanted"),
    [
        (Total("t", ("x",), "out"), [[[1, 2], [3, 4]]], [3, 7]),
        (Multiply("m", ("x", "y"), "out"), [[[1, 2]], [[3], [-4]]], [[3, 6], [-4, -8]]),
        (MatMul("m", ("x", "y"), "out"), [[[[1, 2]]], [[[3], [4]]]], [[[11]]]),
        (Requantize("r", ("x",), "out", 2, 0, 3), [[-9, 1, 2, 6, 100]], [0, 0, 1, 2, 3]),
        (Lookup("l", ("x",), "out", np.array([9, 8, 7]), -1), [[-1, 1, 0]], [9, 7, 8]),
        (Rows("r", ("x",), "out", np.array([[9, 8], [7, 6]]), 3), [[[4], [3]]], [[[7, 6]], [[9, 8]]]),
        (
            Steps("t", ("x",), "out", np.array([0, 0, 1]), np.array([2, 4, 0])),
            [[[3, -1], [4, 0]]],
            [[1, 0, 0], [1, 1, 1]],
        ),
        (Maximum("m", ("x",), "out"), [[[1, 9, 9], [-5, -7, -6]]], [9, -5]),
        (ArgMax("a", ("x",), "out"), [[[1, 9, 9], [-5, -7, -5]]], [1, 0]),
    ],
)
def test_small_operations_give_what_they_say(operation, inputs, wanted) -> None:
    assert semantics.apply(operation, [np.array(v) for v in inputs]).tolist() == wanted


@given(st.lists(st.integers(-500, 500), min_size=2, max_size=6))
def test_softmax_follows_its_formula(row: list[int]) -> None:
    table = np.array([64, 40, 25, 16, 10, 6, 4, 2, 1])
    operation = Softmax("s", ("x",), "out", 4, table, 16)
    distances = [floor(Fraction(max(row) - v, 16)) for v in row]
    e = [int(table[d]) if d < len(table) else 0 for d in distances]
    assert semantics.apply(operation, [np.array([row])]).tolist() == [[v * (2**16 // sum(e)) for v in e]]


@given(st.lists(st.integers(-500, 500), min_size=2, max_size=6))
def test_normalizing_follows_its_formula(row: list[int]) -> None:
    n = len(row)
    c = [n * v - sum(row) for v in row]
    variance = sum(v * v for v in c) + 3
    root = isqrt(4**20 // variance)
    assert root**2 * variance <= 4**20 < (root + 1) ** 2 * variance
    got = semantics.apply(Normalize("n", ("x",), "out", 20, 3), [np.array([row])])
    assert got.tolist() == [[v * root for v in c]]


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=6))
def test_the_root_mean_square_follows_its_formula(row: list[int]) -> None:
    squares = sum(v * v for v in row) + 3
    root = isqrt(4**20 // squares)
    got = semantics.apply(RootMeanSquare("n", ("x",), "out", 20, 3), [np.array([row])])
    assert got.tolist() == [[v * root for v in row]]


def test_an_input_out_of_range_is_refused_with_its_index() -> None:
    model = model_of(Total("t", ("x",), "out"), x=((2, 2), -8, 7))
    with pytest.raises(UsageError, match=r"'x' at index \[1, 0\] is outside of \[-8, 7\]") as error:
        semantics.run(model, {"x": np.array([[0, 7], [8, 9]])})
    assert error.value.values == "it is 8"
    with pytest.raises(UsageError, match="shape"):
        semantics.run(model, {"x": np.zeros(4, dtype=int)})
    with pytest.raises(UsageError, match="float64"):
        semantics.run(model, {"x": np.zeros((2, 2))})
    with pytest.raises(UsageError, match="missing input 'x'"):
        semantics.run(model, {})


@pytest.mark.parametrize("value", [5, -5, 2**40 + 8, 2**90 + 8])
def test_a_single_number_is_rounded_as_an_array_is(value: int) -> None:
    alone = semantics.round_half_up(np.array(value, dtype=object), 4)
    assert int(alone) == int(semantics.round_half_up(np.array([value], dtype=object), 4)[0]) == (value + 8) >> 4
