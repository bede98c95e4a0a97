"""Kernels of the transform: butterflies on 2^k blocks, driven by the passes of a plan.

Forward: Cooley-Tukey, natural to bit-reversed order, factors W[g] = omega^(reversed g), the same table for every
stage. Values grow by less than 3p a stage and stay uncarried; only the last pass reduces. Inverse: Gentleman-Sande
with the inverse factors, backwards; its last stage divides by n.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zkgpu.jit.element import Fe
from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.path import InstructionPath
from zkgpu.ntt.plan import LAST, TAIL

# stages of the largest transform before its tiles, less the three of a pass
STAGES_BEFORE_A_PASS = 22
# up to this size a tile's values stay below 2^260 to the end; beyond, they are reduced first
LOG_SIZE_WITHOUT_REDUCTION = 27
# a product's columns are below 2^57, and a difference adds the limbs of 3p
COLUMN_GROWTH = (1 << 57) + (1 << 53)

Twiddle = Callable[[int, int], Fe]


def forward_stages(values: list[Fe], twiddle: Twiddle) -> list[Fe]:
    """All log2 stages on a list of blocks; twiddle(stage, group) is the factor of a group."""
    for stage in range(len(values).bit_length() - 1):
        half = len(values) >> (stage + 1)
        for group in range(1 << stage):
            factor = twiddle(stage, group)
            for j in range(2 * half * group, 2 * half * group + half):
                product = values[j + half] * factor
                values[j], values[j + half] = values[j] + product, values[j] - product
    return values


def inverse_stages(values: list[Fe], twiddle: Twiddle, scale: Fe | None = None) -> list[Fe]:
    """The inverse of forward_stages for inverse factors, but for a factor 2 a stage; sums are times `scale` at last."""
    for stage in range(len(values).bit_length() - 2, -1, -1):
        half = len(values) >> (stage + 1)
        for group in range(1 << stage):
            factor = twiddle(stage, group)
            for j in range(2 * half * group, 2 * half * group + half):
                x, y = values[j], values[j + half]
                values[j], values[j + half] = x + y, (x - y) * factor
    return [x * scale for x in values[: len(values) // 2]] + values[len(values) // 2 :] if scale else values


def grown(e: Any, stages: int) -> tuple[int, int]:
    """(limit, spread) of canonical values after so many forward stages."""
    return ((1 + 3 * stages) * e.modulus, e.limb_maximum + stages * COLUMN_GROWTH) if e.lazy else (e.modulus, 1)


def settled(e: Any) -> tuple[int, int]:
    """(limit, spread) of values between two passes of the inverse: weak or a product, not carried."""
    return (2 * e.modulus, COLUMN_GROWTH) if e.lazy else (e.modulus, 1)


def broadcast_factors(e: Any, table: Any, group: Any) -> Twiddle:
    """Factors of the stages below `group`, from a table of single elements in bit-reversed order."""

    def twiddle(stage: int, local: int) -> Fe:
        index = e.shifted(e.builder.shl(group, e.integer(stage)), local)
        return e.broadcast(table, e.builder.mul(index, e.integer(e.path.limbs)))

    return twiddle


def tile_factors(e: Any, table: Any, tile: Any) -> Twiddle:
    """Factors of a tile's stages: a block for each stage and group, one lane for each block of the tile."""
    words, first = e.path.block_words, e.builder.mul(tile, e.integer(e.path.block_words * (e.path.lanes - 1)))
    return lambda stage, group: e.load(table, e.shifted(first, ((1 << stage) - 1 + group) * words))


def run_offsets(e: Any, offset: Any, stride: Any, count: int) -> list[Any]:
    """Offsets of `count` blocks, `stride` words apart."""
    return [e.builder.add(offset, e.builder.mul(stride, e.integer(k))) for k in range(count)]


def load_run(e: Any, data: Any, offsets: list[Any], bounds: tuple[int, int]) -> list[Fe]:
    """The blocks at some offsets, known to be within bounds."""
    limit, spread = bounds
    return [e.load(data, offset, limit, max(spread, e.limb_maximum)) for offset in offsets]


def store_settled(e: Any, values: list[Fe], data: Any, offsets: list[Any]) -> None:
    """Stores what a pass of the inverse computed: sums reduced, products as they are."""
    limit, spread = settled(e)
    for value, offset in zip(values, offsets, strict=True):
        small = value if value.limit <= limit and value.spread <= spread else value.weak()
        e.store_columns(small, data, offset)


