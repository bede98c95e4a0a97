"""The references of a task, sorted into buckets: a counting sort of digits, one bucket set after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.jit.kernel import kernel
from zkgpu.msm.plan import BucketSet
from zkgpu.msm.scalars import Digits


def sort_task(
    cut: Digits,
    sets: Sequence[BucketSet],
    buckets: int,
    row_of_window: Sequence[int],
    start: NDArray[np.int64],
    references: NDArray[np.int32],
) -> None:
    """Digit d of set s lands in segment s * buckets + |d| - 1, which is references[start[segment]:start[segment + 1]].

    Args:
        row_of_window: where the points that a window's digits count begin among the rows
        start: at least len(sets) * buckets + 1
        references: see buckets; at least as many as the sets have digits
    """
    ranges = [(k, row_of_window[r.window], r.window, r.begin, r.end) for k, s in enumerate(sets) for r in s.ranges]
    table = np.array(ranges, np.int64).reshape(-1, 5)
    sort_ranges()(cut.values, cut.index, table, len(sets), buckets, start, references)


@kernel
def sort_ranges() -> Any:
    """sort(digits, index, ranges, sets, buckets, start, references): see sort_task.

    ranges  (k, 5) int64 by rising set: set, first row of the points, window, begin, end
    Zero digits are sorted behind their set, where the next one overwrites them, which costs less than a branch.
    """

    def run(digits: Any, index: Any, ranges: Any, sets: int, buckets: int, start: Any, references: Any) -> None:
        start[0] = last = 0
        for s in range(sets):
            first, at, base = last, start[s * buckets], s * buckets
            while last < len(ranges) and ranges[last, 0] == s:
                last += 1
            ends = start[base : base + buckets + 1]
            ends[:] = 0
            for k in range(first, last):
                for i in range(ranges[k, 3], ranges[k, 4]):
                    ends[abs(digits[ranges[k, 2], i])] += 1
            end = at
            for b in range(1, buckets + 1):
                count = ends[b]
                ends[b] = end
                end += count
            ends[0] = end
            for k in range(first, last):
                row, window = ranges[k, 1], ranges[k, 2]
                for i in range(ranges[k, 3], ranges[k, 4]):
                    digit = digits[window, i]
                    slot = ends[abs(digit)]
                    ends[abs(digit)] = slot + 1
                    references[slot] = 2 * (row + index[i]) + (digit < 0)
            ends[0] = at

    return run
