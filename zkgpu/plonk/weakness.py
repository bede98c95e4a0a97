"""Why a key is not to be used: what can be seen from its points alone, without the circuit or the ceremony.

Whoever knows tau forges. So does everybody where tau is known by its nature: 0, a root of unity of small order, or any
point of the domain, where X^n - 1 vanishes and every quotient is accepted. A verifying key shows tau in G2 alone, which
is compared with the 8th roots of unity; a proving key has the powers of tau, among which tau^j = 1 or -1 is seen for
every j up to n + 5, so a tau of the domain too. `plonk.setup` takes powers from a ceremony whose record it checks
(`ceremony.powers`), so that one honest contributor makes such a tau as improbable as n / r.

The permutation's commitments must differ up to sign: labels are distinct, and no quotient of two is a root of unity,
minus one included. Selectors may be zero, and their commitments infinity.

A proving key hides the witness when tau^n is not 1: then what is added to the wires and to z, multiples of X^n - 1
with random coefficients, makes commitments and openings uniform, and the rest follows from the equations, which the
prover's self-check makes sure of. Not to be seen without the circuit: whether the fixed polynomials and the wires of
the rows are those of the circuit; set up again from circuit and powers and compare, as keys are the same for everyone.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from zkgpu.curves.pairing import pairing_product_is_one
from zkgpu.curves.points import Curve
from zkgpu.curves.proper import coincidence, require_point
from zkgpu.errors import UsageError
from zkgpu.plonk.keys import FIXED, SIGMAS

if TYPE_CHECKING:
    from zkgpu.plonk.keys import ProvingKey, VerifyingKey

_ROOTS = 8  # of unity that tau in G2 is compared with: three multiplications, once a process


def require_proper_key(key: VerifyingKey) -> None:
    """Raises UsageError or PointError unless the key is made of canonical numbers, and points of its curve's groups.

    Readers of files give no other keys; this is for keys made by hand.
    """
    field = key.curve.scalar_field
    for name in ("k1", "k2"):
        field.element(getattr(key, name), f"{name} of the verifying key")
    if type(key.log_size) is not int or not 0 <= key.log_size <= field.two_adicity - 2:
        raise UsageError(f"log_size of the verifying key is not an integer from 0 to {field.two_adicity - 2}")
    if type(key.n_public) is not int or not 0 <= key.n_public <= 1 << key.log_size:
        raise UsageError("n_public of the verifying key is not an integer from 0 to the size of the domain")
    for name in FIXED:
        require_point(getattr(key, name), key.curve.g1, f"{name} of the verifying key")
    require_point(key.tau_g2, key.curve.g2, "tau_g2 of the verifying key")


def weakness_of_verifying_key(key: VerifyingKey) -> str | None:
    """Why anyone could forge proofs for the key, or None."""
    if key.tau_g2.is_infinity or key.tau_g2.x == key.curve.g2.generator.x:
        return "tau is 0, 1 or -1: nobody contributed to the powers of tau"
    if key.tau_g2.x in _small_roots(key.curve):
        return f"tau is a root of unity of order {_ROOTS} or less: everybody knows it"
    r, n = key.curve.scalar_field.modulus, 1 << key.log_size
    # the columns have labels of their own only if no quotient of 1, k1, k2 is a root of unity of the domain
    powers = {1, pow(key.k1, n, r), pow(key.k2, n, r)}
    if len(powers) < 3 or 0 in powers:
        return "k1 and k2 do not keep the columns of the permutation apart"
    named = {f"the permutation's {name}": getattr(key, name) for name in SIGMAS}
    return coincidence({"the generator of G1": key.curve.g1.generator, **named})


def weakness_of_proving_key(key: ProvingKey) -> str | None:
    """Why proofs for the key could be forged or would hide nothing, or None.

    Takes one product of pairings, unless the key comes from a file that passed before.
    Raises UsageError or PointError for a key made by hand of improper points.
    """
    key.verifying_key.require_proper()
    return key.verifying_key.weakness() or _weakness_of_powers(key) or (mismatch(key) if not key.file_digest else None)


def mismatch(key: ProvingKey) -> str | None:
    """Why the powers of tau do not start with those of the tau in G2, or None: e(tau G1, G2) = e(G1, tau G2)."""
    g1, g2 = key.verifying_key.curve.g1, key.verifying_key.curve.g2
    first, second = g1.from_rows(key.powers_g1[:2])
    require_point(second, g1, "the second of the powers of tau")
    if first != g1.generator:
        return "the powers of tau do not start with the generator of G1"
    if not pairing_product_is_one([(-second, g2.generator), (first, key.verifying_key.tau_g2)]):
        return "tau is not the same in G1 and G2: the key is damaged, or its proofs would not verify"
    return None


def _weakness_of_powers(key: ProvingKey) -> str | None:
    """Points are equal up to sign exactly when their x are; infinity is a zero row."""
    rows, words = key.powers_g1, key.verifying_key.curve.g1.row_limbs // 2
    if not rows[1:].any(axis=1).all():
        return "a power of tau is infinity: tau is 0, or the key is damaged"
    again = np.flatnonzero((rows[1:, :words] == rows[0, :words]).all(axis=1))
    if again.size:
        return f"tau to the power {again[0] + 1:,} is 1 or -1: tau is a root of unity, and proofs would hide nothing"
    return None


@cache
def _small_roots(curve: Curve) -> frozenset[object]:
    """The x of root times the generator of G2, for the roots of unity of order up to _ROOTS other than 1 and -1."""
    omega, r = curve.scalar_field.root_of_unity(_ROOTS), curve.scalar_field.modulus
    return frozenset((pow(omega, i, r) * curve.g2.generator).x for i in range(1, _ROOTS // 2))
