"""The pairing against its laws, py_ecc, snarkjs and the EVM; the subgroup test of G2."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curves.oracle import DATA, Q, R, evm_vectors, fq12_to_ecc, pairing_of_ecc, pairs_of_evm, reduced
from zkgpu.curves import BN254, Point, bn254
from zkgpu.curves.pairing import is_in_subgroup_g2, pairing, pairing_product_is_one
from zkgpu.curves.sums import times_cofactor
from zkgpu.errors import FormatError, UsageError

G1, G2 = BN254.g1.generator, BN254.g2.generator
ONE = BN254.g2.twist.tower.one
scalars = st.one_of(st.sampled_from([0, 1, 2, R - 1, R - 2]), st.integers(0, R - 1))


def point_of_the_twist(seed: int) -> Point:
    """A random point of the twist, whose order is r with a chance of 2^-254."""
    rng, f = random.Random(seed), bn254.Fq2
    while True:
        x = (rng.randrange(Q), rng.randrange(Q))
        y = f.sqrt(f.add(f.mul(f.square(x), x), bn254.G2.b))
        if y is not None:
            return Point(bn254.G2, x, y)


def multiple(point: Point, k: int) -> Point:
    """k * point without reducing k modulo r, for points outside the subgroup."""
    total = point.group.infinity
    for bit in bin(k)[2:]:
        total = total + total
        total = total + point if bit == "1" else total
    return total


@given(scalars, scalars)
@settings(max_examples=25, deadline=None)
def test_the_pairing_is_bilinear(a: int, b: int) -> None:
    assert pairing_product_is_one([(G1 * a, G2 * b), (G1 * (-a * b), G2)])
    assert pairing(G1 * a, G2 * b) == pairing(G1 * (a * b), G2) == pairing(G1, G2 * (a * b))


@given(st.lists(st.tuples(scalars, scalars), max_size=6), scalars)
@settings(max_examples=25, deadline=None)
def test_a_product_is_one_exactly_when_the_exponents_cancel(exponents: list[tuple[int, int]], last: int) -> None:
    total = sum(a * b for a, b in exponents)
    pairs = [(G1 * a, G2 * b) for a, b in exponents]
    assert pairing_product_is_one([*pairs, (G1 * -total, G2)])
    assert pairing_product_is_one([*pairs, (G1 * last, G2)]) == ((total + last) % R == 0)


def test_the_pairing_is_not_degenerate_and_has_order_r() -> None:
    assert pairing(G1, G2) != ONE
    assert fq12_to_ecc(pairing(G1, G2)) ** R == fq12_to_ecc(ONE)


@pytest.mark.parametrize("seed", range(3))
def test_the_pairing_is_a_known_power_of_py_eccs(seed: int) -> None:
    rng = random.Random(seed)
    p, q, x = G1 * rng.randrange(R), G2 * rng.randrange(R), bn254.x
    assert fq12_to_ecc(pairing(p, q)) == pairing_of_ecc(p, q) ** (2 * x * (6 * x**2 + 3 * x + 1))


@pytest.mark.parametrize("sample", ["multiplier", "range"])
def test_the_pairing_equals_the_one_in_snarkjs_keys(sample: str) -> None:
    key = json.loads((DATA / "samples" / sample / "groth16_vk.json").read_text())
    alpha = BN254.g1.point(*map(int, key["vk_alpha_1"][:2]))
    beta = BN254.g2.point(*(tuple(map(int, c)) for c in key["vk_beta_2"][:2]))
    expected = [int(c) for fq6 in key["vk_alphabeta_12"] for fq2 in fq6 for c in fq2]
    assert list(pairing(alpha, beta).coefficients()) == expected


@pytest.mark.parametrize(("data", "output"), evm_vectors("EC_PAIRING"))
def test_the_evm_gives_the_same_verdict(data: bytes, output: bytes) -> None:
    if output:
        assert pairing_product_is_one(pairs_of_evm(data)) == bool(int.from_bytes(output, "big"))
    else:
        with pytest.raises(FormatError):
            pairs_of_evm(data)


def test_infinity_on_either_side_contributes_one() -> None:
    p0, q0 = BN254.g1.infinity, BN254.g2.infinity
    assert pairing(p0, G2) == pairing(G1, q0) == pairing(p0, q0) == ONE
    assert pairing_product_is_one([(p0, G2), (G1, q0), (p0, q0)])
    assert pairing_product_is_one([(G1, G2), (p0, G2), (-G1, G2)])
    assert not pairing_product_is_one([(G1, G2), (p0, G2)])


def test_the_empty_product_is_one() -> None:
    assert pairing_product_is_one([])


def test_the_same_pair_many_times_is_a_power() -> None:
    assert pairing_product_is_one([(G1, G2)] * 20 + [(G1 * -20, G2)])
    assert not pairing_product_is_one([(G1, G2)] * 20 + [(G1 * -19, G2)])


def test_a_product_of_pairings_is_the_pairing_of_the_sum() -> None:
    p, q = G1 * 1234, G2 * 5678
    assert pairing(p + G1, q) == reduced(pairing(p, q) * pairing(G1, q))
    assert pairing(p, q + G2) == reduced(pairing(p, q) * pairing(p, G2))


def test_points_of_the_wrong_group_are_refused() -> None:
    for pair in [(G2, G1), (G1, G1), (G2, G2), (BN254.g2.infinity, G2)]:
        with pytest.raises(UsageError, match="BN254 G"):
            pairing_product_is_one([pair])
    with pytest.raises(UsageError, match="BN254 G1 is no second argument"):
        is_in_subgroup_g2(G1)


@given(scalars)
@settings(max_examples=20, deadline=None)
def test_multiples_of_the_generator_are_in_the_subgroup(k: int) -> None:
    assert is_in_subgroup_g2(G2 * k)


@pytest.mark.parametrize("seed", range(10))
def test_other_points_of_the_twist_are_not_in_the_subgroup(seed: int) -> None:
    point = point_of_the_twist(seed)
    assert point.is_on_curve()
    assert not point.is_in_subgroup()
    assert not is_in_subgroup_g2(point)
    assert not is_in_subgroup_g2(G2 + point)


def test_the_cofactor_is_no_scalar_to_reduce() -> None:
    group, point = BN254.g2, point_of_the_twist(1)
    cleared = times_cofactor(point)
    assert cleared == multiple(point, group.cofactor)
    assert cleared != multiple(point, group.cofactor % R)
    assert times_cofactor(group.infinity).is_infinity


@pytest.mark.parametrize("seed", range(3))
def test_points_of_the_cofactors_order_are_refused_and_cleared_points_are_not(seed: int) -> None:
    point = point_of_the_twist(seed)
    assert not is_in_subgroup_g2(multiple(point, R))
    assert is_in_subgroup_g2(multiple(point, bn254.G2.cofactor))


def test_points_of_small_order_are_refused() -> None:
    cofactor, small = bn254.G2.cofactor, 10069  # the smallest prime factor of the cofactor
    assert cofactor % small == 0
    point = multiple(point_of_the_twist(0), R * (cofactor // small))
    assert not point.is_infinity
    assert multiple(point, small).is_infinity
    assert not is_in_subgroup_g2(point)


def test_points_off_the_twist_are_not_in_the_subgroup() -> None:
    (x0, x1), y = G2.x, G2.y
    assert not is_in_subgroup_g2(Point(bn254.G2, (x0 + 1, x1), y))
    assert not is_in_subgroup_g2(Point(bn254.G2, (0, 0), (0, 0)))


def test_the_subgroup_test_is_sound_by_arithmetic() -> None:
    """f(psi) = (x+1) + x psi + x psi^2 - 2x psi^3 vanishes on G2, and its norm is prime to the cofactor."""
    x, t = bn254.x, Q + 1 - R
    assert (x + 1 + x * Q + x * Q**2 - 2 * x * Q**3) % R == 0
    # modulo psi^2 = t psi - q: psi^3 = (t^2 - q) psi - t q, so f = a + b psi with norm a^2 + a b t + b^2 q
    a = x + 1 - x * Q + 2 * x * t * Q
    b = x + x * t - 2 * x * (t * t - Q)
    assert math.gcd(a * a + a * b * t + b * b * Q, bn254.G2.cofactor) == 1
