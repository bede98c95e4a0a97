"""Products of matrices by Freivalds' test."""

from __future__ import annotations

import numpy as np
import pytest
from exhaustive import F5, challenges_by_commitment
from hypothesis import given, settings
from hypothesis import strategies as st
from mutation import assert_every_wire_is_pinned, assert_forgery_fails

from zkgpu.circuits import Circuit, CompiledCircuit, gadgets
from zkgpu.circuits.gadgets.freivalds import _tested
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError

P = Fr.modulus


def multiplication(a: tuple[int, ...], b: tuple[int, ...]) -> CompiledCircuit:
    c = Circuit()
    c.output("c", gadgets.matmul(c.private("a", a), c.private("b", b)))
    return c.compile()


def times(compiled: CompiledCircuit, a, b) -> np.ndarray:
    return compiled.value("c", compiled.witness({"a": a, "b": b}))


lengths = st.integers(1, 6)


@given(lengths, lengths, lengths, st.integers(0, 2**32))
@settings(max_examples=20, deadline=None)
def test_products_of_all_shapes_are_numpys(m, k, n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-100, 100, (m, k)), rng.integers(-100, 100, (k, n))
    assert (times(multiplication(a.shape, b.shape), a, b) == (a @ b).astype(object) % P).all()


def test_products_of_elements_that_fill_the_field_are_right():
    rng = np.random.default_rng(1)
    a, b = (np.array([int(v) ** 7 % P for v in rng.integers(1, 2**62, 25)]).reshape(5, 5) for _ in range(2))
    assert (times(multiplication((5, 5), (5, 5)), a, b) == (a @ b).astype(object) % P).all()


def test_leading_axes_are_independent_products():
    rng = np.random.default_rng(2)
    for shapes in (((3, 4, 5), (3, 5, 6)), ((2, 3, 1, 2), (2, 3, 2, 4))):
        a, b = (rng.integers(-9, 9, shape) for shape in shapes)
        assert (times(multiplication(*shapes), a, b) == (a @ b).astype(object) % P).all()


@pytest.mark.parametrize(
    ("m", "k", "n", "constraints"),
    [
        (8, 32, 32, 32 * 32 + (32 + 32) * 7),
        (32, 32, 8, 32 * 32 + (32 + 32) * 7),
        (4, 9, 30, 9 * 30 + (9 + 30) * 3),
        (1, 64, 10, 640),
        (2, 2, 2, 8),
    ],
)
def test_the_cheapest_way_is_taken(m, k, n, constraints):
    c = Circuit()
    a, b = c.private("a", (m, k)), c.private("b", (k, n))
    before = c.builder.n_constraints
    gadgets.matmul(a, b).lc  # noqa: B018  wires of plain products are made on use
    assert c.builder.n_constraints - before == constraints


def test_a_constant_side_costs_nothing():
    c = Circuit()
    x, matrix = c.private("x", (4, 5)), np.arange(30).reshape(5, 6)
    assert gadgets.matmul(x, matrix).shape == (4, 6)
    assert gadgets.matmul(matrix.T, x.T).shape == (6, 4)
    assert c.builder.n_constraints == 0


@pytest.mark.parametrize("change", [1, -1, P // 2])
@pytest.mark.parametrize("where", [(0, 0), (3, 3), (2, 0)])
def test_a_product_with_one_wrong_entry_is_refused(where, change):
    a, b = np.arange(20).reshape(4, 5), np.arange(25).reshape(5, 5) - 12

    def forged(x, y):
        product = (x @ y).astype(object) % P
        product[where] += change
        return product

    assert_forgery_fails(multiplication((4, 5), (5, 5)), {"a": a, "b": b}, {"matrix product/product": forged})


def test_every_wire_of_a_tested_product_is_pinned():
    for shapes in (((4, 4), (4, 4)), ((3, 4), (4, 9)), ((2, 3, 3), (2, 3, 3))):
        a, b = (np.arange(np.prod(shape)).reshape(shape) - 7 for shape in shapes)
        assert_every_wire_is_pinned(multiplication(*shapes), {"a": a, "b": b})


def test_over_a_tiny_field_a_wrong_product_passes_for_one_challenge_at_most():
    c = Circuit(F5)
    _tested(c.private("a", (1, 1)), c.private("b", (1, 2)), None)
    passing = challenges_by_commitment(c.compile())
    for (a, b0, b1, c0, c1), challenges in passing.items():
        if (c0, c1) == (a * b0 % 5, a * b1 % 5):
            assert challenges == set(range(5))
        else:
            assert len(challenges) == 1
    assert len(passing) > 5**3


def test_shapes_that_do_not_fit_are_refused():
    c = Circuit()
    x = c.private("x", (2, 3))
    for other in (np.ones((2, 3), int), np.ones(3, int), np.ones((1, 3, 2), int)):
        with pytest.raises(UsageError, match="do not fit"):
            gadgets.matmul(x, other)
