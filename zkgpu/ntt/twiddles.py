"""Tables of twiddle factors on the CPU, one per size, coset and direction, the last few kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.cpu import CpuField, CpuVector
from zkgpu.fields.field import Field
from zkgpu.jit.memory import aligned_empty
from zkgpu.jit.path import InstructionPath

Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Twiddles:
    """Factors W[g] = omega^(reversed g) or their inverses, Montgomery with the path's R.

    single  (k, limbs): element after element, for factors that all lanes share
    tiles   (tiles, lanes - 1, limbs, lanes): for stage s of a tile its 2^s factors, one block each
    last    (2, limbs): 1/n and W[group]/n, for the last stage of the inverse
    """

    single: Words
    tiles: Words
    last: Words


@lru_cache(maxsize=4)
def twiddles(field: Field, path: InstructionPath, log_size: int, group: int, inverse: bool) -> Twiddles:
    """The tables of a transform of 2^log_size values, 40 bytes a value on the ifma path and 16 on the portable one."""
    cpu, log_lanes = CpuField(field, path), path.lanes.bit_length() - 1
    roots = bit_reversed_roots(cpu, log_size + group - 1, inverse)
    rows = np.ascontiguousarray(roots.blocks.transpose(0, 2, 1)).reshape(-1, path.limbs)
    single = rows[: max(1, len(rows) >> log_lanes)].copy() if log_lanes else rows
    scale = pow(field.modulus + 1 >> 1, log_size, field.modulus)
    first = doubling_factor(field, 0, inverse) if group else 1  # W[group]
    last = cpu.from_integers([scale, scale * first]).blocks
    return Twiddles(single, _tiles(path, rows, log_size, group), _elements(path, last, 2))


def doubling_factor(field: Field, k: int, inverse: bool) -> int:
    """omega_(2^(k + 2)) or its inverse: W[2^k + j] is W[j] times that."""
    root = field.root_of_unity(1 << (k + 2))
    return field.inverse(root) if inverse else root


def bit_reversed_roots(cpu: CpuField, log_count: int, inverse: bool) -> CpuVector:
    """W[0 .. 2^log_count), at least one block of them, doubled from W[0] = 1."""
    lanes, values = cpu.path.lanes, [1]
    while len(values) < lanes:
        factor = doubling_factor(cpu.field, len(values).bit_length() - 1, inverse)
        values += [value * factor % cpu.field.modulus for value in values]
    blocks = aligned_empty(cpu.path.shape(max(lanes, 1 << log_count)))
    blocks[:1] = cpu.from_integers(values).blocks
    done = 1
    while done < len(blocks):
        halves = blocks[:done], blocks[done : 2 * done]
        known, new = (CpuVector(cpu.field, cpu.path, half, done * lanes) for half in halves)
        factor = doubling_factor(cpu.field, known.n.bit_length() - 1, inverse)
        cpu.pointwise(lambda x, factor=factor: x * factor, known, out=new)
        done *= 2
    return CpuVector(cpu.field, cpu.path, blocks, len(blocks) * lanes)


def _elements(path: InstructionPath, blocks: Words, n: int) -> Words:
    return np.ascontiguousarray(blocks.transpose(0, 2, 1)).reshape(-1, path.limbs)[:n].copy()


def _tiles(path: InstructionPath, rows: Words, log_size: int, group: int) -> Words:
    """Block i of a tile is group lanes * tile + i of the tile's first stage."""
    lanes = path.lanes
    count = max(1, (1 << log_size) // lanes**2) if lanes > 1 else 0
    table = aligned_empty((count, lanes - 1, path.limbs, lanes))
    stage = 1
    while stage < lanes:
        begin, size = group * count * lanes * stage, count * lanes * stage
        part = rows[begin : begin + size].reshape(count, lanes, stage, path.limbs)
        table[:, stage - 1 : 2 * stage - 1] = part.transpose(0, 2, 3, 1)
        stage *= 2
    return table
