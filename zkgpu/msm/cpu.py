"""Multi-scalar multiplication on the CPU: Pippenger's bucket method, filled by batches of affine additions.

Variable time: scalars leak through it. Bernstein, Doumen, Lange, Oosterwijk 2012 (eprint 2012/549), section 4, for
buckets with signed digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from functools import partial, reduce
from operator import add
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.points import Point
from zkgpu.errors import LengthError
from zkgpu.fields.field import Limbs
from zkgpu.jit.threads import available_threads, parallel
from zkgpu.msm.fold import fold
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.merging import equal_scalars
from zkgpu.msm.plan import BucketSet, Cost, SharedDigits, Task, bucket_sets, bucket_width, share_out
from zkgpu.msm.points import CpuPoints
from zkgpu.msm.projective import reduce_buckets
from zkgpu.msm.scalars import Balanced, Digits, balanced, digits
from zkgpu.msm.scratch import ScratchPool
from zkgpu.msm.segments import Workspace, add_segments, workspace
from zkgpu.msm.sorting import sort_task
from zkgpu.records import dataclass

# nanoseconds measured on one core of an EPYC (Zen 4); the addition includes cutting and sorting the digit
COSTS = {
    ("ifma", 1): Cost(addition=44, bucket=75),
    ("ifma", 2): Cost(addition=97, bucket=310),
    ("fma", 1): Cost(addition=120, bucket=260),
    ("fma", 2): Cost(addition=330, bucket=1000),
    ("portable", 1): Cost(addition=150, bucket=420),
    ("portable", 2): Cost(addition=430, bucket=1300),
}


def msm(points: CpuPoints, scalars: Limbs, threads: int | None = None) -> Point:
    """sum scalars[i] * points[i].

    Args:
        scalars: (n, limbs) uint64, canonical limbs below the group's order

    Raises LengthError when there is not one scalar for each point, UsageError for a scalar that is too large.
    Variable time.
    """
    return msm_many([(points, scalars)], threads)[0]


def msm_many(pairs: Sequence[tuple[CpuPoints, Limbs]], threads: int | None = None) -> list[Point]:
    """[msm(points, scalars) for each pair], with the work of all sums shared out together: no thread waits.

    Sums with the same array of scalars share its digits, and their sorting where they also have the same rows.
    """
    return plan_sums(pairs, threads).add_up()


@dataclass(frozen=True)
class Sums:
    """Multi-scalar multiplications whose digits are cut: the scalars are no longer needed."""

    by_scalars: Sequence[_SharedScalars]
    count: int
    threads: int

    def add_up(self) -> list[Point]:
        """The sums, in the order of the pairs."""
        by_scalars = self.by_scalars
        tasks = share_out([shared.plan for shared in by_scalars], self.threads)
        pool = ScratchPool(partial(_scratch, by_scalars, tasks))
        done = parallel([partial(by_scalars[t.digits].add_up, t.sets, pool) for t in tasks], self.threads)
        parts: list[list[list[_Part]]] = [[[] for _ in shared.places] for shared in by_scalars]
        for task, sums in zip(tasks, done, strict=True):
            for found, of_one in zip(parts[task.digits], sums, strict=True):
                found.append(_Part(task.sets, of_one))
        pairs = [(f, k, found) for f, of_f in zip(by_scalars, parts, strict=True) for k, found in enumerate(of_f)]
        points = parallel([partial(f.fold, k, found) for f, k, found in pairs], self.threads)
        of_place: list[list[Point]] = [[] for _ in range(self.count)]
        for (f, k, _), point in zip(pairs, points, strict=True):
            of_place[f.places[k]].append(point)
        return [reduce(add, found) for found in of_place]


def plan_sums(pairs: Sequence[tuple[CpuPoints, Limbs]], threads: int | None = None) -> Sums:
    """The sums that msm_many makes, ready to be added up. Raises as msm."""
    threads = threads or available_threads()
    return Sums(_by_scalars(pairs, threads), len(pairs), threads)


class _Part(NamedTuple):
    """Bucket sets of one sum, and for each the sums of its lanes as reduce_buckets leaves them."""

    sets: Sequence[BucketSet]
    sums: Limbs


def places_of_shared_digits(pairs: Sequence[tuple[CpuPoints, object]]) -> list[list[int]]:
    """The places of sums over the same rows of the same vector, whose digits are sorted once."""
    found: list[list[int]] = []
    for place, (points, scalars) in enumerate(pairs):
        for places in found:
            other, its_scalars = pairs[places[0]]
            if its_scalars is scalars and other.same_rows(points):
                places.append(place)
                break
        else:
            found.append([place])
    return found


def _by_scalars(pairs: Sequence[tuple[CpuPoints, Limbs]], threads: int) -> list[_SharedScalars]:
    measured: dict[tuple[int, int], Balanced] = {}
    for points, scalars in pairs:
        if len(scalars) != len(points):
            raise LengthError(f"{len(scalars)} scalars for {len(points)} points: give one for each point")
        key = id(scalars), points.group.order
        if key not in measured:
            measured[key] = balanced(scalars, points.group.order, threads)
    return [
        shared
        for places in places_of_shared_digits(pairs)
        for shared in _in_parts([pairs[p][0] for p in places], measured[_key(pairs[places[0]])], places, threads)
    ]


def _key(pair: tuple[CpuPoints, Limbs]) -> tuple[int, int]:
    return id(pair[1]), pair[0].group.order


def _in_parts(points: list[CpuPoints], scalars: Balanced, places: list[int], threads: int) -> list[_SharedScalars]:
    """One sum, or that of the points of scalars that occur often, and that of the others."""
    selected, cost = scalars.select(points[0].index), reduce(add, map(cost_of, points))
    equal = equal_scalars(selected, cost, _least_width(points))
    if equal is None:
        return [_shared(points, selected, places, threads)]
    merged = [equal.merged(p, threads) for p in points]
    rest, values = equal.others(selected), equal.values
    return [_shared(points, rest, places, threads), _shared(merged, values, places, threads)]


def _least_width(points: list[CpuPoints]) -> int:
    return points[0].isa.lanes.bit_length() + 1  # at least two buckets a lane


def _shared(points: list[CpuPoints], selected: Balanced, places: list[int], threads: int) -> _SharedScalars:
    table, cost = points[0].table, reduce(add, map(cost_of, points))
    width = table.width if table else bucket_width(selected.histogram, cost, _least_width(points))
    cut = digits(selected, width, threads)
    sets = bucket_sets(cut.sizes, table.stride if table else len(cut.sizes))
    return _SharedScalars(points, places, cut, width, SharedDigits(sets, cost, 1 << (width - 1)))


def cost_of(points: CpuPoints) -> Cost:
    """Of sums of these points."""
    return COSTS[points.isa.name, points.group.degree]


@dataclass(frozen=True)
class _SharedScalars:
    """Sums of one vector of scalars with several arrays of the same rows: one set of digits, sorted once.

    Attributes:
        places: which of all sums these are
    """

    points: list[CpuPoints]
    places: list[int]
    digits: Digits
    width: int
    plan: SharedDigits

    def add_up(self, sets: Sequence[BucketSet], pool: ScratchPool[_Scratch]) -> list[Limbs]:
        """For each array of points: (sets, 2, 3 * degree, limbs, lanes), the sums of the sets' buckets by lanes."""
        return pool.run(partial(self._add_up, sets))

    def _add_up(self, sets: Sequence[BucketSet], scratch: _Scratch) -> list[Limbs]:
        count, size = self.plan.buckets, sum(s.size for s in sets)
        rows = [self.points[0].first_row(window) for window in range(len(self.digits.sizes))]
        start, sorted_once = scratch.start[: len(sets) * count + 1], scratch.references[:size]
        sort_task(self.digits, sets, count, rows, start, sorted_once)
        out = []
        for k, points in enumerate(self.points):
            references = sorted_once
            if k + 1 < len(self.points):  # the additions overwrite them
                references = scratch.spare[:size]
                references[:] = sorted_once
            out.append(_sum_buckets(points, references, start, len(sets), count, scratch))
        return out

    def fold(self, k: int, parts: Sequence[_Part]) -> Point:
        """The sum with the k-th array of points, once all tasks are done."""
        shape = self.points[k].shape
        if not parts:
            return shape.group.infinity
        weights, sums = [s.weight for part in parts for s in part.sets], np.concatenate([part.sums for part in parts])
        return fold(shape, sums, weights, self.width, self.plan.buckets // shape.isa.lanes)


def _sum_buckets(
    points: CpuPoints, references: NDArray[np.int32], start: NDArray[np.int64], sets: int, count: int, scratch: _Scratch
) -> Limbs:
    shape = points.shape
    of_group = scratch.by_group[shape]
    filled = of_group.buckets[: sets * count]
    add_segments(shape, points.rows, references, start, filled, of_group.workspace)
    sums = np.empty((sets, 2, 3 * shape.degree, shape.layout.limbs, shape.isa.lanes), np.uint64)
    reduce_buckets(shape)(filled.ctypes.data, sets, count // shape.isa.lanes, sums.reshape(-1))
    return sums


@dataclass(frozen=True)
class _GroupScratch:
    """Memory of one thread for the additions in one group."""

    buckets: Limbs
    workspace: Workspace


@dataclass(frozen=True)
class _Scratch:
    """Memory of one thread: sorted references, a copy of them, and by group what additions need."""

    start: NDArray[np.int64] = field(repr=False)
    references: NDArray[np.int32] = field(repr=False)
    spare: NDArray[np.int32] = field(repr=False)
    by_group: dict[KernelGroup, _GroupScratch]


def _scratch(by_scalars: Sequence[_SharedScalars], tasks: Sequence[Task]) -> _Scratch:
    """Enough for the largest of the tasks."""
    references = max(task.size for task in tasks)
    buckets = max(len(task.sets) * by_scalars[task.digits].plan.buckets for task in tasks)
    shared = max((task.size for task in tasks if len(by_scalars[task.digits].points) > 1), default=0)
    kinds = {p.shape for f in by_scalars for p in f.points}
    return _Scratch(
        np.empty(buckets + 1, np.int64),
        np.empty(references, np.int32),
        np.empty(shared, np.int32),
        {shape: _group_scratch(shape, references, buckets) for shape in kinds},
    )


def _group_scratch(shape: KernelGroup, references: int, buckets: int) -> _GroupScratch:
    return _GroupScratch(shape.empty_rows(buckets), workspace(shape, references, buckets))
