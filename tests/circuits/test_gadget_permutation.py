"""Rows in another order: every order passes, and nothing else."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned, assert_forgery_fails
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.circuits.gadgets import assert_permutation
from zkgpu.errors import UnsatisfiedError, UsageError

ROWS = np.array([[5, 0], [5, 1], [-3, 2], [5, 0]])


def of_two_columns(n: int = 4) -> CompiledCircuit:
    circuit = Circuit()
    x, y = circuit.private("x", (n, 2)), circuit.private("y", (n, 2))
    assert_permutation([x[:, 0], x[:, 1]], [y[:, 0], y[:, 1]])
    circuit.output("first", x[0, 0])
    return circuit.compile()


def test_every_order_of_the_rows_passes() -> None:
    circuit = of_two_columns()
    for order in permutations(range(4)):
        circuit.witness({"x": ROWS, "y": ROWS[list(order)]})


@pytest.mark.parametrize(
    ("row", "entry"), [(0, [5, 2]), (2, [5, 2]), (2, [-3, 1]), (1, [5, 0]), (3, [5, 1]), (2, [0, 0])]
)
def test_a_row_that_is_another_or_there_more_often_is_refused(row: int, entry: list[int]) -> None:
    other = ROWS.copy()
    other[row] = entry
    with pytest.raises(UnsatisfiedError):
        of_two_columns().witness({"x": ROWS, "y": other})


def test_columns_are_not_put_in_order_each_for_itself() -> None:
    swapped = ROWS.copy()
    swapped[[0, 2], 1] = swapped[[2, 0], 1]
    with pytest.raises(UnsatisfiedError):
        of_two_columns().witness({"x": ROWS, "y": swapped})


@pytest.mark.parametrize("n", [1, 2, 5])
def test_rows_of_several_axes_are_permuted_each_for_itself(n: int) -> None:
    circuit = Circuit()
    x, y = circuit.private("x", (3, n)), circuit.private("y", (3, n))
    assert_permutation([x], [y])
    circuit.output("total", x.sum())
    compiled, values = circuit.compile(), np.arange(3 * n).reshape(3, n)
    compiled.witness({"x": values, "y": values[:, ::-1]})
    with pytest.raises(UnsatisfiedError):
        compiled.witness({"x": values, "y": values[::-1]})


def sorted_by_hint() -> CompiledCircuit:
    circuit = Circuit()
    x = circuit.private("x", 4)
    y = circuit.hint(np.sort, [x], shape=(4,), label="sorted")
    assert_permutation([y], [x])
    circuit.output("least", y[0] + 2 * y[1] + 3 * y[2] + 4 * y[3])
    return circuit.compile()


def test_the_products_leave_no_wire_free() -> None:
    assert_every_wire_is_pinned(sorted_by_hint(), {"x": np.array([3, 9, 1, 4])})


@pytest.mark.parametrize("answer", [[1, 3, 4, 8], [1, 1, 9, 9], [0, 0, 0, 0], [9, 4, 3, 2]])
def test_other_values_fail_whatever_the_challenge(answer: list[int]) -> None:
    forged = {"sorted": lambda x: np.array(answer, dtype=object)}
    assert_forgery_fails(sorted_by_hint(), {"x": np.array([3, 9, 1, 4])}, forged)


def test_what_depends_on_a_challenge_is_no_row() -> None:
    circuit = Circuit()
    x = circuit.private("x", 2)
    assert_permutation([circuit.materialize(x * circuit.challenge())], [x])
    with pytest.raises(UsageError, match="challenge"):
        circuit.compile()


def test_columns_of_several_shapes_are_refused() -> None:
    circuit = Circuit()
    x, y = circuit.private("x", 2), circuit.private("y", 3)
    for a, b in (([x], [y]), ([x], [x, x]), ([], [])):
        with pytest.raises(UsageError, match="as many columns"):
            assert_permutation(a, b)
