"""Polynomials of a degree near n = |H|, as n coefficients on a device and a handful of terms beside them.

Blinding adds (b_1 X + b_2)(X^n - 1) to a polynomial: four terms. Kept apart, they leave every vector with exactly n
entries, so transforms, commitments and divisions need no copies of other lengths.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from zkgpu.backend.protocol import Backend, Vector
from zkgpu.ntt.domain import Domain
from zkgpu.records import dataclass


@dataclass(frozen=True, eq=False)
class Coefficients:
    """dense[0] + dense[1] X + .. + dense[n-1] X^(n-1), plus the sum of terms[e] X^e.

    Attributes:
        dense: n scalars on a device, in natural order
        terms: exponent to canonical scalar, a few exponents near 0 and from n on
    """

    dense: Vector = field(repr=False)
    terms: Mapping[int, int] = field(repr=False, default_factory=dict)

    def plus(self, terms: Mapping[int, int], modulus: int) -> Coefficients:
        """The sum with a few more terms."""
        return Coefficients(
            self.dense, {**self.terms, **{e: (self.terms.get(e, 0) + k) % modulus for e, k in terms.items()}}
        )

    def plus_multiple_of_vanishing(self, factor: Sequence[int], modulus: int) -> Coefficients:
        """The sum with factor(X) (X^n - 1), factor[i] being the coefficient of X^i."""
        n = len(self.dense)
        return self.plus({i: -b for i, b in enumerate(factor)} | {n + i: b for i, b in enumerate(factor)}, modulus)


@dataclass(frozen=True, eq=False)
class Coset:
    """A coset g H of the n-th roots of unity, on which X^n is the constant g^n.

    Attributes:
        domain: that coset
        roots: H itself, as `roots_of_unity` gives it: all cosets share it
    """

    backend: Backend
    domain: Domain
    roots: Vector

    @property
    def power(self) -> int:
        """x^n for each x of the coset."""
        return pow(self.domain.offset, self.domain.size, self.domain.field.modulus)

    def values(self, p: Coefficients, factor: int = 1) -> Vector:
        """p(factor x) for each x = g w of the coset, w in `roots`, for a factor that is an n-th root of unity."""
        r, n = self.domain.field.modulus, self.domain.size
        dense = self.backend.ntt(p.dense, self.domain.coset(self.domain.offset * factor % r))
        if not p.terms:
            return dense
        # for a root w, (factor g w)^e is (factor g)^e w^(e mod n)
        short, scale = [0] * (1 + max(e % n for e in p.terms)), self.domain.offset * factor % r
        for e, k in p.terms.items():
            short[e % n] = (short[e % n] + k * pow(scale, e, r)) % r
        return self.backend.pointwise(lambda value, root: value + horner(short, root), dense, self.roots)


def roots_of_unity(backend: Backend, domain: Domain) -> Vector:
    """The n-th roots of unity of a domain, bit-reversed as all evaluations: the values of X."""
    return backend.ntt(backend.vector(domain.field.to_limbs([0, 1, *[0] * (domain.size - 2)])), domain)


def horner(coefficients: Sequence[int], x: Any) -> Any:
    """The value at x, of whatever kind x is."""
    total: Any = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = total * x + c
    return total


def interpolate(backend: Backend, values: Vector, domain: Domain) -> Coefficients:
    """The polynomial of degree below n with these values, in bit-reversed order, on a domain."""
    return Coefficients(backend.intt(values, domain))


def evaluate(backend: Backend, p: Coefficients, x: int) -> int:
    """p(x)."""
    r = backend.curve.scalar_field.modulus
    return (backend.evaluate(p.dense, x) + sum(k * pow(x, e, r) for e, k in p.terms.items())) % r


def combine(
    backend: Backend, factors: Sequence[int], polynomials: Sequence[Coefficients], constant: int = 0
) -> Coefficients:
    """constant + the sum of factors[i] * polynomials[i]."""
    r = backend.curve.scalar_field.modulus
    terms = {0: constant % r} if constant else {}
    for factor, p in zip(factors, polynomials, strict=True):
        for e, k in p.terms.items():
            terms[e] = (terms.get(e, 0) + factor * k) % r
    dense = backend.pointwise(
        lambda *vectors: sum((f * v for f, v in zip(factors[1:], vectors[1:], strict=True)), factors[0] * vectors[0]),
        *(p.dense for p in polynomials),
    )
    return Coefficients(dense, terms)


def divide_by_linear(backend: Backend, p: Coefficients, root: int) -> Coefficients:
    """Quotient of p by X - root. The remainder, which is p(root), is dropped."""
    n, r = len(p.dense), backend.curve.scalar_field.modulus
    low, high = ({e: k for e, k in p.terms.items() if (e >= n) == is_high} for is_high in (False, True))
    quotient: dict[int, int] = {}
    carry = 0
    for e in range(max(high, default=n), n, -1):
        carry = (high.get(e, 0) + root * carry) % r
        quotient[e - 1] = carry
    leading = (high.get(n, 0) + root * carry) % r
    for e, k in low.items():  # X^e = (X - root) (X^(e-1) + root X^(e-2) + ..) + root^e
        for i in range(e):
            quotient[i] = (quotient.get(i, 0) + k * pow(root, e - 1 - i, r)) % r
    return Coefficients(backend.divide_by_linear(p.dense, root, leading), quotient)
