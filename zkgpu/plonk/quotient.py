"""t: all identities, divided by X^n - 1, in three parts of n coefficients and six coefficients more.

t has degree below 3n + 6. Its coefficients from X^3n on belong to the permutation argument alone, the product of
four blinded polynomials, and follow from their highest coefficients. Its values on three cosets of the domain give
the others. On coset k, where X^n is the constant c_k, values become the n coefficients of u_k = t mod (X^n - c_k), by
a transform of size n. Written t = t_0 + t_1 X^n + t_2 X^2n + t_3 X^3n, t_3 being the six known coefficients, that is
u_k - t_3 c_k^3 = t_0 + t_1 c_k + t_2 c_k^2: three equations for the parts, solved entry by entry. No vector is longer
than n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zkgpu.backend.protocol import Backend, Vector
from zkgpu.fields.field import Field
from zkgpu.ntt.domain import Domain
from zkgpu.plonk.assignment import selection
from zkgpu.plonk.identities import Challenges, PermutationColumns, Selectors, WireColumns, all_identities
from zkgpu.plonk.keys import EXTRA_POWERS, FIXED, SIGMAS
from zkgpu.poly import Coefficients, Coset, combine, roots_of_unity
from zkgpu.records import dataclass

PARTS = 3


@dataclass(frozen=True, eq=False)
class FixedValues:
    """The polynomials of a key on one coset, kept for many proofs. qc waits for the public inputs."""

    coset: Coset
    fixed: Mapping[str, Vector]
    l1: Vector


class Quotient:
    """The division of one key's identities.

    Args:
        fixed: the coefficients of the key's polynomials, by the names of FIXED
    """

    def __init__(self, backend: Backend, domain: Domain, fixed: Mapping[str, Coefficients], k: tuple[int, int]) -> None:
        self._backend, self._domain, self._k = backend, domain, k
        field, n = domain.field, domain.size
        # L_1 = (1 + X + .. + X^(n-1)) / n
        l1 = Coefficients(backend.vector(field.to_limbs([field.inverse(n)] * n)))
        roots = roots_of_unity(backend, domain)
        cosets = [Coset(backend, domain.coset(offset), roots) for offset in coset_offsets(domain)]
        self._cosets = [self._load(coset, fixed, l1) for coset in cosets]
        self._weights = interpolation_weights(field, [coset.power for coset in cosets])
        self._last_entries = backend.matrix(selection(np.arange(n - EXTRA_POWERS, n), n, field))
        self._highest_sigmas = [self._highest(fixed[name], n + 1) for name in SIGMAS]

    def _load(self, coset: Coset, fixed: Mapping[str, Coefficients], l1: Coefficients) -> FixedValues:
        values = {name: coset.values(fixed[name]) for name in FIXED if name != "qc"}
        return FixedValues(coset, values, coset.values(l1))

    def parts(
        self, wires: WireColumns[Coefficients], z: Coefficients, qc: Coefficients, ch: Challenges
    ) -> tuple[list[Coefficients], list[int]]:
        """t_0, t_1, t_2, and the coefficients of t_3, for the polynomials of a proof; qc includes the public inputs'.

        When the identities do not hold on the domain these are the parts of no quotient: then the opening of the
        linearization is not 0.
        """
        field, last = self._domain.field, self._last(wires, z, ch)
        remainders = []
        for c in self._cosets:
            known = {i: -k * pow(c.coset.power, PARTS, field.modulus) % field.modulus for i, k in enumerate(last)}
            remainders.append(Coefficients(self._remainder(c, wires, z, qc, ch), known))
        return [combine(self._backend, weights, remainders) for weights in self._weights], last

    def _last(self, wires: WireColumns[Coefficients], z: Coefficients, ch: Challenges) -> list[int]:
        """The coefficients of X^3n to X^(3n+5) in t: alpha times those of X^4n to X^(4n+5) in the permutation's."""
        n, r, omega = self._domain.size, self._domain.field.modulus, self._domain.omega
        values = [self._highest(p, n + 1) for p in (wires.a, wires.b, wires.c)]
        named = [
            [v + ch.beta * label for v, label in zip(value, labels, strict=True)]
            for value, labels in zip(values, self._highest_sigmas, strict=True)
        ]
        z_here = self._highest(z, n + 2)
        z_next = [k * pow(omega, n + 2 - i, r) for i, k in enumerate(z_here)]
        before, after = highest_product([*values, z_here], r), highest_product([*named, z_next], r)
        return [ch.alpha * (x - y) % r for x, y in zip(before, after, strict=True)][::-1]

    def _highest(self, p: Coefficients, degree: int) -> list[int]:
        """Six coefficients of p from that of X^degree down; the degree is n + 2 at most."""
        n = self._domain.size
        entries = self._domain.field.from_limbs(self._backend.limbs(self._backend.matvec(self._last_entries, p.dense)))
        known = {n - EXTRA_POWERS + i: k for i, k in enumerate(entries)}
        exponents = range(degree, degree - EXTRA_POWERS, -1)
        return [known.get(e, 0) + p.terms.get(e, 0) for e in exponents]

    def _remainder(
        self, at: FixedValues, wires: WireColumns[Coefficients], z: Coefficients, qc: Coefficients, ch: Challenges
    ) -> Vector:
        """t mod (X^n - c), c being X^n on the coset."""
        coset, field = at.coset, self._domain.field
        scale, k = field.inverse(field.sub(coset.power, 1)), self._k

        def quotient(*values: Any) -> Any:
            a, b, c, z, z_next, qc, qm, ql, qr, qo, s1, s2, s3, l1, x = values
            w, q, p = WireColumns(a, b, c), Selectors(qm, ql, qr, qo, qc), PermutationColumns(z, z_next, s1, s2, s3)
            return scale * all_identities(w, q, p, coset.domain.offset * x, l1, k, ch)

        moving = [coset.values(p) for p in (wires.a, wires.b, wires.c, z)]
        z_next, qc_values = coset.values(z, self._domain.omega), coset.values(qc)
        fixed = [at.fixed[name] for name in FIXED if name != "qc"]
        values = self._backend.pointwise(quotient, *moving, z_next, qc_values, *fixed, at.l1, coset.roots)
        return self._backend.intt(values, coset.domain, in_place=True)


def highest_product(factors: Sequence[Sequence[int]], modulus: int) -> list[int]:
    """The six highest coefficients of a product, highest first, from those of its factors."""
    product = [1, *[0] * (EXTRA_POWERS - 1)]
    for factor in factors:
        product = [sum(product[i] * factor[j - i] for i in range(j + 1)) % modulus for j in range(EXTRA_POWERS)]
    return product


def coset_offsets(domain: Domain) -> list[int]:
    """Three offsets with different n-th powers, none of them 1: these are the other fourth roots of unity."""
    field, root = domain.field, domain.field.root_of_unity((PARTS + 1) * domain.size)
    return [pow(root, k, field.modulus) for k in range(1, PARTS + 1)]


def interpolation_weights(field: Field, nodes: Sequence[int]) -> list[list[int]]:
    """weights[j][k] with coefficient j = sum of weights[j][k] * value at nodes[k], for a polynomial of that many."""
    columns = []
    for node in nodes:
        others = [x for x in nodes if x != node]
        basis, scale = [1], 1
        for x in others:  # times (X - x)
            basis = [field.sub(low, x * high) for low, high in zip([0, *basis], [*basis, 0], strict=True)]
            scale = scale * (node - x) % field.modulus
        columns.append([field.mul(b, field.inverse(scale)) for b in basis])
    return [list(row) for row in zip(*columns, strict=True)]
