"""Sparse matrices on the CPU: sorted by kind of entry once, then multiplied with many vectors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import LengthError, ResourceError, UsageError
from zkgpu.fields.cpu import CpuField, CpuVector
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.matvec_kernel import matvec as matvec_kernel
from zkgpu.fields.matvec_kernel import scratch_words
from zkgpu.fields.sparse import BLOCK, Ids
from zkgpu.fields.sparse import Pointers as AnyPointers
from zkgpu.jit.memory import aligned_empty, aligned_zeros
from zkgpu.jit.threads import parallel, ranges
from zkgpu.records import dataclass

Pointers = NDArray[np.int32]
Indices = NDArray[np.int32]

# row ranges a thread: rows are uneven, so more of them than threads keep all of them busy
RANGES_A_THREAD = 8
ONE, MINUS_ONE, OTHER = range(3)  # kinds of values


@dataclass(frozen=True, eq=False)
class CpuMatrix:
    """A sparse matrix by rows, its entries 1 and -1 apart from the others, which need a product.

    An entry takes 4 bytes, or 6 where it needs a product, and is one of fewer than 2^31.

    Attributes:
        ones, minus_ones: indptr and indices
        others: indptr, indices and rows of `table`, these as uint16 unless it is longer than that counts
        table: the values as wide rows, canonical, Montgomery with the instruction set's R
    """

    shape: tuple[int, int]
    ones: tuple[Pointers, Indices]
    minus_ones: tuple[Pointers, Indices]
    others: tuple[Pointers, Indices, Ids]
    table: Limbs

    def part(self, begin: int, end: int) -> CpuMatrix:
        """The rows begin .. end, in the same memory."""
        of_rows = slice(begin, end + 1)
        return replace(
            self,
            shape=(end - begin, self.shape[1]),
            ones=(self.ones[0][of_rows], self.ones[1]),
            minus_ones=(self.minus_ones[0][of_rows], self.minus_ones[1]),
            others=(self.others[0][of_rows], *self.others[1:]),
        )

    @property
    def entries(self) -> int:
        return sum(int(part[0][-1] - part[0][0]) for part in (self.ones, self.minus_ones, self.others))


@dataclass(frozen=True, eq=False)
class CpuTable:
    """The values that matrices have, which may be many and serve several.

    Attributes:
        kinds: (k,) ONE, MINUS_ONE or OTHER
        rows: (k, row_words) as the `table` of a CpuMatrix
    """

    kinds: NDArray[np.uint8]
    rows: Limbs

    @classmethod
    def of(cls, cpu: CpuField, table: Limbs) -> CpuTable:
        """Of (k, limbs) uint64, canonical little-endian limbs."""
        return cls(_kinds(cpu.field, table), cpu.spread(cpu.vector(table)))


def cpu_matrix(
    cpu: CpuField,
    shape: tuple[int, int],
    indptr: AnyPointers,
    indices: Indices,
    coefficient: Ids,
    table: Limbs | CpuTable,
) -> CpuMatrix:
    """The matrix of compressed rows, ready for matvec.

    Args:
        indptr: (rows + 1,) integers;  indices  (entries,) int32 columns
        coefficient: (entries,) rows of `table`, which is (k, limbs) uint64, canonical little-endian limbs, or was
            made of that before

    Raises UsageError for arrays that do not make a matrix of that shape, ResourceError for 2^31 entries.
    """
    values = table if isinstance(table, CpuTable) else CpuTable.of(cpu, table)
    _check_rows(shape, indptr, len(indices))
    _check_indices("columns", indices, shape[1])
    _check_indices("coefficients", coefficient, len(values.kinds))
    if len(coefficient) != len(indices):
        raise LengthError(f"{len(indices)} columns but {len(coefficient)} coefficients: each entry needs both")
    if len(indices) >= 1 << 31:
        raise ResourceError(f"a matrix of {len(indices):,} entries: the CPU takes fewer than 2^31, split the circuit")
    kinds = values.kinds[coefficient]
    ones, minus_ones = (_of_kind(indptr, indices, kinds == kind) for kind in (ONE, MINUS_ONE))
    other = kinds == OTHER
    del kinds
    others = *_of_kind(indptr, indices, other), _chosen_ids(coefficient, other, len(values.kinds))
    return CpuMatrix(shape, ones, minus_ones, others, values.rows)


def matvec(cpu: CpuField, matrix: CpuMatrix, vector: CpuVector) -> CpuVector:
    """matrix @ vector. Raises LengthError when the matrix has other columns than the vector entries."""
    if matrix.shape[1] != len(vector):
        raise LengthError(f"{matrix.shape[1]} matrix columns but {len(vector)} vector entries: the two must be equal")
    return matvec_of_rows(cpu, matrix, cpu.spread(vector))


def matvec_of_rows(cpu: CpuField, matrix: CpuMatrix, x: Limbs) -> CpuVector:
    """The same for a vector that was spread into rows, which may serve several products."""
    blocks = aligned_empty(cpu.layout.shape(matrix.shape[0]))  # the kernel writes all of them, the padding too
    out = CpuVector(cpu.field, cpu.isa, blocks, matrix.shape[0])
    kernel = matvec_kernel(cpu.isa, cpu.field.modulus)

    def work(begin: int, end: int) -> None:
        scratch = aligned_zeros(scratch_words(cpu.isa, cpu.field.modulus), np.int64)
        addresses = x.ctypes.data, matrix.table.ctypes.data
        entries = matrix.ones, matrix.minus_ones, matrix.others
        kernel(out.blocks, *addresses, matrix.shape[0], *entries, scratch.ctypes.data, scratch, begin, end)

    threads = cpu.thread_count(matrix.entries + matrix.shape[0])
    parts = ranges(len(out.blocks), threads * RANGES_A_THREAD if threads > 1 else 1)
    parallel([partial(work, *part) for part in parts], threads)
    return out


def _check_rows(shape: tuple[int, int], indptr: AnyPointers, entries: int) -> None:
    if len(indptr) != shape[0] + 1 or indptr[0] != 0 or indptr[-1] != entries or (np.diff(indptr) < 0).any():
        raise UsageError(f"the row pointers do not cut {entries} entries into {shape[0]} rows: rebuild the matrix")


def _check_indices(what: str, indices: Ids, bound: int) -> None:
    if len(indices) and (indices.min() < 0 or indices.max() >= bound):
        raise UsageError(f"matrix {what} run from {indices.min()} to {indices.max()}, outside 0 .. {bound - 1}")


def _kinds(field: Field, table: Limbs) -> NDArray[np.uint8]:
    """What kind each value of the table is."""
    kinds = np.full(len(table), OTHER, np.uint8)
    for value, kind in ((1, ONE), (-1, MINUS_ONE)):
        kinds[(table == field.to_limbs([value])).all(axis=1)] = kind
    return kinds


def _of_kind(indptr: AnyPointers, indices: Indices, chosen: NDArray[np.bool_]) -> tuple[Pointers, Indices]:
    """Row pointers and columns of the chosen entries alone."""
    return _pointers(indptr, chosen), _int32(indices[chosen])


def _pointers(indptr: AnyPointers, chosen: NDArray[np.bool_]) -> Pointers:
    """Row pointers of the chosen entries alone; counted by blocks."""
    out, done, total = np.zeros(len(indptr), dtype=np.int32), 0, 0
    for begin in range(0, chosen.size, BLOCK):
        block = chosen[begin : begin + BLOCK]
        before = np.full(block.size + 1, total, dtype=np.int32)
        before[1:] += np.cumsum(block, dtype=np.int32)
        end = int(np.searchsorted(indptr, begin + block.size, side="right"))
        out[done:end], done, total = before[indptr[done:end] - begin], end, int(before[-1])
    return out


def _chosen_ids(coefficient: Ids, chosen: NDArray[np.bool_], values: int) -> Ids:
    """In one of the two types that the kernel is compiled for."""
    return np.ascontiguousarray(coefficient[chosen], dtype=np.uint16 if values <= 1 << 16 else np.int32)


def _int32(indices: NDArray[Any]) -> Indices:
    return np.ascontiguousarray(indices, dtype=np.int32)
