"""Field elements while code is being generated: formulas are written with + - * and become LLVM code.

An `Fe` holds the LLVM values of one block (8 elements by ifma and fma, 1 by portable) and what is
known about them for certain: an upper bound of the value, and of the size of its limbs. Range mistakes are
therefore assertion failures at generation time and never wrong results at run time. All values are in
Montgomery form with the instruction set's R.

    lam = (y2 - y1) * inverse
    x3 = lin([(1, lam.square()), (-1, x1), (-1, x2)])

`Fe2` is the quadratic extension Fq[u]/(u^2 + 1) with the same operations, so a curve formula written once
serves G1 and G2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.jit.emitter import Emitter


@dataclass(frozen=True, eq=False)
class Fe:
    """One block of elements of F_p.

    Attributes:
        limbs: LLVM values, least significant first; where there are lanes signed 64-bit columns of weight 2^52j
        limit: every value is >= 0 and < limit; canonical means limit <= p
        spread: every column's absolute value is <= spread; the value is carried when each column is a limb
    """

    emitter: Emitter
    limbs: tuple[Any, ...]
    limit: int
    spread: int

    def __add__(self, other: Fe) -> Fe:
        return self.emitter.linear([(1, self), (1, other)])

    def __sub__(self, other: Fe) -> Fe:
        return self.emitter.linear([(1, self), (-1, other)])

    def __neg__(self) -> Fe:
        return self.emitter.linear([(-1, self)])

    def __mul__(self, other: Fe) -> Fe:
        return self.emitter.multiply(self, other)

    def times(self, factor: Factor) -> Fe:
        """self * factor, cheaper than a product by what the factor's preparation saves."""
        return self.emitter.multiply_prepared(self, factor)

    def square(self) -> Fe:
        """self * self, cheaper than a product but on the portable set."""
        return self.emitter.square(self)

    def small(self, factor: int) -> Fe:
        """factor * self for a small non-negative integer, by shifts and additions."""
        return self.emitter.linear([(factor, self)])

    def weak(self) -> Fe:
        """The same residue not far above p, see Emitter.weak; cheaper than canonical()."""
        return self.emitter.weak(self)

    def canonical(self) -> Fe:
        """The same residue in [0, p)."""
        return self.emitter.canonical(self)

    def carried(self) -> Fe:
        """The same value with every column brought to a limb; products and stores do this themselves."""
        return self.emitter.carried(self)

    @property
    def is_canonical(self) -> bool:
        """Whether equal residues have equal words: below p, every column a limb."""
        return self.limit <= self.emitter.modulus and self.spread <= self.emitter.limb_maximum

    def is_zero(self) -> Any:
        """Mask of the lanes whose residue is 0; the element must be canonical."""
        assert self.is_canonical, "is_zero needs a canonical element"
        return self.emitter.limbs_are_zero(self.limbs)

    def equals(self, other: Fe) -> Any:
        """Mask of the lanes with equal residues; both must be canonical."""
        assert all(x.is_canonical for x in (self, other)), "equals needs canonical elements"
        return self.emitter.limbs_are_equal(self.limbs, other.limbs)

    def below(self, limit: int) -> Fe:
        """The same value with a tighter limit that the caller knows for a reason the generator cannot see."""
        return replace(self, limit=min(limit, self.limit))


@dataclass(frozen=True)
class Factor:
    """One block of factors known beforehand, as the limbs of their canonical multiples: Layout.multiples."""

    parts: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, eq=False)
class Wide:
    """One block of products that are not reduced yet: columns of values >= 0 and < limit, see Emitter.wide."""

    columns: tuple[Any, ...]
    limit: int


