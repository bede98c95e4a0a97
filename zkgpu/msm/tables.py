"""Precomputed tables, multiples of fixed points: windows then share buckets, which are reduced once and may be more.

Brickell, Gordon, McCurley, Wilson 1992 ("Fast exponentiation with precomputation"): with 2^(width * w) P at hand for
every window w of a scalar, all its digits fall into the same buckets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from zkgpu.fields.field import Limbs
from zkgpu.jit.threads import parallel, ranges
from zkgpu.msm.horner import Step, evaluate
from zkgpu.msm.plan import Cost, balanced_bits, table_shape, windows_of
from zkgpu.msm.points import MAX_POINTS, CpuPoints, Table

GRAIN = 1 << 11  # points a task


def with_table(points: CpuPoints, copies: int, cost: Cost, threads: int = 1) -> CpuPoints:
    """The points with multiples, at most `copies` rows for each; the points themselves where that is no table.

    Making them all takes about as long as ten sums over the same points.
    """
    copies = min(copies, (MAX_POINTS - 1) // max(points.m, 1))
    if copies < 2 or not points.m:
        return points
    bits = balanced_bits(points.group.order)
    table = Table(*table_shape(points.m, cost, copies, bits))
    copies = -(-windows_of(bits, table.width) // table.stride)
    rows = points.shape.empty_rows(copies * points.m)
    parts = ranges(points.m, -(-points.m // GRAIN), points.isa.lanes)
    parallel([partial(_fill, points, table, rows, begin, end) for begin, end in parts], threads)
    return replace(points, rows=rows, table=table)


def _fill(points: CpuPoints, table: Table, rows: Limbs, begin: int, end: int) -> None:
    """The points begin .. end and all their multiples."""
    rows[begin:end] = points.rows[begin:end]
    steps: Sequence[Step] = (Step(0, 0), Step(table.width * table.stride, None))
    for at in range(0, len(rows) - points.m, points.m):
        last, following = rows[at + begin : at + end], rows[at + points.m + begin : at + points.m + end]
        following[:] = evaluate(points.shape, last, steps, 1, end - begin)
