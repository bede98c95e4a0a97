import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msm_cases import limbs, reference_sum

from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.jit.isa import PORTABLE, supported
from zkgpu.msm import combine as module
from zkgpu.msm import multiples
from zkgpu.msm.combine import combine

R = Fr.modulus


def matrix_of(rows, columns):
    """A sparse matrix from one dictionary {column: value} a row."""
    entries = [entry for row in rows for entry in row.items()]
    values = sorted({value for _, value in entries}) or [1]
    return SparseMatrix(
        shape=(len(rows), columns),
        indptr=np.cumsum([0, *map(len, rows)]).astype(np.int64),
        indices=np.array([column for column, _ in entries], np.int32),
        coefficient=np.array([values.index(value) for _, value in entries], np.int32),
        table=limbs(values),
    )


def expected(group, rows, points):
    return [reference_sum(group, [points[c] for c in row], list(row.values())) for row in rows]


def random_rows(rng, n_rows, n_columns):
    value = [
        lambda: 1,
        lambda: R - 1,
        lambda: rng.randrange(2, 300),
        lambda: rng.randrange(R),
        lambda: R - 7,
        lambda: 0,
    ]
    return [
        {c: rng.choice(value)() for c in rng.sample(range(n_columns), rng.choice([0, 1, 1, 2, 5, n_columns]))}
        for _ in range(n_rows)
    ]


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_of_mixed_coefficients(isa, group, progressions, threads):
    points = progressions[group].points[:12]
    rows = random_rows(random.Random(8), 30, 12)
    result = combine(group, matrix_of(rows, 12), group.to_rows(points), isa, threads)
    assert group.from_rows(result) == expected(group, rows, points)


def test_coefficients_of_one_and_minus_one_need_no_table(isa, group, progressions):
    points = progressions[group].points[:20]
    rows = [{c: (1 if (c + i) % 3 else R - 1) for c in range(0, 20, i + 1)} for i in range(9)]
    assert group.from_rows(combine(group, matrix_of(rows, 20), group.to_rows(points), isa, 1)) == expected(
        group, rows, points
    )


def test_small_tasks_do_not_change_the_rows(isa, group, progressions, monkeypatch):
    points = progressions[group].points[:12]
    matrix = matrix_of(random_rows(random.Random(9), 30, 12), 12)
    whole = combine(group, matrix, group.to_rows(points), isa, 1)
    monkeypatch.setattr(module, "SEGMENTS", 150)
    monkeypatch.setattr(multiples, "GRAIN", 7)
    assert np.array_equal(combine(group, matrix, group.to_rows(points), isa, 2), whole)


def test_the_parts_of_a_matrix_may_be_read_only(isa, progressions):
    matrix, rows = matrix_of(random_rows(random.Random(10), 5, 12), 12), progressions[G1].rows[:12]
    frozen = {name: np.frombuffer(part.tobytes(), part.dtype) for name, part in vars(matrix).items() if name[0] in "ic"}
    assert np.array_equal(combine(G1, replace(matrix, **frozen), rows, isa, 1), combine(G1, matrix, rows, isa, 1))


small = st.sampled_from([0, 1, 2, 3, 4, 8, 15, 16, 17, R - 1, R - 2, R - 16, R // 2, R // 2 + 1, 1 << 128])


@pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])
@settings(max_examples=30, deadline=None)
@given(
    multiples=st.lists(st.integers(-2, 2), min_size=1, max_size=6),
    rows=st.lists(st.dictionaries(st.integers(0, 5), small, max_size=6), max_size=5),
)
def test_columns_that_repeat_cancel_or_are_infinity(group, multiples, rows):
    points = [group.generator * m for m in multiples]
    rows = [{c: v for c, v in row.items() if c < len(points)} for row in rows]
    for isa in supported():
        result = combine(group, matrix_of(rows, len(points)), group.to_rows(points), isa, 1)
        want = [group.generator * sum(multiples[c] * v for c, v in row.items()) for row in rows]
        assert group.from_rows(result) == want


GOOD = matrix_of([{0: 1, 1: 2}, {2: 3}], 3)
BROKEN = {
    "a column too far": replace(GOOD, indices=np.array([0, 1, 3], np.int32)),
    "a negative column": replace(GOOD, indices=np.array([0, -1, 2], np.int32)),
    "a coefficient too far": replace(GOOD, coefficient=np.array([0, 1, 3], np.int32)),
    "a negative coefficient": replace(GOOD, coefficient=np.array([0, -1, 2], np.int32)),
    "rows that overlap": replace(GOOD, indptr=np.array([0, 4, 3])),
    "rows that end early": replace(GOOD, indptr=np.array([0, 2, 2])),
    "rows that begin late": replace(GOOD, indptr=np.array([1, 2, 3])),
    "too few rows": replace(GOOD, indptr=np.array([0, 3])),
    "too few coefficients": replace(GOOD, coefficient=np.array([0, 1], np.int32)),
    "another number of columns": replace(GOOD, shape=(2, 4)),
    "a coefficient that is not below the order": replace(GOOD, table=np.full((3, 4), 2**64 - 1, np.uint64)),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_matrix_that_does_not_fit_together_is_refused(kind, progressions):
    with pytest.raises((LengthError, UsageError)):
        combine(G1, BROKEN[kind], progressions[G1].rows[:3], PORTABLE, 1)
