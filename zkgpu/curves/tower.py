"""The tower of extensions a pairing lives in, over any coefficients with + - and *.

    Fq2 = Fq[u] / (u^2 + 1)      Fq6 = Fq2[v] / (v^3 - xi)      Fq12 = Fq6[w] / (w^2 - v)

Nothing here reduces modulo q: on Python integers the results are exact and `map` reduces them; on the symbols
of a recorder they are a program. Constants are plain integers, so coefficients must multiply with those too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from typing import Any, TypeAlias

from zkgpu.fields.field import Field
from zkgpu.fields.quadratic import QuadraticExtension
from zkgpu.records import dataclass

Coefficient: TypeAlias = Any  # an integer, or a symbol
Invert: TypeAlias = Callable[[Coefficient], Coefficient]


@dataclass(frozen=True)
class Tower:
    """The numbers of one tower: the field Fq and xi, the pair (c0, c1) of a non-residue c0 + c1*u of Fq2."""

    base: Field
    xi: tuple[int, int]

    @property
    def one(self) -> Fq12:
        """1, canonical."""
        return Fq12.of((1, *[0] * 11), self)

    def frobenius_constant(self, k: int, i: int) -> Fq2:
        """xi^(i (q^k - 1) / 6): what w^i picks up when raised to q^k.

        For i = 1 it is c * c^q * .. * c^(q^(k-1)) with c = xi^((q - 1) / 6): q-th powers are conjugates.
        """
        c = _power(self.base, self.xi, (self.base.modulus - 1) // 6)
        extension = QuadraticExtension(self.base)
        conjugates = (c if j % 2 == 0 else extension.conjugate(c) for j in range(k))
        return Fq2(*_power(self.base, functools.reduce(extension.mul, conjugates), i))


@dataclass(frozen=True)
class Fq2:
    """c0 + c1*u with u^2 = -1."""

    c0: Coefficient
    c1: Coefficient

    def __add__(self, other: Fq2) -> Fq2:
        return Fq2(self.c0 + other.c0, self.c1 + other.c1)

    def __sub__(self, other: Fq2) -> Fq2:
        return Fq2(self.c0 - other.c0, self.c1 - other.c1)

    def __neg__(self) -> Fq2:
        return Fq2(-self.c0, -self.c1)

    def __mul__(self, other: Fq2) -> Fq2:
        """Karatsuba: three products."""
        m0, m1 = self.c0 * other.c0, self.c1 * other.c1
        return Fq2(m0 - m1, (self.c0 + self.c1) * (other.c0 + other.c1) - m0 - m1)

    def square(self) -> Fq2:
        cross = self.c0 * self.c1
        return Fq2((self.c0 + self.c1) * (self.c0 - self.c1), cross + cross)

    def scale(self, k: Coefficient) -> Fq2:
        """self times an element of Fq."""
        return Fq2(self.c0 * k, self.c1 * k)

    def conjugate(self) -> Fq2:
        """self^q."""
        return Fq2(self.c0, -self.c1)

    def times(self, k: tuple[int, int]) -> Fq2:
        """self times a constant of Fq2."""
        a, b = k
        return Fq2(self.c0 * a - self.c1 * b, self.c0 * b + self.c1 * a)

    def norm(self) -> Coefficient:
        """self^(q+1), in Fq."""
        return self.c0 * self.c0 + self.c1 * self.c1

    def inverse(self, invert: Invert) -> Fq2:
        """1/self, given inversion in Fq."""
        return self.conjugate().scale(invert(self.norm()))

    def reduced(self, modulus: int) -> Fq2:
        """The same element with canonical integers."""
        return Fq2(self.c0 % modulus, self.c1 % modulus)

    def coefficients(self) -> Iterator[Coefficient]:
        yield from (self.c0, self.c1)

    @classmethod
    def of(cls, coefficients: Iterable[Coefficient]) -> Fq2:
        return cls(*coefficients)


@dataclass(frozen=True)
class Fq6:
    """c0 + c1*v + c2*v^2 with v^3 = xi."""

    c0: Fq2
    c1: Fq2
    c2: Fq2
    tower: Tower = field(repr=False)

    def _made(self, c0: Fq2, c1: Fq2, c2: Fq2) -> Fq6:
        """An element of the same field."""
        return Fq6(c0, c1, c2, self.tower)

    def __add__(self, other: Fq6) -> Fq6:
        return self._made(self.c0 + other.c0, self.c1 + other.c1, self.c2 + other.c2)

    def __sub__(self, other: Fq6) -> Fq6:
        return self._made(self.c0 - other.c0, self.c1 - other.c1, self.c2 - other.c2)

    def __neg__(self) -> Fq6:
        return self._made(-self.c0, -self.c1, -self.c2)

    def __mul__(self, other: Fq6) -> Fq6:
        """Six products in Fq2 (Devegili, Ó hÉigeartaigh, Scott, Dahab, eprint 2006/471, section 4)."""
        a, b, c = self.c0, self.c1, self.c2
        d, e, f = other.c0, other.c1, other.c2
        ad, be, cf = a * d, b * e, c * f
        return self._made(
            ad + ((b + c) * (e + f) - be - cf).times(self.tower.xi),
            (a + b) * (d + e) - ad - be + cf.times(self.tower.xi),
            (a + c) * (d + f) - ad - cf + be,
        )

    def times_linear(self, d: Fq2, e: Fq2) -> Fq6:
        """self * (d + e*v), in five products."""
        a, b, c = self.c0, self.c1, self.c2
        ad, be = a * d, b * e
        return self._made(ad + (c * e).times(self.tower.xi), (a + b) * (d + e) - ad - be, c * d + be)

    def scale(self, k: Fq2) -> Fq6:
        return self._made(self.c0 * k, self.c1 * k, self.c2 * k)

    def times_v(self) -> Fq6:
        return self._made(self.c2.times(self.tower.xi), self.c0, self.c1)

    def _adjoint(self) -> Fq6:
        """The element whose product with self is its norm to Fq2."""
        a, b, c, xi = self.c0, self.c1, self.c2, self.tower.xi
        return self._made(a.square() - (b * c).times(xi), c.square().times(xi) - a * b, b.square() - a * c)

    def norm(self) -> Fq2:
        """The product of the three conjugates over Fq2."""
        s = self._adjoint()
        return self.c0 * s.c0 + (self.c1 * s.c2 + self.c2 * s.c1).times(self.tower.xi)

    def inverse(self, invert: Invert) -> Fq6:
        return self._adjoint().scale(self.norm().inverse(invert))

    def coefficients(self) -> Iterator[Coefficient]:
        for c in (self.c0, self.c1, self.c2):
            yield from c.coefficients()

    @classmethod
    def of(cls, coefficients: Iterable[Coefficient], tower: Tower) -> Fq6:
        c = tuple(coefficients)
        return cls(Fq2.of(c[0:2]), Fq2.of(c[2:4]), Fq2.of(c[4:6]), tower)


@dataclass(frozen=True)
class Fq12:
    """c0 + c1*w with w^2 = v. Equality compares coefficients, so reduce them first."""

    c0: Fq6
    c1: Fq6

    @property
    def tower(self) -> Tower:
        return self.c0.tower

    def _made(self, *powers_of_w: Fq2) -> Fq12:
        """An element of the same field."""
        return Fq12.from_powers_of_w(powers_of_w, self.tower)

    def __mul__(self, other: Fq12) -> Fq12:
        m0, m1 = self.c0 * other.c0, self.c1 * other.c1
        return Fq12(m0 + m1.times_v(), (self.c0 + self.c1) * (other.c0 + other.c1) - m0 - m1)

    def square(self) -> Fq12:
        """Two products in Fq6: (c0 + c1)(c0 + v c1) is c0^2 + v c1^2 plus (1 + v) c0 c1."""
        cross = self.c0 * self.c1
        c0 = (self.c0 + self.c1) * (self.c0 + self.c1.times_v()) - cross - cross.times_v()
        return Fq12(c0, cross + cross)

    def times_line(self, l0: Fq2, l1: Fq2, l3: Fq2) -> Fq12:
        """self * (l0 + l1*w + l3*w^3), the shape of a line through points of a twist of kind D."""
        m0, m1 = self.c0.scale(l0), self.c1.times_linear(l1, l3)
        return Fq12(m0 + m1.times_v(), (self.c0 + self.c1).times_linear(l0 + l1, l3) - m0 - m1)

    def times_line_m(self, l0: Fq2, l2: Fq2, l3: Fq2) -> Fq12:
        """self * (l0 + l2*w^2 + l3*w^3), the shape of a line through points of a twist of kind M."""
        m0, m1 = self.c0.times_linear(l0, l2), self.c1.times_v().scale(l3)
        return Fq12(m0 + m1.times_v(), (self.c0 + self.c1).times_linear(l0, l2 + l3) - m0 - m1)

    def conjugate(self) -> Fq12:
        """self^(q^6), which is 1/self in the cyclotomic subgroup."""
        return Fq12(self.c0, -self.c1)

    def cyclotomic_square(self) -> Fq12:
        """self^2 for self^(q^6+1) = self^(q^4-q^2+1) = 1 (Granger and Scott, eprint 2009/565, section 3.2).

        With W = w^3 and Fq4 = Fq2[W]/(W^2 - xi), self is A + B*w + C*w^2 and its square is
        (3 A^2 - 2 A') + (3 W C^2 + 2 B') w + (3 B^2 - 2 C') w^2, where ' sends W to -W.
        """
        xi, (g0, g1, g2, g3, g4, g5) = self.tower.xi, self.powers_of_w()
        a0, a1 = _square_fq4(g0, g3, xi)
        b0, b1 = _square_fq4(g1, g4, xi)
        c0, c1 = _square_fq4(g2, g5, xi)
        return self._made(
            _thrice_less_twice(a0, g0),
            _thrice_plus_twice(c1.times(xi), g1),
            _thrice_less_twice(b0, g2),
            _thrice_plus_twice(a1, g3),
            _thrice_less_twice(c0, g4),
            _thrice_plus_twice(b1, g5),
        )

    def frobenius(self, k: int) -> Fq12:
        """self^(q^k)."""
        powers = (g.conjugate() if k % 2 else g for g in self.powers_of_w())
        return self._made(*(g * self.tower.frobenius_constant(k, i) for i, g in enumerate(powers)))

    def norm(self) -> Coefficient:
        """The product of all twelve conjugates, in Fq."""
        return self._norm_to_fq6().norm().norm()

    def _norm_to_fq6(self) -> Fq6:
        return self.c0 * self.c0 - (self.c1 * self.c1).times_v()

    def inverse(self, invert: Invert) -> Fq12:
        """1/self, given inversion in Fq, which is applied once, to the norm."""
        inverse_norm = self._norm_to_fq6().inverse(invert)
        return Fq12(self.c0 * inverse_norm, -(self.c1 * inverse_norm))

    def powers_of_w(self) -> tuple[Fq2, ...]:
        """The coefficients of 1, w, ..., w^5 over Fq2."""
        return self.c0.c0, self.c1.c0, self.c0.c1, self.c1.c1, self.c0.c2, self.c1.c2

    @classmethod
    def from_powers_of_w(cls, powers: Iterable[Fq2], tower: Tower) -> Fq12:
        """The element with these coefficients of 1, w, ..., w^5 over Fq2."""
        g0, g1, g2, g3, g4, g5 = powers
        return cls(Fq6(g0, g2, g4, tower), Fq6(g1, g3, g5, tower))

    def coefficients(self) -> Iterator[Coefficient]:
        """The twelve coefficients over Fq in the order [2][3][2] of snarkjs: u fastest, then v, then w."""
        yield from self.c0.coefficients()
        yield from self.c1.coefficients()

    @classmethod
    def of(cls, coefficients: Iterable[Coefficient], tower: Tower) -> Fq12:
        c = tuple(coefficients)
        return cls(Fq6.of(c[:6], tower), Fq6.of(c[6:], tower))

    def map(self, f: Callable[[Coefficient], Coefficient]) -> Fq12:
        """f applied to each coefficient, such as reduction modulo q."""
        return Fq12.of(map(f, self.coefficients()), self.tower)


@functools.lru_cache(maxsize=256)
def _power(field: Field, base: tuple[int, int], exponent: int) -> tuple[int, int]:
    """A power in Fq2."""
    extension = QuadraticExtension(field)
    result = extension.one
    for bit in bin(exponent)[2:]:
        result = extension.square(result)
        if bit == "1":
            result = extension.mul(result, base)
    return result


def _square_fq4(a: Fq2, b: Fq2, xi: tuple[int, int]) -> tuple[Fq2, Fq2]:
    """(a + b*W)^2 with W^2 = xi."""
    a2, b2 = a.square(), b.square()
    return a2 + b2.times(xi), (a + b).square() - a2 - b2


def _thrice_less_twice(a: Fq2, b: Fq2) -> Fq2:
    """3a - 2b."""
    d = a - b
    return d + d + a


def _thrice_plus_twice(a: Fq2, b: Fq2) -> Fq2:
    """3a + 2b."""
    s = a + b
    return s + s + a
