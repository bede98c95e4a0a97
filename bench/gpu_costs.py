"""What a launch needs of a chip, by its kernel's formula and arguments: multiplier slots, bytes, products in a row.

Slots are those of tests/gate: a wide multiply-add takes two. Bytes are read or written once by each thread that needs
them, caches left out. Numbers that are only on the device are expected ones, for digits that fill all buckets alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from counting import Launch

PRODUCT, SQUARE, MERGED = 264, 208, 392  # slots of 8 words; tests/gate holds the compiler to them
REDUCTION = 136  # a product by a constant that is 1
WORD, SCALAR = 4, 32  # bytes
WARP = 32
FEW_PARTS = 16  # of a run, which one thread adds; more are added by a block


@dataclass(frozen=True)
class Work:
    """Slots of the integer multiplier, bytes of memory traffic, and slots one after another in one thread."""

    slots: float
    nbytes: float
    depth: float = 0.0


@dataclass(frozen=True)
class Group:
    """Slots of the operations of a group's coordinates, and the bytes of a coordinate.

    Attributes:
        difference: of two products, which share their reductions
    """

    product: int
    square: int
    difference: int
    coordinate: int

    @property
    def add_affine(self) -> int:
        return 6 * self.product + self.difference + 2 * self.square

    @property
    def add(self) -> int:
        return 10 * self.product + self.difference + 2 * self.square

    @property
    def twice(self) -> int:
        return 4 * self.product + self.difference + 3 * self.square

    @property
    def point(self) -> int:
        return 2 * self.coordinate

    @property
    def sum(self) -> int:
        return 4 * self.coordinate


WIDE = PRODUCT - REDUCTION  # a product without its reduction
G1 = Group(PRODUCT, SQUARE, MERGED, 32)
G2 = Group(3 * WIDE + 2 * REDUCTION, 2 * PRODUCT, 6 * WIDE + 2 * REDUCTION, 64)


def group_of(launch: Launch) -> Group:
    return G2 if "_2_" in launch.source.name else G1


def element(launch: Launch) -> Work:
    """A product for each of n scalars."""
    n = launch.numbers["n"]
    return Work(PRODUCT * n, 2 * SCALAR * n, PRODUCT)


def back_to_numbers(launch: Launch) -> Work:
    n = launch.numbers["n"]
    return Work(REDUCTION * n, 2 * SCALAR * n, REDUCTION)


def pointwise(launch: Launch) -> Work:
    """Products and squares as the traced text names them."""
    body = launch.source.text.split(" pointwise(")[1]
    slots = PRODUCT * len(re.findall(r"\bmul\(", body)) + SQUARE * len(re.findall(r"\bsquare\(", body))
    n, vectors = launch.numbers["n"], len(launch.nbytes) - 1
    return Work(slots * n, SCALAR * vectors * n, slots)


def matrix(launch: Launch) -> Work:
    entries, rows = launch.nbytes["column"] / WORD, launch.numbers["rows"]
    slots = MERGED * entries / 2
    return Work(slots, entries * (2 * WORD + 2 * SCALAR) + rows * (SCALAR + 8), slots / max(rows, 1))


def transform(launch: Launch) -> Work:
    """Stages of a tile by radix 8.

    A warp with idle lanes takes the slots of a whole one. Of the roots, those are read that the pass' stages use.
    """
    rows, columns, block = (launch.numbers[name] for name in ("log_rows", "log_columns", "log_block"))
    size, slots, left = 1 << launch.numbers["log_size"], 0.0, rows
    while left:
        stages = min(3, left)
        groups = 1 << (rows + columns - stages)
        lanes = -(-groups // WARP) * WARP / groups
        slots += stages / 2 * PRODUCT * lanes
        left -= stages
    per_thread = (1 << (rows + columns)) / launch.threads
    roots = min(launch.nbytes["roots"], SCALAR * (size >> block << rows))
    return Work(slots * size * launch.rows, 2 * SCALAR * size * launch.rows + roots, slots * per_thread)


def digits(launch: Launch) -> Work:
    n, windows = launch.numbers["n"], launch.numbers["windows"]
    return Work(REDUCTION * n, n * (SCALAR + 2 * WORD * windows))


def words(name: str, each: float) -> Callable[[Launch], Work]:
    """A kernel that moves `each` words for every one of an argument's count, and multiplies nothing."""
    return lambda launch: Work(0, WORD * each * launch.numbers[name])


