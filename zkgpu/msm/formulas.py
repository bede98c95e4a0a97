"""Formulas on y^2 = x^3 + b, written once over field elements: for G1 and G2, on every instruction set."""

from __future__ import annotations

from typing import Any

from zkgpu.jit.element import Fe, Fe2, dot, lin, select
from zkgpu.msm.group import KernelGroup
from zkgpu.records import dataclass

Element = Any  # Fe for G1, Fe2 for G2
LAZY = 8  # bound, in multiples of p, on products that are stored and loaded again


@dataclass(frozen=True)
class Affine:
    """One block of affine points and the mask of the lanes that are infinity."""

    x: Element
    y: Element
    infinity: Any


@dataclass(frozen=True)
class Projective:
    """One block of points (X : Y : Z) with x = X/Z and y = Y/Z; infinity is (0 : 1 : 0)."""

    x: Element
    y: Element
    z: Element


@dataclass(frozen=True)
class Coordinates:
    """A group while code is generated, through the emitter e."""

    e: Any
    shape: KernelGroup

    @property
    def degree(self) -> int:
        return self.shape.degree

    @property
    def words(self) -> int:
        """64-bit words of a block of coordinates in memory."""
        return self.shape.coordinate_words

    def bound(self, multiple: int) -> int:
        """A bound on lazily reduced values; the portable set keeps everything below p."""
        return int(self.e.modulus * (multiple if self.e.isa.lanes > 1 else 1))

    def make(self, parts: list[Fe]) -> Element:
        return parts[0] if self.degree == 1 else Fe2(*parts)

    def constant(self, value: tuple[int, ...]) -> Element:
        """c0 (and c1, 0 if missing) in every lane, in Montgomery form."""
        padded = (*value, 0)[: self.degree]
        return self.make([self.e.constant(c) for c in padded])

    def times_b3(self, element: Element) -> Element:
        """3b times an element: a few additions where 3b is a small integer, as in G1."""
        c0, c1 = self.shape.b3
        return element.small(c0) if c0 < 16 and not c1 else element * self.constant(self.shape.b3)

    def load(self, pointer: Any, offset: Any, multiple: int = LAZY) -> Element:
        """The coordinates stored at pointer[offset], below multiple * p."""
        limit = self.bound(multiple)
        return self.e.load(pointer, offset, limit) if self.degree == 1 else self.e.load2(pointer, offset, limit)

    def store(self, element: Element, pointer: Any, offset: Any, multiple: int = LAZY) -> None:
        """Writes coordinates that a later load takes to be below multiple * p."""
        parts = [element] if self.degree == 1 else [element.c0, element.c1]
        assert max(part.limit for part in parts) <= self.bound(multiple), "the bound of a stored value is too small"
        self.e.store(element, pointer, offset)

    def load_projective(self, pointer: Any, offset: Any) -> Projective:
        return Projective(*[self.load(pointer, self.e.shifted(offset, k * self.words), 2) for k in range(3)])

    def store_projective(self, p: Projective, pointer: Any, offset: Any) -> None:
        for k, part in enumerate((p.x, p.y, p.z)):
            self.store(part, pointer, self.e.shifted(offset, k * self.words), 2)

    def infinity(self) -> Projective:
        return Projective(self.constant((0,)), self.constant((1,)), self.constant((0,)))

    def load_points(self, addresses: list[Any]) -> Affine:
        """The rows at these addresses."""
        parts = self.e.load_rows(addresses, 2 * self.degree)
        x, y = self.make(parts[: self.degree]), self.make(parts[self.degree :])
        return Affine(x, y, y.is_zero())  # no point of odd order has y = 0

    def gather(self, references: Any, offset: Any) -> Affine:
        """The points of `lanes` references, an address each with bit 0 set for the negated point."""
        addresses, negated = _split_references(self.e, references, offset)
        p = self.load_points(addresses)
        return Affine(p.x, select(negated, self._negated(p.y), p.y), p.infinity)

    def _negated(self, y: Element) -> Element:
        # p - y is canonical as it stands unless y = 0: in G1 that is infinity, in G2 one coordinate may be 0
        return (-y).carried().below(self.e.modulus) if self.degree == 1 else (-y).canonical()

    def scatter(self, x: Element, y: Element, addresses: list[Any]) -> None:
        """Writes canonical affine points to rows."""
        parts = [x, y] if self.degree == 1 else [x.c0, x.c1, y.c0, y.c1]
        self.e.store_rows(addresses, parts)

    def consecutive(self, address: Any) -> list[Any]:
        """The addresses of `lanes` rows that follow one another."""
        return [self.e.shifted(address, self.shape.row_bytes * lane) for lane in range(self.e.isa.lanes)]


