"""Polynomial commitments of Kate, Zaverucha and Goldberg (2010): one point commits, one point opens.

The commitment to p is p(tau) G; p(x) = y is shown by the commitment W to (p - y) / (X - x), for then
e(W, tau H) = e(C - y G + x W, H).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkgpu.backend.protocol import Backend
from zkgpu.curves.pairing import pairing_product_is_one, small_msm
from zkgpu.curves.points import Curve, Point
from zkgpu.errors import SelfCheckError
from zkgpu.fields.field import Limbs
from zkgpu.poly.polynomials import Coefficients, combine, divide_by_linear, evaluate
from zkgpu.records import dataclass

LOW_TERMS = 6  # a polynomial's terms may have exponents below this; from n on all that the string has


class Committer:
    """Powers of tau at home on a device, for polynomials of n coefficients and a few terms beside them.

    Args:
        powers_g1: (n + k, 8) points rows: terms may have exponents 0 to 5, and n to n + k - 1
    """

    def __init__(self, backend: Backend, powers_g1: Limbs, n: int) -> None:
        self._backend, g1 = backend, backend.curve.g1
        rows = np.require(powers_g1, requirements=["C", "A"])
        self._points = backend.points(g1, rows[:n])
        exponents = [*range(min(LOW_TERMS, n)), *range(n, len(rows))]
        self._power = dict(zip(exponents, g1.from_rows(rows[exponents]), strict=True))

    def commit(self, polynomials: Sequence[Coefficients]) -> list[Point]:
        """The commitment to each polynomial, all in one call to the device."""
        sums = self._backend.msm_many([(self._points, p.dense) for p in polynomials])
        return [self._plus_terms(total, p) for total, p in zip(sums, polynomials, strict=True)]

    def _plus_terms(self, total: Point, p: Coefficients) -> Point:
        if not p.terms:
            return total
        return total + small_msm([self._power[e] for e in p.terms], list(p.terms.values()))


@dataclass(frozen=True)
class Claim:
    """That the sum of factors[i] * p_i, p_i being behind points[i], has a value at the point in question."""

    points: tuple[Point, ...]
    factors: tuple[int, ...]
    value: int

    @staticmethod
    def of(commitment: Point, value: int) -> Claim:
        """That the polynomial behind one commitment has a value."""
        return Claim((commitment,), (1,), value)


@dataclass(frozen=True)
class Opening:
    """Claims at one point x, and one proof of them all."""

    x: int
    proof: Point
    claims: Sequence[Claim]


def batch_quotient(
    backend: Backend, polynomials: Sequence[Coefficients], values: Sequence[int], x: int, v: int
) -> Coefficients:
    """The sum of v^i (p_i - values[i]), divided by X - x: what the proof of a batch of openings commits to.

    Raises SelfCheckError when the division is not exact, that is when a value is not p_i(x).
    """
    r = backend.curve.scalar_field.modulus
    powers = [pow(v, i, r) for i in range(len(polynomials))]
    constant = -sum(power * value for power, value in zip(powers, values, strict=True)) % r
    folded = combine(backend, powers, polynomials, constant)
    if evaluate(backend, folded, x):
        raise SelfCheckError("an opening is not the polynomial's value: the device is faulty, or the key is damaged")
    return divide_by_linear(backend, folded, x)


def openings_hold(curve: Curve, tau_g2: Point, openings: Sequence[Opening], v: int, u: int) -> bool:
    """Whether all claims hold: those of one opening folded by powers of v, the openings by powers of u.

    Points must be on their curves and in their subgroups. Claims of different values for one thing cannot both hold.
    """
    r, weights, sums = curve.scalar_field.modulus, [1], _Sum([], [])
    for opening in openings:
        if not _are_consistent(opening.claims):
            return False
        weight = weights[-1]
        sums.add(opening.proof, weight * opening.x % r)
        for i, claim in enumerate(opening.claims):
            factor = weight * pow(v, i, r) % r
            for point, k in zip(claim.points, claim.factors, strict=True):
                sums.add(point, factor * k % r)
            sums.add(curve.g1.generator, -factor * claim.value % r)
        weights.append(weight * u % r)
    proofs = small_msm([o.proof for o in openings], weights[:-1])
    total = small_msm(sums.points, sums.factors)
    return pairing_product_is_one([(proofs, tau_g2), (-total, curve.g2.generator)])


def _are_consistent(claims: Sequence[Claim]) -> bool:
    """Whether no two claims give one polynomial different values at the same point."""
    values = {(claim.points, claim.factors): claim.value for claim in claims}
    return all(values[claim.points, claim.factors] == claim.value for claim in claims)


@dataclass
class _Sum:
    """A sum of multiples of points that grows."""

    points: list[Point]
    factors: list[int]

    def add(self, point: Point, factor: int) -> None:
        self.points.append(point)
        self.factors.append(factor)
