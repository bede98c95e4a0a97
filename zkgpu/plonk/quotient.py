"""t: all identities, divided by X^n - 1, in four parts of n coefficients.

t has degree below 4n, so its values on four cosets of the domain tell it. On coset k, where X^n is the constant c_k,
values become the n coefficients of u_k = t mod (X^n - c_k), by a transform of size n. Written t = t_0 + t_1 X^n +
t_2 X^2n + t_3 X^3n, that is u_k = t_0 + t_1 c_k + t_2 c_k^2 + t_3 c_k^3: four equations for the parts, solved entry
by entry. No vector is longer than n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkgpu.backend.protocol import Backend, Vector
from zkgpu.fields.field import Field
from zkgpu.ntt.domain import Domain
from zkgpu.plonk.identities import Challenges, Copying, Selectors, Wires, all_identities
from zkgpu.plonk.keys import FIXED
from zkgpu.poly import Coefficients, Coset, combine

PARTS = 4


@dataclass(frozen=True, eq=False)
class FixedValues:
    """The polynomials of a key on one coset, kept for many proofs. qc waits for the public inputs."""

    coset: Coset
    fixed: Mapping[str, Vector]
    l1: Vector


class Quotient:
    """The division of one key's identities.

    fixed  the coefficients of the key's polynomials, by the names of FIXED
    """

    def __init__(self, backend: Backend, domain: Domain, fixed: Mapping[str, Coefficients], k: tuple[int, int]) -> None:
        self._backend, self._domain, self._k = backend, domain, k
        # L_1 = (1 + X + .. + X^(n-1)) / n
        share = domain.field.inverse(domain.size)
        l1 = Coefficients(backend.vector(domain.field.to_limbs([share] * domain.size)))
        self._cosets = [self._load(Coset.of(backend, domain, g), fixed, l1) for g in coset_offsets(domain)]
        self._weights = interpolation_weights(domain.field, [c.coset.power for c in self._cosets])

    def _load(self, coset: Coset, fixed: Mapping[str, Coefficients], l1: Coefficients) -> FixedValues:
        values = {name: coset.values(fixed[name]) for name in FIXED if name != "qc"}
        return FixedValues(coset, values, coset.values(l1))

    def parts(
        self, wires: Wires[Coefficients], z: Coefficients, qc: Coefficients, ch: Challenges
    ) -> list[Coefficients]:
        """t_0, t_1, t_2, t_3, for the polynomials of a proof; qc includes that of the public inputs.

        When the identities do not hold on the domain these are the parts of no quotient: see is_exact.
        """
        remainders = [Coefficients(self._remainder(c, wires, z, qc, ch)) for c in self._cosets]
        return [combine(self._backend, weights, remainders) for weights in self._weights]

    def is_exact(self, parts: Sequence[Coefficients], terms: int) -> bool:
        """Whether the last part has no more than its first `terms` coefficients, as the degree of t wants.

        Identities that do not hold on the domain give a last part that looks random.
        """
        return not self._backend.limbs(parts[-1].dense)[terms:].any()

    def _remainder(
        self, at: FixedValues, wires: Wires[Coefficients], z: Coefficients, qc: Coefficients, ch: Challenges
    ) -> Vector:
        """t mod (X^n - c), c being X^n on the coset."""
        coset, field = at.coset, self._domain.field
        scale, k = field.inverse(field.sub(coset.power, 1)), self._k

        def quotient(a, b, c, z, z_next, qc, qm, ql, qr, qo, s1, s2, s3, l1, x):
            w, q, p = Wires(a, b, c), Selectors(qm, ql, qr, qo, qc), Copying(z, z_next, s1, s2, s3)
            return scale * all_identities(w, q, p, x, l1, k, ch)

        moving = [coset.values(p) for p in (wires.a, wires.b, wires.c, z)]
        z_next, qc_values = coset.values(z, self._domain.omega), coset.values(qc)
        fixed = [at.fixed[name] for name in FIXED if name != "qc"]
        values = self._backend.pointwise(quotient, *moving, z_next, qc_values, *fixed, at.l1, coset.x)
        return self._backend.intt(values, coset.domain)


def coset_offsets(domain: Domain) -> list[int]:
    """Four offsets with different n-th powers, none of them 1."""
    field, root = domain.field, domain.field.root_of_unity(PARTS * domain.size)
    # a non-residue's n-th power has a higher order than the fourth roots of unity that the others give
    return [*(pow(root, k, field.modulus) for k in range(1, PARTS)), field.generator]


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
