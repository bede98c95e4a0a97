"""The identities at zeta, with the openings in place of most polynomials: linear in those that stay closed.

Prover and verifier both make r from it, one of polynomials and the other of commitments; r(zeta) must be 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkgpu.ntt.domain import Domain
from zkgpu.plonk.identities import Challenges, Linear, PermutationColumns, Selectors, WireColumns, all_identities
from zkgpu.plonk.keys import VerifyingKey

QUOTIENT_PARTS = ("t1", "t2", "t3")


def lagrange_at(domain: Domain, count: int, x: int) -> list[int]:
    """L_1(x), .., L_count(x): L_i(x) = omega^(i-1) (x^n - 1) / (n (x - omega^(i-1))), for x outside the domain."""
    field, root, values = domain.field, 1, []
    vanishing = field.sub(pow(x, domain.size, field.modulus), 1)
    for _ in range(count):
        denominator = domain.size * (x - root) % field.modulus
        values.append(root * vanishing * field.inverse(denominator) % field.modulus)
        root = field.mul(root, domain.omega)
    return values


def linearization(
    key: VerifyingKey, public_inputs: Sequence[int], openings: Mapping[str, int], ch: Challenges, zeta: int
) -> Linear:
    """r: the identities at zeta minus (zeta^n - 1) (t1 + zeta^n t2 + zeta^2n t3), factors reduced.

    Names stand for the polynomials of the key and for z, t1, t2, t3. zeta must not be in the domain.
    """
    domain, r = key.domain, key.curve.scalar_field.modulus
    lagrange = lagrange_at(domain, max(1, len(public_inputs)), zeta)
    public = -sum(x * l_i for x, l_i in zip(public_inputs, lagrange, strict=False)) % r
    qm, ql, qr, qo, qc, s3, z = (Linear.named(name) for name in ("qm", "ql", "qr", "qo", "qc", "s3", "z"))
    total = all_identities(
        WireColumns(openings["eval_a"], openings["eval_b"], openings["eval_c"]),
        Selectors(qm, ql, qr, qo, qc, public),
        PermutationColumns(z, openings["eval_zw"], openings["eval_s1"], openings["eval_s2"], s3),
        zeta,
        lagrange[0],
        (key.k1, key.k2),
        ch,
    )
    power = pow(zeta, domain.size, r)
    for i, name in enumerate(QUOTIENT_PARTS):
        total = total - Linear.named(name) * ((power - 1) * pow(power, i, r))
    return Linear({name: factor % r for name, factor in total.factors.items()}, total.constant % r)
