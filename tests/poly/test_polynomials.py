"""Polynomials beside their terms, held against plain lists of coefficients."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkgpu.backend.reference import ReferenceBackend
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.ntt.domain import Domain
from zkgpu.poly import Coefficients, Coset, combine, divide_by_linear, evaluate, interpolate, roots_of_unity
from zkgpu.poly.polynomials import horner

r, N = Fr.modulus, 8
BACKEND = ReferenceBackend(BN254)
DOMAIN = Domain(Fr, N)
scalars = st.one_of(st.sampled_from([0, 1, r - 1]), st.integers(0, r - 1))
denses = st.lists(scalars, min_size=N, max_size=N)
terms = st.dictionaries(st.sampled_from([0, 1, 2, N, N + 1, N + 2, N + 5]), scalars, max_size=5)


def made(dense: list[int], extra: Mapping[int, int]) -> Coefficients:
    return Coefficients(BACKEND.vector(Fr.to_limbs(dense)), extra)


def plain(p: Coefficients) -> list[int]:
    """All coefficients, in order."""
    values = Fr.from_limbs(BACKEND.limbs(p.dense)) + [0] * 8
    for e, k in p.terms.items():
        values[e] = (values[e] + k) % r
    return values


def value(coefficients: list[int], x: int) -> int:
    return sum(c * pow(x, e, r) for e, c in enumerate(coefficients)) % r


@settings(max_examples=40, deadline=None)
@given(denses, terms, scalars)
def test_evaluate_counts_the_terms(dense: list[int], extra: dict[int, int], x: int) -> None:
    p = made(dense, extra)
    assert evaluate(BACKEND, p, x) == value(plain(p), x)


@settings(max_examples=40, deadline=None)
@given(denses, terms, st.sampled_from([5, 7, r - 3]), st.integers(0, N - 1))
def test_values_on_a_coset_are_those_of_the_polynomial(dense: list, extra: dict, offset: int, power: int) -> None:
    p, coset = made(dense, extra), Coset(BACKEND, DOMAIN.coset(offset), roots_of_unity(BACKEND, DOMAIN))
    factor = pow(DOMAIN.omega, power, r)
    points = [offset * root % r for root in Fr.from_limbs(BACKEND.limbs(coset.roots))]
    assert points == [offset * pow(DOMAIN.omega, int(i), r) % r for i in DOMAIN.bit_reversal]
    assert Fr.from_limbs(BACKEND.limbs(coset.values(p, factor))) == [value(plain(p), factor * x) for x in points]


@settings(max_examples=60, deadline=None)
@given(denses, terms, scalars)
def test_quotient_times_divisor_plus_remainder_is_the_polynomial(dense: list, extra: dict, root: int) -> None:
    p = made(dense, extra)
    quotient = plain(divide_by_linear(BACKEND, p, root))
    product = [(low - root * high) % r for low, high in zip([0, *quotient], [*quotient, 0], strict=True)]
    product[0] = (product[0] + evaluate(BACKEND, p, root)) % r
    assert product == [*plain(p), 0]


@settings(max_examples=30, deadline=None)
@given(denses, denses, terms, terms, scalars, scalars, scalars)
def test_combine_is_the_sum_of_multiples(a: list, b: list, s: dict, t: dict, j: int, k: int, constant: int) -> None:
    p, q = made(a, s), made(b, t)
    total = plain(combine(BACKEND, (j, k), (p, q), constant))
    wanted = [(j * x + k * y) % r for x, y in zip(plain(p), plain(q), strict=True)]
    wanted[0] = (wanted[0] + constant) % r
    assert total == wanted


@pytest.mark.parametrize("factor", [(3,), (3, 4), (3, 4, 5)])
def test_a_multiple_of_the_vanishing_polynomial_changes_nothing_on_the_domain(factor: tuple[int, ...]) -> None:
    p = made(list(range(N)), {})
    blinded = p.plus_multiple_of_vanishing(factor, r)
    for i in range(N):
        x = pow(DOMAIN.omega, i, r)
        assert evaluate(BACKEND, blinded, x) == evaluate(BACKEND, p, x)
    x = 11
    vanishing = pow(x, N, r) - 1
    assert evaluate(BACKEND, blinded, x) == (evaluate(BACKEND, p, x) + horner(factor, x) * vanishing) % r


def test_interpolation_finds_the_polynomial_with_given_values() -> None:
    values = [3, 1, 4, 1, 5, 9, 2, 6]
    p = interpolate(BACKEND, BACKEND.vector(Fr.to_limbs(values)), DOMAIN)
    points = [pow(DOMAIN.omega, int(i), r) for i in DOMAIN.bit_reversal]
    assert [evaluate(BACKEND, p, x) for x in points] == values
