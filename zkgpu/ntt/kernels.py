"""Kernels of the transform: short transforms on 2^k blocks, driven by the passes of a plan.

With W[g] = omega^(reversed g), group g of a pass of radix 2^k holds a polynomial of degree below 2^k in each column,
to be evaluated at the 2^k-th roots of W[g]^2, which are z = W[2^(k-1) g] times the 2^k-th roots of unity. So
coefficient j is multiplied by z^j, from a table, and what remains is the same for every group: butterflies with the
constants W[1], W[2] and W[3]. Factors known beforehand are prepared, which makes their products cheaper.

Forward, natural to bit-reversed order: factors, then Cooley-Tukey butterflies. Values stay uncarried and unreduced
between passes. Inverse: Gentleman-Sande butterflies, then the inverse factors; those of the tiles also divide by n.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from zkgpu.jit.element import Factor, Fe
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel, operation
from zkgpu.ntt.plan import FIRST, LAST, RADIX, TAIL

# limits, in multiples of p, and columns of what the passes leave in memory; the portable set leaves at most 4p, and
# all leave less where the limbs have no room for it
FORWARD_LIMIT, INVERSE_LIMIT, COLUMNS = 64, 4, 1 << 60
PORTABLE_LIMIT = 4


def evaluated(coefficient: Callable[[int], Fe], count: int, roots: dict[int, Factor], group: int = 0) -> Iterator[Fe]:
    """Values at the roots of unity, in bit-reversed order, of the polynomial with these coefficients.

    Each comes as early as it can: elements that do not live long stay in registers.
    """
    if count == 1:
        yield coefficient(0)
        return
    half = count // 2
    pairs: list[tuple[Fe, Fe]] = []
    for j in range(half):
        x, y = coefficient(j), coefficient(j + half)
        pairs.append(x.emitter.sum_and_difference(x, y.times(roots[group]) if group else y))
    sums, differences = zip(*pairs, strict=True)
    yield from evaluated(sums.__getitem__, half, roots, 2 * group)
    yield from evaluated(differences.__getitem__, half, roots, 2 * group + 1)


def interpolated(
    value: Callable[[int], Fe], count: int, roots: dict[int, Factor], group: int = 0
) -> Iterator[tuple[int, Fe]]:
    """(j, coefficient j times the length) of the polynomial that `evaluated` takes to these values, early likewise.

    Args:
        roots: those of `evaluated`, inverted
    """
    if count == 1:
        yield 0, value(group)
        return
    left, right = (list(interpolated(value, count // 2, roots, 2 * group + k)) for k in (0, 1))
    for (j, x), (_, y) in zip(left, right, strict=True):
        total, difference = x.emitter.sum_and_difference(x, y)
        yield j, total
        yield j + count // 2, difference.times(roots[group]) if group else difference


def constant_roots(e: Any, eighth_root: int, count: int) -> dict[int, Factor]:
    """W[1 .. count), for count up to 4."""
    return {
        g: e.constant_factor(pow(eighth_root, power, e.modulus)) for g, power in ((1, 2), (2, 1), (3, 3)) if g < count
    }


def power_of_group(e: Any, table: Any, group: Any, radix: int) -> Callable[[int], Factor]:
    """z^j of a group by j > 0: for a radix below 8 the table holds z as a power of another."""
    words, step = e.layout.factor_parts * e.layout.limbs, RADIX // radix
    row = e.builder.mul(group, e.integer((RADIX - 1) * words))
    if radix == RADIX:
        e.prefetch_words(table, e.shifted(row, (RADIX - 1) * words), (RADIX - 1) * words)
    return lambda j: e.broadcast_factor(table, e.shifted(row, (step * j - 1) * words))


def power_of_lanes(e: Any, table: Any, tile: Any) -> Callable[[int], Fe]:
    """z^j by j > 0 for a tile, where every lane is a group with a z of its own."""
    words = e.layout.block_words
    row = e.builder.mul(tile, e.integer((RADIX - 1) * words))
    e.prefetch_words(table, e.shifted(row, (RADIX - 1) * words), (RADIX - 1) * words)
    return lambda j: e.load(table, e.shifted(row, (j - 1) * words))


def run_offsets(e: Any, offset: Any, stride: Any, count: int) -> list[Any]:
    """Offsets of `count` blocks, `stride` words apart."""
    return [e.builder.add(offset, e.builder.mul(stride, e.integer(k))) for k in range(count)]


def between_passes(e: Any, limit: int) -> tuple[int, int]:
    """Limit and spread of what passes leave, below limit * p."""
    room = e.layout.room * e.modulus
    if e.lazy:
        return min(limit * e.modulus, room), COLUMNS
    return min(PORTABLE_LIMIT * e.modulus, room), e.limb_maximum


def check_left(e: Any, values: list[Fe], limit: int) -> None:
    """The values are what between_passes says."""
    limit, spread = between_passes(e, limit)
    assert all(x.limit <= limit and x.spread <= spread for x in values), "a pass leaves larger values"


def left_by_a_pass(e: Any, data: Any, offset: Any, limit: int) -> Fe:
    """The block that a pass left at some offset, below limit * p."""
    left: Fe = e.load(data, offset, *between_passes(e, limit))
    return left


def leave(e: Any, value: Fe, data: Any, offset: Any, limit: int) -> None:
    """Stores a block for left_by_a_pass."""
    most, _ = between_passes(e, limit)
    value = value if value.limit <= most else value.weak()
    check_left(e, [value], limit)
    e.store_columns(value, data, offset)


def driver(words: int, radix: dict[int, Any]) -> Callable[..., None]:
    """run(data, passes, powers, tiles, scale): the passes of one item of a plan, in place.

    words                 of a block
    powers, tiles, scale  the tables of Twiddles
    """
    tile, radix2, radix4, radix8, first_radix8, last_radix8 = (radix[kind] for kind in (TAIL, 1, 2, 3, FIRST, LAST))

    def run(data: Any, passes: Any, powers: Any, tiles: Any, scale: Any) -> None:
        for row in range(passes.shape[0]):
            kind, offset, stride = passes[row, 0], passes[row, 1] * words, passes[row, 2] * words
            columns, first_group, groups = passes[row, 3], passes[row, 4], passes[row, 5]
            for g in range(first_group, first_group + groups):
                if kind == TAIL:
                    tile(data, offset, tiles, g, scale)
                    offset += RADIX * words
                elif kind == 1:
                    for c in range(columns):
                        radix2(data, offset + c * words, stride, powers, g)
                    offset += 2 * stride
                elif kind == 2:
                    for c in range(columns):
                        radix4(data, offset + c * words, stride, powers, g)
                    offset += 4 * stride
                elif kind == 3:
                    for c in range(columns):
                        radix8(data, offset + c * words, stride, powers, g)
                    offset += 8 * stride
                elif kind == FIRST:
                    for c in range(columns):
                        first_radix8(data, offset + c * words, stride)
                else:
                    for c in range(columns):
                        last_radix8(data, offset + c * words, stride, powers, g)

    return run


@kernel
def forward(isa: InstructionSet, modulus: int, eighth_root: int) -> Callable[..., None]:
    """The driver of coefficients to evaluations."""
    words = isa.over(modulus).block_words

    def radix(k: int) -> Any:
        @operation(isa, modulus)
        def butterflies(e: Any, data: Any, offset: Any, stride: Any, table: Any, group: Any) -> None:
            offsets, power = run_offsets(e, offset, stride, 1 << k), power_of_group(e, table, group, 1 << k)

            def scaled(j: int) -> Fe:
                x = left_by_a_pass(e, data, offsets[j], FORWARD_LIMIT)
                return x.times(power(j)) if j else x.weak()

            roots = constant_roots(e, eighth_root, 1 << (k - 1))
            for at, value in zip(offsets, evaluated(scaled, 1 << k, roots), strict=True):
                leave(e, value, data, at, FORWARD_LIMIT)

        return butterflies

    @operation(isa, modulus)
    def first_radix8(e: Any, data: Any, offset: Any, stride: Any) -> None:
        offsets, roots = run_offsets(e, offset, stride, RADIX), constant_roots(e, eighth_root, RADIX // 2)
        values = evaluated(lambda j: e.load(data, offsets[j]), RADIX, roots)
        for at, value in zip(offsets, values, strict=True):
            leave(e, value, data, at, FORWARD_LIMIT)

    @operation(isa, modulus)
    def tile(e: Any, data: Any, offset: Any, table: Any, index: Any, scale: Any) -> None:
        offsets = run_offsets(e, offset, e.integer(words), RADIX)
        columns = e.load_tile(data, offsets, *between_passes(e, FORWARD_LIMIT))
        power, roots = power_of_lanes(e, table, index), constant_roots(e, eighth_root, RADIX // 2)
        values = evaluated(lambda j: columns[j] * power(j) if j else columns[j].weak(), RADIX, roots)
        e.store_tile([value.canonical() for value in values], data, offsets)

    @operation(isa, modulus)
    def nothing(e: Any, data: Any, offset: Any, stride: Any, table: Any, group: Any) -> None:
        """Forward plans have no pass of this kind."""

    return driver(words, {TAIL: tile, 1: radix(1), 2: radix(2), 3: radix(3), FIRST: first_radix8, LAST: nothing})


@kernel
def inverse(isa: InstructionSet, modulus: int, eighth_root: int) -> Callable[..., None]:
    """The driver of evaluations to coefficients, with tables of inverse factors and the inverse root."""
    words = isa.over(modulus).block_words

    def radix(k: int, is_last: bool = False) -> Any:
        @operation(isa, modulus)
        def butterflies(e: Any, data: Any, offset: Any, stride: Any, table: Any, group: Any) -> None:
            offsets, power = run_offsets(e, offset, stride, 1 << k), power_of_group(e, table, group, 1 << k)
            roots = constant_roots(e, eighth_root, 1 << (k - 1))
            left = lambda j: left_by_a_pass(e, data, offsets[j], INVERSE_LIMIT)  # noqa: E731
            for j, value in interpolated(left, 1 << k, roots):
                scaled = value.times(power(j)) if j else value.weak()
                if is_last:
                    e.store(scaled.canonical(), data, offsets[j])
                else:
                    leave(e, scaled, data, offsets[j], INVERSE_LIMIT)

        return butterflies

    @operation(isa, modulus)
    def first_radix8(e: Any, data: Any, offset: Any, stride: Any) -> None:
        offsets, roots = run_offsets(e, offset, stride, RADIX), constant_roots(e, eighth_root, RADIX // 2)
        left = lambda j: left_by_a_pass(e, data, offsets[j], INVERSE_LIMIT)  # noqa: E731
        for j, value in interpolated(left, RADIX, roots):
            e.store(value.canonical(), data, offsets[j])

    @operation(isa, modulus)
    def tile(e: Any, data: Any, offset: Any, table: Any, index: Any, scale: Any) -> None:
        offsets = run_offsets(e, offset, e.integer(words), RADIX)
        columns = e.load_tile(data, offsets)
        e.prefetch_words(data, e.shifted(offset, RADIX * words), RADIX * words)
        power, roots = power_of_lanes(e, table, index), constant_roots(e, eighth_root, RADIX // 2)
        whole, results = e.broadcast_factor(scale, e.integer(0)), [columns[0]] * RADIX
        for j, value in interpolated(columns.__getitem__, RADIX, roots):
            results[j] = value * power(j) if j else value.times(whole)
        check_left(e, results, INVERSE_LIMIT)
        e.store_tile(results, data, offsets)

    last = radix(3, is_last=True)
    return driver(words, {TAIL: tile, 1: radix(1), 2: radix(2), 3: radix(3), FIRST: first_radix8, LAST: last})
