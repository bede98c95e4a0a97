"""Numbers and sums in machine words against the same arithmetic on Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from exhaustive import F7
from hypothesis import given
from hypothesis import strategies as st

from zkgpu.circuits import numbers as numbers_module
from zkgpu.circuits.numbers import WIDE, Numbers, difference, distinct, limit, object_array
from zkgpu.circuits.sums import Rows, Table, combine, small_fraction
from zkgpu.curves.bn254 import Fr
from zkgpu.fields.field import Field

P = Fr.modulus
LIMIT = limit(P)
EDGES = [0, 1, -1, LIMIT - 1, LIMIT, LIMIT + 1, 1 - LIMIT, -LIMIT, -LIMIT - 1, 1 << 63, 1 << 64, P // 2, P // 2 + 1]
EDGES += [1 << 31, -(1 << 31), (1 << 62) // 3, P - (1 << 64), P - 1]
integers = st.sampled_from(EDGES) | st.integers(-1000, 1000) | st.integers(0, P - 1)
fields = pytest.mark.parametrize("field", [Fr, F7], ids=lambda field: field.name)


def numbers(values, field: Field = Fr) -> Numbers:
    return Numbers.of(object_array(values), field.modulus)


def elements(values, field: Field = Fr) -> list[int]:
    return [v % field.modulus for v in values]


@fields
@given(values=st.lists(integers, max_size=8))
def test_numbers_keep_their_values_and_go_through_limbs(field: Field, values: list[int]) -> None:
    held = numbers(values, field)
    assert held.elements().tolist() == elements(values, field)
    assert [int(v) % field.modulus for v in held.integers()] == elements(values, field)
    assert field.from_limbs(held.limbs(field)) == elements(values, field)
    places = np.arange(len(values))[::-2]
    assert field.from_limbs(held.limbs(field, places)) == elements(values, field)[::-2]
    back = Numbers.from_limbs(held.limbs(field), field)
    assert back.small.tolist() == held.small.tolist()
    assert back.elements().tolist() == elements(values, field)


def test_an_element_is_small_below_the_limit_on_both_sides() -> None:
    held = numbers([LIMIT - 1, 1 - LIMIT, LIMIT, -LIMIT])
    assert held.small.tolist() == [LIMIT - 1, 1 - LIMIT, WIDE, WIDE]
    assert numbers([3]).wide is None
    assert Numbers.of(np.array([LIMIT, -(1 << 63)]), P).small.tolist() == [WIDE, WIDE]
    assert Numbers.of(np.array([1 << 63], dtype=np.uint64), P).elements().tolist() == [1 << 63]


def test_integers_are_the_nearest_to_zero() -> None:
    assert numbers([-5, P // 2, P // 2 + 1]).integers().tolist() == [-5, P // 2, P // 2 + 1 - P]


@fields
@given(rows=st.lists(st.tuples(integers, integers, integers), max_size=6))
def test_products_are_those_of_python_integers(field: Field, rows: list[tuple[int, int, int]]) -> None:
    x, y, z = (numbers(column, field) for column in (zip(*rows, strict=True) if rows else ([], [], [])))
    wanted = [(a * b + c) % field.modulus for a, b, c in rows]
    total = x.times_plus(y, z)
    assert total.elements().tolist() == wanted
    assert total.small.tolist() == numbers(wanted, field).small.tolist()
    wrong = [(a * b - c) % field.modulus != 0 for a, b, c in rows]
    assert x.wrong_products(y, z).tolist() == wrong
    assert not x.wrong_products(y, numbers([a * b for a, b, _ in rows], field)).any()


fractions = st.builds(
    lambda n, d: n * pow(d, -1, P) % P, st.integers(-(1 << 30), 1 << 30), st.integers(1, 40) | st.just(1 << 40)
)
terms = st.tuples(integers | fractions, st.integers(0, 5))


@fields
@given(
    rows=st.lists(st.lists(terms, max_size=4), min_size=1, max_size=5),
    instances=st.lists(st.lists(integers, min_size=6, max_size=6), min_size=1, max_size=3),
)
def test_sums_are_those_of_python_integers(field: Field, rows: list, instances: list[list[int]]) -> None:
    coefficients = [c % field.modulus for row in rows for c, _ in row]
    indptr = np.cumsum([0, *map(len, rows)])
    wires = np.array([w for row in rows for _, w in row], dtype=np.int32)
    matrix = Rows(indptr, wires, np.arange(len(coefficients), dtype=np.int32))
    values = np.array(instances, dtype=object).T
    found = combine(matrix, Table.of(coefficients, field.modulus), Numbers.of(values, field.modulus))
    wanted = [[sum(c * x[w] for c, w in row) % field.modulus for x in instances] for row in rows]
    assert found.elements().tolist() == wanted
    assert found.small.tolist() == Numbers.of(np.array(wanted, dtype=object), field.modulus).small.tolist()


def test_the_upper_part_of_a_number_is_a_small_sum_of_fractions() -> None:
    """(x - low) / 2^20 needs no Python integers when it is whole."""
    inverse = pow(1 << 20, -1, P)
    table = Table.of([inverse, P - inverse], P)
    assert table.denominators.tolist() == [1 << 20, 1 << 20]
    rows = Rows(np.array([0, 2]), np.array([0, 1], dtype=np.int32), np.array([0, 1], dtype=np.int32))
    assert combine(rows, table, numbers([(77 << 20) + 5, 5])).small.tolist() == [77]
    assert combine(rows, table, numbers([(77 << 20) + 6, 5])).small.tolist() == [WIDE]


@given(st.integers(-(1 << 59), 1 << 59), st.integers(1, 1 << 59))
def test_small_fractions_are_found(n: int, d: int) -> None:
    found = small_fraction(n * pow(d, -1, P) % P, P)
    assert found[0] * d == n * found[1]


def test_most_elements_are_no_small_fraction() -> None:
    assert [small_fraction(pow(5, k, P), P) for k in range(120, 140)] == [(0, 0)] * 20


def test_halves_and_thirds_do_not_mix_in_machine_words() -> None:
    table = Table.of([pow(2, -1, P), pow(3, -1, P)], P)
    rows = Rows(np.array([0, 2]), np.array([0, 1], dtype=np.int32), np.array([0, 1], dtype=np.int32))
    assert combine(rows, table, numbers([1, 2])).elements().tolist() == [7 * pow(6, -1, P) % P]


def test_borrows_run_through_equal_limbs() -> None:
    words = [P >> 64 * j & (1 << 64) - 1 for j in range(4)]
    x = np.array(words, dtype=np.uint64)
    rows = Fr.to_limbs([1, P - 1, words[0] + 1 + (words[1] << 64), (words[1] << 64) + (words[2] << 128) + (1 << 63)])
    assert Fr.from_limbs(difference(x, rows)) == [P - v for v in Fr.from_limbs(rows)]


def test_equal_elements_that_are_one_integer_stay_one() -> None:
    large = P - (1 << 70)
    held = Numbers.of(object_array([large, 5, large, large + P]), P)
    assert held.elements().tolist() == [large, 5, large, large]
    assert held.wide[0] is held.wide[2] is large


def test_limbs_are_made_by_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    values = [P // 2 + k for k in range(20)] + [-3, 4]
    monkeypatch.setattr(numbers_module, "PIECE", 6)
    assert Fr.from_limbs(numbers(values).limbs(Fr)) == elements(values)


@pytest.mark.parametrize("values", [[], [3], [3, 3], [5, -1, 5, 0, 2**31 - 1, -1], [[2, 1], [1, 4]]], ids=str)
@pytest.mark.parametrize("kind", [np.int32, np.int64])
def test_distinct_integers_are_ascending(values: list[int], kind: type) -> None:
    found = distinct(np.array(values, kind))
    assert found.dtype == kind
    assert found.tolist() == sorted({int(v) for v in np.ravel(values)})
