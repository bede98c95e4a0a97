"""Points of short Weierstrass curves y^2 = x^3 + b on Python integers: for keys, proofs and as the definition.

Bulk work belongs to a backend; this arithmetic serves the handful of points a proof is made of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from zkgpu.curves.twist import Twist
from zkgpu.errors import PointError, UsageError
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.quadratic import QuadraticExtension
from zkgpu.records import dataclass

Coordinate: TypeAlias = Any  # int for G1, (int, int) for G2
CoordinateField: TypeAlias = Any  # Field for G1, QuadraticExtension for G2
Jacobian: TypeAlias = tuple[Coordinate, Coordinate, Coordinate]


@dataclass(frozen=True)
class Group:
    """The subgroup of prime order `order` of y^2 = x^3 + b over `field`.

    Attributes:
        twist: of a second argument of a pairing, what is known of it; None for a first argument
    """

    name: str
    field: CoordinateField
    b: Coordinate
    order: int
    cofactor: int
    generator_xy: tuple[Coordinate, Coordinate]
    twist: Twist | None = None

    @property
    def generator(self) -> Point:
        return Point(self, *self.generator_xy)

    @property
    def infinity(self) -> Point:
        return Point(self, None, None)

    @property
    def row_limbs(self) -> int:
        """uint64 words of a point in a points array: two coordinates."""
        limbs: int = self.field.limbs
        return 2 * limbs

    @property
    def degree(self) -> int:
        """Elements of the base field that a coordinate has: 1 or 2."""
        return int(self.field.limbs // self.base_field.limbs)

    @property
    def b3(self) -> tuple[int, int]:
        """3b of the equation as (c0, c1)."""
        b3 = self.field.scale(self.b, 3)
        return b3 if self.degree == 2 else (b3, 0)

    @cached_property
    def base_field(self) -> Field:
        return self.field.base if isinstance(self.field, QuadraticExtension) else self.field

    def point(self, x: Coordinate, y: Coordinate) -> Point:
        """The point (x, y). Raises PointError unless it is on the curve and in the subgroup."""
        p = Point(self, x, y)
        if not p.is_on_curve():
            raise PointError(f"{p} is not on the curve {self.name}")
        if not self.has(p):
            raise PointError(f"{p} is outside the prime-order subgroup of {self.name}")
        return p

    def has(self, point: Point) -> bool:
        """Whether a point of the curve is in the subgroup: on a twist by the quick test, elsewhere by definition."""
        if self.twist is None:
            return point.is_in_subgroup()
        from zkgpu.curves.pairing import is_in_subgroup_g2

        return is_in_subgroup_g2(point)

    def clear_cofactor(self, point: Point) -> Point:
        """cofactor * point: a point of the subgroup, from any point of the curve."""
        if self.twist is None:
            return _multiply(point, self.cofactor)
        from zkgpu.curves.sums import times_cofactor

        return times_cofactor(point)

    def to_rows(self, points: Iterable[Point]) -> Limbs:
        """(n, row_limbs) uint64: x then y (c0 before c1), Montgomery as by Field; infinity is a zero row."""
        base = self.base_field
        coordinates = [c for p in points for c in p.coordinates()]
        return base.to_montgomery_limbs(coordinates).reshape(-1, self.row_limbs)

    def from_rows(self, rows: Limbs) -> list[Point]:
        """The points of an array laid out as by to_rows. Coordinates are not checked to be on the curve."""
        base, width = self.base_field, 2 * self.degree
        flat = base.from_montgomery_limbs(np.ascontiguousarray(rows).reshape(-1, base.limbs))
        return [self._from_coordinates(flat[i : i + width]) for i in range(0, len(flat), width)]

    def _from_coordinates(self, c: Sequence[int]) -> Point:
        if not any(c):
            return self.infinity
        if len(c) == 2:
            return Point(self, c[0], c[1])
        return Point(self, (c[0], c[1]), (c[2], c[3]))


def twist_of(group: Group) -> Twist:
    """What is known of the twist that the group is on. Raises UsageError for a group that is no second argument."""
    if group.twist is None:
        raise UsageError(f"{group.name} is no second argument of a pairing: give a group on a twist")
    return group.twist


@dataclass(frozen=True)
class Point:
    """An affine point; x and y are None for infinity. Supports + - and multiplication by an integer."""

    group: Group = field(repr=False)
    x: Coordinate
    y: Coordinate

    def __str__(self) -> str:
        return f"{self.group.name} infinity" if self.is_infinity else f"{self.group.name} ({self.x}, {self.y})"

    @property
    def is_infinity(self) -> bool:
        return self.x is None

    def coordinates(self) -> tuple[int, ...]:
        """The base-field coordinates, x before y and c0 before c1; all zero for infinity."""
        if self.is_infinity:
            return (0,) * (2 * self.group.degree)
        return (self.x, self.y) if self.group.degree == 1 else (*self.x, *self.y)

    def is_canonical(self) -> bool:
        """Whether every coordinate is a Python integer below the base field's modulus; both are None for infinity."""
        if self.x is None or self.y is None:
            return self.x is self.y
        parts = (self.x, self.y) if self.group.field is self.group.base_field else (*_pair(self.x), *_pair(self.y))
        q = self.group.base_field.modulus
        return all(type(c) is int and 0 <= c < q for c in parts)

    def is_on_curve(self) -> bool:
        """Whether the coordinates are canonical and satisfy the equation; so it is at infinity."""
        if self.is_infinity or not self.is_canonical():
            return self == self.group.infinity
        f = self.group.field
        return bool(f.square(self.y) == f.add(f.mul(f.square(self.x), self.x), self.group.b))

    def is_in_subgroup(self) -> bool:
        """Whether order * self is infinity (always so where the cofactor is 1)."""
        return self.group.cofactor == 1 or _multiply(self, self.group.order).is_infinity

    def __neg__(self) -> Point:
        return self if self.is_infinity else Point(self.group, self.x, self.group.field.neg(self.y))

    def __add__(self, other: Point) -> Point:
        if not isinstance(other, Point) or other.group is not self.group:
            return NotImplemented
        return _to_affine(self.group, _add(self.group, _to_jacobian(self), _to_jacobian(other)))

    def __sub__(self, other: Point) -> Point:
        return self + -other

    def __mul__(self, k: int) -> Point:
        """k * self, for a point of the subgroup. Variable time: k leaks."""
        return _multiply(self, k % self.group.order) if isinstance(k, int) else NotImplemented

    __rmul__ = __mul__


