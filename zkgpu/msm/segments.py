"""Sums of many runs of points at once: the kernel behind buckets, tables of multiples and sparse matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Limbs
from zkgpu.jit.kernel import kernel, on_stack, operation, subroutine
from zkgpu.jit.memory import aligned_empty, aligned_zeros
from zkgpu.msm import buckets
from zkgpu.msm.batch_affine import backward_pass, blocks_at_once, forward_pass, move_rows, scratch_words
from zkgpu.msm.buckets import CARRY_ROW, FREE_ROW, INFINITY_ROW, SINK_ROW, SIZE_CLASSES
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.inversion import invert_totals, reset_totals
from zkgpu.records import dataclass

CHUNK = 1 << 14  # references summed together: their partial sums stay in the second-level cache
REFERENCE_BYTES = 4
BATCH = 1 << 11  # additions that share an inversion
LIST_MARGIN = 64  # the prefetches read ahead in the pair lists


@dataclass(frozen=True)
class Workspace:
    """Memory of one thread for segment sums: bounded, whatever the number of points.

    Attributes:
        arena: (rows, row words) partial sums, and the rows named in buckets
        left, right: pair lists
        scratch, totals: state of a batch of additions
        first, count: where each segment of the chunk begins, and what is left of it
        order, sizes: the segments by rising size
    """

    arena: NDArray[np.uint64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    scratch: NDArray[np.uint64]
    totals: NDArray[np.uint64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    order: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @property
    def chunk(self) -> int:
        """References summed together."""
        return len(self.left) - LIST_MARGIN

    def arrays(self, segments: int) -> tuple[NDArray[Any], ...]:
        """The arrays in the order of sum_segments' parameters, for that many segments."""
        of_segments = (self.first[:segments], self.count[:segments], self.order[:segments])
        return (self.arena, self.left, self.right, self.scratch, self.totals, *of_segments, self.sizes)


