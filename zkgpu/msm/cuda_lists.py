"""Work lists of a multi-scalar multiplication on a GPU: prefix sums, a counting sort, and pieces of long runs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from zkgpu.gpu.elements import scalar_source
from zkgpu.gpu.program import U32, DeviceArray, Grid, Programs, allocate

SCAN_SHARED = 4 * 33  # what block_scan asks for
SCAN_WIDTH = 17  # values a thread: 2^12 in one launch, and odd, see scan_staged
SORT_TILE = 4096  # 32 KiB of keys and values in shared memory, beside two words a bin
LOW_BITS = 12  # the second level counts 2^12 keys in 16 KiB of shared memory
BINS_BITS = 11  # and the first level at most 2^11 bins, so that all is within 48 KiB
USUAL_BINS_BITS = 9  # of many keys: a tile then has some 8 for each bin, which are stored side by side
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
    """Keys and values in so many bins of 2^low keys.

    places    where in each bin those of each tile begin; one more number is that of all
    keys      none where there are no lower bits: a bin then has one key, and its place in `values` tells which
    counters  two zeros for each key that there can be, for the second level
    """

    low: int
    bins: int
    tiles: int
    places: DeviceArray
    keys: DeviceArray
    values: DeviceArray
    counters: DeviceArray


class WorkLists:
    """The kernels of sort.cu on one device."""

    def __init__(self, programs: Programs, curve: str):
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
        bins = self._to_bins(keys, values, largest, dropped)
        return self._sort_bins(bins) if bins.low else (bins.values, self._starts_of(bins))

    def order(self, keys: DeviceArray, values: DeviceArray, largest: int) -> DeviceArray:
        """The first half of `sort`, without a launch that only the other needs."""
        bins = self._to_bins(keys, values, largest, NOTHING)
        return self._sort_bins(bins)[0] if bins.low else bins.values

    def _to_bins(self, keys: DeviceArray, values: DeviceArray, largest: int, dropped: int) -> Bins:
        """The first level of sorting."""
        n, low = len(keys), low_bits(len(keys), largest)
        bins, tiles = (largest >> low) + 1, max(1, -(-n // SORT_TILE))
        places = self._words(bins * tiles + 1)
        counters = self._words(2 * (largest + 1) if low else 0)
        out = Bins(low, bins, tiles, places, self._words(n if low else 0), self._words(n), counters)
        grid = Grid(tiles, Grid.over(n, 512).threads, 4 * bins)
        sizes: dict[str, DeviceArray | int] = {"n": n, "tile": SORT_TILE, "low_bits": low, "bins": bins}
        sizes |= {"dropped": dropped, "keys": keys}
        self._program.launch("count_bins", grid, **sizes, counts=places, counters=len(counters), zeros=counters)
        self.exclusive_sums(places)
        staged = replace(grid, shared=2 * 4 * (bins + SORT_TILE))
        moved = {"keys_out": out.keys, "values_out": out.values}
        self._program.launch("move_to_bins", staged, **sizes, values=values, places=places, **moved)
        return out

    def _starts_of(self, bins: Bins) -> DeviceArray:
        """Where each bin begins."""
        if bins.tiles == 1:
            return bins.places.part(0, bins.bins)
        starts, sizes = self._words(bins.bins), {"bins": bins.bins, "tiles": bins.tiles}
        grid = Grid.over(bins.bins, 256)
        self._program.launch("starts_of_bins", grid, **sizes, places=bins.places, starts=starts)
        return starts

    def _sort_bins(self, bins: Bins) -> tuple[DeviceArray, DeviceArray]:
        """The second level: what `sort` gives."""
        n, half = len(bins.keys), len(bins.counters) // 2
        tile = unstaged_tile(n)
        grid = Grid(-(-n // tile), Grid.over(n, 256).threads, 4 << bins.low)
        starts, used, out = bins.counters.part(0, half), bins.counters.part(half, 2 * half), self._words(n)
        shape: dict[str, DeviceArray | int] = {"tile": tile, "low_bits": bins.low, "bins": bins.bins}
        shape |= {"tiles": bins.tiles, "places": bins.places, "keys": bins.keys}
        self._program.launch("count_keys", grid, **shape, counts=starts)
        self.exclusive_sums(starts)
        self._program.launch(
            "move_to_keys", grid, **shape, values=bins.values, starts=starts, used=used, values_out=out
        )
        return out, starts

    def pairs(self, starts: DeviceArray, bound: int) -> tuple[DeviceArray, DeviceArray]:
        """(where the pairs of each run begin, where each pair's first element is), for at most `bound` pairs."""
        first, lefts = self._pieces_before(starts, 2), self._words(bound)
        grid, tile = _grid_of_pieces(bound)
        lists = {"starts": starts, "first_pair": first, "lefts": lefts}
        self._program.launch("name_pairs", grid, runs=len(starts) - 1, pairs=bound, tile=tile, **lists)
        return first, lefts

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


def low_bits(n: int, largest: int) -> int:
    """Bits of a key that the first level of sorting n of them leaves to the second: none, of few different keys."""
    bits = max(1, largest.bit_length())
    if bits <= BINS_BITS:
        return 0
    enough = min(USUAL_BINS_BITS, (n // SORT_TILE).bit_length())
    return bits - min(BINS_BITS, max(bits - LOW_BITS, enough))


def unstaged_tile(n: int) -> int:
    """Entries of n that a block takes where its shared memory does not limit them, a power of two."""
    return min(MOST_TILE, max(LEAST_TILE, 1 << (n >> LOG_BLOCKS).bit_length()))


def _grid_of_pieces(n: int) -> tuple[Grid, int]:
    """(blocks over n pieces, with room for what runs_of_tile finds, pieces a block)."""
    tile = unstaged_tile(n)
    return Grid(-(-n // tile), Grid.over(n, 256).threads, 8), tile
