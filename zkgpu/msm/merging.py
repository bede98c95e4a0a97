"""Sums over vectors in which long scalars occur many times: the points of one scalar are added first.

    sum over i of k_i P_i = sum over the distinct values v of v (sum of the P_i with k_i = v)

An addition a point, then a sum over the distinct values, in place of an addition a window of each point. The inverses
of a lookup argument (`circuits.gadgets.lookup`) are as many as the values looked up, and take few values.

Whether it pays is told from a sample, then from the count. Variable time, as all sums here are: what is seen of it is
how often scalars are equal, which the buckets of their digits show as well.
"""

from __future__ import annotations

import math
from dataclasses import field, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.jit.kernel import kernel
from zkgpu.msm.plan import Cost, sum_cost
from zkgpu.msm.points import CpuPoints
from zkgpu.msm.scalars import Balanced, histogram_of
from zkgpu.msm.scratch import parallel_with_scratch
from zkgpu.msm.segments import Workspace, add_segments, workspace
from zkgpu.records import dataclass

FEWEST = 1 << 9  # long scalars that are worth a look
LONG = 64  # bits above which a scalar is long: shorter ones take few additions as it is
SAMPLE = 1 << 12  # scalars that a first guess is made from
STEPS = 8  # of a search for a value, on average, after which values are taken for chosen to make it slow
NUMBER = 60.0  # nanoseconds to find out which value a scalar has, and to sort it
TASK = 1 << 13  # points that a thread adds at one go, at least

_MIX = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd: Knuth, The Art of Computer Programming, 6.4


