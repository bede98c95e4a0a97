"""From a witness to the columns a, b and c: the sums that rows need, and every wire in its places, on the device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkgpu.backend.protocol import Backend, Vector
from zkgpu.errors import FormatError
from zkgpu.fields.field import Field
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.plonk.identities import WireColumns
from zkgpu.plonk.keys import Additions, ProvingKey

# Additions of additions: a sum of k terms takes log2 k of them. Deeper keys are no setup's, and take forever
DEEPEST = 64


class WireTables:
    """Sparse matrices that spread a witness over the table. Rows of the columns are in natural order."""

    def __init__(self, backend: Backend, key: ProvingKey) -> None:
        field = backend.curve.scalar_field
        self._backend = backend
        self._circuit_wires = backend.matrix(_circuit_wires(key, field))
        levels = levels_of(key.additions, key.n_circuit_wires)
        depth = int(levels.max(initial=0))
        self._additions = [backend.matrix(_level(key, field, levels == d)) for d in range(1, depth + 1)]
        columns = np.zeros((3, key.domain_size), dtype=np.int64)
        columns[:, : key.n_rows] = key.wires
        self._columns = [backend.matrix(selection(column, key.n_wires, field)) for column in columns]

    def columns(self, witness: Vector) -> WireColumns[Vector]:
        """a, b, c over the domain, from the witness (1, public values, private values)."""
        backend = self._backend
        wires = backend.matvec(self._circuit_wires, witness)
        for additions in self._additions:
            wires = backend.pointwise(lambda known, new: known + new, wires, backend.matvec(additions, wires))
        return WireColumns(*(backend.matvec(column, wires) for column in self._columns))


def selection(columns: NDArray[np.int64], n_columns: int, field: Field) -> SparseMatrix:
    """The matrix whose row i has a one in column columns[i]."""
    rows = len(columns)
    zeros = np.zeros(rows, dtype=np.int32)
    indptr = np.arange(rows + 1, dtype=np.int64)
    return SparseMatrix((rows, n_columns), indptr, columns.astype(np.int32), zeros, field.to_limbs([1]))


def levels_of(additions: Additions, first_wire: int) -> NDArray[np.int64]:
    """For each addition, 1 when it sums up wires of the circuit, else one more than the additions it needs.

    Raises FormatError when some need more than DEEPEST others, one after another.
    """
    levels = np.zeros(first_wire + len(additions), dtype=np.int64)
    left, right = additions.wires.astype(np.int64).T
    for _ in range(DEEPEST + 1):
        new: NDArray[np.int64] = 1 + np.maximum(levels[left], levels[right])
        if np.array_equal(new, levels[first_wire:]):
            return new
        levels[first_wire:] = new
    raise FormatError(f"the key's additions lean on each other more than {DEEPEST} deep: set up again")


def _circuit_wires(key: ProvingKey, field: Field) -> SparseMatrix:
    """(wires, witness values): the witness in its place, but wire 0 is 0, and additions are not known yet."""
    wires = np.arange(1, key.n_circuit_wires, dtype=np.int64)
    ones = np.zeros(len(wires), dtype=np.int64)
    shape = (key.n_wires, key.n_circuit_wires)
    return SparseMatrix.from_entries(shape, wires, wires, ones, field.to_limbs([1]))


def _level(key: ProvingKey, field: Field, chosen: NDArray[np.bool_]) -> SparseMatrix:
    """(wires, wires): the chosen additions, from the wires they sum up."""
    at = np.flatnonzero(chosen)
    rows = np.repeat(key.n_circuit_wires + at, 2)
    wires, factors = key.additions.wires[at].reshape(-1), key.additions.factors[at].reshape(-1)
    return SparseMatrix.from_entries(
        (key.n_wires, key.n_wires), rows, wires.astype(np.int64), factors.astype(np.int64), key.additions.table
    )
