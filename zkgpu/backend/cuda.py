"""Backend on a CUDA device, over any driver: CuPy's on a GPU, an emulation in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from zkgpu.backend.cuda_vectors import DeviceMatrix, Vectors
from zkgpu.circuits.sparse import SparseMatrix
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.gpu.driver import Driver, OutOfMemory
from zkgpu.gpu.elements import NUMBER
from zkgpu.gpu.program import U32, DeviceArray, Programs, upload
from zkgpu.gpu.streams import Job, SideStreams
from zkgpu.msm.cuda import LARGEST_CHUNK, BucketSums, DevicePoints, best_shape
from zkgpu.msm.cuda_points import PointArrays
from zkgpu.ntt.cuda import LOG_TILE, Transforms
from zkgpu.ntt.domain import Domain

CURVES = {"bn254"}
TABLES_SHARE = 4  # tables of multiples may take 1/4 of the memory that is free when points are loaded
LEAST_FOR_TABLES = 1 << 12
SUMS_AT_ONCE = 5  # the sums of a Groth16 proof
POINTS_SHARE = 2  # points that would take more than 1/2 of it stay on the host and stream


class CudaBackend:
    """Backend whose vectors, points and matrices live on one device.

    log_tile  log2 of the elements a block transforms at once
    chunk     most points of one run through the buckets
    tables    whether points get tables of multiples; None decides by their number and the memory that is free
    """

    def __init__(
        self,
        driver: Driver,
        curve: Curve,
        *,
        log_tile: int = LOG_TILE,
        chunk: int = LARGEST_CHUNK,
        tables: bool | None = None,
    ):
        if curve.name not in CURVES:
            raise UsageError(f"{driver.name}: there are no kernels for the curve {curve.name}: use --device cpu")
        self.curve, self.name = curve, driver.name
        self._driver, self._programs = driver, Programs(driver)
        self._log_tile, self._chunk, self._tables = log_tile, chunk, tables
        self._groups: dict[str, tuple[PointArrays, BucketSums]] = {}

    @cached_property
    def _vectors(self) -> Vectors:
        return Vectors(self._programs, self.curve.name, self.curve.scalar_field)

    @cached_property
    def _transforms(self) -> Transforms:
        return Transforms(self._programs, self.curve.name, self.curve.scalar_field, self._log_tile)

    @cached_property
    def _side_streams(self) -> SideStreams:
        return SideStreams(self._driver, SUMS_AT_ONCE)

    def _group(self, group: Group) -> tuple[PointArrays, BucketSums]:
        if group.name not in self._groups:
            of_group = self._programs, self.curve.name, group
            self._groups[group.name] = PointArrays(*of_group), BucketSums(*of_group, self._chunk)
        return self._groups[group.name]

    # scalars

    def vector(self, limbs: Limbs) -> DeviceArray:
        # marked, so that sums over a witness need not wait for what else is made of it
        return self._vectors.from_limbs(limbs).marked()

    def limbs(self, vector: DeviceArray) -> Limbs:
        return self._vectors.to_limbs(vector)

    def matrix(self, matrix: SparseMatrix) -> DeviceMatrix:
        return self._vectors.matrix(matrix)

    def matvec(self, matrix: DeviceMatrix, vector: DeviceArray) -> DeviceArray:
        return self._vectors.matvec(matrix, vector)

    def ntt(self, coefficients: DeviceArray, domain: Domain) -> DeviceArray:
        return self._transforms.forward(coefficients, domain)

    def intt(self, evaluations: DeviceArray, domain: Domain) -> DeviceArray:
        return self._transforms.inverse(evaluations, domain)

    def pointwise(self, f: Callable[..., Any], *vectors: DeviceArray) -> DeviceArray:
        return self._vectors.pointwise(f, *vectors)

    def inverse(self, vector: DeviceArray) -> DeviceArray:
        return self._vectors.inverse(vector)

    def prefix_product(self, vector: DeviceArray) -> DeviceArray:
        return self._vectors.prefix_product(vector)

    def divide_by_linear(self, coefficients: DeviceArray, root: int, leading: int = 0) -> DeviceArray:
        return self._vectors.divide_by_linear(coefficients, root, leading)

    def evaluate(self, coefficients: DeviceArray, x: int) -> int:
        return self._vectors.evaluate(coefficients, x)

    # points

    def points(self, group: Group, rows: Limbs) -> DevicePoints:
        arrays, n = self._group(group)[0], int(rows.shape[0])
        if rows.nbytes * POINTS_SHARE > self._driver.free_memory:
            return DevicePoints(group, n, None, rows)
        try:
            on_device = arrays.upload(rows).marked()
        except OutOfMemory:
            return DevicePoints(group, n, None, rows)
        if not self._wants_tables(rows):
            return DevicePoints(group, n, on_device)
        shape = best_shape(n, tables=True)
        return DevicePoints(group, n, arrays.tables(on_device, shape).marked(), shape=shape)

    def _wants_tables(self, rows: Limbs) -> bool:
        n = int(rows.shape[0])
        if self._tables is not None:
            return self._tables and n > 0
        if not LEAST_FOR_TABLES <= n <= self._chunk:
            return False
        needed = rows.nbytes * best_shape(n, tables=True).windows
        return needed * TABLES_SHARE <= self._driver.free_memory

    def msm(self, points: DevicePoints, scalars: DeviceArray) -> Point:
        return self.msm_many([(points, scalars)])[0]

    def msm_many(self, pairs: Sequence[tuple[DevicePoints, DeviceArray]]) -> list[Point]:
        parts = self._side_streams.run([self._sum(points, scalars) for points, scalars in pairs])
        return [self._group(points.group)[1].total(part) for (points, _), part in zip(pairs, parts, strict=True)]

    def _sum(self, points: DevicePoints, scalars: DeviceArray) -> Job[list[DeviceArray]]:
        sums = self._group(points.group)[1]
        arrays = [scalars] if points.array is None else [points.array, scalars]
        return Job(lambda: sums.begin(points, scalars), arrays)

    # setup

    def fixed_base(self, base: Point, scalars: DeviceArray) -> Limbs:
        arrays = self._group(base.group)[0]
        point = arrays.upload(base.group.to_rows([base]))
        return arrays.rows(arrays.affine(arrays.multiples_of(point, scalars)))

    def scale_points(self, group: Group, rows: Limbs, k: int) -> Limbs:
        arrays = self._group(group)[0]
        return arrays.rows(arrays.affine(arrays.multiply(arrays.upload(rows), arrays.number(k))))

    def combine_points(self, group: Group, matrix: SparseMatrix, rows: Limbs) -> Limbs:
        if matrix.shape[1] != rows.shape[0]:
            raise LengthError(f"{matrix.shape[1]} matrix columns but {rows.shape[0]} points: the two must be equal")
        arrays, sums = self._group(group)
        numbers = upload(self._driver, NUMBER, matrix.table[matrix.coefficient])
        places = upload(self._driver, U32, matrix.indices.astype(np.uint32))
        products = arrays.multiply(arrays.take(arrays.upload(rows), places), numbers)
        starts = upload(self._driver, U32, matrix.indptr.astype(np.uint32))
        longest = int(np.diff(matrix.indptr).max(initial=1))
        return arrays.rows(arrays.affine(sums.spread(*sums.sum_runs(starts, products, longest))))

    def canonical_rows(self, group: Group, rows: Limbs) -> Limbs:
        return self._group(group)[0].plain_rows(rows)

    def first_invalid_point(self, group: Group, rows: Limbs) -> tuple[int, str] | None:
        return self._group(group)[0].first_fault(rows)
