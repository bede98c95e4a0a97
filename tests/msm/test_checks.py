import random
from math import gcd

import numpy as np
import pytest

from zkgpu.curves.bn254 import G1, G2, Fq, Fq2, Fr, x
from zkgpu.curves.points import Group, Point
from zkgpu.errors import LengthError, UsageError
from zkgpu.jit.isa import PORTABLE
from zkgpu.msm import checks
from zkgpu.msm.checks import first_invalid, sums_are_in_subgroup

SMALLEST_ORDER = 10069  # of the primes that divide the cofactor of G2
COUNT = 19  # two full blocks of lanes and a part of one


def twist_point_outside_g2(rng):
    while True:
        x_coordinate = (rng.randrange(Fq.modulus), rng.randrange(Fq.modulus))
        y = Fq2.sqrt(Fq2.add(Fq2.mul(Fq2.square(x_coordinate), x_coordinate), G2.b))
        if y is not None and not Point(G2, x_coordinate, y).is_in_subgroup():
            return Point(G2, x_coordinate, y)


def off_curve(group, point):
    return Point(group, point.x, group.field.add(point.y, group.field.one))


def test_points_of_the_group_and_infinity_are_valid(isa, group, progressions):
    points = [*progressions[group].points[:COUNT], group.infinity, *progressions[group].points[COUNT:30]]
    assert first_invalid(group, group.to_rows(points), isa, 2) is None
    assert first_invalid(group, group.to_rows(points[:1]), isa, 1) is None
    assert first_invalid(group, np.empty((0, group.row_limbs), np.uint64), isa, 1) is None


@pytest.mark.parametrize("at", range(COUNT))
def test_a_point_off_the_curve_is_found_wherever_it_stands(isa, group, progressions, at):
    points = list(progressions[group].points[:COUNT])
    points[at] = off_curve(group, points[at])
    index, what = first_invalid(group, group.to_rows(points), isa, 1)
    assert index == at
    assert "not on the curve" in what


@pytest.mark.parametrize("at", range(COUNT))
def test_a_point_outside_the_subgroup_is_found_wherever_it_stands(isa, progressions, at):
    points = list(progressions[G2].points[:COUNT])
    points[at] = twist_point_outside_g2(random.Random(at))
    index, what = first_invalid(G2, G2.to_rows(points), isa, 1)
    assert index == at
    assert "subgroup" in what


@pytest.mark.parametrize("at", range(COUNT))
def test_a_coordinate_that_is_not_canonical_is_found_wherever_it_stands(isa, group, progressions, at):
    rows = progressions[group].rows[:COUNT].copy()
    word = 4 * (at % (group.row_limbs // 4))
    value = sum(int(limb) << (64 * j) for j, limb in enumerate(rows[at, word : word + 4])) + Fq.modulus
    rows[at, word : word + 4] = [(value >> (64 * j)) & (2**64 - 1) for j in range(4)]
    index, what = first_invalid(group, rows, isa, 1)
    assert index == at
    assert "modulus" in what


def test_rows_with_one_zero_coordinate_are_not_infinity(isa, group, progressions):
    for words in (slice(None, group.row_limbs // 2), slice(group.row_limbs // 2, None)):
        rows = progressions[group].rows[:COUNT].copy()
        rows[7, words] = 0
        assert first_invalid(group, rows, isa, 1)[0] == 7


def test_the_first_fault_counts_and_threads_agree(isa, progressions, monkeypatch):
    monkeypatch.setattr(checks, "GRAIN", 8)
    points = list(progressions[G2].points[:60])
    points[41], points[30] = off_curve(G2, points[41]), twist_point_outside_g2(random.Random(1))
    for threads in (1, 2, 5):
        assert first_invalid(G2, G2.to_rows(points), isa, threads)[0] == 30


def test_points_of_the_twist_of_small_or_composite_order_are_refused(isa):
    outside = twist_point_outside_g2(random.Random(2))
    cofactor_part = _times(outside, Fr.modulus)
    shifted = cofactor_part + G2.generator
    for point in (outside, cofactor_part, shifted):
        assert first_invalid(G2, G2.to_rows([G2.generator, point]), isa, 1)[0] == 1
    cleared = _times(outside, G2.cofactor)
    assert first_invalid(G2, G2.to_rows([cleared]), isa, 1) is None


@pytest.mark.parametrize("bad", ["one", "a pair that cancels out", "all"])
def test_sums_with_random_weights_show_points_of_the_smallest_order_there_is(isa, progressions, bad):
    small = _times(twist_point_outside_g2(random.Random(3)), Fr.modulus * G2.cofactor // SMALLEST_ORDER)
    assert not small.is_infinity
    assert _times(small, SMALLEST_ORDER).is_infinity
    points = [*progressions[G2].points[:COUNT], G2.infinity]
    assert sums_are_in_subgroup(G2, G2.to_rows(points), isa, 2)
    changed = {"one": {7: small}, "a pair that cancels out": {2: small, 9: -small}}.get(
        bad, dict.fromkeys(range(19), small)
    )
    for at, part in changed.items():
        points[at] = points[at] + part
    assert not sums_are_in_subgroup(G2, G2.to_rows(points), isa, 2)


def test_a_bad_point_is_named_by_its_place_among_many_that_are_tested_together(isa, group, progressions, monkeypatch):
    monkeypatch.setattr(checks, "FEW", 8)
    monkeypatch.setattr(checks, "CHUNK", 16)
    points = list(progressions[group].points[:60])
    assert first_invalid(group, group.to_rows(points), isa, 2) is None
    points[50] = off_curve(group, points[50])
    assert first_invalid(group, group.to_rows(points), isa, 2)[0] == 50
    if group is G2:
        points[37] = points[37] + twist_point_outside_g2(random.Random(4))
        assert first_invalid(G2, G2.to_rows(points), isa, 2)[0] == 37


def _times(point, k):
    """k * point without reducing k modulo the order of the subgroup."""
    total = point.group.infinity
    for bit in bin(k)[2:]:
        total = total + total
        total = total + point if bit == "1" else total
    return total


def test_the_subgroup_relation_is_exact():
    """f = (x + 1) + x X + x X^2 - 2x X^3 vanishes at psi's eigenvalue, and its resultant leaves no other order."""
    q, r, t = Fq.modulus, Fr.modulus, 6 * x * x + 1
    f = [x + 1, x, x, -2 * x]
    assert sum(c * pow(q, k, r) for k, c in enumerate(f)) % r == 0
    while len(f) > 2:  # modulo X^2 - t X + q
        top = f.pop()
        f[-1], f[-2] = f[-1] + t * top, f[-2] - q * top
    a, b = f
    assert gcd(a * a + a * b * t + b * b * q, G2.cofactor * r) == r


def test_a_group_without_a_subgroup_test_is_refused():
    other = Group("other", Fq2, G2.b, G2.order, G2.cofactor, G2.generator_xy)
    with pytest.raises(UsageError, match="no subgroup test"):
        first_invalid(other, G2.to_rows([G2.generator]), PORTABLE, 1)


def test_rows_of_another_shape_are_refused():
    with pytest.raises(LengthError, match="BN254 G1"):
        first_invalid(G1, np.zeros((2, 7), np.uint64), PORTABLE, 1)