def workspace(shape: KernelGroup, references: int, segments: int) -> Workspace:
    """Room for calls of sum_segments with up to that many references and segments."""
    chunk, lanes = max(min(CHUNK, references), 2), shape.isa.lanes
    rounds = chunk.bit_length() + 1
    arena = shape.empty_rows(FREE_ROW + chunk + rounds * pairs_at_once(shape))
    arena[:FREE_ROW] = 0
    blocks = -(-min(BATCH, chunk) // lanes) + 1
    return Workspace(
        arena=arena,
        left=np.full(chunk + LIST_MARGIN, arena.ctypes.data, np.int64),
        right=np.full(chunk + LIST_MARGIN, arena.ctypes.data, np.int64),
        scratch=aligned_empty(blocks * scratch_words(shape)),
        totals=aligned_zeros(2 * shape.coordinate_words),
        first=np.empty(segments, np.int64),
        count=np.empty(segments, np.int64),
        order=np.empty(segments, np.int64),
        sizes=np.empty(SIZE_CLASSES + 1, np.int64),
    )


def add_segments(
    shape: KernelGroup,
    points: Limbs,
    references: NDArray[np.int32],
    start: NDArray[np.int64],
    out: Limbs,
    space: Workspace,
) -> None:
    """out[s] = sum of the points that references[start[s]:start[s + 1]] mean; references are overwritten.

    Args:
        points, out: rows as by KernelGroup; they may be parts of one array
    """
    assert len(out) <= len(space.order), "the workspace is too small"
    assert len(start) > len(out), "every segment needs a beginning and an end"
    arrays = space.arrays(len(out))
    sum_segments(shape)(points.ctypes.data, references, start, out.ctypes.data, space.chunk, *arrays)


@kernel
def sum_segments(shape: KernelGroup) -> Any:
    """sum(points, references, start, out, chunk, *workspace arrays): row s of out = sum of segment s.

    points      address of the rows the references mean
    references  int32, see buckets; overwritten
    start       segment s is references[start[s]:start[s + 1]]; len(workspace.order) segments
    out         address of the rows to write; they and the points are 64-byte aligned
    chunk       references summed together, as the workspace was made for
    """
    order_by_size, take_chunk = subroutine(buckets.order_by_size), subroutine(buckets.take_chunk)
    pair_up, add_pairs, write_sums = subroutine(buckets.pair_up), _add_pairs(shape), _write_sums(shape)
    at_once, row_bytes, two = pairs_at_once(shape), shape.row_bytes, on_stack((2,), np.int64)
    prefetch_ends = _prefetch_ends(shape)

    def run(
        points: int,
        references: Any,
        start: Any,
        out: Any,
        chunk: int,
        arena: Any,
        left: Any,
        right: Any,
        scratch: Any,
        totals: Any,
        first: Any,
        count: Any,
        order: Any,
        sizes: Any,
    ) -> None:
        rows, segments, span = arena.ctypes.data, len(order), two()
        order_by_size(start, segments, order, sizes)
        begin = done = 0
        while begin < segments:
            taken, done = take_chunk(start, order, begin, done, chunk, references, first, count)
            prefetch_ends(references, first, count, taken)
            row, span[0], span[1] = FREE_ROW, 0, taken
            while True:
                pairs = pair_up(points, rows, row_bytes, references, first, count, span, row, (left, right))
                if pairs == 0:
                    break
                add_pairs(rows, row, pairs, left, right, scratch, totals)
                row += -(-pairs // at_once) * at_once
            chosen = order[begin : begin + taken]
            write_sums(points, rows, references, first, count, out, chosen, done, left, right)
            begin += 0 if done else taken

    return run


def _prefetch_ends(shape: KernelGroup) -> Any:
    """prefetch(references, first, count, segments): both ends of each segment, which lie in no order."""

    @operation(shape.isa, shape.modulus)
    def fetch(e: Any, address: Any) -> None:
        e.prefetch(address)

    def prefetch(references: Any, first: Any, count: Any, segments: int) -> None:
        for i in range(segments):
            address = references.ctypes.data + first[i] * REFERENCE_BYTES
            fetch(address)
            fetch(address + count[i] * REFERENCE_BYTES - 1)

    return subroutine(prefetch)


def pairs_at_once(shape: KernelGroup) -> int:
    """Additions that are done together: the pairs of a round are filled up to a multiple of them."""
    return blocks_at_once(shape) * shape.isa.lanes


def _add_pairs(shape: KernelGroup) -> Any:
    """add(rows, row, pairs, left, right, scratch, totals): their sums are arena rows from `row` on.

    rows  address of the arena; lists and scratch are those of a Workspace
    """
    forward, invert, backward = forward_pass(shape), invert_totals(shape), backward_pass(shape)
    reset, lanes, row_bytes = reset_totals(shape), shape.isa.lanes, shape.row_bytes
    step, at_once = blocks_at_once(shape), pairs_at_once(shape)

    def add(rows: int, row: int, pairs: int, left: Any, right: Any, scratch: Any, totals: Any) -> None:
        steps = -(-pairs // at_once)
        for i in range(pairs, steps * at_once):
            left[i] = right[i] = rows + INFINITY_ROW * row_bytes
        batches = -(-steps * at_once // BATCH)
        for batch in range(batches):
            low, high = steps * batch // batches * step, steps * (batch + 1) // batches * step
            reset(totals)
            for k in range(low, high):
                forward(left, right, k * lanes, scratch, totals, k - low)
            invert(totals)
            for k in range(high - step, low - 1, -step):
                sums = rows + (row + k * lanes) * row_bytes
                backward(left, right, k * lanes, scratch, totals, k - low, sums)

    return subroutine(add)


def _write_sums(shape: KernelGroup) -> Any:
    """write(points, rows, references, first, count, out, chosen, done, left, right): sums of a chunk's segments.

    chosen  the rows of `out` that they go to; a segment of which `done` references are summed goes to CARRY_ROW
    """
    what_is_left, move = subroutine(buckets.what_is_left), move_rows(shape)
    lanes, row_bytes = shape.isa.lanes, shape.row_bytes

    def write(
        points: int,
        rows: int,
        references: Any,
        first: Any,
        count: Any,
        out: int,
        chosen: Any,
        done: int,
        left: Any,
        right: Any,
    ) -> None:
        for i in range(0, len(chosen), lanes):
            for lane in range(lanes):
                left[lane] = rows + INFINITY_ROW * row_bytes
                right[lane] = rows + SINK_ROW * row_bytes
                if i + lane < len(chosen):
                    left[lane] = what_is_left(points, rows, row_bytes, references, first, count, i + lane)
                    right[lane] = rows + CARRY_ROW * row_bytes if done else out + chosen[i + lane] * row_bytes
            move(left, right)

    return subroutine(write)
