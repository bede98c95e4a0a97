"""Plans of a multi-scalar multiplication: window widths, signed digits, and how the work is cut. Pure arithmetic.

A scalar k of order r is first balanced: k or r - k, whichever is smaller, with a sign. Its digits in base 2^c lie
in (-2^(c-1), 2^(c-1)], so a window has 2^(c-1) buckets; a negative digit adds the negated point, which is free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

MAX_WIDTH = 15  # digits are kept as int16
BALANCED_BITS = 253  # of min(k, r - k) for an order r below 2^254
BIAS_WORDS = 5


@dataclass(frozen=True)
class Cost:
    """Nanoseconds of one bucket addition, and of one bucket in the reduction of a window.

    Only the ratio matters to a plan.
    """

    addition: float
    bucket: float


def windows_of(bits: int, width: int) -> int:
    """Number of signed digits of base 2^width that hold every magnitude below 2^bits."""
    return -(-(bits + 1) // width) if bits else 0


def bias(width: int, windows: int) -> int:
    """sum of (2^(width-1) - 1) 2^(width * w): what turns signed digits into plain ones.

    The digit of k in window w is ((k + bias) >> (width * w)) mod 2^width - (2^(width-1) - 1): no carry chain.
    """
    return sum(((1 << (width - 1)) - 1) << (width * w) for w in range(windows))


def signed_digits(k: int, width: int) -> list[int]:
    """The digits of k >= 0, the lowest first: k is the sum of digit[w] * 2^(width * w)."""
    windows = windows_of(k.bit_length(), width)
    plain, middle = k + bias(width, windows), (1 << (width - 1)) - 1
    return [((plain >> (width * w)) & ((1 << width) - 1)) - middle for w in range(windows)]


def window_sizes(histogram: Sequence[int], width: int) -> list[int]:
    """For each window, the number of scalars long enough to reach it.

    histogram[b] is the number of scalars whose magnitude has exactly b bits.
    """
    longest = max((b for b, count in enumerate(histogram) if count), default=0)
    return [sum(histogram[max(1, width * w) :]) for w in range(windows_of(longest, width))]


def bucket_width(histogram: Sequence[int], cost: Cost, least: int) -> int:
    """The window width of least cost for scalars of these lengths; `least` is the smallest allowed."""

    def total(width: int) -> float:
        sizes = window_sizes(histogram, width)
        return cost.addition * sum(sizes) + cost.bucket * len(sizes) * 2 ** (width - 1)

    return _cheapest(total, least, MAX_WIDTH)


def comb_width(n: int) -> int:
    """Window width of a table of multiples of one base that serves n scalars.

    The table costs 2^(width-1) additions a window, every scalar one addition a window.
    """
    return _cheapest(lambda c: windows_of(BALANCED_BITS, c) * (n + 2 ** (c - 1)), 2, 12)


def sparse_width(columns: int, entries: int) -> int:
    """Window width for sums of `entries` products over `columns` points, each with its own table of multiples."""
    return _cheapest(lambda c: columns * 2 ** (c - 1) + entries * windows_of(BALANCED_BITS, c), 2, 6)


def _cheapest(cost: Callable[[int], float], least: int, most: int) -> int:
    return min(range(least, most + 1), key=cost)


@dataclass(frozen=True)
class Slice:
    """Scalars begin .. end of one window: the unit of work that has its own buckets."""

    window: int
    begin: int
    end: int


def slices(sizes: Sequence[int], buckets: int, threads: int) -> list[Slice]:
    """The windows, largest first, cut so that `threads` workers taking one at a time end together.

    A window is cut only when it is a large share of the work or would be left over in the last round: every
    slice pays for its own bucket reduction.
    """
    order = sorted((w for w, size in enumerate(sizes) if size), key=lambda w: -sizes[w])
    work = sum(sizes[w] + buckets for w in order)
    left_over = set(order[len(order) - len(order) % threads :])
    out: list[Slice] = []
    for w in order:
        large = 2 * threads * (sizes[w] + buckets) > work
        parts = threads if (large or w in left_over) and sizes[w] >= buckets else 1
        out += _cut(w, sizes[w], parts)
    return sorted(out, key=lambda s: s.begin - s.end)


def _cut(window: int, size: int, parts: int) -> list[Slice]:
    cuts = [size * k // parts for k in range(parts + 1)]
    return [Slice(window, begin, end) for begin, end in pairwise(cuts) if begin < end]
