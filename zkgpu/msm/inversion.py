"""The one inversion of a batch: the running products of many denominators, and their inverses.

Products run side by side in CHAINS places of `totals`, over even and odd blocks, so that their latencies overlap.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from zkgpu.jit.element import lin
from zkgpu.jit.kernel import operation
from zkgpu.msm import gcd
from zkgpu.msm.formulas import Coordinates, Element
from zkgpu.msm.group import KernelGroup

CHAINS = 2


def invert_totals(shape: KernelGroup) -> Any:
    """invert(totals): both products become their inverses, by one inversion."""

    @operation(shape.isa, shape.modulus)
    def invert(e: Any, totals: Any) -> None:
        curve = Coordinates(e, shape)
        first, second = (curve.load(totals, e.integer(k * curve.words)) for k in range(CHAINS))
        a, b = _norm(curve, first), _norm(curve, second)
        inverse = _inverse(curve, a * b)
        curve.store(_times(curve, _conjugate(curve, first), inverse * b), totals, e.integer(0))
        curve.store(_times(curve, _conjugate(curve, second), inverse * a), totals, e.integer(curve.words))

    return invert


def reset_totals(shape: KernelGroup) -> Any:
    """reset(totals): both products become 1."""

    @operation(shape.isa, shape.modulus)
    def reset(e: Any, totals: Any) -> None:
        curve = Coordinates(e, shape)
        for k in range(CHAINS):
            curve.store(curve.constant((1,)), totals, e.integer(k * curve.words))

    return reset


def chain_offset(curve: Coordinates, block: Any) -> Any:
    """Offset in totals of the product that a block takes part in."""
    return curve.e.builder.mul(curve.e.builder.and_(block, curve.e.integer(CHAINS - 1)), curve.e.integer(curve.words))


def _norm(curve: Coordinates, x: Element) -> Any:
    """The element of F_p that x times its conjugate is; x itself in F_p."""
    return x if curve.degree == 1 else lin([(1, x.c0.square()), (1, x.c1.square())]).weak()


def _conjugate(curve: Coordinates, x: Element) -> Element:
    """What x^-1 norm(x) is."""
    return curve.constant((1,)) if curve.degree == 1 else type(x)(x.c0, -x.c1)


def _times(curve: Coordinates, x: Element, factor: Any) -> Element:
    """x times an element of F_p."""
    return factor if curve.degree == 1 else type(x)(x.c0 * factor, x.c1 * factor)


def _inverse(curve: Coordinates, x: Any) -> Any:
    """x^-1 in F_p in every lane, by one inversion of the product of all lanes."""
    e, others, distance = curve.e, None, curve.e.isa.lanes // 2
    while distance:
        partner = _rotated(e, x, distance)
        x, others = x * partner, partner if others is None else others * partner
        distance //= 2
    inverse = _inverse_of_first_lane(e, x)
    return inverse if others is None else inverse * others


def _rotated(e: Any, x: Any, distance: int) -> Any:
    """Lane l holds what x has in lane l + distance, counted around."""
    from llvmlite import ir

    lanes = e.isa.lanes
    order = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [(lane + distance) % lanes for lane in range(lanes)])
    x = x.carried()
    return replace(x, limbs=tuple(e.builder.shuffle_vector(limb, limb, order) for limb in x.limbs))


def _inverse_of_first_lane(e: Any, x: Any) -> Any:
    """The inverse of the element in lane 0, in every lane."""
    size, radix = e.layout.words, e.layout.montgomery_factor
    words = _stack_words(e, size * e.isa.lanes)
    e.to_words(x.canonical(), words, e.integer(0))
    first, *rest = (_number_pointer(e, words, size * lane) for lane in range(e.isa.lanes))
    inverse = gcd.inverse(e.builder, e.builder.load(first, align=8), e.modulus)
    for pointer in (first, *rest):
        e.builder.store(inverse, pointer, align=8)
    # 1 / (z R) is z^-1 / R, and a product divides by R once more
    return e.from_words(words, e.integer(0), e.modulus) * e.exact(pow(radix, 3, e.modulus))


def _number_pointer(e: Any, words: Any, offset: int) -> Any:
    """The words of one element as one integer."""
    from llvmlite import ir

    return e.builder.bitcast(e.builder.gep(words, [e.integer(offset)]), ir.IntType(64 * e.layout.words).as_pointer())


def _stack_words(e: Any, words: int) -> Any:
    """Pointer to 64-bit words on the stack."""
    from llvmlite import ir
    from numba.core import cgutils

    return cgutils.alloca_once(e.builder, ir.IntType(64), size=words)
