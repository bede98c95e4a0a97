"""The definition: every operation of a backend on Python integers, as plainly as it can be said.

Transforms are sums over all terms and multi-scalar multiplications add one product after another, so sizes beyond a
few hundred take long. Tests hold every other backend against this one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from zkgpu.curves.points import Curve, Group, Point, sum_points
from zkgpu.errors import LengthError
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.ntt.domain import Domain
from zkgpu.records import dataclass


@dataclass(frozen=True)
class Scalars:
    """A vector of canonical integers."""

    field: Field
    values: tuple[int, ...] = dataclasses.field(repr=False)

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class PointList:
    """Points as such."""

    group: Group
    values: tuple[Point, ...]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class _Traced:
    """One entry of each vector, with the arithmetic of the field, for `pointwise`."""

    field: Field
    value: int = dataclasses.field(repr=False)

    def _value(self, other: _Traced | int) -> int:
        return other.value if isinstance(other, _Traced) else other

    def __add__(self, other: _Traced | int) -> _Traced:
        return _Traced(self.field, self.field.add(self.value, self._value(other)))

    def __sub__(self, other: _Traced | int) -> _Traced:
        return _Traced(self.field, self.field.sub(self.value, self._value(other)))

    def __rsub__(self, other: int) -> _Traced:
        return _Traced(self.field, self.field.sub(other, self.value))

    def __mul__(self, other: _Traced | int) -> _Traced:
        return _Traced(self.field, self.field.mul(self.value, self._value(other)))

    def __neg__(self) -> _Traced:
        return _Traced(self.field, self.field.neg(self.value))

    __radd__ = __add__
    __rmul__ = __mul__


class ReferenceBackend:
    """Backend on Python integers."""

    def __init__(self, curve: Curve):
        self.curve = curve
        self.name = "reference"

    @property
    def host_threads(self) -> None:
        return None

    @property
    def resident_form(self) -> None:
        return None

    def fallback(self) -> None:
        return None

    def vector(self, limbs: Limbs) -> Scalars:
        field = self.curve.scalar_field
        return Scalars(field, tuple(field.from_limbs(limbs)))

    def borrowed(self, limbs: Limbs) -> Scalars:
        return self.vector(limbs)

    def limbs(self, vector: Scalars) -> Limbs:
        return vector.field.to_limbs(vector.values)

    def matrix(self, matrix: SparseMatrix) -> SparseMatrix:
        return matrix

    def matvec(self, matrix: SparseMatrix, vector: Scalars) -> Scalars:
        _require_equal_lengths("matrix columns", matrix.shape[1], "vector entries", len(vector))
        sums = [0] * matrix.shape[0]
        for row, column, value in _entries(self.curve.scalar_field, matrix):
            sums[row] += value * vector.values[column]
        return self._scalars(sums)

    def ntt(self, coefficients: Scalars, domain: Domain, *, in_place: bool = False) -> Scalars:
        """sum over k of c_k (offset omega^j)^k, for j in bit-reversed order."""
        _require_equal_lengths("domain points", domain.size, "coefficients", len(coefficients))
        r = domain.field.modulus
        points = [domain.offset * pow(domain.omega, int(j), r) % r for j in domain.bit_reversal]
        return self._scalars(sum(c * pow(x, k, r) for k, c in enumerate(coefficients.values)) for x in points)

    def intt(self, evaluations: Scalars, domain: Domain, *, in_place: bool = False) -> Scalars:
        """(1/n) offset^-k sum over j of e_j omega^(-jk), for k in natural order."""
        _require_equal_lengths("domain points", domain.size, "evaluations", len(evaluations))
        field, n = domain.field, domain.size
        r, root, back = field.modulus, field.inverse(domain.omega), field.inverse(domain.offset)
        terms = list(zip(domain.bit_reversal.tolist(), evaluations.values, strict=True))
        scale = field.inverse(n)
        return self._scalars(
            scale * pow(back, k, r) * sum(e * pow(root, j * k % n, r) for j, e in terms) for k in range(n)
        )

    def pointwise(self, f: Callable[..., Any], *vectors: Scalars, in_place: bool = False) -> Scalars:
        field = self.curve.scalar_field
        for v in vectors[1:]:
            _require_equal_lengths("entries", len(vectors[0]), "entries", len(v))
        rows = zip(*(v.values for v in vectors), strict=True)
        return self._scalars(f(*(_Traced(field, x) for x in row)).value for row in rows)

    def inverse(self, vector: Scalars) -> Scalars:
        return self._scalars(x and vector.field.inverse(x) for x in vector.values)

    def prefix_product(self, vector: Scalars) -> Scalars:
        return self._scalars(prod(vector.values[: i + 1]) for i in range(len(vector)))

    def divide_by_linear(self, coefficients: Scalars, root: int, leading: int = 0) -> Scalars:
        """q_(n-1) = leading, q_(i-1) = c_i + root q_i."""
        quotient = [leading][: len(coefficients)]
        for c in coefficients.values[:0:-1]:
            quotient.append((c + root * quotient[-1]) % coefficients.field.modulus)
        return self._scalars(reversed(quotient))

    def evaluate(self, coefficients: Scalars, x: int) -> int:
        r = coefficients.field.modulus
        return sum(c * pow(x, k, r) for k, c in enumerate(coefficients.values)) % r

    def points(self, group: Group, rows: Limbs) -> PointList:
        return PointList(group, tuple(group.from_rows(rows)))

    def msm(self, points: PointList, scalars: Scalars) -> Point:
        _require_equal_lengths("points", len(points), "scalars", len(scalars))
        products = (k * p for k, p in zip(scalars.values, points.values, strict=True))
        return sum_points(points.group, products)

    def msm_many(
        self, pairs: Sequence[tuple[PointList, Scalars]], meanwhile: Callable[[], None] | None = None
    ) -> list[Point]:
        if meanwhile is not None:
            meanwhile()
        return [self.msm(points, scalars) for points, scalars in pairs]

    def fixed_base(self, base: Point, scalars: Scalars) -> Limbs:
        return base.group.to_rows(k * base for k in scalars.values)

    def scale_points(self, group: Group, rows: Limbs, k: int) -> Limbs:
        return group.to_rows(k * p for p in group.from_rows(rows))

    def combine_points(self, group: Group, matrix: SparseMatrix, rows: Limbs) -> Limbs:
        points = group.from_rows(rows)
        _require_equal_lengths("matrix columns", matrix.shape[1], "points", len(points))
        terms: list[list[Point]] = [[] for _ in range(matrix.shape[0])]
        for row, column, value in _entries(self.curve.scalar_field, matrix):
            terms[row].append(value * points[column])
        return group.to_rows(sum_points(group, row) for row in terms)

    def canonical_rows(self, group: Group, rows: Limbs) -> Limbs:
        base = group.base_field
        values = base.from_montgomery_limbs(np.ascontiguousarray(rows).reshape(-1, base.limbs))
        return base.to_limbs(values).reshape(rows.shape)

    def first_invalid_point(self, group: Group, rows: Limbs) -> tuple[int, str] | None:
        base = group.base_field
        canonical = base.is_canonical(rows.reshape(-1, base.limbs)).reshape(rows.shape[0], -1)
        for i, point in enumerate(group.from_rows(rows)):
            if not canonical[i].all():
                return i, "a coordinate is not below the field's modulus"
            if not point.is_on_curve():
                return i, f"it is not on the curve {group.name}"
            if not point.is_in_subgroup():
                return i, f"it is outside the prime-order subgroup of {group.name}"
        return None

    def _scalars(self, values: Any) -> Scalars:
        field = self.curve.scalar_field
        return Scalars(field, tuple(v % field.modulus for v in values))


def _entries(field: Field, matrix: SparseMatrix) -> list[tuple[int, int, int]]:
    """(row, column, value) of each entry."""
    table = field.from_limbs(matrix.table)
    values = [table[i] for i in matrix.coefficient.tolist()]
    return list(zip(matrix.row_of_entry().tolist(), matrix.indices.tolist(), values, strict=True))


def _require_equal_lengths(what: str, n: int, other: str, m: int) -> None:
    if n != m:
        raise LengthError(f"{n} {what} but {m} {other}: the two must be equal")
