"""The order of work of a transform: passes over the data, cut into items that may run side by side. Pure arithmetic.

A transform of n values is log2 n stages. Stage s splits each of 2^s groups into halves x, y and replaces them by
x + w y and x - w y with one factor w per group. A pass does three stages at once (radix 8) on 2^3 blocks; first over
the whole array, then within pieces that stay in the second-level cache, where a last pass does the stages inside
square tiles of `lanes` blocks. The inverse does the same passes backwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zkgpu.jit.threads import ranges

# kinds of pass: 1, 2 and 3 are radix 2, 4 and 8; TAIL the stages in tiles; LAST the radix 8 that ends the inverse
TAIL, LAST = 0, 4

# values of a piece: 2^12 take 160 KiB at most
PIECE_LOG = 12
# items a phase is cut into, when it is long enough
ITEMS = 32

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plan:
    """Phases in order, each a tuple of independent items; an item is an (k, 6) int64 array of passes in order.

    Columns of a pass, counted in blocks: kind, offset, stride, columns, first group, groups. Group g of a pass of
    radix 2^k begins at offset + g * 2^k * stride; its columns are `columns` runs of 2^k blocks, `stride` apart.
    A TAIL pass works on `groups` tiles from `offset`, with factors from tile `first group` on.
    """

    phases: tuple[tuple[Rows, ...], ...]

    def backwards(self) -> Plan:
        """The plan of the inverse: every pass in opposite order, with the last kind for the first stages."""
        first, *others = ([item[::-1].copy() for item in phase] for phase in self.phases)
        for item in first:
            item[-1, 0] = LAST
        return Plan(tuple(tuple(phase) for phase in [first, *others][::-1]))


def smallest_log(log_lanes: int) -> int:
    """log2 of the smallest size that can be planned: one tile, and three stages above the tiles."""
    return max(3, 2 * log_lanes)


@lru_cache(maxsize=16)
def plan(log_size: int, log_lanes: int, group: int) -> Plan:
    """The passes of a transform of 2^log_size values in blocks of 2^log_lanes.

    group  0 for the roots of unity, 1 for the odd coset: it is the second half of the transform of twice the size
    """
    blocks = 1 << (log_size - log_lanes)
    top = 3 * max(0, -(-(log_size - PIECE_LOG) // 3))
    phases = [_columns_apart(np.array([_pass(3, stage, blocks, group)], np.int64)) for stage in range(0, top, 3)]
    return Plan((*phases, _pieces(blocks, top, log_lanes, group)))


def _pass(radix_log: int, stage: int, blocks: int, group: int) -> tuple[int, ...]:
    stride = blocks >> (stage + radix_log)
    return (radix_log, 0, stride, stride, group << stage, 1 << stage)


def _columns_apart(row: Rows) -> tuple[Rows, ...]:
    """One pass as items that do a range of its columns each."""
    columns = int(row[0, 3])
    items = []
    for begin, end in ranges(columns, ITEMS):
        item = row.copy()
        item[0, 1], item[0, 3] = begin, end - begin
        items.append(item)
    return tuple(items)


def _pieces(blocks: int, top: int, log_lanes: int, group: int) -> tuple[Rows, ...]:
    """The stages from `top` on, piece by piece: what is done to piece 0, moved to every piece."""
    size, rows, steps, stage = blocks >> top, [], [], 0
    while size >> stage > 1:
        radix_log = min(3, (size >> stage).bit_length() - 1)
        rows.append(_pass(radix_log, stage, size, group << top))
        steps.append((0, size, 0, 0, 1 << stage, 0))
        stage += radix_log
    if log_lanes:
        tiles = size >> log_lanes
        rows.append((TAIL, 0, 0, 0, 0, tiles))
        steps.append((0, size, 0, 0, tiles, 0))
    pieces = np.arange(1 << top, dtype=np.int64)
    table = np.array(rows, np.int64) + pieces[:, None, None] * np.array(steps, np.int64)
    return tuple(part.reshape(-1, 6) for part in np.array_split(table, min(ITEMS, 1 << top)))