def _split_references(e: Any, references: Any, offset: Any) -> tuple[list[Any], Any]:
    """(addresses, mask of the negated lanes) of `lanes` references."""
    from llvmlite import ir

    bit, word = ir.IntType(1), ir.IntType(64)
    if e.isa.lanes == 1:
        (reference,) = e.lane_integers(references, offset)
        return [e.builder.and_(reference, e.integer(-2))], e.builder.trunc(reference, bit)
    vector = e.builder.load(e.word_pointer(references, offset), align=8)
    clear = e.builder.and_(vector, ir.Constant(e.word, [-2] * e.isa.lanes))
    lanes = [e.builder.extract_element(clear, ir.Constant(word, lane)) for lane in range(e.isa.lanes)]
    return lanes, e.builder.trunc(vector, ir.VectorType(bit, e.isa.lanes))


def chord(slope: Element, p: Affine, x2: Element) -> tuple[Element, Element]:
    """(x3, y3), canonical: the sum of p and a point with x = x2 whose chord, or tangent, has this slope."""
    x3 = lin([(1, slope.square()), (-1, p.x), (-1, x2)]).canonical()
    return x3, lin([(1, slope * (p.x - x3)), (-1, p.y)]).canonical()


def add(curve: Coordinates, p: Projective, q: Projective) -> Projective:
    """p + q, complete on curves of odd order. Renes, Costello, Batina 2016 (eprint 2015/1060), algorithm 7."""
    xx, yy, zz = p.x * q.x, p.y * q.y, p.z * q.z
    xy = lin([(1, (p.x + p.y) * (q.x + q.y)), (-1, xx), (-1, yy)])
    yz = lin([(1, (p.y + p.z) * (q.y + q.z)), (-1, yy), (-1, zz)])
    xz = lin([(1, (p.x + p.z) * (q.x + q.z)), (-1, xx), (-1, zz)])
    return _assemble(xx, yy, curve.times_b3(zz), xy, yz, curve.times_b3(xz))


def add_affine(curve: Coordinates, p: Projective, q: Affine) -> Projective:
    """p + q for affine q; lanes where q is infinity keep p. The same source, algorithm 8."""
    xx, yy = p.x * q.x, p.y * q.y
    xy = lin([(1, (p.x + p.y) * (q.x + q.y)), (-1, xx), (-1, yy)])
    yz, xz = q.y * p.z + p.y, q.x * p.z + p.x
    total = _assemble(xx, yy, curve.times_b3(p.z), xy, yz, curve.times_b3(xz))
    return Projective(*[select(q.infinity, a, b) for a, b in ((p.x, total.x), (p.y, total.y), (p.z, total.z))])


def _assemble(xx: Element, yy: Element, b3zz: Element, xy: Element, yz: Element, b3xz: Element) -> Projective:
    """The last step of both additions, from the sums x1 y2 + x2 y1 and so on (zz and xz times 3b)."""
    minus, plus, triple = yy - b3zz, yy + b3zz, xx.small(3)
    return Projective(
        dot([(1, xy, minus), (-1, yz, b3xz)]).weak(),
        dot([(1, minus, plus), (1, b3xz, triple)]).weak(),
        dot([(1, plus, yz), (1, triple, xy)]).weak(),
    )


def double(curve: Coordinates, p: Projective) -> Projective:
    """2 p, complete on curves of odd order. The same source, algorithm 9."""
    yy, b3zz = p.y.square(), curve.times_b3(p.z.square())
    minus = lin([(1, yy), (-3, b3zz)]).weak()
    return Projective(
        (minus * (p.x * p.y)).small(2).weak(),
        lin([(1, minus * (yy + b3zz)), (8, yy * b3zz)]).weak(),
        (yy * (p.y * p.z)).small(8).weak(),
    )
