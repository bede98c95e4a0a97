"""Tables of small multiples: P, 2P, .. for many points at once, by additions in batches."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Limbs
from zkgpu.jit.threads import ranges
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.scratch import parallel_with_scratch
from zkgpu.msm.segments import Workspace, add_segments, workspace
from zkgpu.records import dataclass

GRAIN = 1 << 12  # additions a task


@dataclass(frozen=True)
class Multiples:
    """n points, and the multiples 2 .. most of some of them.

    Attributes:
        rows: (n + (most - 1) * len(columns), row_words) as by KernelGroup: first the points
        columns: which points have multiples; d * point columns[j] is row n + (d - 2) * len(columns) + j for d > 1
        position: (n,) int64, the j of each point, -1 for the others
    """

    rows: Limbs
    columns: NDArray[np.int64]
    position: NDArray[np.int64]

    @property
    def n(self) -> int:
        return len(self.position)


def multiples(shape: KernelGroup, points: Limbs, columns: NDArray[np.int64], most: int, threads: int) -> Multiples:
    """The table for rows in the instruction set's form; `most` is a power of two."""
    n, width = len(points), len(columns)
    rows = shape.empty_rows(n + (most - 1) * width)
    rows[:n] = points
    position = np.full(n, -1, np.int64)
    position[columns] = np.arange(width)
    table = Multiples(rows, columns, position)
    known = 1
    while known < most and width:
        _extend(shape, table, known, threads)
        known *= 2
    return table


def _extend(shape: KernelGroup, table: Multiples, known: int, threads: int) -> None:
    """From P .. known * P the multiples known + d, d = 1 .. known: each is one addition to known * P."""
    width = len(table.columns)
    first = table.n + (known - 1) * width

    def task(begin: int, end: int, space: Workspace) -> None:
        addition = np.arange(begin, end)
        column, small = addition % width, addition // width + 1
        terms = np.stack([_row(table, column, known), _row(table, column, small)], axis=1)
        references, start = (2 * terms).astype(np.int32).reshape(-1), np.arange(0, 2 * (end - begin) + 1, 2)
        add_segments(shape, table.rows, references, start, table.rows[first + begin : first + end], space)

    parts = ranges(known * width, -(-known * width // GRAIN))
    make_scratch = partial(workspace, shape, 2 * GRAIN + 2, GRAIN + 1)
    parallel_with_scratch([partial(task, begin, end) for begin, end in parts], make_scratch, threads)


def _row(table: Multiples, column: NDArray[np.int64], factor: int | NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of factor * (the points with multiples numbered `column`)."""
    return np.where(factor == 1, table.columns[column], table.n + (factor - 2) * len(table.columns) + column)
