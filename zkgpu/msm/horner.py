"""Many sums 2^(c (w-1)) P_(w-1) + .. + 2^c P_1 + P_0 side by side: doublings and additions in the lanes."""

from __future__ import annotations

from typing import Any

import numpy as np

from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.memory import aligned_empty, aligned_zeros
from zkgpu.jit.path import InstructionPath
from zkgpu.msm.formulas import Coordinates, Element, Projective, add_affine, double, select
from zkgpu.msm.inversion import CHAINS, chain_offset, invert_totals, reset_totals
from zkgpu.msm.points import b3_of, degree_of
from zkgpu.msm.projective import point_words


def evaluate(group: Group, path: InstructionPath, rows: Limbs, windows: int, width: int) -> Limbs:
    """(n, row_limbs): sum over w of 2^(width * w) * rows[i * windows + w], aligned, the path's Montgomery form."""
    degree, n = degree_of(group), len(rows) // windows
    blocks, words = path.blocks(n), degree * path.block_words
    out = aligned_empty((blocks * path.lanes, group.row_limbs))
    memory, prefixes = aligned_empty(blocks * point_words(path, degree)), aligned_empty(blocks * words)
    run = evaluate_windows(path, group.base_field.modulus, degree, *b3_of(group))
    nothing = aligned_zeros(group.row_limbs)
    run(rows, n, windows, width, nothing, memory, prefixes, aligned_empty(CHAINS * words), out)
    return out[:n]


@kernel
def evaluate_windows(path: InstructionPath, modulus: int, degree: int, b3_0: int, b3_1: int) -> Any:
    """evaluate(rows, n, windows, width, nothing, memory, prefixes, totals, out): see evaluate.

    nothing   a row that is infinity, for the lanes beyond n
    memory    projective sums, one block for `lanes` of them
    prefixes  products of earlier denominators, for the one inversion that makes all the sums affine
    """
    shape, curve3 = (path, modulus, degree), (b3_0, b3_1)
    size, words, lanes = point_words(path, degree), degree * path.block_words, path.lanes

    @operation(path, modulus)
    def clear(e: Any, memory: Any, at: Any) -> None:
        curve = Coordinates(e, degree)
        curve.store_projective(curve.infinity(), memory, at)

    @operation(path, modulus)
    def twice(e: Any, memory: Any, at: Any) -> None:
        curve = Coordinates(e, degree, curve3)
        curve.store_projective(double(curve, curve.load_projective(memory, at)), memory, at)

    @operation(path, modulus)
    def add_rows(e: Any, memory: Any, at: Any, addresses: Any) -> None:
        curve = Coordinates(e, degree, curve3)
        q = curve.load_points(e.lane_integers(addresses, e.integer(0)))
        curve.store_projective(add_affine(curve, curve.load_projective(memory, at), q), memory, at)

    @operation(path, modulus)
    def gather_denominator(e: Any, memory: Any, at: Any, prefixes: Any, totals: Any, block: Any) -> None:
        curve, chain = Coordinates(e, degree), chain_offset(Coordinates(e, degree), block)
        total = curve.load(totals, chain)
        curve.store(total, prefixes, e.builder.mul(block, e.integer(words)))
        _, denominator = _denominator(curve, curve.load_projective(memory, at))
        curve.store(total * denominator, totals, chain)

    @operation(path, modulus)
    def write_affine(e: Any, memory: Any, at: Any, prefixes: Any, totals: Any, block: Any, out: Any) -> None:
        curve, chain = Coordinates(e, degree), chain_offset(Coordinates(e, degree), block)
        total, p = curve.load(totals, chain), curve.load_projective(memory, at)
        infinity, denominator = _denominator(curve, p)
        inverse = total * curve.load(prefixes, e.builder.mul(block, e.integer(words)))
        curve.store(total * denominator, totals, chain)
        zero = curve.constant((0,))
        x, y = (select(infinity, zero, (part * inverse).canonical()) for part in (p.x, p.y))
        curve.scatter(x, y, curve.consecutive(out))

    reset, invert, row_bytes = reset_totals(*shape), invert_totals(*shape), 64 * degree

    def run(rows, n, windows, width, nothing, memory, prefixes, totals, out):
        addresses, blocks = np.empty(lanes, np.int64), -(-n // lanes)
        reset(totals)
        for k in range(blocks):
            clear(memory, k * size)
            for w in range(windows - 1, -1, -1):
                for _ in range(width if w < windows - 1 else 0):
                    twice(memory, k * size)
                for lane in range(lanes):
                    row = (k * lanes + lane) * windows + w
                    addresses[lane] = rows.ctypes.data + row * row_bytes
                    if k * lanes + lane >= n:
                        addresses[lane] = nothing.ctypes.data
                add_rows(memory, k * size, addresses)
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
