"""One factor times many points: every lane runs the same doublings and additions."""

from __future__ import annotations

from functools import partial

import numpy as np

from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.threads import available_threads, parallel, ranges
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.horner import Step, evaluate
from zkgpu.msm.multiples import multiples
from zkgpu.msm.plan import balanced_bits, signed_digits, sparse_width
from zkgpu.msm.points import check_rows, from_isa_form, to_isa_form
from zkgpu.stages import advance

GRAIN = 1 << 11  # points a task
PIECE = 1 << 17  # points between two words of progress


def scale_points(group: Group, rows: Limbs, k: int, isa: InstructionSet, threads: int | None = None) -> Limbs:
    """(n, row_limbs) points rows as by Group.to_rows: k times every point, k taken modulo the group's order.

    Variable time. Tells `stages.advance` of each point of a long array, twice of one in an extension field.
    """
    check_rows(group, rows)
    k, width = k % group.order, sparse_width(1, 1, balanced_bits(group.order))
    digits = signed_digits(min(k, group.order - k), width)
    if 2 * k > group.order:
        digits = [-digit for digit in digits]
    shape = KernelGroup.of(group, isa)
    out = shape.zero_rows(len(rows))
    for begin in range(0, len(rows), PIECE):
        piece, made = rows[begin : begin + PIECE], out[begin : begin + PIECE]
        parts = ranges(len(piece), 1 + len(piece) // GRAIN)
        tasks = [partial(_scale, shape, piece[b:e], digits, width, made[b:e]) for b, e in parts if any(digits)]
        parallel(tasks, threads or available_threads())
        if len(rows) > PIECE:
            advance(len(piece) * group.degree)
    return from_isa_form(shape, out)


def _scale(shape: KernelGroup, rows: Limbs, digits: list[int], width: int, out: Limbs) -> None:
    """Fills one task's rows; digit w counts 2^(width * w)."""
    n = len(rows)
    table = multiples(shape, to_isa_form(shape, rows), np.arange(n), 1 << (width - 1), threads=1)
    steps, doublings = [], 0
    for digit in reversed(digits):
        if digit:
            steps.append(Step(doublings, (abs(digit) - 1) * n, digit < 0))
        doublings = width + (doublings if not digit else 0)
    steps.append(Step(doublings - width, None))
    out[:] = evaluate(shape, table.rows, steps, 1, n)
