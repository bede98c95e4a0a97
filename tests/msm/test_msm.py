"""Multi-scalar multiplication against Python integers and py_ecc: lengths, structured scalars, repeated points."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msm_cases import limbs, reference_sum

from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.errors import LengthError
from zkgpu.jit.isa import PORTABLE, supported
from zkgpu.msm import segments
from zkgpu.msm.cpu import msm, msm_many
from zkgpu.msm.points import load_points

oracle = pytest.importorskip("py_ecc.optimized_bn128")
R = Fr.modulus
LENGTHS = [*range(71), 127, 128, 129, 255, 256, 257, 1023, 1024, 1025]

SCALARS = {
    "random": lambda rng, i: rng.randrange(R),
    "zero": lambda rng, i: 0,
    "one": lambda rng, i: 1,
    "order minus one": lambda rng, i: R - 1,
    "bits": lambda rng, i: rng.randrange(2),
    "bytes of either sign": lambda rng, i: rng.randrange(-256, 256) % R,
    "almost all one": lambda rng, i: rng.randrange(R) if i % 100 == 3 else 1,
    "all equal": lambda rng, i: 0x123456789ABCDEF << 180,
    "powers of two": lambda rng, i: 1 << (i % 254),
    "every length": lambda rng, i: rng.randrange(R) >> (i % 254),
}


def test_every_short_length_and_those_around_powers_of_two(isa, group, progressions):
    points, rng = progressions[group], random.Random(1)
    for n in LENGTHS if group is G1 else LENGTHS[::4]:
        scalars = [rng.randrange(R) for _ in range(n)]
        assert msm(load_points(group, points.rows[:n], isa), limbs(scalars), 1) == points.sum(scalars)


@pytest.mark.parametrize("kind", SCALARS)
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_structured_scalars(isa, group, progressions, kind, threads):
    points, rng = progressions[group], random.Random(2)
    scalars = [SCALARS[kind](rng, i) for i in range(1100)]
    assert msm(load_points(group, points.rows, isa), limbs(scalars), threads) == points.sum(scalars)


@pytest.mark.parametrize("scalar", [1, 2, R - 1, R // 3])
def test_one_point_repeated_in_one_bucket(isa, group, scalar):
    points = load_points(group, np.repeat(group.to_rows([group.generator]), 333, axis=0), isa)
    assert msm(points, limbs([scalar] * 333), 2) == group.generator * (333 * scalar)


def test_opposite_points_cancel(isa, group):
    rows = group.to_rows([group.generator, -group.generator] * 50)
    assert msm(load_points(group, rows, isa), limbs([7] * 100), 1).is_infinity


def test_points_at_infinity_count_for_nothing(isa, group):
    rows = group.to_rows([group.infinity, group.generator, group.infinity])
    points = load_points(group, rows, isa)
    assert len(points) == 3
    assert msm(points, limbs([5, 6, 7]), 1) == group.generator * 6
    assert msm(load_points(group, rows[:1], isa), limbs([5]), 1).is_infinity


def test_a_bucket_longer_than_a_chunk_is_summed_chunk_by_chunk(isa, group, progressions, monkeypatch):
    monkeypatch.setattr(segments, "CHUNK", 64)
    points, rng = progressions[group], random.Random(3)
    for scalars in ([1] * 1100, [1 if i % 3 else R - 2 for i in range(1100)], [rng.randrange(R) for _ in range(1100)]):
        assert msm(load_points(group, points.rows, isa), limbs(scalars), 1) == points.sum(scalars)


multiples = st.integers(-4, 4)
scalars = st.one_of(st.sampled_from([0, 1, 2, R - 1, R - 2, R // 2, R // 2 + 1]), st.integers(0, R - 1))


@pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])
@settings(max_examples=60, deadline=None)
@given(terms=st.lists(st.tuples(multiples, scalars), max_size=40))
def test_small_multisets_of_points_their_negatives_and_infinity(group, terms):
    small = {m: group.generator * m for m in range(-4, 5)}
    points, expected = [small[m] for m, _ in terms], sum(m * k for m, k in terms)
    for isa in supported():
        rows = group.to_rows(points) if points else np.empty((0, group.row_limbs), np.uint64)
        result = msm(load_points(group, rows, isa), limbs([k for _, k in terms]), 1)
        assert result == group.generator * expected


def test_py_ecc_agrees(isa):
    rng = random.Random(4)
    terms = [(rng.randrange(R), rng.randrange(R)) for _ in range(9)]
    expected = oracle.Z1
    for m, k in terms:
        expected = oracle.add(expected, oracle.multiply(oracle.multiply(oracle.G1, m), k))
    points = load_points(G1, G1.to_rows([G1.generator * m for m, _ in terms]), isa)
    result = msm(points, limbs([k for _, k in terms]), 1)
    assert (result.x, result.y) == tuple(int(c) for c in oracle.normalize(expected))


def test_many_sums_are_the_sums_one_by_one(isa, progressions):
    rng = random.Random(6)
    scalars = [rng.randrange(R) for _ in range(30)]
    pairs = [(load_points(g, progressions[g].rows[:30], isa), limbs(scalars)) for g in (G1, G2)]
    assert msm_many(pairs, 2) == [progressions[g].sum(scalars) for g in (G1, G2)]


def test_sums_over_the_same_scalars_share_digits_whatever_their_infinities(isa, progressions):
    rng = random.Random(8)
    scalars = [rng.randrange(R) >> rng.randrange(254) for _ in range(300)]
    holes = {0: [], 3: [7, 8, 250], 100: list(range(0, 300, 3))}
    pairs, expected, shared = [], [], limbs(scalars)
    for group in (G1, G2):
        for missing in (*holes.values(), holes[100]):
            rows = progressions[group].rows[:300].copy()
            rows[missing] = 0
            pairs.append((load_points(group, rows, isa), shared))
            expected.append(progressions[group].sum([0 if i in missing else k for i, k in enumerate(scalars)]))
    for threads in (1, 2):
        assert msm_many(pairs, threads) == expected


def test_points_may_be_an_unaligned_read_only_view(isa, group, progressions, tmp_path):
    points, rng = progressions[group], random.Random(7)
    file = tmp_path / "points"
    file.write_bytes(b"abc" + points.rows[:100].tobytes())
    rows = np.memmap(file, np.uint64, "r", 3, (100, group.row_limbs))
    scalars = [rng.randrange(R) for _ in range(100)]
    assert msm(load_points(group, rows, isa), limbs(scalars), 1) == points.sum(scalars)


def test_scalars_may_be_read_only_or_strided(isa, progressions):
    points, rng = progressions[G1], random.Random(9)
    scalars = [rng.randrange(R) for _ in range(60)]
    read_only = np.frombuffer(limbs(scalars).tobytes(), np.uint64).reshape(-1, 4)
    strided = np.repeat(limbs(scalars), 2, axis=0)[::2]
    for given_limbs in (read_only, strided):
        assert msm(load_points(G1, points.rows[:60], isa), given_limbs, 1) == points.sum(scalars)


def test_one_scalar_for_each_point(progressions):
    points = load_points(G1, progressions[G1].rows[:5], PORTABLE)
    with pytest.raises(LengthError, match="4 scalars for 5 points"):
        msm(points, limbs([1] * 4), 1)


@pytest.mark.parametrize("rows", [np.zeros((3, 16), np.uint64), np.zeros(8, np.uint64), np.zeros((3, 8), np.int32)])
def test_rows_of_another_shape_are_refused(rows):
    with pytest.raises(LengthError, match="BN254 G1"):
        load_points(G1, rows, PORTABLE)


def test_the_reference_sum_is_the_progression(progressions):
    points, scalars = progressions[G2], [3, R - 5, 0, 1 << 200]
    assert reference_sum(G2, points.points[:4], scalars) == points.sum(scalars)
