"""The order of work of a transform: passes over the data, cut into items that may run side by side. Pure arithmetic.

A transform of n values is log2 n stages. Stage s splits each of 2^s groups into halves x, y and replaces them by
x + w y and x - w y with one factor w per group. A pass does three stages at once (radix 8) on 2^3 blocks; first over
the whole array, then within sub-transforms that stay in the second-level cache, where a last pass does the last three
stages in tiles of 2^3 blocks. Passes over the whole array go together: some columns, which stay in that cache too, go
through two of them before the next columns do. The inverse does the same passes backwards.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass

# kinds of pass: 1, 2 and 3 are radix 2, 4 and 8; TAIL the last three stages in tiles; FIRST the first radix 8 over the
# roots of unity, whose factors are 1; LAST the radix 8 that ends the inverse over another coset
TAIL, LAST, FIRST = 0, 4, 5
RADIX, RADIX_LOG = 8, 3
# of the smallest size that can be planned: three stages above the tiles, three within
SMALLEST_LOG = 2 * RADIX_LOG

# values of a sub-transform that is not all there is: 2^12 take 160 KiB at most, 2^14 take 640
SUBTRANSFORM_LOG, MOST_SUBTRANSFORM_LOG = 12, 14
VALUE_BYTES = 40
# passes over the whole array that go together, so that they read and write it once; of three, columns are too short
TOGETHER = 2
# values of a part that goes through all its passes in the first-level cache
NEST_LOG = 9
# items a phase is cut into, when it is long enough: an item should have this many values at least
ITEMS, ITEM_LOG = 32, 12

Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Plan:
    """Phases in order, each a tuple of independent items; an item is an (k, 6) int64 array of passes in order.

    Columns of a pass, counted in blocks: kind, offset, stride, columns, first group, groups. Group g of a pass of
    radix 2^k begins at offset + g * 2^k * stride; its columns are `columns` runs of 2^k blocks, `stride` apart.
    A TAIL pass works on `groups` tiles from `offset`, with factors from tile `first group` on.
    """

    phases: tuple[tuple[Rows, ...], ...]


def subtransform_log(cache: int) -> int:
    """log2 of the values of a sub-transform that leaves a third of a second-level cache of so many bytes."""
    fits = (3 * cache // (4 * VALUE_BYTES)).bit_length() - 1
    return min(max(fits, SUBTRANSFORM_LOG), MOST_SUBTRANSFORM_LOG)


def whole_passes(log_size: int, subtransform: int) -> int:
    """Passes of radix 8 over the whole array: one at least where threads may share them."""
    return 0 if log_size <= SUBTRANSFORM_LOG else max(1, -(-(log_size - subtransform) // RADIX_LOG))


def radices(log_size: int, subtransform: int = SUBTRANSFORM_LOG) -> list[int]:
    """log2 of the radices of the passes before the tiles; a small one follows those over the whole array."""
    rest, first = log_size - SMALLEST_LOG, max(1, whole_passes(log_size, subtransform))
    small = [rest % RADIX_LOG] * (rest % RADIX_LOG > 0)
    return [RADIX_LOG] * first + small + [RADIX_LOG] * (1 + rest // RADIX_LOG - first)


def group_count(log_size: int, group: int) -> int:
    """Groups that the last pass before the tiles numbers, counted from 0; the other passes have fewer."""
    return (group + 1) << sum(radices(log_size)[:-1])


@lru_cache(maxsize=16)
def plan(log_size: int, log_lanes: int, group: int, inverse: bool, subtransform: int = SUBTRANSFORM_LOG) -> Plan:
    """The passes of a transform of 2^log_size values in blocks of 2^log_lanes.

    Args:
        group: 0 for the roots of unity, 1 for the odd coset: it is the second half of the transform of twice the size
        subtransform: log2 of the values of a sub-transform, at most
    """
    layout, steps, stage = _Layout(log_size, log_lanes, group, inverse), radices(log_size, subtransform), 0
    phases, whole, width = [], whole_passes(log_size, subtransform), subtransform - log_lanes
    for begin in range(0, whole, TOGETHER):
        together = steps[begin : min(begin + TOGETHER, whole)]
        phases.append(_columns_apart(layout, stage, together, 1 << max(width - sum(together), 0)))
        stage += sum(together)
    phases.append(_subtransforms(layout, stage, steps[whole:]))
    return Plan(tuple(phases[::-1] if inverse else phases))


def _columns_apart(layout: _Layout, stage: int, radices: list[int], width: int) -> tuple[Rows, ...]:
    """The stages from `stage` on, `width` columns of the last pass at a time, or fewer, and all they come from."""
    columns, parts = layout.blocks >> (stage + sum(radices)), 1 << stage
    width = max(1, min(width, columns, columns * parts // layout.items))
    rows = np.array(layout.of_columns(stage, radices, width), np.int64)
    steps = np.zeros_like(rows)
    steps[:, 1], steps[:, 4] = layout.blocks >> stage, rows[:, 5]
    of_parts = rows + np.arange(parts, dtype=np.int64)[:, None, None] * steps
    units = np.repeat(of_parts, columns // width, axis=0)
    units[:, :, 1] += np.tile(np.arange(0, columns, width), parts)[:, None]
    return _items(layout, units)


def _items(layout: _Layout, units: Rows) -> tuple[Rows, ...]:
    """The passes of units that may run side by side, (units, passes, 6), as items of some units each."""
    return tuple(part.reshape(-1, 6) for part in np.array_split(units, min(layout.items, len(units))))


def _subtransforms(layout: _Layout, top: int, radices: list[int]) -> tuple[Rows, ...]:
    """The stages from `top` on as sub-transforms: what is done to number 0, moved to all."""
    size, rows = layout.blocks >> top, np.array(layout.nested(top, radices, 0), np.int64)
    steps = np.zeros_like(rows)
    steps[:, 1], steps[:, 4] = size, _groups_of_a_subtransform(rows, size)
    numbers = np.arange(1 << top, dtype=np.int64)[:, None, None]
    return _items(layout, rows + numbers * steps)


def _groups_of_a_subtransform(rows: Rows, size: int) -> NDArray[np.int64]:
    """For each pass, how many groups of its stage (or tiles) a sub-transform of `size` blocks has."""
    kinds, strides = rows[:, 0], rows[:, 2]
    spans = np.where(kinds == TAIL, RADIX, strides << np.minimum(kinds, RADIX_LOG))
    return size // spans


@dataclass(frozen=True)
class _Layout:
    """What the passes of a transform depend on."""

    log_size: int
    log_lanes: int
    group: int
    inverse: bool

    @property
    def blocks(self) -> int:
        return 1 << (self.log_size - self.log_lanes)

    @property
    def items(self) -> int:
        """Items to cut a phase into."""
        return min(ITEMS, 1 << max(1, self.log_size - ITEM_LOG))

    def ordered(self, parts: list[list[tuple[int, ...]]]) -> list[tuple[int, ...]]:
        """The passes of consecutive parts of the work in the direction of the transform."""
        return [row for part in (parts[::-1] if self.inverse else parts) for row in part]

    def nested(self, stage: int, radices: list[int], part: int) -> list[tuple[int, ...]]:
        """The stages from `stage` on for a part of that stage in sub-transform 0: a pass, then part by part."""
        if self.log_size - stage <= NEST_LOG:
            return self.in_order(stage, radices, part)
        radix_log, *rest = radices
        first, last = part << radix_log, (part + 1) << radix_log
        inner = [row for k in range(first, last) for row in self.nested(stage + radix_log, rest, k)]
        return self.ordered([[self.pass_on(part, radix_log, stage, stage)], inner])

    def in_order(self, stage: int, radices: list[int], part: int) -> list[tuple[int, ...]]:
        """The same for a part in the first-level cache: pass after pass, tiles at last."""
        rows, at, tiles = [], stage, (self.blocks >> stage) // RADIX
        for radix_log in radices:
            rows.append([self.pass_on(part, radix_log, at, stage)])
            at += radix_log
        return self.ordered([*rows, [(TAIL, part * tiles * RADIX, 0, 0, part * tiles, tiles)]])

    def of_columns(self, stage: int, radices: list[int], width: int) -> list[tuple[int, ...]]:
        """The passes from `stage` on in part 0, on the first `width` columns of the last and all they come from."""
        at, end = stage, stage + sum(radices)
        passes: list[list[tuple[int, ...]]] = []
        for radix_log in radices:
            kind, offset, stride, _, first_group, groups = self.pass_on(0, radix_log, at, stage)
            at += radix_log
            runs = range(offset, offset + stride, self.blocks >> end)
            passes.append([(kind, run, stride, width, first_group, groups) for run in runs])
        return self.ordered(passes)

    def pass_on(self, part: int, radix_log: int, at: int, stage: int) -> tuple[int, ...]:
        """The pass at stage `at` over one part of an earlier stage (or of the same)."""
        stride, groups = self.blocks >> (at + radix_log), 1 << (at - stage)
        first_group = (self.group << at) + part * groups
        return (self.kind(radix_log, at), part * (self.blocks >> stage), stride, stride, first_group, groups)

    def kind(self, radix_log: int, at: int) -> int:
        """The kind of a pass: those of stage 0 are special over the roots of unity, and where they end an inverse."""
        if at == 0 and self.group == 0:
            return FIRST
        return LAST if at == 0 and self.inverse else radix_log