def driver(path: InstructionPath, radix: dict[int, Any]) -> Callable[..., None]:
    """run(data, passes, single, tiles, last): the passes of one item of a plan, in place.

    single, tiles, last  the tables of Twiddles
    """
    words, lanes = path.block_words, path.lanes
    tile, radix2, radix4, radix8, last_radix8 = radix[TAIL], radix[1], radix[2], radix[3], radix[LAST]

    def run(data, passes, single, tiles, last):
        for row in range(passes.shape[0]):
            kind, offset, stride = passes[row, 0], passes[row, 1] * words, passes[row, 2] * words
            columns, first_group, groups = passes[row, 3], passes[row, 4], passes[row, 5]
            for g in range(groups):
                if kind == TAIL:
                    tile(data, offset + g * lanes * words, tiles, first_group + g)
                elif kind == LAST:
                    for c in range(columns):
                        last_radix8(data, offset + c * words, stride, single, first_group, last)
                elif kind == 1:
                    for c in range(columns):
                        radix2(data, offset + 2 * g * stride + c * words, stride, single, first_group + g)
                elif kind == 2:
                    for c in range(columns):
                        radix4(data, offset + 4 * g * stride + c * words, stride, single, first_group + g)
                else:
                    for c in range(columns):
                        radix8(data, offset + 8 * g * stride + c * words, stride, single, first_group + g)

    return run


@kernel
def forward(path: InstructionPath, modulus: int, reduce_tiles: bool) -> Callable[..., None]:
    """The driver of coefficients to evaluations; reduce_tiles is needed beyond 2^LOG_SIZE_WITHOUT_REDUCTION."""

    def radix(k: int) -> Any:
        @operation(path, modulus)
        def butterflies(e: Any, data: Any, offset: Any, stride: Any, table: Any, group: Any) -> None:
            offsets = run_offsets(e, offset, stride, 1 << k)
            values = load_run(e, data, offsets, grown(e, STAGES_BEFORE_A_PASS))
            for value, at in zip(forward_stages(values, broadcast_factors(e, table, group)), offsets, strict=True):
                e.store_columns(value, data, at)

        return butterflies

    @operation(path, modulus)
    def tile(e: Any, data: Any, offset: Any, table: Any, index: Any) -> None:
        offsets = run_offsets(e, offset, e.integer(path.block_words), path.lanes)
        values = load_run(e, data, offsets, grown(e, STAGES_BEFORE_A_PASS + 3 - (not reduce_tiles)))
        values = [value.weak() for value in values] if reduce_tiles else values
        values = forward_stages(e.transpose_tile(values), tile_factors(e, table, index))
        for value, at in zip(e.transpose_tile([v.canonical() for v in values]), offsets, strict=True):
            e.store(value, data, at)

    @operation(path, modulus)
    def nothing(e: Any, data: Any, offset: Any, stride: Any, table: Any, group: Any, last: Any) -> None:
        """Forward plans have no pass of this kind."""

    return driver(path, {TAIL: tile, 1: radix(1), 2: radix(2), 3: radix(3), LAST: nothing})


@kernel
def inverse(path: InstructionPath, modulus: int) -> Callable[..., None]:
    """The driver of evaluations to coefficients, with tables of inverse factors."""

    def radix(k: int) -> Any:
        @operation(path, modulus)
        def butterflies(e: Any, data: Any, offset: Any, stride: Any, table: Any, group: Any) -> None:
            offsets = run_offsets(e, offset, stride, 1 << k)
            values = load_run(e, data, offsets, settled(e))
            store_settled(e, inverse_stages(values, broadcast_factors(e, table, group)), data, offsets)

        return butterflies

    @operation(path, modulus)
    def last_radix8(e: Any, data: Any, offset: Any, stride: Any, table: Any, group: Any, last: Any) -> None:
        offsets, factors = run_offsets(e, offset, stride, 8), broadcast_factors(e, table, group)
        scale, scaled_factor = e.broadcast(last, e.integer(0)), e.broadcast(last, e.integer(path.limbs))
        values = load_run(e, data, offsets, settled(e))
        values = inverse_stages(values, lambda s, g: factors(s, g) if s else scaled_factor, scale)
        for value, at in zip(values, offsets, strict=True):
            e.store(value.canonical(), data, at)

    @operation(path, modulus)
    def tile(e: Any, data: Any, offset: Any, table: Any, index: Any) -> None:
        offsets = run_offsets(e, offset, e.integer(path.block_words), path.lanes)
        values = e.transpose_tile([e.load(data, at) for at in offsets])
        values = inverse_stages(values, tile_factors(e, table, index))
        store_settled(e, e.transpose_tile(values), data, offsets)

    return driver(path, {TAIL: tile, 1: radix(1), 2: radix(2), 3: radix(3), LAST: last_radix8})
