"""From the bucket sums of every slice to one point: the last, short part of a multi-scalar multiplication."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.points import Point
from zkgpu.fields.field import Limbs
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.projective import run_additions

Program = list[tuple[int, int, int]]


def fold(shape: KernelGroup, sums: Limbs, windows: Sequence[int], width: int, per_lane: int) -> Point:
    """sum over slices s of 2^(width * windows[s]) * (the bucket sums of slice s).

    Args:
        sums: (slices, 2, 3 * degree, limbs, lanes): sum B_j and sum j B_j of the per_lane buckets of each lane
        windows: the window of each slice
        per_lane: a power of two; lane l's bucket j holds digit l * per_lane + j
    """
    weighted = _sum_lanes(shape, sums, per_lane)
    return _horner(shape, weighted, windows, width)


def _sum_lanes(shape: KernelGroup, sums: Limbs, per_lane: int) -> Limbs:
    """(slices, 3 * degree, limbs): sum over lanes of T_l + l * per_lane * S_l, with slices in the lanes' place."""
    lanes, blocks = shape.isa.lanes, shape.isa.blocks(len(sums))
    cut = (blocks, lanes, *sums.shape[1:])
    padded = np.zeros((blocks * lanes, *sums.shape[1:]), np.uint64)
    padded[: len(sums)] = sums
    turned = padded.reshape(cut).transpose(2, 5, 0, 3, 4, 1)  # (S or T, lane, block, part, limb, slice)
    infinity = np.broadcast_to(_infinity(shape), (2, blocks, *sums.shape[2:]))
    memory = np.concatenate([np.ascontiguousarray(turned).reshape(-1), infinity.reshape(-1)])
    _run(shape, memory, _lanes_program(blocks, lanes, per_lane))
    result = memory.reshape(-1, *sums.shape[2:])[-blocks:]
    folded: Limbs = result.transpose(0, 3, 1, 2).reshape(blocks * lanes, *sums.shape[2:-1])[: len(sums)]
    return folded


@lru_cache(maxsize=64)
def _lanes_program(blocks: int, lanes: int, per_lane: int) -> NDArray[np.int64]:
    """The sums over lanes of all blocks."""
    return _table([step for block in range(blocks) for step in _lane_program(block, blocks, lanes, per_lane)])


def _lane_program(block: int, blocks: int, lanes: int, per_lane: int) -> Program:
    """T_0 + .. + per_lane * (S_1 + 2 S_2 + ..): running sums from the highest lane down, then doublings."""
    running, total = 2 * lanes * blocks + block, (2 * lanes + 1) * blocks + block
    program: Program = []
    for lane in range(lanes - 1, 0, -1):
        program += [(running, running, lane * blocks + block), (total, total, running)]
    if lanes > 1:
        program += [(total, total, total)] * (per_lane.bit_length() - 1)
    return program + [(total, total, (lanes + lane) * blocks + block) for lane in range(lanes)]


def _horner(shape: KernelGroup, weighted: Limbs, windows: Sequence[int], width: int) -> Point:
    """The point sum 2^(width * windows[s]) * weighted[s], by doublings from the highest window down."""
    memory = np.zeros((len(weighted) + 1, *weighted.shape[1:], shape.isa.lanes), np.uint64)
    memory[:-1, ..., 0] = weighted  # one point a block: the other lanes compute nothing of interest
    memory[-1] = _infinity(shape)
    flat = memory.reshape(-1)
    _run(shape, flat, _horner_program(tuple(windows), width))
    return _point(shape, memory[-1, ..., 0])


@lru_cache(maxsize=64)
def _horner_program(windows: Sequence[int], width: int) -> NDArray[np.int64]:
    """Doublings of the total, which is the last block, between additions of the blocks of each window."""
    total = len(windows)
    slices: dict[int, list[int]] = {}
    for s, window in enumerate(windows):
        slices.setdefault(window, []).append(s)
    program: Program = []
    for window in range(max(windows, default=-1), -1, -1):
        program += [(total, total, total)] * width if program else []
        program += [(total, total, s) for s in slices.get(window, ())]
    return _table(program)


def _table(program: Program) -> NDArray[np.int64]:
    return np.array(program, np.int64).reshape(-1, 3)


def _run(shape: KernelGroup, memory: Limbs, program: NDArray[np.int64]) -> None:
    run_additions(shape)(memory, program)


@lru_cache
def _infinity(shape: KernelGroup) -> NDArray[np.uint64]:
    """(3 * degree, limbs, lanes): (0 : 1 : 0) in every lane."""
    layout, bits, lanes = shape.layout, shape.isa.limb_bits, shape.isa.lanes
    one, mask = layout.montgomery_factor, (1 << bits) - 1
    out = np.zeros((3 * shape.degree, layout.limbs, lanes), np.uint64)
    out[shape.degree] = [[(one >> (bits * j)) & mask] * lanes for j in range(layout.limbs)]
    return out


def _point(shape: KernelGroup, words: Limbs) -> Point:
    """The affine point of (X : Y : Z) given by (3 * degree, limbs); the Montgomery factor cancels in X/Z."""
    group, bits = shape.group, shape.isa.limb_bits
    values = [sum(int(limb) << (bits * j) for j, limb in enumerate(part)) for part in words]
    field, q = group.field, group.base_field.modulus
    reduced = [value % q for value in values]
    x, y, z = reduced if len(reduced) == 3 else zip(reduced[::2], reduced[1::2], strict=True)
    if z == field.zero:
        return group.infinity
    inverse = field.inverse(z)
    return Point(group, field.mul(x, inverse), field.mul(y, inverse))
