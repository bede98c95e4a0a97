"""Multi-scalar multiplication on a GPU by buckets: Pippenger's method with signed digits (eprint 2012/549, section 4).

All digits of all scalars are sorted by bucket; runs are cut into pieces that threads sum, longest first, so neither
many equal digits nor scalars that are mostly 0 and 1 leave a warp waiting. Zeros are never listed. With tables of
2^(width w) P all windows share one set of buckets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from zkgpu.curves.points import Group, Point
from zkgpu.errors import LengthError
from zkgpu.fields.field import Limbs
from zkgpu.gpu.driver import OutOfMemory
from zkgpu.gpu.elements import point, point_source, point_sum
from zkgpu.gpu.program import U32, DeviceArray, Grid, Programs, allocate, upload
from zkgpu.msm.cuda_lists import Pieces, WorkLists
from zkgpu.msm.cuda_pairs import AffineRounds, Terms
from zkgpu.msm.plan import BALANCED_BITS, windows_of

MAX_WIDTH = 22
LARGEST_CHUNK = 1 << 22  # points of one run through the buckets; more points stream in chunks
LEAST_CHUNK = 1 << 10  # below it, halving a chunk will not help a device without memory
PIECE_OF_SUMS = 16
LEAST_SHARE, MOST_SHARE = 4, 32  # neighbouring buckets that one thread weighs
SHARES = 1 << 15  # threads that keep a device busy, when there are so many buckets


@dataclass(frozen=True)
class Shape:
    """How scalars become digits: windows of `width` bits, and one set of buckets for all when points have tables."""

    width: int
    tables: bool

    @property
    def windows(self) -> int:
        return windows_of(BALANCED_BITS, self.width)

    @property
    def sets(self) -> int:
        return 1 if self.tables else self.windows

    @property
    def set_buckets(self) -> int:
        return 1 << (self.width - 1)

    @property
    def buckets(self) -> int:
        return self.sets * self.set_buckets


def best_shape(n: int, tables: bool) -> Shape:
    """The width of least cost for n points: additions into buckets at 10 products, two a bucket at 14."""

    def cost(width: int) -> int:
        shape = Shape(width, tables)
        return 10 * n * shape.windows + 28 * shape.buckets

    return Shape(min(range(2, MAX_WIDTH + 1), key=cost), tables)


@dataclass(frozen=True)
class DevicePoints:
    """Points of a group. `rows` is (n, row_limbs) on the host where they did not fit; `array` on the device.

    shape  how the tables in `array` were made: windows * n points, 2^(width w) P_i at w n + i; None without tables
    """

    group: Group
    n: int
    array: DeviceArray | None
    rows: Limbs | None = None
    shape: Shape | None = None

    def __len__(self) -> int:
        return self.n


class BucketSums:
    """Multi-scalar multiplications in one group on one device.

    affine  whether points of a bucket are first added in affine form, while that is worth its inversions
    """

    def __init__(
        self, programs: Programs, curve: str, group: Group, largest_chunk: int = LARGEST_CHUNK, affine: bool = True
    ):
        self.group, self.driver = group, programs.driver
        degree = group.row_limbs // (2 * group.base_field.limbs)
        self.point, self.sum = point(degree), point_sum(degree)
        self._program = programs(point_source(curve, degree, "msm.cu"))
        self._lists = WorkLists(programs, curve)
        self._largest_chunk = largest_chunk
        self._rounds = AffineRounds(self._program, self._lists, degree) if affine else None

    def msm(self, points: DevicePoints, scalars: DeviceArray) -> Point:
        """sum of scalars[i] * points[i]. Variable time: scalars leak. Raises LengthError when lengths differ."""
        return self.total(self.begin(points, scalars))

    def begin(self, points: DevicePoints, scalars: DeviceArray) -> list[DeviceArray]:
        """Sums on the device that together make `msm`; the caller does not wait for them."""
        if len(points) != len(scalars):
            raise LengthError(f"{len(points)} points but {len(scalars)} scalars: the two must be equal")
        if not len(points):
            return []
        n = len(points)
        shape = points.shape or best_shape(min(n, self._largest_chunk), tables=False)
        chunks = self._chunked(points, scalars, shape, 0, n)
        if shape.sets > 1:
            return [self._join(chunks, shape)]
        return [sums.part(0, 1) for _, sums in chunks]

    def total(self, parts: list[DeviceArray]) -> Point:
        """The sum of what `begin` gave, on the host."""
        return sum((point for part in parts for point in self.to_points(part)), self.group.infinity)

    def _chunked(
        self, points: DevicePoints, scalars: DeviceArray, shape: Shape, begin: int, end: int
    ) -> list[tuple[DeviceArray, DeviceArray]]:
        """Sums of windows over begin .. end, in halves where that is more than a chunk or than the device can hold."""
        if end - begin <= self._largest_chunk:
            try:
                return [self._sums_of_windows(points, scalars, shape, begin, end)]
            except OutOfMemory:
                if end - begin <= LEAST_CHUNK:
                    raise
        middle = (begin + end) // 2
        halves = (begin, middle), (middle, end)
        return [chunk for half in halves for chunk in self._chunked(points, scalars, shape, *half)]

    def _resident(self, points: DevicePoints, begin: int, end: int) -> DeviceArray:
        """The points begin .. end, and with tables all multiples from the first of them on."""
        if points.array is not None:
            return points.array.part(begin, len(points.array) if points.shape else end)
        assert points.rows is not None
        return upload(self.driver, self.point, points.rows[begin:end])

    def _sums_of_windows(
        self, points: DevicePoints, scalars: DeviceArray, shape: Shape, begin: int, end: int
    ) -> tuple[DeviceArray, DeviceArray]:
        """(where each window's sum is, the sums), of the points begin .. end; one window where points have tables."""
        terms = self._terms(self._resident(points, begin, end), scalars.part(begin, end), shape, len(points))
        pieces, buckets = self._fill_buckets(terms)
        del terms
        weighted, shares = self._weigh(pieces, buckets, shape)
        starts = np.arange(shape.sets + 1, dtype=np.uint32) * np.uint32(shares // shape.sets)
        return self.sum_runs(upload(self.driver, U32, starts), weighted, shares // shape.sets)

    def _terms(self, points: DeviceArray, scalars: DeviceArray, shape: Shape, of_table: int) -> Terms:
        """One term for each digit that is not zero, sorted into runs by bucket; `of_table` points make a table."""
        n, lists = len(scalars), self._lists
        bucket_step, point_step = (0, of_table) if shape.tables else (shape.set_buckets, 0)
        keys, values = lists.digits(scalars, shape.width, shape.windows, bucket_step, point_step, shape.buckets)
        entries, starts = lists.sort(keys, values, shape.buckets, dropped=shape.buckets)
        digits = n * shape.windows
        return Terms(points, entries, starts, digits, digits if shape.tables else n)

    def _fill_buckets(self, terms: Terms) -> tuple[DeviceArray, DeviceArray]:
        """(first piece of each run, the pieces' sums), at most one piece a run."""
        if self._rounds is not None:
            terms = self._rounds.shortened(terms)
        size = piece_size(terms.bound, terms.runs)
        pieces = self._lists.cut(terms.starts, terms.bound, size)
        sums = allocate(self.driver, self.sum, pieces.bound)
        self._program.launch(
            "add_pieces",
            Grid.over(pieces.bound),
            pieces=pieces.bound,
            listed=terms.listed,
            longest_first=self._lists.longest_first(pieces, size),
            begin=pieces.begin,
            end=pieces.end,
            **terms.arguments(),
            sums=sums,
        )
        return self.sum_runs(pieces.first, sums, -(-terms.longest // size))

    def sum_runs(self, starts: DeviceArray, parts: DeviceArray, longest: int) -> tuple[DeviceArray, DeviceArray]:
        """Sums of the runs of parts, which have at most `longest`: (first piece of each run, sums of the pieces).

        A run comes out with one piece, or none when it is empty.
        """
        while longest > 1:
            pieces = self._lists.cut(starts, len(parts), PIECE_OF_SUMS)
            parts, starts = self._add_sums(pieces, parts), pieces.first
            longest = -(-longest // PIECE_OF_SUMS)
        return starts, parts

    def _add_sums(self, pieces: Pieces, parts: DeviceArray) -> DeviceArray:
        sums = allocate(self.driver, self.sum, pieces.bound)
        grid, ends = Grid.over(pieces.bound), {"begin": pieces.begin, "end": pieces.end}
        self._program.launch("add_sums", grid, pieces=pieces.bound, **ends, parts=parts, sums=sums)
        return sums

    def _weigh(self, first_piece: DeviceArray, buckets: DeviceArray, shape: Shape) -> tuple[DeviceArray, int]:
        """(sums of (1 + place) * bucket over shares of neighbouring buckets, number of shares)."""
        width = share_width(shape)
        shares = shape.buckets // width
        running, multiples, weighted = (allocate(self.driver, self.sum, shares) for _ in range(3))
        self._program.launch(
            "weigh_buckets",
            Grid.over(shares),
            shares=shares,
            width=width,
            window_buckets=shape.set_buckets,
            first_piece=first_piece,
            buckets=buckets,
            running=running,
            multiples=multiples,
            weighted=weighted,
        )
        return weighted, shares

    def _join(self, chunks: list[tuple[DeviceArray, DeviceArray]], shape: Shape) -> DeviceArray:
        """The sum of all windows of all chunks: one thread's work, so it is done once."""
        windows = shape.windows
        sums, out = allocate(self.driver, self.sum, len(chunks) * windows), allocate(self.driver, self.sum, 1)
        for k, chunk in enumerate(chunks):
            self._spread_into(*chunk, sums.part(k * windows, (k + 1) * windows))
        sizes = {"chunks": len(chunks), "windows": windows, "width": shape.width}
        self._program.launch("join_windows", Grid(1, 32), **sizes, sums=sums, out=out)
        return out

    def spread(self, first_piece: DeviceArray, sums: DeviceArray) -> DeviceArray:
        """One sum a run, infinity for runs without a piece."""
        out = allocate(self.driver, self.sum, len(first_piece) - 1)
        self._spread_into(first_piece, sums, out)
        return out

    def _spread_into(self, first_piece: DeviceArray, sums: DeviceArray, out: DeviceArray) -> None:
        runs = len(out)
        self._program.launch("spread_runs", Grid.over(runs), runs=runs, first_piece=first_piece, sums=sums, out=out)

    def to_points(self, sums: DeviceArray) -> list[Point]:
        """The points of a few sums, on the host."""
        words = sums.read(np.uint64).reshape(-1, self.group.base_field.limbs)
        flat = self.group.base_field.from_montgomery_limbs(words)
        width = len(flat) // len(sums)
        return [_from_xyzz(self.group, flat[i : i + width]) for i in range(0, len(flat), width)]


def share_width(shape: Shape) -> int:
    """Buckets a thread weighs: the more, the less work, but a thread takes two additions in a row for each."""
    fair = 1 << (shape.buckets // SHARES).bit_length() >> 1
    return min(shape.set_buckets, max(LEAST_SHARE, min(MOST_SHARE, fair)))


def piece_size(entries: int, buckets: int) -> int:
    """Four times the mean length of a run, so that few runs are cut, as a power of two from 8 to 512."""
    return int(min(512, max(8, 1 << (4 * entries // buckets).bit_length())))


def _from_xyzz(group: Group, c: list[int]) -> Point:
    """The point of (X, Y, ZZ, ZZZ): x = X / ZZ, y = Y / ZZZ."""
    f, step = group.field, len(c) // 4
    x, y, zz, zzz = (c[i] if step == 1 else (c[i], c[i + 1]) for i in range(0, len(c), step))
    if zz == f.zero:
        return group.infinity
    return Point(group, f.mul(x, f.inverse(zz)), f.mul(y, f.inverse(zzz)))
