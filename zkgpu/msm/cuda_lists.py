"""Work lists of a multi-scalar multiplication on a GPU: prefix sums, a counting sort, and pieces of long runs."""

from __future__ import annotations

from dataclasses import dataclass

from zkgpu.gpu.elements import scalar_source
from zkgpu.gpu.program import U32, DeviceArray, Grid, Programs, allocate

SCAN_SHARED = 4 * 33  # what block_scan asks for
SCAN_WIDTH = 4  # values a thread
SORT_TILE = 8192
LOW_BITS = 12  # the second level counts 2^12 keys in 16 KiB of shared memory
NOTHING = 0xFFFFFFFF  # a key that none has
BINS_BITS = 11  # and the first level at most 2^11 bins in 8 KiB
LOG_BLOCKS = 11  # the second level's tiles grow until there are no more than 2^11 of them
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
        n = len(values)
        grid = Grid.over(-(-n // SCAN_WIDTH), 256)
        tile = grid.threads * SCAN_WIDTH
        totals = self._words(grid.blocks)
        shared = Grid(grid.blocks, grid.threads, SCAN_SHARED)
        self._program.launch("scan_tiles", shared, n=n, width=SCAN_WIDTH, values=values, totals=totals)
        if grid.blocks > 1:
            self.exclusive_sums(totals)
            self._program.launch("add_tiles", Grid.over(n, 256), n=n, tile=tile, before=totals, values=values)

    def sort(
        self, keys: DeviceArray, values: DeviceArray, largest: int, dropped: int = NOTHING
    ) -> tuple[DeviceArray, DeviceArray]:
        """(values ordered by their keys, which are at most `largest`; where each key's run begins).

        Values whose key is `dropped` are left out.
        """
        n, bits = len(keys), max(1, largest.bit_length())
        high = min(BINS_BITS, max(bits - LOW_BITS, min(bits, (n // SORT_TILE).bit_length())))
        low = bits - high
        bins, tiles = (largest >> low) + 1, -(-n // SORT_TILE)
        places = self._words(bins * tiles + 1)
        threads = Grid.over(n, 256).threads
        grid, sizes = (
            Grid(tiles, threads, 4 * bins),
            {"n": n, "tile": SORT_TILE, "low_bits": low, "bins": bins, "dropped": dropped},
        )
        self._program.launch("count_bins", grid, **sizes, keys=keys, counts=places)
        self.exclusive_sums(places)
        in_bins = {"keys": self._words(n), "values": self._words(n)}
        moved = {"keys_out": in_bins["keys"], "values_out": in_bins["values"]}
        self._program.launch("move_to_bins", grid, **sizes, keys=keys, values=values, places=places, **moved)
        return self._sort_bins(in_bins["keys"], in_bins["values"], places, low, bins, largest)

    def _sort_bins(
        self, keys: DeviceArray, values: DeviceArray, places: DeviceArray, low: int, bins: int, largest: int
    ) -> tuple[DeviceArray, DeviceArray]:
        """`sort`, for keys and values that are in bins of 2^low keys; `places` is where the tiles of the bins begin."""
        n = len(keys)
        tile = min(MOST_TILE, max(LEAST_TILE, n >> LOG_BLOCKS))
        grid = Grid(-(-n // tile), Grid.over(n, 256).threads, 4 << low)
        shape = {"tile": tile, "low_bits": low, "bins": bins, "tiles": (len(places) - 1) // bins}
        starts = self._zeros(largest + 1)
        self._program.launch("count_keys", grid, **shape, places=places, keys=keys, counts=starts)
        self.exclusive_sums(starts)
        used, out = self._zeros(largest + 1), self._words(n)
        lists = {"places": places, "keys": keys, "values": values, "starts": starts, "used": used}
        self._program.launch("move_to_keys", grid, **shape, **lists, values_out=out)
        return out, starts

    def pairs(self, starts: DeviceArray, bound: int) -> tuple[DeviceArray, DeviceArray]:
        """(where the pairs of each run begin, where each pair's first element is), for at most `bound` pairs."""
        runs = len(starts) - 1
        first, lefts = self._pieces_before(starts, 2), self._words(bound)
        lists = {"starts": starts, "first_pair": first, "lefts": lefts}
        self._program.launch("name_pairs", Grid.over(bound), runs=runs, pairs=bound, **lists)
        return first, lefts

    def _pieces_before(self, starts: DeviceArray, size: int) -> DeviceArray:
        """How many pieces of `size` the runs before each one have; one more number is that of all."""
        runs = len(starts) - 1
        first = self._words(runs + 1)
        self._program.launch("count_pieces", Grid.over(runs + 1), runs=runs, size=size, starts=starts, counts=first)
        self.exclusive_sums(first)
        return first

    def cut(self, starts: DeviceArray, entries: int, size: int) -> Pieces:
        """Pieces of the runs starts[r] .. starts[r + 1], which hold at most `entries` entries together."""
        runs = len(starts) - 1
        bound = runs + entries // size
        first = self._pieces_before(starts, size)
        begin, end, missing, names = (self._words(bound) for _ in range(4))
        pieces = Pieces(first, begin, end, missing, names, bound)
        self._program.launch(
            "cut_pieces",
            Grid.over(bound),
            runs=runs,
            size=size,
            pieces=bound,
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
        return self.sort(pieces.missing, pieces.names, size)[0]

    def _zeros(self, n: int) -> DeviceArray:
        out = self._words(n)
        self._program.launch("clear_words", Grid.over(n, 256), n=n, words=out)
        return out

    def _words(self, n: int) -> DeviceArray:
        return allocate(self.driver, U32, n)
