"""Short sums against the arithmetic of points."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.curves.oracle import R, evm_vectors, g1_of_evm
from zkgpu.curves import BN254
from zkgpu.curves.points import Group, sum_points
from zkgpu.curves.sums import multiply_many, small_msm, small_msms, window_digits
from zkgpu.errors import FormatError, LengthError, UsageError

GROUPS = [BN254.g1, BN254.g2]
scalars = st.one_of(
    st.sampled_from([0, 1, 2, 15, 16, 17, R - 1, R, R + 1, 2 * R, -1, 2**252, 2**256 - 1]), st.integers(0, R - 1)
)
# small multiples of the generator: equal and opposite points and infinity meet often
terms = st.lists(st.tuples(st.integers(-3, 3), scalars), min_size=1, max_size=8)


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)
@given(terms)
@settings(max_examples=40, deadline=None)
def test_a_sum_is_the_sum_of_the_multiples(group: Group, terms: list[tuple[int, int]]) -> None:
    points, factors = [group.generator * m for m, _ in terms], [k for _, k in terms]
    multiples = [p * k for p, k in zip(points, factors, strict=True)]
    assert multiply_many(points, factors) == multiples
    assert small_msm(points, factors) == sum_points(group, multiples)


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)
def test_all_zero_scalars_and_all_infinity_give_infinity(group: Group) -> None:
    assert small_msm([group.generator] * 3, [0, 0, 0]).is_infinity
    assert small_msm([group.infinity] * 3, [1, 2, R - 1]).is_infinity
    assert small_msm([group.generator, -group.generator], [R - 2, R - 2]).is_infinity


def test_two_hundred_points_sum_as_one_multiple() -> None:
    points = [BN254.g1.generator * (i + 1) for i in range(200)]
    factors = [pow(7, i + 200, R) for i in range(200)]
    total = sum((i + 1) * k for i, k in enumerate(factors))
    assert small_msm(points, factors) == BN254.g1.generator * total


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.name)
def test_sums_of_several_targets_are_those_of_each(group: Group) -> None:
    points, factors = [group.generator * k for k in range(1, 6)], [3, R - 1, 2**200, 0, 7]
    first, second, third = small_msms(points, factors, np.array([0, 0, 1, 2, 2]))
    assert first == small_msm(points[:2], factors[:2])
    assert (second, third) == (points[2] * factors[2], points[4] * 7)


def test_lengths_must_agree_and_not_be_zero() -> None:
    for points, factors in [([], []), ([BN254.g1.generator], []), ([BN254.g1.generator], [1, 2])]:
        with pytest.raises(LengthError):
            small_msm(points, factors)
        with pytest.raises(LengthError):
            multiply_many(points, factors)


def test_groups_do_not_mix() -> None:
    with pytest.raises(UsageError, match="within one group"):
        small_msm([BN254.g1.generator, BN254.g2.generator], [1, 1])


def test_digits_spell_their_scalars() -> None:
    values = [0, 1, 15, 16, R - 1, 2**256 - 1]
    for value, digits in zip(values, window_digits(values, 32), strict=True):
        assert int("".join(f"{d:x}" for d in digits), 16) == value


@pytest.mark.parametrize(("data", "output"), evm_vectors("EC_MUL"))
def test_the_evm_multiplies_alike(data: bytes, output: bytes) -> None:
    data = data[:96].ljust(96, b"\0")  # EIP-196: short input counts as zero-extended, long input is cut
    try:
        point = g1_of_evm(data[:64])
    except FormatError:
        assert not any(output)
        return
    assert multiply_many([point], [int.from_bytes(data[64:], "big")])[0] == g1_of_evm(output)