@dataclass(frozen=True)
class Equal:
    """The long ones of selected scalars, by value.

    Attributes:
        members: (k,) int32: which of the selected scalars, those of one value together
        start: (d + 1,) int64: members[start[v]:start[v + 1]] have value v
        values: the d distinct ones
    """

    members: NDArray[np.int32] = field(repr=False)
    start: NDArray[np.int64] = field(repr=False)
    values: Balanced

    def others(self, scalars: Balanced) -> Balanced:
        """The selected scalars with 0 in place of the members."""
        lengths = scalars.lengths.copy()
        lengths[self.members] = 0
        return replace(scalars, lengths=lengths, histogram=histogram_of(lengths))

    def merged(self, points: CpuPoints, threads: int) -> CpuPoints:
        """For each value the sum of its points, of the array whose rows the selected scalars belong to."""
        shape, count = points.shape, len(self.start) - 1
        out = shape.zero_rows(count)
        cuts = self._cuts(threads)
        segments = max(b - a for a, b in cuts)

        def add(a: int, b: int, space: Workspace) -> None:
            references = 2 * self.members[self.start[a] : self.start[b]]
            add_segments(shape, points.rows, references, self.start[a : b + 1] - self.start[a], out[a:b], space)

        parallel_with_scratch(
            [partial(add, a, b) for a, b in cuts], partial(workspace, shape, len(self.members), segments), threads
        )
        return CpuPoints(points.group, points.isa, count, out, None)

    def _cuts(self, threads: int) -> list[tuple[int, int]]:
        """Ranges of values that have about as many members each, a few for each thread."""
        parts = max(1, min(4 * threads, len(self.members) // TASK))
        ends = np.searchsorted(self.start, [len(self.members) * k // parts for k in range(1, parts)]).tolist()
        bounds = sorted({0, *ends, len(self.start) - 1})
        return list(pairwise(bounds))


def equal_scalars(scalars: Balanced, cost: Cost, least: int) -> Equal | None:
    """The long scalars by value, where adding their points first takes less; else None.

    Args:
        cost: of the additions of all the points that are summed with these scalars
        least: the smallest window width allowed
    """
    long = np.flatnonzero(scalars.lengths > LONG).astype(np.int32)
    if len(long) < FEWEST or not _is_worthwhile(scalars, long, cost, least, _guess(scalars, long)):
        return None
    found = _numbered(scalars, long)
    if found is None:
        return None
    firsts, numbers = found
    if not _is_worthwhile(scalars, long, cost, least, len(firsts)):
        return None
    start, members = np.zeros(len(firsts) + 2, np.int64), np.empty(len(long), np.int32)
    sort_by_number()(numbers, long, start, members)
    lengths = scalars.lengths[firsts]
    limbs = np.ascontiguousarray(scalars.limbs[_rows(scalars, firsts)])
    return Equal(members, start[:-1], Balanced(limbs, scalars.order, lengths, histogram_of(lengths)))


def _rows(scalars: Balanced, which: NDArray[np.int32]) -> NDArray[np.int32]:
    """Where these of the selected scalars have their limbs."""
    return which if scalars.rows is None else scalars.rows[which]


def _guess(scalars: Balanced, long: NDArray[np.int32]) -> float:
    """How many values the long scalars have, as a sample tells."""
    sample = long[:: max(1, len(long) // SAMPLE)]
    found = _numbered(scalars, sample)
    return math.inf if found is None else values_of_all(len(found[0]), len(sample), len(long))


def values_of_all(distinct: int, sample: int, count: int) -> float:
    """How many values `count` scalars have, of which a sample has `distinct` ones: each of D values as often.

    A sample of s then has D (1 - (1 - 1 / D)^s) values.
    """
    if distinct >= sample:
        return float(count)

    def expected(values: float, draws: int) -> float:
        return -values * math.expm1(draws * math.log1p(-1 / values))

    low, high = max(float(distinct), 1.5), float(sample) ** 2
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if expected(middle, sample) < distinct else (low, middle)
    return min(float(count), expected(high, count))


def _is_worthwhile(scalars: Balanced, long: NDArray[np.int32], cost: Cost, least: int, values: float) -> bool:
    """Whether adding the points of so many values first takes less than the sum as it is."""
    share = values / len(long)
    if share >= 1:
        return False
    of_long = histogram_of(scalars.lengths[long])
    rest = [n - m for n, m in zip(scalars.histogram, of_long, strict=True)]
    of_values = [math.ceil(n * share) for n in of_long]
    apart = sum_cost(rest, cost, least) + sum_cost(of_values, cost, least) + len(long) * (cost.addition + NUMBER)
    return apart < sum_cost(scalars.histogram, cost, least)


def _numbered(scalars: Balanced, chosen: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
    """(d,) the first scalar of each value among the chosen ones, and (k,) which value each of these has.

    None where the search for values takes long, as it does for values that were chosen to that end.
    """
    rows = np.ascontiguousarray(_rows(scalars, chosen))
    bits = max(4, (2 * len(rows) - 1).bit_length())
    table = np.full(1 << bits, -1, np.int32)
    firsts, numbers, count = np.empty(len(rows), np.int32), np.empty(len(rows), np.int32), np.zeros(1, np.int64)
    number_values(scalars.limbs.shape[1])(scalars.limbs, rows, 64 - bits, STEPS, table, firsts, numbers, count)
    return None if count[0] < 0 else (chosen[firsts[: count[0]]], numbers)


@kernel
def number_values(words: int) -> Any:
    """number(limbs, rows, shift, steps, table, firsts, numbers, count): scalars that are equal get one number.

    rows     (k,) those of limbs that are looked at
    table    2^(64 - shift) of -1, more than k: an open-addressed table of the numbers so far
    firsts   (k,) by number, which of the k has it first
    count    how many numbers there are; -1 once more than `steps` k slots were looked at
    """

    def run(limbs: Any, rows: Any, shift: int, steps: int, table: Any, firsts: Any, numbers: Any, count: Any) -> None:
        last, left, found = len(table) - 1, steps * len(rows), 0
        for i in range(len(rows)):
            row, mixed = rows[i], np.uint64(0)
            for j in range(words):
                mixed = (mixed ^ limbs[row, j]) * _MIX
            slot = np.int64(mixed >> np.uint64(shift))
            while table[slot] >= 0:
                other, same = rows[firsts[table[slot]]], True
                for j in range(words):
                    same &= limbs[row, j] == limbs[other, j]
                if same:
                    break
                slot = (slot + 1) & last
                left -= 1
            if left < 0:
                break
            if table[slot] < 0:
                table[slot] = found
                firsts[found] = i
                found += 1
            numbers[i] = table[slot]
        count[0] = -1 if left < 0 else found

    return run


@kernel
def sort_by_number() -> Any:
    """sort(numbers, items, start, out): the items by their numbers, stably.

    start  (d + 2,) of 0; afterwards items of number v are out[start[v]:start[v + 1]]
    """

    def run(numbers: Any, items: Any, start: Any, out: Any) -> None:
        for number in numbers:
            start[number + 2] += 1
        for v in range(2, len(start)):
            start[v] += start[v - 1]
        for i in range(len(numbers)):
            at = start[numbers[i] + 1]
            out[at] = items[i]
            start[numbers[i] + 1] = at + 1

    return run
