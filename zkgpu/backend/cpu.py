"""The CPU: Numba kernels on one of three instruction sets, spread over a thread pool.

What a proof of Groth16 does not run is imported where it is called: modules are a fifth of a short command's time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zkgpu.curves.points import Curve, Group, Point
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.cpu import BorrowedVector, CpuField, CpuVector, borrowed
from zkgpu.fields.cpu_matrix import CpuMatrix, cpu_matrix, matvec
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.jit.isa import choose
from zkgpu.jit.threads import available_threads
from zkgpu.msm.pieces import sums_by_pieces
from zkgpu.msm.points import CpuPoints, load_points
from zkgpu.ntt.cpu import intt, ntt
from zkgpu.ntt.domain import Domain
from zkgpu.stages import stage


class CpuBackend:
    """Backend on this machine's cores.

    Args:
        tables: up to how many multiples of each point to keep: memory for speed, see `open_backend`
        threads: how many threads to use, all available when None
        instructions: "ifma", "fma" or "portable"; None chooses from the CPU's features
    """

    def __init__(self, curve: Curve, *, threads: int | None = None, instructions: str | None = None, tables: int = 1):
        self.curve = curve
        self.isa = choose(instructions)
        self.threads = threads or available_threads()
        self.name = f"cpu ({self.isa.name}, {self.threads} thread{'s' if self.threads > 1 else ''})"
        if tables < 1:
            raise UsageError(f"{tables} multiples of each point: give at least 1, the point itself")
        self._tables = tables
        self._field = CpuField(curve.scalar_field, self.isa, self.threads)

    @property
    def host_threads(self) -> int:
        return self.threads

    @property
    def resident_form(self) -> str:
        return f"cpu-{self.isa.name}" + (f"-tables-{self._tables}" if self._tables > 1 else "")

    def fallback(self) -> None:
        return None

    def vector(self, limbs: Limbs) -> CpuVector:
        return self._field.vector(limbs)

    def borrowed(self, limbs: Limbs) -> CpuVector:
        return borrowed(self._field, limbs)

    def limbs(self, vector: CpuVector) -> Limbs:
        return vector.source if isinstance(vector, BorrowedVector) else self._field.limbs(vector)

    def matrix(self, matrix: SparseMatrix) -> CpuMatrix:
        return cpu_matrix(self._field, matrix.shape, matrix.indptr, matrix.indices, matrix.coefficient, matrix.table)

    def matvec(self, matrix: CpuMatrix, vector: CpuVector) -> CpuVector:
        return matvec(self._field, matrix, vector)

    def ntt(self, coefficients: CpuVector, domain: Domain, *, in_place: bool = False) -> CpuVector:
        return ntt(self._field, coefficients, domain, in_place)

    def intt(self, evaluations: CpuVector, domain: Domain, *, in_place: bool = False) -> CpuVector:
        return intt(self._field, evaluations, domain, in_place)

    def pointwise(self, f: Callable[..., Any], *vectors: CpuVector, in_place: bool = False) -> CpuVector:
        return self._field.pointwise(f, *vectors, out=vectors[0] if in_place else None)

    def inverse(self, vector: CpuVector) -> CpuVector:
        from zkgpu.fields import cpu_scan

        return cpu_scan.inverse(self._field, vector)

    def prefix_product(self, vector: CpuVector) -> CpuVector:
        from zkgpu.fields import cpu_scan

        return cpu_scan.prefix_product(self._field, vector)

    def divide_by_linear(self, coefficients: CpuVector, root: int, leading: int = 0) -> CpuVector:
        from zkgpu.fields import cpu_scan

        return cpu_scan.divide_by_linear(self._field, coefficients, root, leading)

    def evaluate(self, coefficients: CpuVector, x: int) -> int:
        from zkgpu.fields import cpu_scan

        return cpu_scan.evaluate(self._field, coefficients, x)

    def points(self, group: Group, rows: Limbs) -> CpuPoints:
        points = load_points(group, rows, self.isa, self.threads)
        if self._tables == 1:
            return points
        from zkgpu.msm.cpu import cost_of
        from zkgpu.msm.tables import with_table

        with stage("make tables"):
            return with_table(points, self._tables, cost_of(points), self.threads)

    def msm(self, points: CpuPoints, scalars: CpuVector) -> Point:
        return self.msm_many([(points, scalars)])[0]

    def msm_many(
        self, pairs: Sequence[tuple[CpuPoints, CpuVector]], meanwhile: Callable[[], None] | None = None
    ) -> list[Point]:
        if meanwhile is not None:
            meanwhile()
        for points, scalars in pairs:
            if len(points) != len(scalars):
                raise LengthError(f"{len(points)} points but {len(scalars)} scalars: the two must be equal")
        return sums_by_pieces(self._field, pairs, self.threads)

    def fixed_base(self, base: Point, scalars: CpuVector) -> Limbs:
        from zkgpu.msm.fixed_base import fixed_base

        return fixed_base(base, self.limbs(scalars), self.isa, self.threads)

    def scale_points(self, group: Group, rows: Limbs, k: int) -> Limbs:
        from zkgpu.msm.scale import scale_points

        return scale_points(group, rows, k, self.isa, self.threads)

    def combine_points(self, group: Group, matrix: SparseMatrix, rows: Limbs) -> Limbs:
        from zkgpu.msm.combine import combine

        return combine(group, matrix, rows, self.isa, self.threads)

    def canonical_rows(self, group: Group, rows: Limbs) -> Limbs:
        field = CpuField(group.base_field, self.isa, self.threads)
        coordinates = np.ascontiguousarray(rows).reshape(-1, group.base_field.limbs)
        return field.limbs(field.vector_from_montgomery(coordinates)).reshape(rows.shape)

    def first_invalid_point(self, group: Group, rows: Limbs) -> tuple[int, str] | None:
        from zkgpu.msm.checks import first_invalid

        return first_invalid(group, rows, self.isa, self.threads)