@dataclass(frozen=True, eq=False)
class Fe2:
    """One block of elements c0 + c1 u of F_p[u]/(u^2 + 1)."""

    c0: Fe
    c1: Fe

    @property
    def emitter(self) -> Emitter:
        return self.c0.emitter

    def __add__(self, other: Fe2) -> Fe2:
        return Fe2(self.c0 + other.c0, self.c1 + other.c1)

    def __sub__(self, other: Fe2) -> Fe2:
        return Fe2(self.c0 - other.c0, self.c1 - other.c1)

    def __neg__(self) -> Fe2:
        return Fe2(-self.c0, -self.c1)

    def __mul__(self, other: Fe2) -> Fe2:
        return dot([(1, self, other)])

    def square(self) -> Fe2:
        """self * self by (c0 + c1)(c0 - c1) and 2 c0 c1: two products in F_p."""
        return Fe2((self.c0 + self.c1) * (self.c0 - self.c1), (self.c0 * self.c1).small(2))

    def small(self, factor: int) -> Fe2:
        """factor * self for a small non-negative integer."""
        return Fe2(self.c0.small(factor), self.c1.small(factor))

    def weak(self) -> Fe2:
        """Both coordinates not far above p."""
        return Fe2(self.c0.weak(), self.c1.weak())

    def canonical(self) -> Fe2:
        """Both coordinates in [0, p)."""
        return Fe2(self.c0.canonical(), self.c1.canonical())

    def carried(self) -> Fe2:
        """Both coordinates with every column brought to a limb."""
        return Fe2(self.c0.carried(), self.c1.carried())

    def is_zero(self) -> Any:
        """Mask of the lanes that are 0; both coordinates must be canonical."""
        return self.emitter.builder.and_(self.c0.is_zero(), self.c1.is_zero())

    def equals(self, other: Fe2) -> Any:
        """Mask of the lanes that agree; all coordinates must be canonical."""
        return self.emitter.builder.and_(self.c0.equals(other.c0), self.c1.equals(other.c1))

    def below(self, limit: int) -> Fe2:
        """The same value with a tighter limit of both coordinates, vouched for by the caller."""
        return Fe2(self.c0.below(limit), self.c1.below(limit))


Element = TypeVar("Element", Fe, Fe2)


def lin(terms: Sequence[tuple[int, Element]]) -> Element:
    """Sum of c * x over the pairs (c, x), for small integers c of either sign, with one carry at most."""
    first = terms[0][1]
    if isinstance(first, Fe):
        return first.emitter.linear(terms)
    return Fe2(lin([(c, x.c0) for c, x in terms]), lin([(c, x.c1) for c, x in terms]))


def dot(terms: Sequence[tuple[int, Element, Element]]) -> Element:
    """Sum of c * x * y over the triples (c, x, y), for c of 1 and -1, reduced once."""
    first = terms[0][1]
    if isinstance(first, Fe):
        e = first.emitter
        return e.reduced([(c, e.wide(x, y)) for c, x, y in terms])
    return _dot2(first.emitter, terms)


def _dot2(e: Emitter, terms: Sequence[tuple[int, Fe2, Fe2]]) -> Fe2:
    """Karatsuba's three products for each term, and two reductions in all."""
    real: list[tuple[int, Wide]] = []
    imaginary: list[tuple[int, Wide]] = []
    for c, x, y in terms:
        low, high = e.wide(x.c0, y.c0), e.wide(x.c1, y.c1)
        real += [(c, low), (-c, high)]
        imaginary += [(c, e.wide(x.c0 + x.c1, y.c0 + y.c1)), (-c, low), (-c, high)]
    return Fe2(e.reduced(real), e.reduced(imaginary))


def select(mask: Any, x: Element, y: Element) -> Element:
    """x in the lanes where mask is set, y elsewhere."""
    if isinstance(x, Fe):
        return x.emitter.select(mask, x, y)
    return Fe2(select(mask, x.c0, y.c0), select(mask, x.c1, y.c1))


def coordinates(element: Fe | Fe2) -> tuple[Fe, ...]:
    """The elements of F_p an element consists of: itself, or (c0, c1)."""
    return (element,) if isinstance(element, Fe) else (element.c0, element.c1)
