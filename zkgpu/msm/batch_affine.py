"""Affine additions by the batch: one inversion serves thousands of them (Montgomery's trick).

A batch is a list of pairs of references (row address, bit 0 set for the negated point). The forward pass gathers
both points, keeps the slope's numerator and denominator, and multiplies the denominators up; after one inversion
the backward pass takes the running inverse apart and writes the sums. Equal points, opposite points and infinity
are separated by masks, in a branch that honest inputs rarely take.

Scratch holds, for each block of lanes: dx, dy, x1, y1, the product of the earlier denominators, and one word of
flags.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from zkgpu.jit.element import select
from zkgpu.jit.isa import IFMA
from zkgpu.jit.kernel import operation
from zkgpu.jit.memory import CACHE_LINE
from zkgpu.msm.formulas import LAZY, Affine, Coordinates, Element, chord
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.inversion import CHAINS, chain_offset

FLAG_WORDS = 8
PREFETCH_BLOCKS = 2
REGISTERS = 32  # of eight words by AVX-512


def scratch_words(shape: KernelGroup) -> int:
    """64-bit words of scratch for each block of additions."""
    return 5 * shape.coordinate_words + FLAG_WORDS


def forward_pass(shape: KernelGroup) -> Any:
    """forward(left, right, pair, scratch, totals, block): begins the additions of `lanes` pairs from `pair` on."""
    stride = scratch_words(shape)

    @operation(shape.isa, shape.modulus)
    def forward(e: Any, left: Any, right: Any, pair: Any, scratch: Any, totals: Any, block: Any) -> None:
        curve, at = Coordinates(e, shape), e.builder.mul(block, e.integer(stride))
        _prefetch(e, (left, right), e.shifted(pair, PREFETCH_BLOCKS * shape.isa.lanes), shape.row_bytes)
        p, q = curve.gather(left, pair), curve.gather(right, pair)
        dx, dy, flags = _slope(curve, p, q)
        for k, part in enumerate((dx, dy, p.x, p.y)):
            curve.store(part, scratch, e.shifted(at, k * curve.words), 2)
        e.builder.store(flags, e.builder.gep(scratch, [e.shifted(at, 5 * curve.words)]))
        chain = chain_offset(curve, block)
        total = curve.load(totals, chain)
        curve.store(total, scratch, e.shifted(at, 4 * curve.words))
        curve.store(total * dx, totals, chain)

    return forward


def blocks_at_once(shape: KernelGroup) -> int:
    """Blocks that the backward pass ends together: two where the registers hold the columns of a product of both.

    An addition is a chain of four products, each of which waits for the one before. A product in G2 is three that do
    not, so there two blocks only lack registers.
    """
    columns = 2 * shape.coordinate_words // shape.isa.lanes
    return CHAINS if shape.isa == IFMA and CHAINS * columns < REGISTERS else 1


def backward_pass(shape: KernelGroup) -> Any:
    """backward(left, right, pair, scratch, totals, block, out): ends blocks_at_once blocks from `block` on.

    Their sums become the rows from address out on; totals holds the inverses of the products. Blocks must come in the
    reverse order of the forward pass.
    """

    @operation(shape.isa, shape.modulus)
    def backward(e: Any, left: Any, right: Any, pair: Any, scratch: Any, totals: Any, block: Any, out: Any) -> None:
        curve, lanes, count = Coordinates(e, shape), shape.isa.lanes, blocks_at_once(shape)
        firsts = [(e.shifted(block, k), e.shifted(out, k * lanes * shape.row_bytes)) for k in range(count)]
        ended = e.side_by_side([partial(_end_block, curve, scratch, totals, *first) for first in firsts])
        for k, (slope, rows, flags) in enumerate(ended):
            with e.if_any(e.mask_from_bits(flags)):
                at = e.shifted(pair, k * lanes)
                p, q = curve.gather(left, at), curve.gather(right, at)
                curve.scatter(*_special_sum(curve, slope, p, q), rows)

    return backward


def _end_block(curve: Coordinates, scratch: Any, totals: Any, block: Any, out: Any) -> tuple[Element, list[Any], Any]:
    """The slopes of a block whose sums, all but the unusual ones, are now written; their rows; flags of the unusual."""
    e = curve.e
    at, chain = e.builder.mul(block, e.integer(scratch_words(curve.shape))), chain_offset(curve, block)

    def load(k: int, multiple: int) -> Element:
        return curve.load(scratch, e.shifted(at, k * curve.words), multiple)

    total, dx = curve.load(totals, chain), load(0, 2)
    curve.store(total * dx, totals, chain)
    slope, rows = load(1, 2) * (total * load(4, LAZY)), curve.consecutive(out)
    p = Affine(load(2, 1), load(3, 1), None)
    curve.scatter(*chord(slope, p, load(0, 2) + p.x), rows)
    return slope, rows, e.builder.load(e.builder.gep(scratch, [e.shifted(at, 5 * curve.words)]))


def move_rows(shape: KernelGroup) -> Any:
    """move(references, addresses): copies `lanes` referenced points, negated where bit 0 is set, to rows."""

    @operation(shape.isa, shape.modulus)
    def move(e: Any, references: Any, addresses: Any) -> None:
        curve = Coordinates(e, shape)
        p = curve.gather(references, e.integer(0))
        zero = curve.constant((0,))
        curve.scatter(p.x, select(p.infinity, zero, p.y), e.lane_integers(addresses, e.integer(0)))

    return move


def _prefetch(e: Any, lists: tuple[Any, ...], offset: Any, row_bytes: int) -> None:
    """All cache lines of the referenced rows."""
    for references in lists:
        for address in e.lane_integers(references, offset):
            for line in range(0, row_bytes, CACHE_LINE):
                e.prefetch(e.shifted(address, line))


def _slope(curve: Coordinates, p: Affine, q: Affine) -> tuple[Element, Element, Any]:
    """Denominator and numerator of the slope of the line through p and q, and flags of the unusual lanes.

    The tangent's where p = q; denominator 1 where the sum needs no slope.
    """
    e, b = curve.e, curve.e.builder
    same_x, infinite = p.x.equals(q.x), b.or_(p.infinity, q.infinity)
    special = b.or_(same_x, infinite)
    dx, dy = e.slot(q.x - p.x), e.slot(q.y - p.y)
    with e.if_any(special):
        tangent = b.and_(b.and_(same_x, p.y.equals(q.y)), b.not_(infinite))
        unused = select(special, curve.constant((1,)), dx.get())
        dx.set(select(tangent, p.y + p.y, unused))
        dy.set(select(tangent, p.x.square().small(3).weak(), dy.get()))
    return dx.get(), dy.get(), e.mask_bits(special)


def _special_sum(curve: Coordinates, slope: Element, p: Affine, q: Affine) -> tuple[Element, Element]:
    """p + q in every case, for the slope of the chord or, where p = q, of the tangent."""
    b, zero = curve.e.builder, curve.constant((0,))
    x, y = chord(slope, p, q.x)  # for the tangent too: q.x = p.x
    finite = b.not_(b.or_(p.infinity, q.infinity))
    opposite = b.and_(b.and_(p.x.equals(q.x), b.not_(p.y.equals(q.y))), finite)
    for mask, (other_x, other_y) in (
        (opposite, (zero, zero)),
        (q.infinity, (p.x, p.y)),
        (p.infinity, (q.x, q.y)),
        (b.and_(p.infinity, q.infinity), (zero, zero)),
    ):
        x, y = select(mask, other_x, x), select(mask, other_y, y)
    return x, y
