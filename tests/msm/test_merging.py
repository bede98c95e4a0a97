"""Sums over scalars of which many are equal: the same points, and merged where that is less work."""

import random

import numpy as np
import pytest
from msm_cases import limbs

from zkgpu.curves.bn254 import G1, Fr
from zkgpu.msm import cpu, merging
from zkgpu.msm.cpu import cost_of, msm, msm_many
from zkgpu.msm.merging import equal_scalars, values_of_all
from zkgpu.msm.plan import Cost
from zkgpu.msm.points import load_points
from zkgpu.msm.scalars import balanced
from zkgpu.msm.tables import with_table

R = Fr.modulus
COST = Cost(addition=44, bucket=75)
N = 1100


def drawn(rng, values, n=N):
    """n scalars, each one of so many long ones; some short ones and zeros between them."""
    long = [rng.randrange(R >> 20, R) for _ in range(values)]
    return [rng.choice(long) if rng.random() < 0.8 else rng.choice((0, 1, R - 1, 12345)) for _ in range(n)]


@pytest.fixture
def merges(monkeypatch):
    """What equal_scalars found, in turn."""
    found = []

    def watched(*arguments):
        found.append(equal_scalars(*arguments))
        return found[-1]

    monkeypatch.setattr(cpu, "equal_scalars", watched)
    return found


@pytest.mark.parametrize("values", [1, 2, 30])
@pytest.mark.parametrize("threads", [1, 3])
def test_sums_of_few_values_are_merged_and_the_same(isa, group, progressions, merges, values, threads, monkeypatch):
    monkeypatch.setattr(merging, "TASK", 100)
    points, scalars = progressions[group], drawn(random.Random(values), values)
    assert msm(load_points(group, points.rows, isa), limbs(scalars), threads) == points.sum(scalars)
    assert merges[0] is not None
    assert len(merges[0].start) - 1 == values


def test_points_at_infinity_tables_and_arrays_that_share_scalars(isa, group, progressions, merges):
    points, scalars = progressions[group], drawn(random.Random(5), 9)
    shared, pairs, expected = limbs(scalars), [], []
    for missing in ([], [4], list(range(0, N, 7))):
        rows = points.rows.copy()
        rows[missing] = 0
        kept = load_points(group, rows, isa)
        pairs += [(kept, shared), (with_table(kept, 4, cost_of(kept), 2), shared), (kept, shared)]
        expected += 3 * [points.sum([0 if i in missing else k for i, k in enumerate(scalars)])]
    assert msm_many(pairs, 2) == expected
    assert all(found is not None for found in merges)


def test_opposite_points_of_one_scalar_cancel(isa, group, merges):
    rows = group.to_rows([group.generator, -group.generator, group.generator * 5])
    which = [0, 1] * 400 + [2] * 300
    points = load_points(group, rows[which], isa)
    scalars = [R // 5] * 800 + [R // 7] * 300
    assert msm(points, limbs(scalars), 2) == group.generator * (5 * 300 * (R // 7) % R)
    assert merges[0] is not None


def found(scalars):
    return equal_scalars(balanced(limbs(scalars), R), COST, 4)


def test_what_is_not_worth_it_is_not_merged():
    rng = random.Random(1)
    assert found([rng.randrange(R) for _ in range(5000)]) is None  # all differ
    assert found([rng.randrange(1 << 40) % 9 for _ in range(5000)]) is None  # short ones
    assert found([R // 3] * (merging.FEWEST - 1)) is None  # too few
    pairs = [rng.randrange(R) for _ in range(2500)]
    assert found([*pairs, *pairs]) is not None  # each twice: an addition in place of twenty


def test_members_of_one_value_are_those_that_have_it():
    rng = random.Random(2)
    scalars = drawn(rng, 40, 3000)
    equal = found(scalars)
    seen = []
    for v, value in enumerate(Fr.from_limbs(equal.values.limbs)):
        members = equal.members[equal.start[v] : equal.start[v + 1]].tolist()
        assert {scalars[i] for i in members} == {value}
        seen += members
    assert sorted(seen) == [i for i, k in enumerate(scalars) if min(k, R - k).bit_length() > merging.LONG]
    rest = equal.others(balanced(limbs(scalars), R))
    assert [i for i, length in enumerate(rest.lengths) if length] == [
        i for i, k in enumerate(scalars) if k and i not in set(seen)
    ]


def test_values_chosen_to_slow_the_search_down_end_it(isa, progressions):
    """Scalars that all hash to the first slots, by undoing the multiplications."""
    inverse, top = pow(int(merging._MIX), -1, 1 << 64), 1 << 60
    scalars = [((top ^ (h * inverse)) * inverse**3 % (1 << 64)) | top << 192 for h in range(N // 2) for _ in range(2)]
    assert found(scalars) is None
    points = progressions[G1]
    assert msm(load_points(G1, points.rows, isa), limbs(scalars), 1) == points.sum(scalars)
    assert found([k + (1 << 70) * (k % 97) for k in scalars]) is not None


@pytest.mark.parametrize("values", [1, 10, 1000, 30_000])
def test_a_sample_tells_how_many_values_there_are(values):
    rng = np.random.default_rng(values)
    scalars = rng.integers(values, size=1 << 17)
    told = values_of_all(len(np.unique(scalars[:4096])), 4096, scalars.size)
    assert 0.7 * len(np.unique(scalars)) <= told <= 1.4 * len(np.unique(scalars)) + 1
    assert values_of_all(4096, 4096, scalars.size) == scalars.size
