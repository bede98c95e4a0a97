"""Sparse matrices in few bytes, and work on them block by block."""

from contextlib import suppress

import numpy as np
import pytest

from zkgpu.curves.bn254 import Fr
from zkgpu.fields import sparse
from zkgpu.fields.sparse import SparseMatrix, blocks


def matrix_of(values: int, rows: int = 40, columns: int = 30, seed: int = 1) -> SparseMatrix:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 5, rows)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.concatenate([rng.permutation(columns)[:n] for n in counts]).astype(np.int32)
    table = np.zeros((values, 4), np.uint64)
    table[:, 0] = np.arange(2, values + 2)
    return SparseMatrix((rows, columns), indptr, indices, rng.integers(0, values, indptr[-1]), table)


def dense(m: SparseMatrix) -> np.ndarray:
    out = np.zeros(m.shape, np.uint64)
    out[m.row_of_entry(), m.indices] = m.table[m.coefficient, 0]
    return out


@pytest.mark.parametrize(
    ("values", "kind"), [(1, "u1"), (256, "u1"), (257, "u2"), (1 << 16, "u2"), ((1 << 16) + 1, "i4")]
)
def test_ids_are_as_narrow_as_the_table_allows(values, kind):
    m = matrix_of(values)
    assert m.coefficient.dtype == np.dtype(kind)
    assert m.indptr.dtype == m.indices.dtype == np.int32


@pytest.mark.parametrize("ids", [[0, 256], [0, -1], [0, 300]])
def test_ids_beyond_the_table_stay_what_they_are_so_that_checks_find_them(ids):
    m = SparseMatrix((1, 2), np.array([0, 2]), np.arange(2, dtype=np.int32), np.array(ids), Fr.to_limbs([7]))
    assert m.coefficient.tolist() == ids


def test_joined_tables_of_narrow_ids_do_not_wrap():
    m = matrix_of(200)
    assert np.array_equal(dense(SparseMatrix.side_by_side([m, m, m])), np.concatenate([dense(m)] * 3, axis=1))


@pytest.mark.parametrize("most", [1, 3, 1000])
def test_rows_are_taken_block_by_block(monkeypatch, most):
    m = matrix_of(300)
    rows = np.random.default_rng(2).integers(0, 40, 70)
    monkeypatch.setattr(sparse, "blocks", lambda indptr: blocks(indptr, most))
    assert np.array_equal(dense(m.take_rows(rows)), dense(m)[rows])
    assert np.array_equal(dense(m.transpose()), dense(m).T)


@pytest.mark.parametrize("values", [3, 300, (1 << 16) + 1])
def test_large_matrices_are_transposed_by_a_kernel_to_the_same_arrays(monkeypatch, values):
    m = matrix_of(values)
    wanted = m.transpose()
    monkeypatch.setattr(sparse, "MANY", 1)
    monkeypatch.setattr(np, "argsort", lambda *_, **__: pytest.fail("sorted"))
    found = m.transpose()
    assert found.shape == wanted.shape
    for name in ("indptr", "indices", "coefficient"):
        mine, other = getattr(found, name), getattr(wanted, name)
        assert np.array_equal(mine, other)
        assert mine.dtype == other.dtype


@pytest.mark.parametrize("column", [-1, 30])
def test_no_kernel_follows_a_column_that_is_none(monkeypatch, column):
    monkeypatch.setattr(sparse, "MANY", 1)
    monkeypatch.setattr(SparseMatrix, "_transposed_by_kernel", lambda _: pytest.fail("followed"))
    m = matrix_of(3)
    m.indices[5] = column
    with suppress(ValueError):
        assert not m.transpose().is_whole()


def test_a_part_is_some_rows_as_views():
    m = matrix_of(300)
    part = m.part(7, 31)
    assert np.array_equal(dense(part), dense(m)[7:31])
    assert np.shares_memory(part.indices, m.indices)
    assert np.shares_memory(part.coefficient, m.coefficient)


@pytest.mark.parametrize("lengths", [[], [0], [5, 0, 0, 1, 2, 9, 0], [0] * 7, [1] * 10])
@pytest.mark.parametrize("most", [1, 2, 4, 100])
def test_blocks_are_all_rows_in_order_and_no_longer_than_asked(lengths, most):
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    found = list(blocks(indptr, most))
    assert [row for begin, end in found for row in range(begin, end)] == list(range(len(lengths)))
    assert all(indptr[end] - indptr[begin] <= most or end == begin + 1 for begin, end in found)


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_equal_matrices_are_found_so_piece_by_piece_in_any_order(monkeypatch, most):
    m = matrix_of(300)
    table_order = np.random.default_rng(3).permutation(300)
    ids = np.argsort(table_order)[m.coefficient]
    order = np.concatenate([np.arange(a, b)[::-1] for a, b in zip(m.indptr, m.indptr[1:], strict=False)])
    other = SparseMatrix(m.shape, m.indptr, m.indices[order], ids[order], m.table[table_order])
    monkeypatch.setattr(sparse, "blocks", lambda indptr: blocks(indptr, most))
    assert m.is_same(other)
    for place in (0, m.entries // 2, m.entries - 1):
        changed = other.coefficient.copy()
        changed[place] = (int(changed[place]) + 1) % 300
        assert not m.is_same(SparseMatrix(m.shape, m.indptr, other.indices, changed, other.table))
        moved = other.indices.copy()
        row = int(np.searchsorted(m.indptr, place, side="right")) - 1
        free = set(range(m.shape[1])) - set(moved[m.indptr[row] : m.indptr[row + 1]].tolist())
        moved[place] = min(free)
        assert not m.is_same(SparseMatrix(m.shape, m.indptr, moved, other.coefficient, other.table))
    lengths = np.diff(m.indptr)
    shifted = np.concatenate([[0], np.cumsum(lengths[::-1])])
    assert not m.is_same(SparseMatrix(m.shape, shifted, m.indices, m.coefficient, m.table))
