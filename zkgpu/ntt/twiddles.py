"""Tables of twiddle factors on the CPU, one per size, coset and direction, the last few kept."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
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
_BY_INTEGERS = 6  # log2 of the roots that are doubled on Python integers, at least a block of them


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
    powers = _prepared(cpu, list(_powers(cpu, few, 1)), groups)
    tables = aligned_empty((len(last.blocks), RADIX - 1, *last.blocks.shape[1:]))
    for j, power in enumerate(_powers(cpu, last, scale if inverse else 1)):
        _copy(tables[:, j], power.blocks)
    return Twiddles(powers, tables, _prepared(cpu, [cpu.from_integers([scale])], 1)[:, 0])


_last, _last_few = lru_cache(maxsize=1)(_made), lru_cache(maxsize=4)(_made)
_of_last: list[tuple[Any, ...]] = []


def _last_long(*wanted: Any) -> Twiddles:
    """The tables last made; they go before others are made."""
    if _of_last != [wanted]:
        _last.cache_clear()
        _of_last[:] = [wanted]
    return _last(*wanted)


def bit_reversed_roots(cpu: CpuField, log_count: int, inverse: bool) -> CpuVector:
    """W[4 g] for g in 0 .. 2^log_count, at least one block of them, doubled from W[0] = 1."""
    p, lanes = cpu.field.modulus, cpu.isa.lanes
    log_count = max(log_count, lanes.bit_length() - 1)
    factors, values = _doubling_factors(cpu.field, log_count, inverse), [1]
    for factor in factors[:_BY_INTEGERS]:
        values += [value * factor % p for value in values]
    first = cpu.from_integers(values).blocks
    blocks = aligned_empty(cpu.layout.shape(1 << log_count))
    blocks[: len(first)] = first
    for k, factor in enumerate(factors[_BY_INTEGERS:], _BY_INTEGERS):
        done = (1 << k) // lanes
        cpu.multiple(_vector(cpu, blocks[:done]), factor, out=_vector(cpu, blocks[done : 2 * done]))
    return _vector(cpu, blocks)


def _doubling_factors(field: Field, count: int, inverse: bool) -> list[int]:
    """For k in 0 .. count: omega of order 2^(k + 4), or its inverse: W[4 (2^k + j)] is W[4 j] times that."""
    root = field.root_of_unity(1 << (count + 3))
    factors = [field.inverse(root) if inverse else root]
    for _ in range(1, count):
        factors.append(field.square(factors[-1]))
    return factors[::-1]


def _vector(cpu: CpuField, blocks: Words) -> CpuVector:
    return CpuVector(cpu.field, cpu.isa, blocks, len(blocks) * cpu.isa.lanes)


def _powers(cpu: CpuField, z: CpuVector, scale: int) -> Iterator[CpuVector]:
    """scale * z^1 .. scale * z^7."""
    power = z if scale == 1 else cpu.multiple(z, scale)
    yield power
    for _ in range(2, RADIX):
        power = cpu.product(power, z)
        yield power


def _prepared(cpu: CpuField, factors: list[CpuVector], count: int) -> Words:
    """(count, factors, parts, limbs): the multiples that products with known factors need, see Layout.multiples."""
    layout, p = cpu.layout, cpu.field.modulus
    together = aligned_empty((len(factors), *factors[0].blocks.shape))
    for k, factor in enumerate(factors):
        together[k] = factor.blocks
    to_plain, multiples = pow(layout.montgomery_factor, -1, p), layout.multiples(layout.factor_parts)
    out = aligned_empty((count, len(factors), len(multiples), layout.limbs))
    for j, c in enumerate(multiples):
        blocks = cpu.multiple(_vector(cpu, together.reshape(-1, *together.shape[2:])), c * to_plain).blocks
        lanes_apart = blocks.reshape(together.shape).transpose(1, 3, 0, 2)
        _copy(out[:, :, j], lanes_apart.reshape(-1, len(factors), layout.limbs)[:count])
    return out


def _copy(out: Words, table: Words) -> None:
    """By all threads where it is long."""
    parts = ranges(len(out), -(-len(out) // _TOGETHER))
    parallel(partial(np.copyto, out[begin:end], table[begin:end]) for begin, end in parts)
