"""Multi-scalar multiplications of any length in bounded memory: by pieces of the vectors, and one vector after another.

Scalars become canonical limbs, and these digits, for one piece at a time; points may lie in a mapped file, of which
the pages of the next piece are asked for while one is summed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkgpu.curves.points import Point
from zkgpu.fields.cpu import BorrowedVector, CpuField, CpuVector
from zkgpu.jit.memory import will_need
from zkgpu.msm.cpu import msm_many, places_of_shared_digits
from zkgpu.msm.points import CpuPoints

PIECE = 1 << 20  # scalars: a multiple of all lanes, with enough additions that reducing the buckets does not count
TOGETHER = 1 << 18  # scalars of sums that are shared out together, so that no thread waits

Pair = tuple[CpuPoints, CpuVector]


def sums_by_pieces(cpu: CpuField, pairs: Sequence[Pair], threads: int | None = None) -> list[Point]:
    """The sum of scalars[i] * points[i] for each pair of points and scalars. Raises as `msm.cpu.msm_many`."""
    sums = [points.group.infinity for points, _ in pairs]
    for places in _in_turn(pairs):
        of_these = [pairs[place] for place in places]
        for begin, end in _pieces(of_these):
            _ask_for(of_these, end)
            found = msm_many(_with_limbs(cpu, of_these, begin, end), threads)
            for place, point in zip(places, found, strict=True):
                sums[place] = sums[place] + point
    return sums


def _in_turn(pairs: Sequence[Pair]) -> list[list[int]]:
    """Which sums are made at the same time: short ones all; long ones where they share their digits."""
    if max((len(scalars) for _, scalars in pairs), default=0) <= TOGETHER:
        return [list(range(len(pairs)))] if pairs else []
    return places_of_shared_digits(pairs)


def _pieces(pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """Ranges of the scalars; all at once where points have tables, which are for short sums."""
    most = max(len(scalars) for _, scalars in pairs)
    step = most if any(points.table for points, _ in pairs) or _are_uneven(pairs) else PIECE
    return [(begin, min(begin + step, most)) for begin in range(0, most, max(step, 1))]


def _are_uneven(pairs: Sequence[Pair]) -> bool:
    return len({len(scalars) for _, scalars in pairs}) > 1


def _with_limbs(cpu: CpuField, pairs: Sequence[Pair], begin: int, end: int) -> list[tuple[CpuPoints, np.ndarray]]:
    """The pieces of the pairs; the same array for the same vector."""
    whole = begin == 0 and all(len(scalars) <= end for _, scalars in pairs)
    vectors = {id(scalars): scalars if whole else scalars.part(begin, end) for _, scalars in pairs}
    limbs = {
        key: vector.source if isinstance(vector, BorrowedVector) else cpu.limbs(vector)
        for key, vector in vectors.items()
    }
    return [(points if whole else points.part(begin, end), limbs[id(scalars)]) for points, scalars in pairs]


def _ask_for(pairs: Sequence[Pair], begin: int) -> None:
    """Asks the system for the points of the piece that begins there."""
    for points, scalars in pairs:
        if begin < len(scalars) and points.table is None:
            will_need(points.part(begin, min(begin + PIECE, len(scalars))).rows)
