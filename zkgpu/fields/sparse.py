"""Sparse matrices over a prime field, as compressed rows with a table of distinct values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zkgpu.fields.field import Limbs
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

Index: TypeAlias = "NDArray[np.int64]"
Pointers: TypeAlias = "NDArray[np.signedinteger[Any]]"  # int32 where the entries are few enough, else int64
Ids: TypeAlias = "NDArray[np.integer[Any]]"  # uint8 or uint16 where the table is small enough, else int32

MANY = 1 << 22  # entries from which on a kernel is worth loading
BLOCK = 1 << 20  # entries that are worked on at a time: bounds what it takes beside its results

# Odd words that spread the limbs over one; any would do, since a collision is noticed and only costs time.
_SPREAD = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93)


@dataclass(frozen=True)
class SparseMatrix:
    """A sparse matrix over a prime field, by rows: an entry takes 5 bytes, or 6 where there are over 256 values.

    Attributes:
        shape: (rows, columns)
        indptr: (rows + 1,) int32, or int64 from 2^31 entries on: those of row i are indptr[i] .. indptr[i + 1]
        indices: (entries,) int32: the column of each entry; no column twice in a row, any order within one
        coefficient: (entries,) the row of `table` that holds the entry's value: uint8 for a table of at most 256,
            uint16 for one of at most 65,536, else int32
        table: (k, limbs) uint64: the distinct values, canonical little-endian limbs

    Pointers and ids are brought to these types, unless they do not fit: what checks a matrix then finds them.
    """

    shape: tuple[int, int]
    indptr: Pointers
    indices: NDArray[np.int32]
    coefficient: Ids
    table: Limbs

    def __post_init__(self) -> None:
        object.__setattr__(self, "indptr", _narrowed(self.indptr, pointer_type(len(self.indices))))
        object.__setattr__(self, "coefficient", _narrowed(self.coefficient, id_type(len(self.table))))

    @property
    def entries(self) -> int:
        return int(self.indices.shape[0])

    def is_whole(self) -> bool:
        """Whether pointers, columns and ids are of the shape and of its sizes: what kernels follow must be."""
        rows, columns = self.shape
        pointers, entries = self.indptr, self.entries
        if pointers.shape != (rows + 1,) or self.indices.shape != (entries,) or self.coefficient.shape != (entries,):
            return False
        if pointers[0] != 0 or pointers[-1] != entries or (pointers[1:] < pointers[:-1]).any():
            return False
        return _is_below(self.indices, columns) and _is_below(self.coefficient, len(self.table))

    def row_of_entry(self) -> Index:
        """(entries,) int64: the row each entry lies in."""
        return np.repeat(np.arange(self.shape[0], dtype=np.int64), np.diff(self.indptr))

    def is_same(self, other: SparseMatrix) -> bool:
        """Whether the other matrix has the same entries, in any order within a row and of the table.

        Looked at by pieces, so that it takes little beside the matrices.
        """
        if self.shape != other.shape or not np.array_equal(self.indptr, other.indptr):
            return False
        return all(self.part(*rows)._has_entries_of(other.part(*rows)) for rows in blocks(self.indptr))

    def _has_entries_of(self, other: SparseMatrix) -> bool:
        """The same for matrices whose rows are equally long."""
        (columns, values), (their_columns, their_values) = self._in_order(), other._in_order()
        return np.array_equal(columns, their_columns) and np.array_equal(values, their_values)

    def _in_order(self) -> tuple[NDArray[np.int32], Limbs]:
        """Columns and values of the entries, by row and column."""
        order = np.lexsort((self.indices, self.row_of_entry()))
        return self.indices[order], self.table[self.coefficient[order]]

    def part(self, begin: int, end: int) -> SparseMatrix:
        """The rows begin .. end; its entries are views."""
        pointers = self.indptr[begin : end + 1]
        within = slice(int(pointers[0]), int(pointers[-1]))
        shape, pointers = (end - begin, self.shape[1]), pointers - pointers[0]
        return SparseMatrix(shape, pointers, self.indices[within], self.coefficient[within], self.table)

    def take_rows(self, rows: Index) -> SparseMatrix:
        """The matrix whose row i is row rows[i] of this one."""
        lengths = np.diff(self.indptr)[rows]
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        indices, coefficient = (np.empty(indptr[-1], part.dtype) for part in (self.indices, self.coefficient))
        for begin, end in blocks(indptr):
            first, last = indptr[begin], indptr[end]
            source = np.repeat(self.indptr[rows[begin:end]] - indptr[begin:end], lengths[begin:end])
            source += np.arange(first, last)
            indices[first:last], coefficient[first:last] = self.indices[source], self.coefficient[source]
        return SparseMatrix((int(rows.shape[0]), self.shape[1]), indptr, indices, coefficient, self.table)

    def transpose(self) -> SparseMatrix:
        """The matrix with rows and columns exchanged; rows come out with ascending columns."""
        if self.entries >= MANY and self.is_whole():
            return self._transposed_by_kernel()
        order = np.argsort(self.indices, kind="stable")
        counts = np.bincount(self.indices, minlength=self.shape[1])
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64)
        columns = np.repeat(np.arange(self.shape[0], dtype=np.int32), np.diff(self.indptr))[order]
        return SparseMatrix((self.shape[1], self.shape[0]), indptr, columns, self.coefficient[order], self.table)

    def _transposed_by_kernel(self) -> SparseMatrix:
        """The same by counting, which takes nothing beside the result."""
        from zkgpu.fields.transpose_kernel import transposed

        ids = np.require(self.coefficient, np.uint16 if len(self.table) <= 1 << 16 else np.int32, ["C", "W"])
        indices = np.require(self.indices, np.int32, ["C", "W"])
        start, columns, chosen = np.zeros(self.shape[1] + 1, np.int64), np.empty_like(indices), np.empty_like(ids)
        transposed()(self.indptr.astype(np.int64), indices, ids, start, columns, chosen)
        indptr = np.concatenate([np.zeros(1, np.int64), start[:-1]])
        return SparseMatrix((self.shape[1], self.shape[0]), indptr, columns, chosen, self.table)

    @staticmethod
    def from_entries(
        shape: tuple[int, int], rows: Index, columns: NDArray[np.integer[Any]], coefficient: Ids, table: Limbs
    ) -> SparseMatrix:
        """The matrix with the given entries; entries of a row keep the order they come in."""
        order = np.argsort(rows, kind="stable")
        counts = np.bincount(rows, minlength=shape[0])
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64)
        return SparseMatrix(shape, indptr, columns[order].astype(np.int32), coefficient[order], table)

    @staticmethod
    def diagonal(size: int, value: Limbs) -> SparseMatrix:
        """(size, size): the value, (1, limbs) canonical, where row and column are equal."""
        return SparseMatrix(
            (size, size), np.arange(size + 1), np.arange(size, dtype=np.int32), np.zeros(size, np.uint8), value
        )

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
            np.concatenate([m.coefficient.astype(np.int32) + o for m, o in zip(parts, table_offsets, strict=False)]),
            np.concatenate([m.table for m in parts]),
        )


def pointer_type(entries: int) -> type[np.signedinteger[Any]]:
    """Of pointers to so many entries."""
    return np.int32 if entries < 1 << 31 else np.int64


def id_type(values: int) -> type[np.integer[Any]]:
    """Of the rows of a table of so many values."""
    if values > 1 << 16:
        return np.int32
    return np.uint16 if values > 1 << 8 else np.uint8


def blocks(indptr: Pointers, most: int = BLOCK) -> Iterator[tuple[int, int]]:
    """(begin, end) of consecutive rows that have at most so many entries together; a longer row is alone."""
    begin, rows = 0, len(indptr) - 1
    while begin < rows:
        end = int(np.searchsorted(indptr, int(indptr[begin]) + most, side="right")) - 1
        end = min(max(end, begin + 1), begin + most)
        yield begin, end
        begin = end


def _is_below(values: NDArray[np.integer[Any]], bound: int) -> bool:
    """Whether all are from 0 to the bound, without it."""
    return not values.size or bool(values.min() >= 0 and values.max() < bound)


def _narrowed(values: NDArray[Any], dtype: type[np.integer[Any]]) -> NDArray[Any]:
    """The values in a type that holds them all, else as they are."""
    limits = np.iinfo(dtype)
    if values.dtype == dtype or (values.size and not limits.min <= values.min() <= values.max() <= limits.max):
        return values
    return values.astype(dtype)


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
