"""Many multiples of one point: a table of its multiples for every window, and one addition a window."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from zkgpu.curves.points import Point
from zkgpu.fields.field import Limbs
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel
from zkgpu.jit.memory import aligned_zeros
from zkgpu.jit.threads import available_threads, ranges
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.multiples import Multiples, multiples
from zkgpu.msm.plan import balanced_bits, comb_width, windows_of
from zkgpu.msm.points import from_isa_form, to_isa_form
from zkgpu.msm.scalars import balanced, digits_in_order
from zkgpu.msm.scratch import parallel_with_scratch
from zkgpu.msm.segments import Workspace, add_segments, workspace
from zkgpu.stages import advance

GRAIN = 1 << 12  # scalars a task
PIECE = 1 << 18  # scalars whose digits are cut together


def fixed_base(base: Point, scalars: Limbs, isa: InstructionSet, threads: int | None = None) -> Limbs:
    """(n, row_limbs) points rows as by Group.to_rows: scalars[i] * base.

    Args:
        scalars: (n, limbs) uint64, canonical limbs below the group's order. Variable time.

    Tells `stages.advance` of each point made, twice of one in an extension field.
    """
    threads, shape = threads or available_threads(), KernelGroup.of(base.group, isa)
    out = aligned_zeros((len(scalars), base.group.row_limbs))
    if base.is_infinity or not len(scalars):
        balanced(scalars, base.group.order)  # for what it refuses
        return out
    width = comb_width(len(scalars), balanced_bits(base.group.order))
    table = _comb(shape, base, width, windows_of(balanced_bits(base.group.order), width), threads)
    for begin in range(0, len(scalars), PIECE):
        piece = scalars[begin : begin + PIECE]
        out[begin : begin + PIECE] = _of_piece(shape, table, piece, width, threads)
        advance(len(piece) * base.group.degree)
    return out


def _of_piece(shape: KernelGroup, table: Multiples, scalars: Limbs, width: int, threads: int) -> Limbs:
    """The host's rows for a piece of the scalars, by the comb of that width."""
    windows = windows_of(balanced_bits(shape.group.order), width)
    values = digits_in_order(balanced(scalars, shape.group.order), width, windows, threads)
    out = shape.zero_rows(len(scalars))

    def task(begin: int, end: int, space: Workspace) -> None:
        references, start = np.empty((end - begin) * windows, np.int32), np.empty(end - begin + 1, np.int64)
        comb_references()(np.ascontiguousarray(values[:, begin:end].T), references, start)
        add_segments(shape, table.rows, references, start, out[begin:end], space)

    make_scratch = partial(workspace, shape, GRAIN * windows, GRAIN)
    parts = ranges(len(scalars), -(-len(scalars) // GRAIN))
    parallel_with_scratch([partial(task, begin, end) for begin, end in parts], make_scratch, threads)
    return from_isa_form(shape, out, threads)


def _comb(shape: KernelGroup, base: Point, width: int, windows: int, threads: int) -> Multiples:
    """d * 2^(width * w) * base for each window w and digit d = 1 .. 2^(width - 1), in row (d - 1) * windows + w."""
    teeth = [base]
    while len(teeth) < windows:
        teeth.append(teeth[-1] * (1 << width))
    rows = to_isa_form(shape, base.group.to_rows(teeth))
    return multiples(shape, rows, np.arange(windows), 1 << (width - 1), threads)


@kernel
def comb_references() -> Any:
    """references(digits, references, start): a segment for each row of digits (n, windows), rows as in _comb."""

    def run(digits: Any, references: Any, start: Any) -> None:
        n, windows = digits.shape
        k = start[0] = 0
        for i in range(n):
            for w in range(windows):
                digit = digits[i, w]
                if digit:
                    references[k] = 2 * ((abs(digit) - 1) * windows + w) + (digit < 0)
                    k += 1
            start[i + 1] = k

    return run
