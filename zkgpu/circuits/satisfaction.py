"""Whether an assignment satisfies a large circuit, by compiled arithmetic; Python integers then name what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.fields.cpu import on_this_machine
from zkgpu.fields.cpu_matrix import CpuMatrix, cpu_matrix, matvec
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import SparseMatrix

MANY_ENTRIES = 1 << 17  # loading the kernels takes as long as this many entries on Python integers
FIELD_BITS = range(249, 255)  # what the kernels are made for


class Constraints:
    """The three matrices of a circuit in the form of the kernels."""

    def __init__(self, field: Field, matrices: Sequence[SparseMatrix]) -> None:
        self._field = on_this_machine(field)
        self._matrices = [self._on_cpu(matrix) for matrix in matrices]

    def _on_cpu(self, m: SparseMatrix) -> CpuMatrix:
        return cpu_matrix(self._field, m.shape, m.indptr, m.indices, m.coefficient, m.table)

    def hold(self, assignment: Limbs) -> bool:
        """Whether (A w) * (B w) = C w in every row, for canonical limbs w."""
        w = self._field.vector(assignment)
        a, b, c = (matvec(self._field, matrix, w) for matrix in self._matrices)
        difference = self._field.pointwise(lambda a, b, c: a * b - c, a, b, c, out=a)
        return not self._field.limbs(difference).any()
