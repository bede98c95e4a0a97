"""Rank-1 constraint systems as compressed sparse rows: (A w) * (B w) = C w, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Field, Limbs

Index = NDArray[np.int64]


@dataclass(frozen=True)
class SparseMatrix:
    """A sparse matrix over a prime field, by rows.

    shape        (rows, columns)
    indptr       (rows + 1,) int64: entries of row i are indptr[i] .. indptr[i + 1]
    indices      (entries,) int32: the column of each entry; no column twice in a row, any order within one
    coefficient  (entries,) int32: the row of `table` that holds the entry's value
    table        (k, limbs) uint64: the distinct values, canonical little-endian limbs
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


@dataclass(frozen=True)
class R1CS:
    """A circuit's constraints.

    Wires are numbered as in circom's files: 0 is the constant one, then public outputs, public inputs, private
    inputs, internal wires. a, b and c have one row a constraint and one column a wire.
    labels maps constraint ranges to names, for messages; it may be empty.
    """

    field: Field
    a: SparseMatrix
    b: SparseMatrix
    c: SparseMatrix
    n_public_outputs: int
    n_public_inputs: int
    n_private_inputs: int
    wire_labels: Index | None = None
    labels: tuple[tuple[int, str], ...] = ()

    @property
    def n_wires(self) -> int:
        return self.a.shape[1]

    @property
    def n_constraints(self) -> int:
        return self.a.shape[0]

    @cached_property
    def n_public(self) -> int:
        return self.n_public_outputs + self.n_public_inputs
