"""The verifier refuses malformed questions by name and wrong proofs by a plain no."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from itertools import product as cartesian

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plonk.conftest import SAMPLES
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.curves.points import Point
from zkgpu.errors import InsecureKeyError, LengthError, PointError, UsageError
from zkgpu.formats.public_values import read_public
from zkgpu.ntt.domain import Domain
from zkgpu.plonk import verify
from zkgpu.plonk.identities import Challenges, Linear, PermutationColumns, Selectors, WireColumns, all_identities
from zkgpu.plonk.keys import EVALUATIONS, POINTS
from zkgpu.plonk.linearization import lagrange_at
from zkgpu.plonk.quotient import coset_offsets, highest_product, interpolation_weights
from zkgpu.systems.files import read_proof, read_verifying_key

FOLDER = SAMPLES / "multiplier"
KEY = read_verifying_key(FOLDER / "plonk_vk.json")
PROOF = read_proof(FOLDER / "plonk_proof.json", KEY)
PUBLIC = read_public(FOLDER / "plonk_public.json")
r, g1 = Fr.modulus, BN254.g1


def test_the_proof_of_these_tests_is_valid() -> None:
    assert verify(KEY, PUBLIC, PROOF)


@pytest.mark.parametrize("public", [[], PUBLIC[:-1], [*PUBLIC, 0]])
def test_a_wrong_number_of_public_inputs_is_refused(public: list[int]) -> None:
    with pytest.raises(LengthError, match="public inputs"):
        verify(KEY, public, PROOF)


@pytest.mark.parametrize("offset", [r, -r, 2 * r])
@pytest.mark.parametrize("i", [0, 1, 2])
def test_public_inputs_are_never_reduced(i: int, offset: int) -> None:
    with pytest.raises(UsageError, match=f"public input {i}"):
        verify(KEY, [x + offset if k == i else x for k, x in enumerate(PUBLIC)], PROOF)


@pytest.mark.parametrize("name", EVALUATIONS)
@pytest.mark.parametrize("offset", [r, -r])
def test_openings_are_never_reduced(name: str, offset: int) -> None:
    with pytest.raises(UsageError, match=name):
        verify(KEY, PUBLIC, replace(PROOF, **{name: getattr(PROOF, name) + offset}))


@pytest.mark.parametrize("name", POINTS)
def test_a_point_off_the_curve_or_of_the_other_group_is_refused_by_name(name: str) -> None:
    point = getattr(PROOF, name)
    with pytest.raises(PointError, match=name):
        verify(KEY, PUBLIC, replace(PROOF, **{name: Point(g1, point.x, point.y + 1)}))
    with pytest.raises(UsageError, match=name):
        verify(KEY, PUBLIC, replace(PROOF, **{name: BN254.g2.generator}))


def test_points_at_infinity_make_a_proof_invalid_in_every_combination() -> None:
    for size in range(1, len(POINTS) + 1):
        for names in combinations(POINTS, size):
            assert not verify(KEY, PUBLIC, replace(PROOF, **dict.fromkeys(names, g1.infinity)))


def test_openings_that_are_zero_make_a_proof_invalid_even_beside_infinity() -> None:
    zeros = dict.fromkeys(EVALUATIONS, 0)
    assert not verify(KEY, PUBLIC, replace(PROOF, **zeros))
    assert not verify(KEY, PUBLIC, replace(PROOF, **zeros, **dict.fromkeys(POINTS, g1.infinity)))
    for name in EVALUATIONS:
        assert not verify(KEY, PUBLIC, replace(PROOF, **{name: 0}))


@pytest.mark.parametrize("name", POINTS)
def test_any_other_point_makes_a_proof_invalid(name: str) -> None:
    point = getattr(PROOF, name)
    for other in (-point, point + g1.generator, 2 * point, g1.generator):
        assert not verify(KEY, PUBLIC, replace(PROOF, **{name: other}))


@pytest.mark.parametrize("name", EVALUATIONS)
def test_any_other_opening_makes_a_proof_invalid(name: str) -> None:
    value = getattr(PROOF, name)
    for other in (value + 1, value - 1, r - value, 1):
        assert not verify(KEY, PUBLIC, replace(PROOF, **{name: other}))


def test_opening_proofs_shifted_against_each_other_do_not_verify() -> None:
    g = g1.generator
    assert not verify(KEY, PUBLIC, replace(PROOF, w_zeta=PROOF.w_zeta + g, w_zeta_omega=PROOF.w_zeta_omega - g))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tau_g2": BN254.g2.generator}, "tau is 0, 1 or -1"),
        ({"tau_g2": BN254.g2.infinity}, "tau is 0, 1 or -1"),
        ({"k1": 1}, "columns"),
        ({"k2": KEY.k1}, "columns"),
        ({"k1": KEY.domain.omega}, "columns"),
        ({"k2": KEY.k1 * KEY.domain.omega % r}, "columns"),
        ({"k2": 0}, "columns"),
        ({"s2": g1.infinity}, "permutation"),
    ],
)
def test_a_key_that_lets_anyone_forge_is_refused(change: dict, reason: str) -> None:
    with pytest.raises(InsecureKeyError, match=reason):
        verify(replace(KEY, **change), PUBLIC, PROOF)
    assert not verify(replace(KEY, **change), PUBLIC, PROOF, allow_insecure_key=True)


scalars = st.integers(0, r - 1)


@settings(max_examples=50, deadline=None)
@given(st.lists(scalars, min_size=17, max_size=17), st.lists(scalars, min_size=3, max_size=3))
def test_identities_of_named_polynomials_are_those_of_their_values(values: list[int], challenges: list[int]) -> None:
    a, b, c, qm, ql, qr, qo, qc, public, z, z_next, s1, s2, s3, x, l1, k1 = values
    closed = {"qm": qm, "ql": ql, "qr": qr, "qo": qo, "qc": qc, "z": z, "s3": s3}
    ch, k = Challenges(*challenges), (k1, 3)
    names = {name: Linear.named(name) for name in closed}
    linear = all_identities(
        WireColumns(a, b, c),
        Selectors(names["qm"], names["ql"], names["qr"], names["qo"], names["qc"], public),
        PermutationColumns(names["z"], z_next, s1, s2, names["s3"]),
        x,
        l1,
        k,
        ch,
    )
    plain = all_identities(
        WireColumns(a, b, c),
        Selectors(qm, ql, qr, qo, qc, public),
        PermutationColumns(z, z_next, s1, s2, s3),
        x,
        l1,
        k,
        ch,
    )
    assert (linear.constant + sum(f * closed[name] for name, f in linear.factors.items()) - plain) % r == 0


@pytest.mark.parametrize("size", [8, 32])
def test_lagrange_values_are_those_of_the_interpolating_polynomials(size: int) -> None:
    domain, x = Domain(Fr, size), 987654321
    roots = [pow(domain.omega, i, r) for i in range(size)]
    for i, value in enumerate(lagrange_at(domain, 4, x)):
        wanted = 1
        for root in roots[:i] + roots[i + 1 :]:
            wanted = wanted * (x - root) * pow(roots[i] - root, -1, r) % r
        assert value == wanted


@pytest.mark.parametrize("log_size", [3, 10, 26])
def test_the_cosets_of_the_quotient_differ_from_the_domain_and_from_each_other(log_size: int) -> None:
    powers = [pow(g, 1 << log_size, r) for g in coset_offsets(Domain(Fr, 1 << log_size))]
    assert len({1, *powers}) == 4


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.integers(0, r - 1), min_size=6, max_size=9), min_size=1, max_size=4))
def test_the_highest_coefficients_of_a_product_follow_from_those_of_its_factors(factors: list[list[int]]) -> None:
    product = [1]
    for factor in factors:
        sums = [0] * (len(product) + len(factor) - 1)
        for (i, x), (j, y) in cartesian(enumerate(product), enumerate(factor)):
            sums[i + j] = (sums[i + j] + x * y) % r
        product = sums
    assert highest_product([factor[::-1][:6] for factor in factors], r) == product[::-1][:6]


def test_interpolation_weights_recover_the_coefficients() -> None:
    nodes, coefficients = [3, 5, r - 2, 11], [9, 8, 7, 6]
    values = [sum(c * x**k for k, c in enumerate(coefficients)) for x in nodes]
    weights = interpolation_weights(Fr, nodes)
    assert [sum(w * v for w, v in zip(row, values, strict=True)) % r for row in weights] == coefficients
