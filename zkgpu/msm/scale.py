"""One factor times many points: every lane runs the same doublings and additions, half as many by an endomorphism."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel, on_stack, operation
from zkgpu.jit.threads import available_threads, parallel, ranges
from zkgpu.msm.endomorphism import endomorphism
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.horner import Step, evaluate
from zkgpu.msm.multiples import multiples
from zkgpu.msm.plan import balanced_bits, signed_digits, sparse_width, windows_of
from zkgpu.msm.points import check_rows, from_isa_form, to_isa_form
from zkgpu.stages import advance

GRAIN = 1 << 11  # points a task
PIECE = 1 << 17  # points between two words of progress


@dataclass(frozen=True)
class _Factor:
    """k as the sum of numbers times powers of the endomorphism's eigenvalue, in signed digits, the lowest first.

    Attributes:
        beta: what the endomorphism multiplies x by; None without one, and then there is one number
    """

    width: int
    digits: tuple[list[int], ...]
    beta: int | None

    @staticmethod
    def of(group: Group, k: int) -> _Factor:
        k, found = k % group.order, endomorphism(group)
        parts = found.split(k) if found else (min(k, k - group.order, key=abs),)
        longest = max(abs(part).bit_length() for part in parts)
        width = sparse_width(1, len(parts), balanced_bits(group.order) // len(parts))
        digits = tuple(_signed(part, width, windows_of(longest, width)) for part in parts)
        return _Factor(width, digits, found.beta if found else None)

    @property
    def is_zero(self) -> bool:
        return not any(map(any, self.digits))

    def steps(self, multiples: int, n: int) -> list[Step]:
        """For tables of so many rows, one after another, which begin with n points."""
        steps, doublings = [], 0
        for w in range(len(self.digits[0]) - 1, -1, -1):
            for which, digits in enumerate(self.digits):
                if digits[w]:
                    steps.append(Step(doublings, which * multiples + (abs(digits[w]) - 1) * n, digits[w] < 0))
                    doublings = 0
            doublings += self.width
        return [*steps, Step(doublings - self.width, None)]


def _signed(k: int, width: int, windows: int) -> list[int]:
    """As many digits of k, of any sign."""
    digits = signed_digits(abs(k), width)
    return [-digit if k < 0 else digit for digit in digits] + [0] * (windows - len(digits))


def scale_points(group: Group, rows: Limbs, k: int, isa: InstructionSet, threads: int | None = None) -> Limbs:
    """(n, row_limbs) points rows as by Group.to_rows: k times every point, k taken modulo the group's order.

    Points must be in the group: on others of its curve the endomorphism is no multiplication by lambda. Variable time.
    Tells `stages.advance` of each point of a long array, twice of one in an extension field.
    """
    check_rows(group, rows)
    factor, shape = _Factor.of(group, k), KernelGroup.of(group, isa)
    out = shape.zero_rows(len(rows))
    for begin in range(0, len(rows), PIECE):
        piece, made = rows[begin : begin + PIECE], out[begin : begin + PIECE]
        parts = ranges(len(piece), 1 + len(piece) // GRAIN)
        tasks = [partial(_scale, shape, piece[b:e], factor, made[b:e]) for b, e in parts if not factor.is_zero]
        parallel(tasks, threads or available_threads())
        if len(rows) > PIECE:
            advance(len(piece) * group.degree)
    return from_isa_form(shape, out)


def _scale(shape: KernelGroup, rows: Limbs, factor: _Factor, out: Limbs) -> None:
    """Fills one task's rows."""
    n = len(rows)
    table = multiples(shape, to_isa_form(shape, rows), np.arange(n), 1 << (factor.width - 1), threads=1).rows
    size = len(table)
    if factor.beta is not None:
        both = shape.empty_rows(2 * size)
        both[:size] = both[size:] = table
        apply_endomorphism(shape, factor.beta)(both[size:])
        table = both
    out[:] = evaluate(shape, table, factor.steps(size, n), 1, n)


@kernel
def apply_endomorphism(shape: KernelGroup, beta: int) -> Any:
    """apply(rows): every x times beta, in place; rows are aligned, in the instruction set's form."""

    @operation(shape.isa, shape.modulus)
    def times_beta(e: Any, addresses: Any) -> None:
        lanes, degree = e.lane_integers(addresses, e.integer(0)), shape.degree
        parts, factor = e.load_rows(lanes, 2 * degree), e.constant(beta)
        e.store_rows(lanes, [*((part * factor).canonical() for part in parts[:degree]), *parts[degree:]])

    lanes, row_bytes, one_a_lane = shape.isa.lanes, shape.row_bytes, on_stack((shape.isa.lanes,), np.int64)

    def run(rows: Any) -> None:
        addresses = one_a_lane()
        for i in range(0, len(rows), lanes):
            for lane in range(lanes):  # the last row again where a block is not full
                addresses[lane] = rows.ctypes.data + min(i + lane, len(rows) - 1) * row_bytes
            times_beta(addresses)

    return run
