"""Multi-scalar multiplication on a GPU: Pippenger's bucket method with signed digits (eprint 2012/549, section 4).

All digits of all scalars are sorted by bucket; runs are cut into pieces that threads sum, longest first, so neither
many equal digits nor scalars that are mostly 0 and 1 leave a warp waiting. Zeros are never listed. With tables of
2^(width w) P all windows share one set of buckets.
"""

from __future__ import annotations

import numpy as np

from zkgpu.curves.points import Curve, Group, Jacobian, Point, sum_jacobians
from zkgpu.errors import LengthError
from zkgpu.fields.field import Limbs
from zkgpu.gpu.driver import OutOfMemory
from zkgpu.gpu.elements import point, point_source, point_sum, scalar
from zkgpu.gpu.program import U32, DeviceArray, Grid, Programs, allocate, upload
from zkgpu.msm.cuda_lists import WorkLists
from zkgpu.msm.plan import balanced_bits, windows_of
from zkgpu.records import dataclass

MAX_WIDTH = 22
ADDITION, BUCKET = 12, 28  # products that an entry takes, sorting included, and a bucket: two additions
IN_TURN = 280_000  # products that a full device does while a thread adds one sum to another: 4.6 us there
CHUNK = 1 << 22  # points of one run through the buckets, where memory is not known to have room for more
MEMORY_OF_A_DIGIT = 40  # bytes that lists take, and sums of pieces
MOST_DIGITS = (1 << 31) - 1  # which kernels count in 31 bits
ROOM_SHARE = 4  # a run through the buckets may take 1/4 of the memory that is free
LEAST_CHUNK = 1 << 10  # below it, halving a chunk will not help a device without memory
LEAST_SHARE, MOST_SHARE = 4, 32  # neighboring buckets that one thread weighs
SHARES = 1 << 15  # threads that keep a device busy, when there are so many buckets
THREADS_AT_ONCE = 1 << 16  # that add points on a large GPU
BLOCK = 128  # threads of a block of msm.cu
JOINING_BLOCKS = 1 << 8  # that join runs side by side: few runs are long, and each may keep a block busy
ROWS = 2  # sums that together make a window's, by weigh_blocks


@dataclass(frozen=True)
class Shape:
    """How scalars become digits: windows of `width` bits, and one set of buckets for all when points have tables.

    Attributes:
        bits: of the longest magnitude of a scalar
    """

    width: int
    tables: bool
    bits: int

    @property
    def windows(self) -> int:
        return windows_of(self.bits, self.width)

    @property
    def sets(self) -> int:
        return 1 if self.tables else self.windows

    @property
    def set_buckets(self) -> int:
        return 1 << (self.width - 1)

    @property
    def buckets(self) -> int:
        return self.sets * self.set_buckets