def keys(each: float) -> Callable[[Launch], Work]:
    """The same for the entries of the array of keys."""
    return lambda launch: Work(0, each * launch.nbytes["keys"])


def moved(launch: Launch) -> Work:
    """Keys and values of a later level of sorting; the last level writes no keys."""
    return keys(4 if launch.numbers["low"] else 3)(launch)


def pieces(launch: Launch) -> Work:
    """Additions of affine points to sums: one an entry of the list."""
    g, n = group_of(launch), launch.numbers["pieces"]
    terms = launch.nbytes["entries"] / WORD
    nbytes = terms * (g.point + WORD) + n * (3 * WORD + g.sum)
    return Work(terms * g.add_affine, nbytes, terms / n * g.add_affine)


def runs(launch: Launch) -> Work:
    """Additions of the parts beyond the first of each run, where each run is cut into as many as its neighbors."""
    g, n = group_of(launch), launch.numbers["runs"]
    added = max(0.0, launch.nbytes["parts"] / g.sum - n)
    each = added / n
    turns = each if each <= FEW_PARTS else each // launch.threads + launch.threads.bit_length()
    return Work(added * g.add, n * WORD + 3 * added * g.sum, turns * g.add)


def weigh(launch: Launch) -> Work:
    """Two additions a bucket, then a scan over the threads of a block and a tree; sums are in memory."""
    g, each = group_of(launch), 2 << launch.numbers["bits"]
    levels = launch.threads.bit_length() - 1
    slots = launch.all_threads * (each + levels + 1) * g.add
    nbytes = launch.all_threads * ((each // 2) * (g.sum + WORD) + 3 * g.sum * (each + levels))
    return Work(slots, nbytes, (each + 2 * levels) * g.add + launch.numbers["bits"] * g.twice)


def weigh_blocks(launch: Launch) -> Work:
    """The same over sums of blocks, then doublings by one thread."""
    g, work = group_of(launch), weigh(launch)
    doublings = launch.numbers["unit_bits"] * g.twice
    return Work(work.slots + launch.blocks * doublings, work.nbytes, work.depth + doublings)


def join(launch: Launch) -> Work:
    g, windows, width = group_of(launch), launch.numbers["windows"], launch.numbers["width"]
    each = windows * (width * g.twice + launch.numbers["rows"] * g.add)
    return Work(each, windows * g.sum, each)


def spread(launch: Launch) -> Work:
    return Work(0, launch.numbers["runs"] * (WORD + 2 * group_of(launch).sum))


FORMULAS: dict[str, Callable[[Launch], Work]] = {
    "numbers_to_scalars": element,
    "scalars_to_numbers": back_to_numbers,
    "pointwise": pointwise,
    "matrix_times_vector": matrix,
    "transform_pass": transform,
    "restore_pass": transform,
    "split_digits": digits,
    "scan_tiles": words("n", 3),
    "add_tiles": words("n", 2),
    "clear_words": words("n", 1),
    "count_pieces": words("runs", 3),
    "starts_of_bins": words("bins", 2),
    "cut_pieces": words("pieces", 7),
    "count_bins": keys(1),
    "move_to_bins": keys(4),
    "count_keys": keys(1),
    "move_to_keys": moved,
    "add_pieces": pieces,
    "join_runs": runs,
    "weigh_buckets": weigh,
    "weigh_blocks": weigh_blocks,
    "join_windows": join,
    "spread_runs": spread,
}


def work_of(launch: Launch) -> tuple[Work, bool]:
    """(what a launch needs, whether its kernel's formula says so); without one, each array is moved once."""
    try:
        return FORMULAS[launch.kernel](launch), True
    except KeyError:  # of the kernel, or of a parameter that it no longer has
        return Work(0, sum(launch.nbytes.values())), False
