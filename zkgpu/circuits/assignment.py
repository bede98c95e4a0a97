"""Checks of an assignment: its form, before any arithmetic sees it, and whether it satisfies a large circuit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.cpu import borrowed, on_this_machine
from zkgpu.fields.cpu_matrix import CpuMatrix, CpuTable, cpu_matrix, matvec_of_rows
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import Pointers, SparseMatrix, blocks
from zkgpu.jit.threads import parallel

ROWS = 1 << 18  # constraints that are checked together
PIECE = 1 << 20  # entries of matrices that are not kept, which are checked together
KEPT_ENTRIES = 1 << 24  # up to which matrices are kept in the form of compiled arithmetic
MANY_ENTRIES = 1 << 17  # loading the kernels takes as long as this many entries on Python integers


def require_shape(assignment: Limbs, n_wires: int, field: Field) -> None:
    """Raises UsageError unless this is an (n, limbs) uint64 array of limbs, LengthError if n is wrong."""
    if assignment.ndim != 2 or assignment.shape[1] != field.limbs or assignment.dtype != np.uint64:
        raise UsageError(f"the assignment must be an (n, {field.limbs}) uint64 array of limbs")
    if assignment.shape[0] != n_wires:
        raise LengthError(
            f"the witness has {assignment.shape[0]} values but the key is for {n_wires} wires: "
            "it belongs to another circuit"
        )


def require_canonical(assignment: Limbs, field: Field) -> None:
    """Raises UsageError unless this is 1, then values, as canonical limbs."""
    canonical = field.is_canonical(assignment)
    if not canonical.all():
        raise UsageError(f"witness value {int(np.argmin(canonical))} is not below the modulus of {field.name}")
    if field.from_limbs(assignment[:1]) != [1]:
        raise UsageError("witness value 0 must be the constant 1")


class Constraints:
    """The three matrices of a circuit for compiled arithmetic; what is wrong, Python integers then name.

    They are kept in its form from one assignment to the next; very large ones are brought to it piece by piece each
    time, which takes a small part of what a proof of such a circuit does, and no memory.
    """

    def __init__(self, field: Field, matrices: Sequence[SparseMatrix]) -> None:
        self._field, self._given = on_this_machine(field), matrices
        tables = {id(m.table): m.table for m in matrices}  # often one for all three
        self._tables = {key: CpuTable.of(self._field, table) for key, table in tables.items()}
        is_kept = sum(matrix.entries for matrix in matrices) <= KEPT_ENTRIES
        self._kept = [self._on_cpu(matrix) for matrix in matrices if is_kept]

    def _on_cpu(self, m: SparseMatrix) -> CpuMatrix:
        return cpu_matrix(self._field, m.shape, m.indptr, m.indices, m.coefficient, self._tables[id(m.table)])

    def hold(self, assignment: Limbs) -> bool:
        """Whether (A w) * (B w) = C w in every row, for canonical limbs w."""
        w = self._field.spread(borrowed(self._field, assignment))
        return all(parallel(partial(self._hold, w, begin, end) for begin, end in self._parts()))

    def _parts(self) -> Iterator[tuple[int, int]]:
        """The rows that are checked together."""
        if self._kept:
            rows = self._kept[0].shape[0]
            return ((begin, min(begin + ROWS, rows)) for begin in range(0, rows, ROWS))
        together: Pointers = np.sum([m.indptr for m in self._given], axis=0, dtype=np.int64)
        return blocks(together, PIECE)

    def _hold(self, w: Limbs, begin: int, end: int) -> bool:
        """Whether these rows do; a thread brings the matrices to the kernels' form while another multiplies."""
        kept = [matrix.part(begin, end) for matrix in self._kept]
        matrices = kept or [self._on_cpu(matrix.part(begin, end)) for matrix in self._given]
        a, b, c = (matvec_of_rows(self._field, matrix, w) for matrix in matrices)
        difference = self._field.pointwise(lambda a, b, c: a * b - c, a, b, c, out=a)
        return not difference.blocks.any()
