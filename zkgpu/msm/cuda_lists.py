"""Work lists of a multi-scalar multiplication on a GPU: prefix sums, a counting sort, and pieces of long runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate

from zkgpu.curves.points import Curve
from zkgpu.gpu.elements import scalar_source
from zkgpu.gpu.program import U32, DeviceArray, Grid, Programs, allocate
from zkgpu.records import dataclass

SCAN_SHARED = 4 * 33  # what block_scan takes
SCAN_WIDTH = 17  # values a thread: 2^12 in one launch, and odd, see scan_staged
SORT_TILE = 4096  # 32 KiB of keys and values in shared memory, beside two words a bin
BINS_BITS = 11  # the first level has at most 2^11 bins, so that all is within 48 KiB
USUAL_BINS_BITS = 9  # of many keys: a tile then has some 8 for each bin, which are stored side by side
LATER_BITS = 12  # a later level counts 2^12 keys in 16 KiB of shared memory
BATCH = 4  # keys that a thread of the first level takes at a time
LATER_THREADS, HELD = 512, 12  # of a block of a later level, and how many keys each holds, see sort.cu
MOST_SHARED = 48 << 10  # what any device has
# from so many keys of so many bits on: in two levels, a tile would have only a few keys for each of a level's counters
THREE_LEVELS, THREE_LEVELS_BITS = 1 << 24, 21
STAGED_BITS = 16  # of a key that all later levels order together
LAST_BIN = 1 << 13  # of three levels, the last has at least about so many keys in a bin
NOTHING = 0xFFFFFFFF  # a key that none has
LOG_BLOCKS = 11  # tiles that are not staged grow until there are about 2^11 of them
LEAST_TILE, MOST_TILE = 1 << 10, 1 << 16


@dataclass(frozen=True)
class Pieces:
    """Runs cut into pieces of at most `size`: run r has the pieces first[r] .. first[r + 1].

    `bound` is at least the number of pieces; pieces beyond the last are empty.
    """

    first: DeviceArray
    begin: DeviceArray
    end: DeviceArray
    missing: DeviceArray
    names: DeviceArray
    bound: int


@dataclass(frozen=True)
class Bins:
    """Keys and values in order, but for the lowest bits of the keys.

    Attributes:
        begins: where bins begin, the first `count` of every `step`-th word; one more is where the last one ends
        keys: none where no bits are left: a bin then has one key, and its place in `values` says which
    """

    low: int
    count: int
    step: int
    begins: DeviceArray
    keys: DeviceArray
    values: DeviceArray


class WorkLists:
    """The kernels of sort.cu on one device."""

    def __init__(self, programs: Programs, curve: Curve):
        self.driver = programs.driver
        self._program = programs(scalar_source(curve, "sort.cu"))

    def digits(
        self, scalars: DeviceArray, width: int, windows: int, bucket_step: int, point_step: int, none: int
    ) -> tuple[DeviceArray, DeviceArray]:
        """(bucket, point with sign) of every signed digit of every scalar; `none` is the bucket of zeros."""
        n = len(scalars)
        keys, values = self._words(n * windows), self._words(n * windows)
        self._program.launch(
            "split_digits",
            Grid.over(n),
            n=n,
            width=width,
            windows=windows,
            bucket_step=bucket_step,
            point_step=point_step,
            none=none,
            scalars=scalars,
            keys=keys,
            values=values,
        )
        return keys, values

    def exclusive_sums(self, values: DeviceArray) -> None:
        """Replace each value by the sum of those before it."""
        self._scan("scan_tiles", values, n=len(values))

    def _scan(self, kernel: str, values: DeviceArray, **of: DeviceArray | int) -> None:
        """Let `values` be the exclusive sums of what a kernel finds in `of`; it sums tiles."""
        n = len(values)
        grid = Grid.over(-(-n // SCAN_WIDTH), 256)
        tile, totals = grid.threads * SCAN_WIDTH, self._words(grid.blocks)
        staged = replace(grid, shared=SCAN_SHARED + 4 * tile)
        self._program.launch(kernel, staged, **of, width=SCAN_WIDTH, values=values, totals=totals)
        if grid.blocks > 1:
            shared = replace(grid, shared=SCAN_SHARED)
            self._program.launch("add_tiles", shared, n=n, tile=tile, totals=totals, values=values)

    def sort(
        self, keys: DeviceArray, values: DeviceArray, largest: int, dropped: int = NOTHING
    ) -> tuple[DeviceArray, DeviceArray]:
        """(values ordered by their keys, which are at most `largest`; where each key's run begins).

        Values whose key is `dropped` are left out.
        """
        bins = self._all_levels(keys, values, largest, dropped)
        return bins.values, self._starts_of(bins)

    def order(self, keys: DeviceArray, values: DeviceArray, largest: int) -> DeviceArray:
        """The first half of `sort`, without a launch that only the other needs."""
        return self._all_levels(keys, values, largest, NOTHING).values

    def _all_levels(self, keys: DeviceArray, values: DeviceArray, largest: int, dropped: int) -> Bins:
        """Keys in bins of their upper bits, then within those by the next ones."""
        _, *later = levels(len(keys), largest)
        lows = [sum(later[k:]) for k in range(len(later) + 1)]  # what each level leaves to those below
        counts = [(largest >> low) + 1 for low in lows]
        ends = [0, *accumulate(2 * (count + 1) for count in counts[1:])]
        zeros = self._words(ends[-1])
        bins = self._to_bins(keys, values, lows[0], counts[0], dropped, zeros)
        for bits, begin, end in zip(later, ends[:-1], ends[1:], strict=True):
            bins = self._within_bins(bins, bits, zeros.part(begin, end))
        return bins

    def _to_bins(
        self, keys: DeviceArray, values: DeviceArray, low: int, count: int, dropped: int, zeros: DeviceArray
    ) -> Bins:
        """The first level of sorting, which clears `zeros` for the others."""
        n = len(keys)
        tiles = max(1, -(-n // SORT_TILE))
        places = self._words(count * tiles + 1)
        out = Bins(low, count, tiles, places, self._words(n if low else 0), self._words(n))
        grid = Grid(tiles, Grid.over(-(-n // BATCH), 512).threads, 4 * count)
        sizes: dict[str, DeviceArray | int] = {"n": n, "tile": SORT_TILE, "low_bits": low, "bins": count}
        sizes |= {"dropped": dropped, "keys": keys}
        self._program.launch("count_bins", grid, **sizes, counts=places, counters=len(zeros), zeros=zeros)
        self.exclusive_sums(places)
        staged = replace(grid, shared=2 * 4 * (count + SORT_TILE))
        moved = {"keys_out": out.keys, "values_out": out.values}
        self._program.launch("move_to_bins", staged, **sizes, values=values, places=places, **moved)
        return out

    def _within_bins(self, bins: Bins, bits: int, counters: DeviceArray) -> Bins:
        """A later level, by the next bits; `counters` are two zeros for each bin that it makes, and for one more."""
        n, low, count = len(bins.values), bins.low - bits, len(counters) // 2 - 1
        starts, used = counters.part(0, count + 1), counters.part(count + 1, 2 * (count + 1))
        out = Bins(low, count, 1, starts, self._words(n if low else 0), self._words(n))
        shape: dict[str, DeviceArray | int] = {"low": low, "bits": bits, "bins": bins.count, "step": bins.step}
        shape |= {"begins": bins.begins, "keys": bins.keys}
        tile = unstaged_tile(n)
        grid = Grid(-(-n // tile), LATER_THREADS, 4 << bits)
        self._program.launch("count_keys", grid, tile=tile, **shape, counts=starts)
        self.exclusive_sums(starts)
        tile = later_tile(bits)
        staged = Grid(-(-n // tile), LATER_THREADS, shared_by(bits, tile))
        moved = {"keys_out": out.keys, "values_out": out.values}
        self._program.launch(
            "move_to_keys", staged, tile=tile, **shape, values=bins.values, starts=starts, used=used, **moved
        )
        return out

    def _starts_of(self, bins: Bins) -> DeviceArray:
        """Where each bin begins."""
        if bins.step == 1:
            return bins.begins.part(0, bins.count)
        starts, sizes = self._words(bins.count), {"bins": bins.count, "tiles": bins.step}
        grid = Grid.over(bins.count, 256)
        self._program.launch("starts_of_bins", grid, **sizes, places=bins.begins, starts=starts)
        return starts

    def _pieces_before(self, starts: DeviceArray, size: int) -> DeviceArray:
        """How many pieces of `size` the runs before each one have; one more number is that of all."""
        first = self._words(len(starts))
        self._scan("count_pieces", first, runs=len(starts) - 1, size=size, starts=starts)
        return first

    def cut(self, starts: DeviceArray, entries: int, size: int) -> Pieces:
        """Pieces of the runs starts[r] .. starts[r + 1], which hold at most `entries` entries together."""
        runs = len(starts) - 1
        bound = runs + entries // size
        first = self._pieces_before(starts, size)
        begin, end, missing, names = (self._words(bound) for _ in range(4))
        pieces = Pieces(first, begin, end, missing, names, bound)
        grid, tile = _grid_of_pieces(bound)
        self._program.launch(
            "cut_pieces",
            grid,
            runs=runs,
            size=size,
            pieces=bound,
            tile=tile,
            starts=starts,
            first_piece=first,
            begin=pieces.begin,
            end=pieces.end,
            missing=pieces.missing,
            names=pieces.names,
        )
        return pieces

    def longest_first(self, pieces: Pieces, size: int) -> DeviceArray:
        """The pieces, long ones before short ones."""
        return self.order(pieces.missing, pieces.names, size)

    def _words(self, n: int) -> DeviceArray:
        return allocate(self.driver, U32, n)


def levels(n: int, largest: int) -> list[int]:
    """How many bits of a key each level of sorting n of them orders, from the upper ones down."""
    bits = max(1, largest.bit_length())
    if bits <= BINS_BITS:
        return [bits]
    if n >= THREE_LEVELS and bits >= THREE_LEVELS_BITS:
        last = min(LATER_BITS, max(bits // 3, bits - (n // LAST_BIN).bit_length() - 1))
        middle = min(STAGED_BITS - last, (bits - last) // 2)
        return [bits - last - middle, middle, last]
    enough = min(USUAL_BINS_BITS, (n // SORT_TILE).bit_length())
    first = min(BINS_BITS, max(bits - LATER_BITS, enough))
    return [first, bits - first]


def shared_by(bits: int, tile: int) -> int:
    """Bytes of a block that moves a tile by so many bits: counters, staged values, two bytes of each key."""
    return 4 * ((1 << bits) + tile) + 2 * tile


def later_tile(bits: int) -> int:
    """Keys that a block of a later level takes: as many as its threads hold and shared memory has room for."""
    room = (MOST_SHARED - shared_by(bits, 0)) // 6
    return min(LATER_THREADS * HELD, room // 32 * 32)


def unstaged_tile(n: int) -> int:
    """Entries of n that a block takes where its shared memory does not limit them, a power of two."""
    return min(MOST_TILE, max(LEAST_TILE, 1 << (n >> LOG_BLOCKS).bit_length()))


def _grid_of_pieces(n: int) -> tuple[Grid, int]:
    """(blocks over n pieces, with room for what runs_of_tile finds, pieces a block)."""
    tile = unstaged_tile(n)
    return Grid(-(-n // tile), Grid.over(n, 256).threads, 8), tile