@dataclass(frozen=True)
class Weighing:
    """How threads share the buckets of a window: 2^bits each, then 2^bits_of_blocks of the blocks' sums each.

    Attributes:
        blocks, threads: of weigh_buckets for a window, and the threads of a block
        threads_of_blocks: of weigh_blocks for a window
    """

    bits: int
    blocks: int
    threads: int
    bits_of_blocks: int
    threads_of_blocks: int

    @property
    def unit_bits(self) -> int:
        """log2 of the buckets of a block."""
        return self.bits + self.threads.bit_length() - 1

    @property
    def turns(self) -> int:
        """Additions and doublings of one thread, one after another."""
        of_buckets = _turns(self.bits, self.threads)
        return of_buckets + _turns(self.bits_of_blocks, self.threads_of_blocks) + self.unit_bits

    @staticmethod
    def of(shape: Shape) -> Weighing:
        """A thread takes more buckets the more there are: it takes two additions in a row for each."""
        fair = 1 << (shape.buckets // SHARES).bit_length() >> 1
        share = min(shape.set_buckets, max(LEAST_SHARE, min(MOST_SHARE, fair)))
        threads = min(BLOCK, shape.set_buckets // share)
        blocks = shape.set_buckets // share // threads
        threads_of_blocks = min(BLOCK, blocks)
        bits = (n.bit_length() - 1 for n in (share, blocks // threads_of_blocks))
        return Weighing(next(bits), blocks, threads, next(bits), threads_of_blocks)


def best_shape(n: int, tables: bool, order: int) -> Shape:
    """The width of least cost for n points of a group of that order, counted in products of a device that is full.

    Of those that leave no more buckets than digits.
    """
    shapes = [Shape(width, tables, balanced_bits(order)) for width in range(2, MAX_WIDTH + 1)]
    filled = [shape for shape in shapes if shape.buckets <= n * shape.windows]

    def cost(shape: Shape) -> int:
        return ADDITION * n * shape.windows + BUCKET * shape.buckets + IN_TURN * turns(n, shape)

    return min(filled, key=cost, default=shapes[0])


def turns(n: int, shape: Shape) -> int:
    """Additions that wait for each other: of the longest run's pieces, of buckets and their blocks, of windows.

    Where the uppermost window has few bits, its digits fill as few buckets.
    """
    entries, upper_bits = n * shape.windows, shape.bits - shape.width * (shape.windows - 1)
    longest = entries // shape.buckets + (n >> upper_bits)
    pieces = -(-longest // piece_size(entries, shape.buckets))
    joined = 0 if shape.tables else ROWS * shape.windows
    return pieces // BLOCK + min(pieces, BLOCK).bit_length() + Weighing.of(shape).turns + joined


def _turns(bits: int, threads: int) -> int:
    """Two additions for each of 2^bits sums, a scan and a tree over threads, and doublings."""
    return (2 << bits) + 2 * (threads.bit_length() - 1) + bits


class Windows:
    """ROWS sums for each window, to which chunks add; nothing was added yet while they are fresh."""

    def __init__(self, sums: DeviceArray):
        self.sums, self._fresh = sums, True

    def take_fresh(self) -> int:
        """Whether this is the first time."""
        fresh, self._fresh = self._fresh, False
        return int(fresh)


@dataclass(frozen=True)
class DevicePoints:
    """Points of a group. `rows` is (n, row_limbs) on the host where they did not fit; `array` on the device.

    Attributes:
        shape: how the tables in `array` were made: windows * n points, 2^(width w) P_i at w n + i; None without tables
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

    Args:
        chunk: most points of one run through the buckets; None lets the memory that is free decide
    """

    def __init__(self, programs: Programs, curve: Curve, group: Group, chunk: int | None = None):
        self.group, self.driver = group, programs.driver
        self.point, self.sum, self.scalar = point(group), point_sum(group), scalar(curve.scalar_field)
        self._program = programs(point_source(curve, group.degree, "msm.cu"))
        self._lists = WorkLists(programs, curve)
        self._chunk = chunk

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
        chunk = min(n, self._chunk or self._fitting(n))
        shape = points.shape or best_shape(chunk, False, self.group.order)
        windows = Windows(allocate(self.driver, self.sum, ROWS * shape.sets))
        parts = -(-n // chunk)
        for k in range(parts):
            self._add(windows, points, scalars, shape, n * k // parts, n * (k + 1) // parts)
        return [self._join(windows.sums, shape) if shape.sets > 1 else windows.sums]

    def total(self, parts: list[DeviceArray]) -> Point:
        """The sum of what `begin` gave, on the host."""
        return sum_jacobians(self.group, (point for part in parts for point in self._read(part)))

    def _fitting(self, n: int) -> int:
        """How many of n points may go through the buckets at once: their digits, lists and sums are on the device."""
        if n <= CHUNK:
            return n
        digits = self.driver.free_memory // (ROOM_SHARE * MEMORY_OF_A_DIGIT)
        return max(CHUNK, min(digits, MOST_DIGITS) // best_shape(n, False, self.group.order).windows)

    def _add(
        self, windows: Windows, points: DevicePoints, scalars: DeviceArray, shape: Shape, begin: int, end: int
    ) -> None:
        """Add what points begin .. end give, in halves where the device cannot hold what they take."""
        try:
            self._add_chunk(windows, points, scalars, shape, begin, end)
            return
        except OutOfMemory:
            if end - begin <= LEAST_CHUNK:
                raise
        middle = (begin + end) // 2
        for half in ((begin, middle), (middle, end)):
            self._add(windows, points, scalars, shape, *half)

    def _resident(self, points: DevicePoints, begin: int, end: int) -> DeviceArray:
        """The points begin .. end, and with tables all multiples from the first of them on."""
        if points.array is not None:
            return points.array.part(begin, len(points.array) if points.shape else end)
        assert points.rows is not None
        return upload(self.driver, self.point, points.rows[begin:end])

    def _add_chunk(
        self, windows: Windows, points: DevicePoints, scalars: DeviceArray, shape: Shape, begin: int, end: int
    ) -> None:
        """Add what the points begin .. end give. Nothing is added yet when it raises OutOfMemory."""
        pieces, buckets = self._fill_buckets(
            self._resident(points, begin, end), scalars.part(begin, end), shape, len(points)
        )
        self._weigh(windows, pieces, buckets, shape)

    def _entries(self, scalars: DeviceArray, shape: Shape, of_table: int) -> tuple[DeviceArray, DeviceArray]:
        """(which point each digit that is not zero adds, where the run of each bucket begins), by bucket.

        Args:
            of_table: how many points make a table
        """
        lists = self._lists
        bucket_step, point_step = (0, of_table) if shape.tables else (shape.set_buckets, 0)
        keys, values = lists.digits(scalars, shape.width, shape.windows, bucket_step, point_step, shape.buckets)
        return lists.sort(keys, values, shape.buckets, dropped=shape.buckets)

    def _fill_buckets(
        self, points: DeviceArray, scalars: DeviceArray, shape: Shape, of_table: int
    ) -> tuple[DeviceArray, DeviceArray]:
        """(first piece of each bucket's run, the pieces' sums), of which the first of a run is that of all."""
        entries, starts = self._entries(scalars, shape, of_table)
        size = piece_size(len(entries), shape.buckets)
        pieces = self._lists.cut(starts, len(entries), size)
        sums = allocate(self.driver, self.sum, pieces.bound)
        self._program.launch(
            "add_pieces",
            Grid.over(pieces.bound),
            pieces=pieces.bound,
            longest_first=self._lists.longest_first(pieces, size),
            begin=pieces.begin,
            end=pieces.end,
            entries=entries,
            points=points,
            sums=sums,
        )
        self.join_runs(pieces.first, sums)
        return pieces.first, sums

    def join_runs(self, starts: DeviceArray, parts: DeviceArray) -> None:
        """Sum the parts starts[r] .. starts[r + 1] of each run into the first of them."""
        runs = len(starts) - 1
        grid = Grid(max(-(-runs // BLOCK), min(runs, JOINING_BLOCKS)), BLOCK, BLOCK * U32.nbytes)
        self._program.launch("join_runs", grid, runs=runs, starts=starts, parts=parts)

    def _weigh(self, windows: Windows, first_piece: DeviceArray, buckets: DeviceArray, shape: Shape) -> None:
        """Add the sum of (1 + place) * bucket over each window's buckets."""
        weighing = Weighing.of(shape)
        blocks, threads = shape.sets * weighing.blocks, shape.sets * ROWS * weighing.threads_of_blocks
        room = [self._sums(blocks * weighing.threads) for _ in range(3)]
        of_blocks = {"sums": self._sums(blocks), "weighted": self._sums(blocks)}
        room_of_blocks = {name: self._sums(threads) for name in ("running", "other", "totals")}
        spare = self._sums(shape.sets)
        self._program.launch(
            "weigh_buckets",
            Grid(blocks, weighing.threads),
            bits=weighing.bits,
            first_piece=first_piece,
            buckets=buckets,
            **dict(zip(("running", "other", "weighted"), room, strict=True)),
            sums_of_blocks=of_blocks["sums"],
            weighted_of_blocks=of_blocks["weighted"],
        )
        self._program.launch(
            "weigh_blocks",
            Grid(shape.sets, weighing.threads_of_blocks, rows=ROWS),
            bits=weighing.bits_of_blocks,
            unit_bits=weighing.unit_bits,
            fresh=windows.take_fresh(),
            **of_blocks,
            **room_of_blocks,
            spare=spare,
            windows=windows.sums,
        )

    def _join(self, windows: DeviceArray, shape: Shape) -> DeviceArray:
        """The sum of all windows: one thread's work, so it is done once."""
        out = self._sums(1)
        sizes = {"rows": ROWS, "windows": shape.windows, "width": shape.width}
        self._program.launch("join_windows", Grid(1, 32), **sizes, sums=windows, out=out)
        return out

    def _sums(self, n: int) -> DeviceArray:
        return allocate(self.driver, self.sum, n)

    def spread(self, starts: DeviceArray, parts: DeviceArray) -> DeviceArray:
        """The first part of each run, infinity for runs without one."""
        runs = len(starts) - 1
        out = self._sums(runs)
        self._program.launch("spread_runs", Grid.over(runs), runs=runs, first_piece=starts, sums=parts, out=out)
        return out

    def to_points(self, sums: DeviceArray) -> list[Point]:
        """The points of a few sums, on the host."""
        return [sum_jacobians(self.group, [point]) for point in self._read(sums)]

    def _read(self, sums: DeviceArray) -> list[Jacobian]:
        words = sums.read(np.uint64).reshape(-1, self.group.base_field.limbs)
        flat = self.group.base_field.from_montgomery_limbs(words)
        width = len(flat) // len(sums)
        return [_from_xyzz(self.group, flat[i : i + width]) for i in range(0, len(flat), width)]


def piece_size(entries: int, buckets: int) -> int:
    """Points a thread adds at most, a power of two from 8 to 512.

    Four times the mean length of a run, so that few runs are cut; but no more than a full device needs for all points
    when each thread takes as many: one thread would be busy longer than all others.
    """
    wanted = min(4 * entries // max(buckets, 1), entries // THREADS_AT_ONCE)
    return min(512, max(8, 1 << wanted.bit_length() >> 1))


def _from_xyzz(group: Group, c: list[int]) -> Jacobian:
    """The point of (X, Y, ZZ, ZZZ), where x = X / ZZ and y = Y / ZZZ, without an inversion: its Z is ZZZ = ZZ^(3/2)."""
    f, step = group.field, len(c) // 4
    x, y, zz, zzz = (c[i] if step == 1 else (c[i], c[i + 1]) for i in range(0, len(c), step))
    return f.mul(x, f.square(zz)), f.mul(y, f.square(zzz)), zzz
