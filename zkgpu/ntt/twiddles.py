"""Tables of twiddle factors on the CPU, one per size, coset and direction, the last few kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.cpu import CpuField, CpuVector
from zkgpu.fields.field import Field
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.memory import aligned_empty
from zkgpu.jit.threads import parallel, ranges
from zkgpu.ntt.plan import RADIX, RADIX_LOG, group_count
from zkgpu.records import dataclass

Words = NDArray[np.uint64]
LONG = 20  # log2 of the values of a long transform
_TOGETHER = 1 << 14  # blocks of a table that a thread copies at a time


@dataclass(frozen=True, eq=False)
class Twiddles:
    """Powers z^1 .. z^7 of z = W[4 g] for every group g, where W[i] = omega^(reversed i), or their inverses.

    Attributes:
        powers: (groups, 7, parts, limbs): prepared factors that all lanes share
        tiles: (tiles, 7, limbs, lanes): a block for each power, Montgomery, tile t's lane l being group lanes * t + l
            of the last three stages; the inverses are divided by n
        scale: (1, parts, limbs): 1/n, prepared
    """

    powers: Words
    tiles: Words
    scale: Words


def twiddles(field: Field, isa: InstructionSet, log_size: int, group: int, inverse: bool) -> Twiddles:
    """The tables of a transform of 2^log_size values, about 50 bytes a value on the ifma set.

    Of long transforms only the last tables are kept: to make them is a hundredth of a proof, and they are as large as
    a vector and a half.
    """
    wanted = field, isa, log_size, group, inverse
    return _last_few(*wanted) if log_size < LONG else _last_long(*wanted)


def _made(field: Field, isa: InstructionSet, log_size: int, group: int, inverse: bool) -> Twiddles:
    groups = group_count(log_size, group)
    cpu, tiles = CpuField(field, isa), max(1, (1 << log_size) // (RADIX * isa.lanes))
    scale = pow(field.modulus + 1 >> 1, log_size, field.modulus)
    roots = bit_reversed_roots(cpu, log_size - RADIX_LOG + group, inverse).blocks
    last = _vector(cpu, roots[group * tiles : (group + 1) * tiles])
    few = _vector(cpu, roots[: isa.blocks(groups)])
    powers = _side_by_side((_prepared(cpu, power, groups) for power in _powers(cpu, few, 1)), RADIX - 1)
    tables = _side_by_side((power.blocks for power in _powers(cpu, last, scale if inverse else 1)), RADIX - 1)
    return Twiddles(powers, tables, _prepared(cpu, cpu.from_integers([scale]), 1))


_last, _last_few = lru_cache(maxsize=1)(_made), lru_cache(maxsize=4)(_made)
_of_last: list[tuple[Any, ...]] = []


def _last_long(*wanted: Any) -> Twiddles:
    """The tables last made; they go before others are made."""
    if _of_last != [wanted]:
        _last.cache_clear()
        _of_last[:] = [wanted]
    return _last(*wanted)


def doubling_factor(field: Field, k: int, inverse: bool) -> int:
    """omega_(2^(k + 2)) or its inverse: W[2^k + j] is W[j] times that."""
    root = field.root_of_unity(1 << (k + 2))
    return field.inverse(root) if inverse else root


def bit_reversed_roots(cpu: CpuField, log_count: int, inverse: bool) -> CpuVector:
    """W[4 g] for g in 0 .. 2^log_count, at least one block of them, doubled from W[0] = 1."""
    lanes, values = cpu.isa.lanes, [1]
    while len(values) < lanes:
        factor = doubling_factor(cpu.field, len(values).bit_length() + 1, inverse)
        values += [value * factor % cpu.field.modulus for value in values]
    blocks = aligned_empty(cpu.layout.shape(max(lanes, 1 << log_count)))
    blocks[:1] = cpu.from_integers(values).blocks
    done = 1
    while done < len(blocks):
        known, new = _vector(cpu, blocks[:done]), _vector(cpu, blocks[done : 2 * done])
        factor = doubling_factor(cpu.field, known.n.bit_length() + 1, inverse)
        cpu.pointwise(lambda x, factor=factor: x * factor, known, out=new)
        done *= 2
    return _vector(cpu, blocks)


def _vector(cpu: CpuField, blocks: Words) -> CpuVector:
    return CpuVector(cpu.field, cpu.isa, blocks, len(blocks) * cpu.isa.lanes)


def _powers(cpu: CpuField, z: CpuVector, scale: int) -> Iterator[CpuVector]:
    """scale * z^1 .. scale * z^7."""
    power = cpu.pointwise(lambda x: x * scale, z)
    for _ in range(1, RADIX):
        yield power
        power = cpu.pointwise(lambda x, y: x * y, power, z)


def _prepared(cpu: CpuField, factors: CpuVector, count: int) -> Words:
    """(count, parts, limbs): the multiples that products with known factors need, see Layout.multiples."""
    layout, p = cpu.layout, cpu.field.modulus
    multiples = layout.multiples(layout.factor_parts)
    to_plain = pow(layout.montgomery_factor, -1, p)
    parts = [cpu.pointwise(lambda x, c=c: x * (c * to_plain % p), factors).blocks for c in multiples]
    rows = (blocks.transpose(0, 2, 1).reshape(-1, layout.limbs)[:count] for blocks in parts)
    return _side_by_side(rows, len(multiples))


def _side_by_side(tables: Iterator[Words], count: int) -> Words:
    """Entry (i, j) is entry i of table j of so many, which are taken one at a time; aligned."""
    first = next(tables)
    out = aligned_empty((len(first), count, *first.shape[1:]))
    parts = ranges(len(out), -(-len(out) // _TOGETHER))
    for j, table in enumerate(chain([first], tables)):
        parallel(partial(np.copyto, out[begin:end, j], table[begin:end]) for begin, end in parts)
    return out
