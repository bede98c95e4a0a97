"""Checks of an assignment: its form, before any arithmetic sees it, and whether it satisfies a large circuit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.cpu import borrowed, on_this_machine
from zkgpu.fields.cpu_matrix import CpuMatrix, cpu_matrix, matvec_of_rows
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import SparseMatrix

ROWS = 1 << 18  # constraints that are checked together
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
    """The three matrices of a circuit for compiled arithmetic; what is wrong, Python integers then name."""

    def __init__(self, field: Field, matrices: Sequence[SparseMatrix]) -> None:
        self._field = on_this_machine(field)
        self._matrices = [self._on_cpu(matrix) for matrix in matrices]

    def _on_cpu(self, m: SparseMatrix) -> CpuMatrix:
        return cpu_matrix(self._field, m.shape, m.indptr, m.indices, m.coefficient, m.table)

    def hold(self, assignment: Limbs) -> bool:
        """Whether (A w) * (B w) = C w in every row, for canonical limbs w."""
        w, rows = self._field.spread(borrowed(self._field, assignment)), self._matrices[0].shape[0]
        return all(self._hold(w, begin, min(begin + ROWS, rows)) for begin in range(0, rows, ROWS))

    def _hold(self, w: Limbs, begin: int, end: int) -> bool:
        a, b, c = (matvec_of_rows(self._field, matrix.part(begin, end), w) for matrix in self._matrices)
        difference = self._field.pointwise(lambda a, b, c: a * b - c, a, b, c, out=a)
        return not difference.blocks.any()
