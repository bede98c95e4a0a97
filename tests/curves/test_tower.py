"""The laws of Fq12, and that it is py_ecc's Fq12."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curves.oracle import Q, fq12, fq12_to_ecc, reduced
from zkgpu.curves import BN254
from zkgpu.curves.tower import Fq2, Fq6, Fq12

TOWER = BN254.g2.twist.tower
ONE = TOWER.one

coefficients = st.one_of(st.sampled_from([0, 1, 2, Q - 1, 2**64 - 1, 2**192]), st.integers(0, Q - 1))


def elements(width: int) -> st.SearchStrategy:
    return st.lists(coefficients, min_size=width, max_size=width)


fq12s = elements(12).map(fq12)


def invert(a: int) -> int:
    return pow(a, -1, Q)


def power(f: Fq12, exponent: int) -> Fq12:
    result = ONE
    for bit in bin(exponent)[2:]:
        result = reduced(result.square())
        result = reduced(result * f) if bit == "1" else result
    return result


def cyclotomic(f: Fq12) -> Fq12:
    """f^((q^6 - 1)(q^2 + 1))."""
    g = reduced(f.conjugate() * reduced(f.inverse(invert)))
    return reduced(reduced(g.frobenius(2)) * g)


@given(fq12s, fq12s)
@settings(max_examples=30, deadline=None)
def test_products_are_those_of_py_ecc(a: Fq12, b: Fq12) -> None:
    assert fq12_to_ecc(a * b) == fq12_to_ecc(a) * fq12_to_ecc(b)


@given(fq12s)
@settings(max_examples=30, deadline=None)
def test_a_square_is_a_product_with_itself(a: Fq12) -> None:
    assert reduced(a.square()) == reduced(a * a)


@given(fq12s.filter(lambda f: any(f.coefficients())))
@settings(max_examples=30, deadline=None)
def test_an_element_times_its_inverse_is_one(a: Fq12) -> None:
    assert reduced(a * a.inverse(invert)) == ONE


@given(elements(6))
def test_the_norm_of_fq6_is_the_product_with_the_adjoint(c: list[int]) -> None:
    a = Fq6.of(c, TOWER)
    product = [x % Q for x in (a * a._adjoint()).coefficients()]
    assert product == [x % Q for x in a.norm().coefficients()] + [0] * 4


@given(fq12s)
@settings(max_examples=10, deadline=None)
def test_norms_multiply(a: Fq12) -> None:
    assert reduced(a.square()).norm() % Q == a.norm() ** 2 % Q


@pytest.mark.parametrize("k", [1, 2, 3, 6])
def test_frobenius_is_the_power_it_names(k: int) -> None:
    f = fq12(range(3, 15))
    assert reduced(f.frobenius(k)) == power(f, Q**k)


def test_conjugation_is_the_sixth_frobenius() -> None:
    f = fq12(range(3, 15))
    assert reduced(f.conjugate()) == reduced(f.frobenius(6))


@given(fq12s.filter(lambda f: any(f.coefficients())))
@settings(max_examples=10, deadline=None)
def test_cyclotomic_squares_are_squares(f: Fq12) -> None:
    g = cyclotomic(f)
    assert reduced(g.cyclotomic_square()) == reduced(g * g)


def test_a_cyclotomic_square_is_wrong_outside_the_cyclotomic_subgroup() -> None:
    f = fq12(range(3, 15))
    assert reduced(f.cyclotomic_square()) != reduced(f * f)


@given(fq12s, elements(2), elements(2), elements(2))
@settings(max_examples=30, deadline=None)
def test_a_line_multiplies_like_the_full_element(f: Fq12, a: list[int], b: list[int], c: list[int]) -> None:
    zero = Fq2(0, 0)
    line = Fq12.from_powers_of_w((Fq2.of(a), Fq2.of(b), zero, Fq2.of(c), zero, zero), TOWER)
    assert reduced(f.times_line(Fq2.of(a), Fq2.of(b), Fq2.of(c))) == reduced(f * line)


@given(fq12s, elements(2), elements(2), elements(2))
@settings(max_examples=30, deadline=None)
def test_a_line_of_the_other_kind_multiplies_like_the_full_element(
    f: Fq12, a: list[int], b: list[int], c: list[int]
) -> None:
    zero = Fq2(0, 0)
    line = Fq12.from_powers_of_w((Fq2.of(a), zero, Fq2.of(b), Fq2.of(c), zero, zero), TOWER)
    assert reduced(f.times_line_m(Fq2.of(a), Fq2.of(b), Fq2.of(c))) == reduced(f * line)


@given(elements(12))
def test_coefficients_come_back_in_the_order_given(c: list[int]) -> None:
    assert list(fq12(c).coefficients()) == c
