"""Multi-scalar multiplication on the CPU: Pippenger's buckets, filled by batches of affine additions.

Variable time: scalars leak through it. Bernstein, Doumen, Lange, Oosterwijk 2012 (eprint 2012/549), section 4, for
buckets with signed digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from zkgpu.curves.points import Point
from zkgpu.fields.field import Limbs
from zkgpu.jit.kernel import kernel, subroutine
from zkgpu.jit.memory import aligned_empty
from zkgpu.jit.path import InstructionPath
from zkgpu.jit.threads import available_threads, parallel
from zkgpu.msm import buckets
from zkgpu.msm.fold import fold
from zkgpu.msm.plan import Cost, Slice, bucket_width, slices
from zkgpu.msm.points import CpuPoints, b3_of, degree_of
from zkgpu.msm.projective import reduce_buckets
from zkgpu.msm.rooms import Rooms
from zkgpu.msm.scalars import Digits, balanced, digits
from zkgpu.msm.segments import Workspace, add_segments, workspace

# nanoseconds measured on one core of an EPYC (Zen 4); the addition includes cutting and sorting the digit
COSTS = {
    ("ifma", 1): Cost(addition=44, bucket=75),
    ("ifma", 2): Cost(addition=97, bucket=310),
    ("portable", 1): Cost(addition=150, bucket=420),
    ("portable", 2): Cost(addition=430, bucket=1300),
}


def msm(points: CpuPoints, scalars: Limbs, threads: int | None = None) -> Point:
    """sum scalars[i] * points[i].

    scalars  (n, 4) uint64, canonical limbs below the group's order
    Raises LengthError when there is not one scalar for each point, UsageError for a scalar that is too large.
    Variable time.
    """
    return msm_many([(points, scalars)], threads)[0]


def msm_many(pairs: Sequence[tuple[CpuPoints, Limbs]], threads: int | None = None) -> list[Point]:
    """[msm(points, scalars) for each pair], with the work of all sums shared out together: no thread waits."""
    threads = threads or available_threads()
    sums = [_planned(points, scalars, threads) for points, scalars in pairs]
    slices_of_all = [(s, i) for s in sums for i in range(len(s.slices))]
    slices_of_all.sort(key=lambda task: -task[0].cost(task[1]))
    parallel([partial(s.add_slice, i) for s, i in slices_of_all], threads)
    return parallel([s.fold for s in sums], threads)


def _planned(points: CpuPoints, scalars: Limbs, threads: int) -> _BucketSum:
    path, degree = points.path, degree_of(points.group)
    selected = balanced(points.scalars_of_rows(scalars), points.group.order)
    least = path.lanes.bit_length() + 1  # at least two buckets a lane
    width = bucket_width(selected.histogram, COSTS[path.name, degree], least)
    cut = digits(selected, width, threads)
    work = slices(cut.sizes, 1 << (width - 1), threads)
    largest = max((s.end - s.begin for s in work), default=0)
    sums = np.empty((len(work), 2, 3 * degree, path.limbs, path.lanes), np.uint64)
    return _BucketSum(points, cut, width, work, sums, Rooms(partial(_room, path, degree, largest, width)))


@dataclass(frozen=True)
class _BucketSum:
    """One multi-scalar multiplication, cut into slices that may be added up in any order on any thread."""

    points: CpuPoints
    digits: Digits
    width: int
    slices: list[Slice]
    sums: Limbs
    rooms: Rooms[_Room]

    def cost(self, i: int) -> float:
        """Nanoseconds of slice i, roughly."""
        costs = COSTS[self.points.path.name, degree_of(self.points.group)]
        additions = self.slices[i].end - self.slices[i].begin
        return costs.addition * additions + costs.bucket * (1 << (self.width - 1))

    def add_slice(self, i: int) -> None:
        """Fills sums[i]."""
        row = self.sums[i].reshape(-1)
        self.rooms.run(partial(_sum_slice, self.points, self.digits, self.slices[i], self.width, row))

    def fold(self) -> Point:
        """The result, once every slice is added."""
        group, path, windows = self.points.group, self.points.path, [s.window for s in self.slices]
        if not windows:
            return group.infinity
        return fold(group, path, self.sums, windows, self.width, (1 << (self.width - 1)) // path.lanes)


@dataclass(frozen=True)
class _Room:
    """Memory of one thread: the sorted references of a slice, its buckets, and the workspace of the additions."""

    start: np.ndarray
    references: np.ndarray
    buckets: np.ndarray
    workspace: Workspace


def _room(path: InstructionPath, degree: int, references: int, width: int) -> _Room:
    count = 1 << (width - 1)
    return _Room(
        np.empty(count + 2, np.int64),
        np.empty(references, np.int32),
        aligned_empty((count, 8 * degree)),
        workspace(path, degree, references, count),
    )


def _sum_slice(points: CpuPoints, cut: Digits, part: Slice, width: int, sums: Limbs, room: _Room) -> None:
    """Fills the buckets of a slice and reduces them into sums."""
    group, path, count = points.group, points.path, 1 << (width - 1)
    modulus, degree = group.base_field.modulus, degree_of(group)
    values, index = cut.values[part.window, part.begin : part.end], cut.index[part.begin : part.end]
    fill_buckets()(values, index, count, room.start, room.references)
    add_segments(group, path, points.rows, room.references, room.start, room.buckets, room.workspace)
    reduce_buckets(path, modulus, degree, *b3_of(group))(room.buckets.ctypes.data, count // path.lanes, sums)


@kernel
def fill_buckets():
    """fill(digits, index, buckets, start, references): see buckets.sort_digits."""
    sort = subroutine(buckets.sort_digits)

    def run(digits, index, buckets, start, references):
        sort(digits, index, buckets, start, references)

    return run