def _pair(coordinate: Any) -> tuple[Any, ...]:
    """The two parts of a coordinate in F_q^2; None, which is no integer, for anything else."""
    return coordinate if type(coordinate) is tuple and len(coordinate) == 2 else (None,)


@dataclass(frozen=True)
class Precompiles:
    """What the EVM computes on a curve, and how points travel to it.

    Attributes:
        eip: where it says so
        coordinate_bytes: of an element of the base field, big-endian
        imaginary_first: whether c1 comes before c0 in a coordinate of G2
    """

    eip: str
    coordinate_bytes: int
    imaginary_first: bool


@dataclass(frozen=True)
class Curve:
    """A pairing-friendly curve: its two groups, their base field and their scalar field.

    Attributes:
        name: in files of this package, and of the file of its numbers in cuda/
        title: in sentences
        snarkjs_name: in JSON files
        aliases: what other programs call it there, in small letters without - and _
        circom_name: what circom --prime calls it
        precompiles: what the EVM has for it, if anything
        first_challenges: (power, hexadecimal): what ceremony.compute_first_challenge gives for the sizes of the large
            public ceremonies, for which it hashes 50 and 100 GB
    """

    name: str
    title: str
    snarkjs_name: str
    aliases: tuple[str, ...]
    circom_name: str
    scalar_field: Field
    base_field: Field
    g1: Group
    g2: Group
    precompiles: Precompiles | None = None
    first_challenges: tuple[tuple[int, str], ...] = ()


def _to_jacobian(p: Point) -> Jacobian:
    f = p.group.field
    return (f.one, f.one, f.zero) if p.is_infinity else (p.x, p.y, f.one)


def _to_affine(group: Group, p: Jacobian) -> Point:
    f = group.field
    x, y, z = p
    if z == f.zero:
        return group.infinity
    z_inverse = f.inverse(z)
    z2 = f.square(z_inverse)
    return Point(group, f.mul(x, z2), f.mul(y, f.mul(z2, z_inverse)))


def _double(group: Group, p: Jacobian) -> Jacobian:
    """dbl-2009-l of the Explicit-Formulas Database, a = 0."""
    f = group.field
    x, y, z = p
    a, b = f.square(x), f.square(y)
    c = f.square(b)
    d = f.scale(f.sub(f.sub(f.square(f.add(x, b)), a), c), 2)
    e = f.scale(a, 3)
    x3 = f.sub(f.square(e), f.scale(d, 2))
    return x3, f.sub(f.mul(e, f.sub(d, x3)), f.scale(c, 8)), f.scale(f.mul(y, z), 2)


def _add(group: Group, p: Jacobian, q: Jacobian) -> Jacobian:
    """add-1998-cmo-2 of the Explicit-Formulas Database, made complete by cases."""
    f = group.field
    if p[2] == f.zero:
        return q
    if q[2] == f.zero:
        return p
    pz2, qz2 = f.square(p[2]), f.square(q[2])
    u1, u2 = f.mul(p[0], qz2), f.mul(q[0], pz2)
    s1, s2 = f.mul(p[1], f.mul(qz2, q[2])), f.mul(q[1], f.mul(pz2, p[2]))
    h, r = f.sub(u2, u1), f.sub(s2, s1)
    if h == f.zero:
        return _double(group, p) if r == f.zero else (f.one, f.one, f.zero)
    h2 = f.square(h)
    h3, v = f.mul(h2, h), f.mul(u1, h2)
    x3 = f.sub(f.sub(f.square(r), h3), f.scale(v, 2))
    return x3, f.sub(f.mul(r, f.sub(v, x3)), f.mul(s1, h3)), f.mul(h, f.mul(p[2], q[2]))


def _multiply(p: Point, k: int) -> Point:
    """k * p by double-and-add, k not reduced."""
    if k == 0 or p.is_infinity:
        return p.group.infinity
    base = accumulator = _to_jacobian(p)
    for bit in bin(k)[3:]:
        accumulator = _double(p.group, accumulator)
        if bit == "1":
            accumulator = _add(p.group, accumulator, base)
    return _to_affine(p.group, accumulator)


def sum_points(group: Group, points: Iterable[Point]) -> Point:
    """The sum of the points, with one inversion."""
    return sum_jacobians(group, map(_to_jacobian, points))


def sum_jacobians(group: Group, points: Iterable[Jacobian]) -> Point:
    """The sum of points (X, Y, Z), where x = X / Z^2 and y = Y / Z^3, with one inversion."""
    total = _to_jacobian(group.infinity)
    for p in points:
        total = _add(group, total, p)
    return _to_affine(group, total)
