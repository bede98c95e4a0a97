"""Sums with tables of multiples against sums whose value is known."""

import random

import numpy as np
import pytest
from msm_cases import limbs

from zkgpu.backend import open_backend
from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.errors import UsageError
from zkgpu.jit.isa import PORTABLE
from zkgpu.msm import plan
from zkgpu.msm.cpu import cost_of, msm, msm_many
from zkgpu.msm.plan import Cost, balanced_bits, table_shape, windows_of
from zkgpu.msm.points import load_points
from zkgpu.msm.tables import with_table

R = Fr.modulus
BITS = balanced_bits(R)


def tabled(group, rows, isa, copies):
    points = load_points(group, rows, isa)
    return with_table(points, copies, cost_of(points), 2)


@pytest.mark.parametrize("copies", [2, 5, 60])
def test_sums_with_a_table_are_those_without(isa, group, progressions, copies):
    points, rng = progressions[group], random.Random(copies)
    kept = tabled(group, points.rows[:301], isa, copies)
    assert kept.table is not None
    assert len(kept.rows) == -(-windows_of(BITS, kept.table.width) // kept.table.stride) * 301
    for scalars in (
        [rng.randrange(R) for _ in range(301)],
        [rng.randrange(R) >> (i % 254) for i in range(301)],
        [(0, 1, R - 1)[i % 3] for i in range(301)],
        [0] * 301,
    ):
        for threads in (1, 2, 5):
            assert msm(kept, limbs(scalars), threads) == points.sum(scalars)


def test_points_at_infinity_have_multiples_at_infinity(isa, group, progressions):
    scalars = [random.Random(1).randrange(R) for _ in range(200)]
    for missing in ([7], list(range(0, 200, 3))):
        rows = progressions[group].rows[:200].copy()
        rows[missing] = 0
        expected = progressions[group].sum([0 if i in missing else k for i, k in enumerate(scalars)])
        assert msm(tabled(group, rows, isa, 3), limbs(scalars), 2) == expected


def test_sums_with_and_without_tables_may_be_asked_for_together(isa, progressions):
    scalars = limbs([random.Random(2).randrange(R) for _ in range(90)])
    rows = progressions[G1].rows[:90]
    arrays = [tabled(G1, rows, isa, 4), tabled(G1, rows, isa, 9), load_points(G1, rows, isa)]
    arrays.append(tabled(G2, progressions[G2].rows[:90], isa, 4))
    one_by_one = [msm(points, scalars, 1) for points in arrays]
    assert one_by_one[0] == one_by_one[1] == one_by_one[2]
    assert msm_many([(points, scalars) for points in arrays], 2) == one_by_one


@pytest.mark.parametrize("copies", [2, 3, 8, 100])
@pytest.mark.parametrize("n", [1, 100, 10_000, 1 << 20])
def test_no_table_is_larger_than_allowed(n, copies):
    width, stride = table_shape(n, Cost(44, 75), copies, BITS)
    assert plan.LEAST_TABLE_WIDTH <= width <= plan.MAX_WIDTH
    assert -(-windows_of(BITS, width) // stride) <= copies


def test_a_larger_table_costs_less_work():
    def work(copies):
        width, stride = table_shape(1 << 16, Cost(44, 75), copies, BITS)
        return 44 * windows_of(BITS, width) * (1 << 16) + 75 * (stride << (width - 1))

    assert work(2) > work(5) > work(17)


def test_no_points_and_no_copies_make_no_table(progressions):
    assert tabled(G1, np.empty((0, 8), np.uint64), PORTABLE, 4).table is None
    assert tabled(G1, progressions[G1].rows[:5], PORTABLE, 1).table is None


def test_a_backend_with_tables_gives_the_same_points(progressions):
    scalars = [random.Random(3).randrange(R) for _ in range(50)]
    backend = open_backend("cpu", tables=6)
    points = backend.points(G1, progressions[G1].rows[:50])
    assert points.table is not None
    assert backend.msm(points, backend.vector(limbs(scalars))) == progressions[G1].sum(scalars)
    assert backend.resident_form != open_backend("cpu").resident_form


def test_a_backend_keeps_at_least_the_points():
    with pytest.raises(UsageError, match="at least 1"):
        open_backend("cpu", tables=0)
