"""Plans of a multi-scalar multiplication: window widths, signed digits, and how the work is cut. Pure arithmetic.

A scalar k of order r is first balanced: k or r - k, whichever is smaller, with a sign. Its digits in base 2^c lie
in (-2^(c-1), 2^(c-1)], so a window has 2^(c-1) buckets; a negative digit adds the negated point, which is free.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise, product

from zkgpu.records import dataclass

MAX_WIDTH = 15  # digits are kept as int16
LEAST_TABLE_WIDTH = 5
GROUP = 1 << 14  # references that a task takes together
FAIR = 1.02  # threads that end so close together are not worth another plan


@dataclass(frozen=True)
class Cost:
    """Nanoseconds of one bucket addition, and of one bucket in the reduction of a window.

    Only the ratio matters to a plan.
    """

    addition: float
    bucket: float

    def of(self, additions: int, buckets: int) -> float:
        return self.addition * additions + self.bucket * buckets

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.addition + other.addition, self.bucket + other.bucket)


def balanced_bits(order: int) -> int:
    """Bits that min(k, order - k) has at most, for k below an odd order."""
    return order.bit_length() - 1


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
    return _window_sizes(_at_least(histogram), width)


def _at_least(histogram: Sequence[int]) -> list[int]:
    """For each b up to the longest, the number of scalars of at least max(1, b) bits."""
    counts = list(accumulate(reversed(histogram[1:])))[::-1]
    longest = next((b for b in range(len(counts), 0, -1) if counts[b - 1]), 0)
    return counts[:1] + counts[:longest]


def _window_sizes(at_least: Sequence[int], width: int) -> list[int]:
    return [at_least[width * w] for w in range(windows_of(len(at_least) - 1, width))]


def bucket_width(histogram: Sequence[int], cost: Cost, least: int) -> int:
    """The window width of least cost for scalars of these lengths; `least` is the smallest allowed."""
    return _cheapest(_by_width(histogram, cost), least, MAX_WIDTH)


def sum_cost(histogram: Sequence[int], cost: Cost, least: int) -> float:
    """Nanoseconds of a sum over scalars of these lengths, at the best width."""
    return min(map(_by_width(histogram, cost), range(least, MAX_WIDTH + 1)))


def _by_width(histogram: Sequence[int], cost: Cost) -> Callable[[int], float]:
    """What a sum costs with windows of a width."""
    at_least = _at_least(histogram)

    def total(width: int) -> float:
        sizes = _window_sizes(at_least, width)
        return cost.of(sum(sizes), len(sizes) << (width - 1))

    return total


def table_shape(n: int, cost: Cost, copies: int, bits: int) -> tuple[int, int]:
    """(width, stride) of windows for n points with at most `copies` multiples of each: see points.Table.

    Args:
        bits: of the longest magnitude, here and below
    """

    def stride(width: int) -> int:
        return -(-windows_of(bits, width) // copies)

    def total(width: int) -> float:
        return cost.of(n * windows_of(bits, width), stride(width) << (width - 1))

    width = _cheapest(total, LEAST_TABLE_WIDTH, MAX_WIDTH)
    return width, stride(width)


def comb_width(n: int, bits: int) -> int:
    """Window width of a table of multiples of one base that serves n scalars.

    The table costs 2^(width-1) additions a window, every scalar one addition a window.
    """
    return _cheapest(lambda c: windows_of(bits, c) * (n + 2 ** (c - 1)), 2, 12)


def sparse_width(columns: int, entries: int, bits: int) -> int:
    """Window width for sums of `entries` products over `columns` points, each with its own table of multiples."""
    return _cheapest(lambda c: columns * 2 ** (c - 1) + entries * windows_of(bits, c), 2, 6)


def _cheapest(cost: Callable[[int], float], least: int, most: int) -> int:
    return min(range(least, most + 1), key=cost)


@dataclass(frozen=True)
class WindowRange:
    """Scalars begin .. end of one window."""

    window: int
    begin: int
    end: int


@dataclass(frozen=True)
class BucketSet:
    """Ranges of scalars whose digits fall into the same buckets; their sum counts 2^(width * weight) times."""

    weight: int
    ranges: tuple[WindowRange, ...]

    @property
    def size(self) -> int:
        return sum(r.end - r.begin for r in self.ranges)


def bucket_sets(sizes: Sequence[int], stride: int) -> list[BucketSet]:
    """The windows by the buckets they use: windows `stride` apart share them, as a table of multiples allows."""
    reached = [w for w, size in enumerate(sizes) if size]
    return [
        BucketSet(weight, tuple(WindowRange(w, 0, sizes[w]) for w in reached[weight::stride]))
        for weight in range(min(stride, len(reached)))
    ]


@dataclass(frozen=True)
class Task:
    """Bucket sets of sums that share their digits, for one thread at one go.

    Attributes:
        digits: which digits, by their number
        size: digits in them
        cost: nanoseconds, roughly
    """

    digits: int
    sets: tuple[BucketSet, ...]
    size: int
    cost: float


@dataclass(frozen=True)
class SharedDigits:
    """What a plan depends on, of sums that share their digits.

    Attributes:
        cost: of all of them together
        buckets: in a set
    """

    sets: Sequence[BucketSet]
    cost: Cost
    buckets: int

    def task(self, number: int, sets: Sequence[BucketSet]) -> Task:
        """A task of these digits, which have that number."""
        size = sum(s.size for s in sets)
        return Task(number, tuple(sets), size, self.cost.of(size, len(sets) * self.buckets))


def share_out(all_shared: Sequence[SharedDigits], threads: int) -> list[Task]:
    """All bucket sets as tasks, the longest first, so that workers that take one at a time end together.

    Small sets go together, which saves calls and inversions. Where threads would wait for the last one, tasks are cut;
    a set that is cut pays for more reductions of its buckets, so the cheapest of some plans is taken.
    """
    tasks = [task for k, shared in enumerate(all_shared) for task in _grouped(k, shared, threads)]
    best = _by_cost(tasks)
    ends = _makespan(best, threads)
    fair = sum(task.cost for task in tasks) / threads
    for parts, last in product((2, 3, 4), (0, 1, 2)) if threads > 1 else ():
        if ends < FAIR * fair:
            break
        plan = [part for t in tasks for part in _cut(all_shared[t.digits], t, math.ceil(parts * t.cost / fair))]
        plan = _with_last_cut(all_shared, _by_cost(plan), last, threads)
        if (end := _makespan(plan, threads)) < ends:
            best, ends = plan, end
    return best


def _by_cost(tasks: list[Task]) -> list[Task]:
    return sorted(tasks, key=lambda task: -task.cost)


def _grouped(number: int, shared: SharedDigits, threads: int) -> list[Task]:
    """Neighbors together up to GROUP references, and at least two tasks a thread."""
    limit = min(GROUP, sum(s.size for s in shared.sets) // (2 * threads) if threads > 1 else GROUP)
    groups: list[list[BucketSet]] = []
    taken = 0
    for s in shared.sets:
        if not groups or taken + s.size > limit:
            groups.append([])
            taken = 0
        groups[-1].append(s)
        taken += s.size
    return [shared.task(number, group) for group in groups]


def _with_last_cut(all_shared: Sequence[SharedDigits], tasks: list[Task], cuts: int, parts: int) -> list[Task]:
    """The last `cuts` tasks, which are the shortest, in `parts` each."""
    at = max(len(tasks) - cuts, 0)
    return _by_cost([*tasks[:at], *(part for t in tasks[at:] for part in _cut(all_shared[t.digits], t, parts))])


def _cut(shared: SharedDigits, task: Task, parts: int) -> list[Task]:
    """The task in at most that many tasks: sets apart where there are enough, else parts of every set."""
    if parts <= 1:
        return [task]
    if len(task.sets) >= parts:
        cuts = [len(task.sets) * k // parts for k in range(parts + 1)]
        return [shared.task(task.digits, task.sets[a:b]) for a, b in pairwise(cuts)]
    shares = zip(*(_cut_set(s, parts) for s in task.sets), strict=True)
    kept = [[s for s in share if s.ranges] for share in shares]
    return [shared.task(task.digits, share) for share in kept if share]


def _cut_set(s: BucketSet, parts: int) -> list[BucketSet]:
    cuts = [s.size * k // parts for k in range(parts + 1)]
    return [BucketSet(s.weight, tuple(_between(s.ranges, a, b))) for a, b in pairwise(cuts)]


def _between(ranges: Sequence[WindowRange], begin: int, end: int) -> Iterator[WindowRange]:
    """Scalars begin .. end of the ranges, counted through."""
    at = 0
    for r in ranges:
        first, last = max(begin - at, 0), min(end - at, r.end - r.begin)
        if first < last:
            yield WindowRange(r.window, r.begin + first, r.begin + last)
        at += r.end - r.begin


def _makespan(tasks: Sequence[Task], threads: int) -> float:
    """When the last worker ends."""
    loads = [0.0] * threads
    for task in tasks:
        heapq.heapreplace(loads, loads[0] + task.cost)
    return max(loads)
