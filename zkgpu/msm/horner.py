"""Many sums of points times powers of two, side by side: the same doublings and additions in every lane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Limbs
from zkgpu.jit.element import select
from zkgpu.jit.kernel import kernel, on_stack, operation
from zkgpu.jit.memory import aligned_empty, aligned_zeros
from zkgpu.msm.formulas import Coordinates, Element, Projective
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.inversion import CHAINS, chain_offset, invert_totals, reset_totals
from zkgpu.msm.projective import doubling, mixed_addition, set_infinity
from zkgpu.records import dataclass


@dataclass(frozen=True)
class Step:
    """Double `doublings` times, then add row `first + i * stride` to sum i, negated where `negative`.

    first is None for a step without an addition.
    """

    doublings: int
    first: int | None
    negative: bool = False


def evaluate(shape: KernelGroup, rows: Limbs, steps: Sequence[Step], stride: int, n: int) -> Limbs:
    """(n, row_words): the n sums that the steps make, rows like those they are made of."""
    blocks, words = shape.isa.blocks(n), shape.coordinate_words
    out, nothing = shape.empty_rows(blocks * shape.isa.lanes), aligned_zeros(shape.row_words)
    memory, prefixes = aligned_empty(blocks * shape.point_words), aligned_empty(blocks * words)
    totals = aligned_empty(CHAINS * words)
    run_steps(shape)(_table(rows, steps), stride, n, nothing, memory, prefixes, totals, out)
    return out[:n]


def _table(rows: Limbs, steps: Sequence[Step]) -> NDArray[np.int64]:
    """(steps, 2) int64: doublings, and the reference of the row to add to sum 0, or 0."""
    address, size = rows.ctypes.data, rows.shape[1] * rows.itemsize

    def reference(step: Step) -> int:
        return 0 if step.first is None else address + step.first * size + step.negative

    return np.array([(step.doublings, reference(step)) for step in steps], np.int64).reshape(-1, 2)


@kernel
def run_steps(shape: KernelGroup) -> Any:
    """run(steps, stride, n, nothing, memory, prefixes, totals, out): see evaluate and _table.

    nothing   a row that is infinity, for the lanes beyond n
    memory    projective sums, one block for `lanes` of them
    prefixes  products of earlier denominators, for the one inversion that makes all the sums affine
    """
    size, words, lanes = shape.point_words, shape.coordinate_words, shape.isa.lanes
    clear, twice, add_references = set_infinity(shape), doubling(shape), mixed_addition(shape)

    @operation(shape.isa, shape.modulus)
    def gather_denominator(e: Any, memory: Any, at: Any, prefixes: Any, totals: Any, block: Any) -> None:
        curve, chain = Coordinates(e, shape), chain_offset(Coordinates(e, shape), block)
        total = curve.load(totals, chain)
        curve.store(total, prefixes, e.builder.mul(block, e.integer(words)))
        _, denominator = _denominator(curve, curve.load_projective(memory, at))
        curve.store(total * denominator, totals, chain)

    @operation(shape.isa, shape.modulus)
    def write_affine(e: Any, memory: Any, at: Any, prefixes: Any, totals: Any, block: Any, out: Any) -> None:
        curve, chain = Coordinates(e, shape), chain_offset(Coordinates(e, shape), block)
        total, p = curve.load(totals, chain), curve.load_projective(memory, at)
        infinity, denominator = _denominator(curve, p)
        inverse = total * curve.load(prefixes, e.builder.mul(block, e.integer(words)))
        curve.store(total * denominator, totals, chain)
        zero = curve.constant((0,))
        x, y = (select(infinity, zero, (part * inverse).canonical()) for part in (p.x, p.y))
        curve.scatter(x, y, curve.consecutive(out))

    reset, invert, row_bytes = reset_totals(shape), invert_totals(shape), shape.row_bytes
    one_a_lane = on_stack((lanes,), np.int64)

    def run(steps: Any, stride: int, n: int, nothing: Any, memory: Any, prefixes: Any, totals: Any, out: Any) -> None:
        references, blocks = one_a_lane(), -(-n // lanes)
        reset(totals)
        for k in range(blocks):
            clear(memory, k * size)
            for step in steps:
                for _ in range(step[0]):
                    twice(memory, k * size)
                for lane in range(lanes):
                    i = k * lanes + lane
                    references[lane] = step[1] + i * stride * row_bytes if i < n else nothing.ctypes.data
                if step[1]:
                    add_references(memory, k * size, k * size, references)
            gather_denominator(memory, k * size, prefixes, totals, k)
        invert(totals)
        for k in range(blocks - 1, -1, -1):
            write_affine(memory, k * size, prefixes, totals, k, out.ctypes.data + k * lanes * row_bytes)

    return run


def _denominator(curve: Coordinates, p: Projective) -> tuple[Any, Element]:
    """(mask of the lanes at infinity, z with 1 in those lanes)."""
    z = p.z.canonical()
    infinity = z.is_zero()
    return infinity, select(infinity, curve.constant((1,)), z)
