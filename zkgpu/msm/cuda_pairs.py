"""Sums of neighbours in affine form on a GPU: rounds that halve the runs of points before buckets are summed.

An affine addition takes 5 products, 1 square and a share of an inversion; into XYZZ coordinates it takes 8 products and
2 squares. By cuda/inversion.cuh an inversion is worth about 60 products, so a thread that inverts once for 32 additions
spends 7.9 products and squares on each instead of 10, and one that inverts once for 400 spends 6.2. Rounds go on as
long as threads that fill a device get that many.

Memory traffic of a pair in G1, from the loads and stores of add_pairs: on the way up 4 bytes of `lefts`, 8 of entries,
64 of two x, and 32 of a product; on the way down 12 of lists, 128 of two points, 32 of the product, and 64 of the sum.
344 bytes in the first round, and 328 in the others, which have no entries; all lines but those of gathered points are
whole. Keeping points or their x on the chip between the two ways would save 64 to 128 bytes, but an inversion takes
some 70,000 clocks in which an SM does 9,000 pairs: their x alone are 580 KB, and an SM has some 500 KB in all.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkgpu.gpu.elements import coordinate, point
from zkgpu.gpu.program import DeviceArray, Element, Grid, Program, allocate
from zkgpu.msm.cuda_lists import WorkLists

BLOCK = 128  # threads of a block of add_pairs
THREADS = 1 << 16  # about what fills a large GPU, where its driver does not say
LEAST_BATCH = 32  # additions of a thread in G1 below which XYZZ coordinates are as good; products in G2 are dearer


@dataclass(frozen=True)
class Terms:
    """Points to be added, run by run: run r has the places starts[r] .. starts[r + 1] of at most `bound`.

    entries  which point is at a place, with its sign in the top bit; None when point k is at place k
    """

    points: DeviceArray
    entries: DeviceArray | None
    starts: DeviceArray
    bound: int

    @property
    def runs(self) -> int:
        return len(self.starts) - 1

    @property
    def additions(self) -> int:
        """Pairs of one round that are added, at least, where all places are taken."""
        return (self.bound - min(self.bound, self.runs)) // 2

    def arguments(self) -> dict[str, DeviceArray | int]:
        """What kernels call `listed`, and the arrays behind it: without a list, the runs stand in for one."""
        entries = self.starts if self.entries is None else self.entries
        return {"entries": entries, "points": self.points}

    @property
    def listed(self) -> int:
        return int(self.entries is not None)


class AffineRounds:
    """Rounds of pairwise sums in one group. `threads` is how many share the inversions of a round."""

    def __init__(self, program: Program, lists: WorkLists, degree: int, threads: int = 0, batch: int = 0):
        self._program, self._lists, self._point = program, lists, point(degree)
        self._coordinate = coordinate(degree)
        self._threads = threads or threads_that_fill(program, self._point)
        self._batch = batch or max(1, LEAST_BATCH // degree)

    def shortened(self, terms: Terms) -> Terms:
        """Terms with the same sums of runs, after as many rounds as are worth their inversions."""
        while terms.additions >= self._threads * self._batch:
            terms = self.halved(terms)
        return terms

    def halved(self, terms: Terms) -> Terms:
        """Terms with the same sums of runs, after one round."""
        pairs = terms.bound - terms.additions
        first_pair, lefts = self._lists.pairs(terms.starts, pairs)
        products = allocate(self._lists.driver, self._coordinate, pairs)
        sums = allocate(self._lists.driver, self._point, pairs)
        self._program.launch(
            "add_pairs",
            grid_of(self._threads, self._point),
            runs=terms.runs,
            listed=terms.listed,
            first_pair=first_pair,
            lefts=lefts,
            **terms.arguments(),
            products=products,
            sums=sums,
        )
        return Terms(sums, None, first_pair, pairs)


def grid_of(threads: int, point: Element) -> Grid:
    """Blocks with shared memory for the two points that each thread asks for ahead."""
    grid = Grid.over(threads, BLOCK)
    return Grid(grid.blocks, grid.threads, 2 * point.nbytes * grid.threads)


def threads_that_fill(program: Program, point: Element) -> int:
    """Threads of add_pairs that run side by side: more would take a second turn, and each turn pays its inversions."""
    return program.threads_at_once("add_pairs", BLOCK, grid_of(BLOCK, point).shared) or THREADS
