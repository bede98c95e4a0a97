"""Backend on a CUDA device, over any driver: CuPy's on a GPU, an emulation in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from zkgpu.backend.cuda_vectors import DeviceMatrix, Vectors
from zkgpu.backend.residency import Residency, ResidentPoints, in_chunks, retry_after_eviction
from zkgpu.curves import CURVES
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.gpu.driver import Driver
from zkgpu.gpu.elements import number
from zkgpu.gpu.program import U32, DeviceArray, Programs, upload
from zkgpu.gpu.streams import Job, SideStreams
from zkgpu.msm.cuda import CHUNK, BucketSums, best_shape
from zkgpu.msm.cuda_points import PointArrays
from zkgpu.ntt.cuda import LOG_TILE, Transforms
from zkgpu.ntt.domain import Domain

if TYPE_CHECKING:
    from zkgpu.backend.cpu import CpuBackend

TABLES_SHARE = 4  # tables of multiples may take 1/4 of the memory that is free when points are loaded
LEAST_FOR_TABLES = 1 << 6
MOST_ENTRIES = (1 << 31) - 1  # of a table: an entry of a work list names one in 31 bits
SUMS_AT_ONCE = 5  # the sums of a Groth16 proof
POINTS_SHARE = 2  # points that would take more than 1/2 of it stay on the host and stream


class CudaBackend:
    """Backend whose vectors, points and matrices live on one device; threads may share it.

    Args:
        log_tile: log2 of the elements a block transforms at once
        chunk: most points of one run through the buckets; None lets the memory that is free decide
        tables: whether points get tables of multiples; None decides by their number and the memory that is free
    """

    def __init__(
        self,
        driver: Driver,
        curve: Curve,
        *,
        log_tile: int = LOG_TILE,
        chunk: int | None = None,
        tables: bool | None = None,
        threads: int | None = None,
    ):
        if curve not in CURVES:
            raise UsageError(f"{driver.name}: there are no kernels for the curve {curve.name}: use --device cpu")
        self.curve, self.name, self._host_threads = curve, driver.name, threads
        self._driver, self._programs = driver, Programs(driver)
        self._log_tile, self._chunk, self._tables = log_tile, chunk, tables
        self.residency = Residency()
        self._groups: dict[str, tuple[PointArrays, BucketSums]] = {}

    @property
    def host_threads(self) -> int | None:
        return self._host_threads

    @property
    def resident_form(self) -> None:
        return None

    def fallback(self) -> CpuBackend:
        from zkgpu.backend.cpu import CpuBackend

        return CpuBackend(self.curve, threads=self._host_threads)

    @cached_property
    def _vectors(self) -> Vectors:
        return Vectors(self._programs, self.curve)

    @cached_property
    def _transforms(self) -> Transforms:
        return self.residency.keep(Transforms(self._programs, self.curve, self._log_tile))

    @cached_property
    def _side_streams(self) -> SideStreams:
        return SideStreams(self._driver, SUMS_AT_ONCE)

    def _group(self, group: Group) -> tuple[PointArrays, BucketSums]:
        if group.name not in self._groups:
            of_group = self._programs, self.curve, group
            self._groups[group.name] = PointArrays(*of_group), BucketSums(*of_group, self._chunk)
        return self._groups[group.name]

    # scalars

    @retry_after_eviction
    def vector(self, limbs: Limbs) -> DeviceArray:
        # marked, so that sums over a witness need not wait for what else is made of it
        return self._vectors.from_limbs(limbs).marked()

    def borrowed(self, limbs: Limbs) -> DeviceArray:
        return self.vector(limbs)

    @retry_after_eviction
    def limbs(self, vector: DeviceArray) -> Limbs:
        return self._vectors.to_limbs(vector)

    @retry_after_eviction
    def matrix(self, matrix: SparseMatrix) -> DeviceMatrix:
        return self._vectors.matrix(matrix)

    @retry_after_eviction
    def matvec(self, matrix: DeviceMatrix, vector: DeviceArray) -> DeviceArray:
        return self._vectors.matvec(matrix, vector)

    @retry_after_eviction
    def ntt(self, coefficients: DeviceArray, domain: Domain, *, in_place: bool = False) -> DeviceArray:
        return self._transforms.forward(coefficients, domain)

    @retry_after_eviction
    def intt(self, evaluations: DeviceArray, domain: Domain, *, in_place: bool = False) -> DeviceArray:
        return self._transforms.inverse(evaluations, domain)

    @retry_after_eviction
    def pointwise(self, f: Callable[..., Any], *vectors: DeviceArray, in_place: bool = False) -> DeviceArray:
        return self._vectors.pointwise(f, *vectors)

    @retry_after_eviction
    def inverse(self, vector: DeviceArray) -> DeviceArray:
        return self._vectors.inverse(vector)

    @retry_after_eviction
    def prefix_product(self, vector: DeviceArray) -> DeviceArray:
        return self._vectors.prefix_product(vector)

    @retry_after_eviction
    def divide_by_linear(self, coefficients: DeviceArray, root: int, leading: int = 0) -> DeviceArray:
        return self._vectors.divide_by_linear(coefficients, root, leading)

    @retry_after_eviction
    def evaluate(self, coefficients: DeviceArray, x: int) -> int:
        return self._vectors.evaluate(coefficients, x)

    # points

    @retry_after_eviction
    def points(self, group: Group, rows: Limbs) -> ResidentPoints:
        points = self.residency.keep(ResidentPoints(self._group(group)[0], rows))
        if rows.nbytes * POINTS_SHARE <= self._driver.free_memory:
            points.upload()
        if points.is_resident and self._wants_tables(group, rows):
            points.make_tables()
        return points

    def _wants_tables(self, group: Group, rows: Limbs) -> bool:
        n = int(rows.shape[0])
        if self._tables is not None:
            return self._tables and n > 0
        windows = best_shape(n, True, group.order).windows
        if n < LEAST_FOR_TABLES or n * windows > MOST_ENTRIES:
            return False
        return rows.nbytes * windows * TABLES_SHARE <= self._driver.free_memory

    def msm(self, points: ResidentPoints, scalars: DeviceArray) -> Point:
        return self.msm_many([(points, scalars)])[0]

    @retry_after_eviction
    def msm_many(
        self, pairs: Sequence[tuple[ResidentPoints, DeviceArray]], meanwhile: Callable[[], None] | None = None
    ) -> list[Point]:
        firsts = {id(points): k for k, (points, _) in reversed([*enumerate(pairs)])}
        jobs = [self._jobs(*pair, may_replay=firsts[id(pair[0])] == k) for k, pair in enumerate(pairs)]
        done = iter(self._side_streams.run([job for of_pair in jobs for job in of_pair]))
        if meanwhile is not None:  # all is enqueued, and nothing was waited for
            meanwhile()
        parts = [[part for _ in of_pair for part in next(done)] for of_pair in jobs]
        return [self._group(points.group)[1].total(part) for (points, _), part in zip(pairs, parts, strict=True)]

    def _jobs(self, points: ResidentPoints, scalars: DeviceArray, may_replay: bool) -> list[Job[list[DeviceArray]]]:
        """One sum; of points on the host one a chunk, so that a chunk is copied while others are summed.

        Args:
            may_replay: whether no other sum that is begun at the same time takes the points' recording
        """
        if len(points) != len(scalars):
            raise LengthError(f"{len(points)} points but {len(scalars)} scalars: the two must be equal")
        sums, placed = self._group(points.group)[1], points.placed
        if placed.array is not None:
            recorded = points.recorded(sums) if may_replay else None
            run = partial(recorded.replay if recorded else partial(sums.begin, placed), scalars)
            return [Job(run, [placed.array, scalars])]
        jobs, most = [], self._chunk or CHUNK
        for begin in range(0, len(points), most):
            chunk = points.on_host(begin, begin + most)
            factors = scalars.part(begin, begin + len(chunk))
            jobs.append(Job(partial(sums.begin, chunk, factors), [factors]))
        return jobs

    # setup

    @retry_after_eviction
    def fixed_base(self, base: Point, scalars: DeviceArray) -> Limbs:
        arrays = self._group(base.group)[0]
        point = arrays.upload(base.group.to_rows([base]))

        def multiples(begin: int, end: int) -> Limbs:
            return arrays.rows(arrays.affine(arrays.multiples_of(point, scalars.part(begin, end))))

        return np.concatenate(in_chunks(multiples, 0, len(scalars)))

    @retry_after_eviction
    def scale_points(self, group: Group, rows: Limbs, k: int) -> Limbs:
        arrays = self._group(group)[0]
        number = arrays.number(k)

        def scaled(begin: int, end: int) -> Limbs:
            return arrays.rows(arrays.affine(arrays.multiply(arrays.upload(rows[begin:end]), number)))

        return np.concatenate(in_chunks(scaled, 0, len(rows)))

    @retry_after_eviction
    def combine_points(self, group: Group, matrix: SparseMatrix, rows: Limbs) -> Limbs:
        if matrix.shape[1] != rows.shape[0]:
            raise LengthError(f"{matrix.shape[1]} matrix columns but {rows.shape[0]} points: the two must be equal")
        points = self._group(group)[0].upload(rows)
        return np.concatenate(in_chunks(lambda i, j: self._combined(group, matrix, points, i, j), 0, matrix.shape[0]))

    def _combined(self, group: Group, matrix: SparseMatrix, points: DeviceArray, begin: int, end: int) -> Limbs:
        """Rows begin .. end of matrix @ points."""
        arrays, sums = self._group(group)
        indptr = matrix.indptr[begin : end + 1]
        entries = slice(int(indptr[0]), int(indptr[-1]))
        numbers = upload(self._driver, number(self.curve.scalar_field), matrix.table[matrix.coefficient[entries]])
        places = upload(self._driver, U32, matrix.indices[entries].astype(np.uint32))
        products = arrays.multiply(arrays.take(points, places), numbers)
        starts = upload(self._driver, U32, (indptr - indptr[0]).astype(np.uint32))
        sums.join_runs(starts, products)
        return arrays.rows(arrays.affine(sums.spread(starts, products)))

    @retry_after_eviction
    def canonical_rows(self, group: Group, rows: Limbs) -> Limbs:
        arrays = self._group(group)[0]
        return np.concatenate(in_chunks(lambda i, j: arrays.plain_rows(rows[i:j]), 0, len(rows)))

    @retry_after_eviction
    def first_invalid_point(self, group: Group, rows: Limbs) -> tuple[int, str] | None:
        arrays = self._group(group)[0]
        found = in_chunks(lambda i, j: (i, arrays.first_fault(rows[i:j])), 0, len(rows))
        return next(((begin + fault[0], fault[1]) for begin, fault in found if fault), None)
