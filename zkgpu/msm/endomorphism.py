"""The endomorphism (x, y) -> (beta x, y) of y^2 = x^3 + b, beta^3 = 1, which multiplies points by a number lambda.

With it k P is k1 P + k2 (lambda P) for k1 and k2 of half the length, so that a multiplication doubles half as often.
Gallant, Lambert, Vanstone, "Faster point multiplication on elliptic curves with efficient endomorphisms", CRYPTO 2001;
k is cut along two short vectors of the lattice of all (a, b) with a + b lambda = 0, which Euclid's algorithm finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from zkgpu.curves.points import Group, Point


@dataclass(frozen=True)
class Endomorphism:
    """What is known of a group's endomorphism.

    Attributes:
        beta: what it multiplies x by, in the base field
        eigenvalue: lambda, modulo the group's order
        basis: two short vectors (a, b) with a + b lambda = 0
    """

    beta: int
    eigenvalue: int
    basis: tuple[tuple[int, int], tuple[int, int]]

    def split(self, k: int) -> tuple[int, int]:
        """(k1, k2) with k1 + k2 lambda = k modulo the order, both of about half its length, of any sign."""
        (a1, b1), (a2, b2) = self.basis
        determinant = a1 * b2 - a2 * b1
        c1, c2 = _rounded(k * b2, determinant), _rounded(-k * b1, determinant)
        return k - c1 * a1 - c2 * a2, -c1 * b1 - c2 * b2


@lru_cache(maxsize=8)
def endomorphism(group: Group) -> Endomorphism | None:
    """The group's, or None where its field or its order has no third root of 1."""
    if group.base_field.modulus % 3 != 1 or group.order % 3 != 1:
        return None
    beta, root = _third_root_of_one(group.base_field.modulus), _third_root_of_one(group.order)
    point = group.generator
    image = Point(group, group.field.scale(point.x, beta), point.y)
    eigenvalue = next(r for r in (root, root * root % group.order) if point * r == image)
    return Endomorphism(beta, eigenvalue, _short_basis(group.order, eigenvalue))


def _third_root_of_one(prime: int) -> int:
    """The first found that is not 1."""
    powers = (pow(x, (prime - 1) // 3, prime) for x in count(2))
    return next(power for power in powers if power != 1)


def _short_basis(order: int, eigenvalue: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first remainder of Euclid's algorithm below the order's root, and the shorter of its neighbors."""
    before, last, this = (order, 0), (order, 0), (eigenvalue, -1)
    while last[0] ** 2 > order:
        quotient = last[0] // this[0]
        before, last, this = last, this, (last[0] - quotient * this[0], last[1] - quotient * this[1])
    return last, min(before, this, key=lambda vector: max(map(abs, vector)))


def _rounded(numerator: int, denominator: int) -> int:
    """The nearest integer to a quotient."""
    return (2 * numerator + denominator) // (2 * denominator)
