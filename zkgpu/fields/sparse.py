"""Sparse matrices over a prime field, as compressed rows with a table of distinct values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Limbs

Index = NDArray[np.int64]

# Odd words that spread the limbs over one; any would do, since a collision is noticed and only costs time.
_SPREAD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class SparseMatrix:
    """A sparse matrix over a prime field, by rows.

    Attributes:
        shape: (rows, columns)
        indptr: (rows + 1,) int64: entries of row i are indptr[i] .. indptr[i + 1]
        indices: (entries,) int32: the column of each entry; no column twice in a row, any order within one
        coefficient: (entries,) int32: the row of `table` that holds the entry's value
        table: (k, limbs) uint64: the distinct values, canonical little-endian limbs
    """

    shape: tuple[int, int]
    indptr: Index
    indices: NDArray[np.int32]
    coefficient: NDArray[np.int32]
    table: Limbs

    @property
    def entries(self) -> int:
        return int(self.indices.shape[0])

    def row_of_entry(self) -> Index:
        """(entries,) int64: the row each entry lies in."""
        return np.repeat(np.arange(self.shape[0], dtype=np.int64), np.diff(self.indptr))

    def is_same(self, other: SparseMatrix) -> bool:
        """Whether the other matrix has the same entries, in any order within a row."""
        if self.shape != other.shape or self.entries != other.entries:
            return False
        places, values = self._in_order()
        their_places, their_values = other._in_order()
        return np.array_equal(places, their_places) and np.array_equal(values, their_values)

    def _in_order(self) -> tuple[Index, Limbs]:
        """Places (2, entries), rows above columns, and values of the entries, by row and column."""
        rows = self.row_of_entry()
        order = np.lexsort((self.indices, rows))
        return np.stack([rows[order], self.indices[order]]), self.table[self.coefficient[order]]

    def take_rows(self, rows: Index) -> SparseMatrix:
        """The matrix whose row i is row rows[i] of this one."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        within = np.arange(indptr[-1], dtype=np.int64) - np.repeat(indptr[:-1], lengths)
        source = np.repeat(self.indptr[rows], lengths) + within
        shape = (int(rows.shape[0]), self.shape[1])
        return SparseMatrix(shape, indptr, self.indices[source], self.coefficient[source], self.table)

    def transpose(self) -> SparseMatrix:
        """The matrix with rows and columns exchanged; rows come out with ascending columns."""
        order = np.argsort(self.indices, kind="stable")
        counts = np.bincount(self.indices, minlength=self.shape[1])
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64)
        columns = self.row_of_entry()[order].astype(np.int32)
        return SparseMatrix((self.shape[1], self.shape[0]), indptr, columns, self.coefficient[order], self.table)

    @staticmethod
    def from_entries(
        shape: tuple[int, int], rows: Index, columns: Index, coefficient: Index, table: Limbs
    ) -> SparseMatrix:
        """The matrix with the given entries; entries of a row keep the order they come in."""
        order = np.argsort(rows, kind="stable")
        counts = np.bincount(rows, minlength=shape[0])
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64)
        return SparseMatrix(shape, indptr, columns[order].astype(np.int32), coefficient[order].astype(np.int32), table)

    @staticmethod
    def side_by_side(parts: Sequence[SparseMatrix]) -> SparseMatrix:
        """[M0 | M1 | ...], for matrices of equally many rows."""
        column_offsets = np.cumsum([0] + [m.shape[1] for m in parts])
        table_offsets = np.cumsum([0] + [m.table.shape[0] for m in parts])
        shape = (parts[0].shape[0], int(column_offsets[-1]))
        return SparseMatrix.from_entries(
            shape,
            np.concatenate([m.row_of_entry() for m in parts]),
            np.concatenate([m.indices + o for m, o in zip(parts, column_offsets, strict=False)]),
            np.concatenate([m.coefficient + o for m, o in zip(parts, table_offsets, strict=False)]),
            np.concatenate([m.table for m in parts]),
        )


def distinct_rows(values: Limbs) -> tuple[Limbs, NDArray[np.int32]]:
    """(table, ids) with table[ids] equal to `values`, an (n, limbs) array, and no row of the table repeated.

    Works limb by limb, so that beside its results it takes little memory; `values` may be a strided view of a file.
    """
    fingerprints = np.zeros(values.shape[0], dtype=np.uint64)
    for j in range(values.shape[1]):
        fingerprints += values[:, j] * np.uint64(_SPREAD[j % len(_SPREAD)])
    _, first, ids = np.unique(fingerprints, return_index=True, return_inverse=True)
    table = values[first]
    if not all(np.array_equal(table[ids, j], values[:, j]) for j in range(values.shape[1])):
        table, ids = np.unique(values, axis=0, return_inverse=True)
    return table, ids.reshape(-1).astype(np.int32)
