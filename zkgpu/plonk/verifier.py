"""PLONK's verifier (eprint 2019/953, section 8.3), by snarkjs' transcript."""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.errors import LengthError, PointError, UsageError
from zkgpu.plonk.conversation import AllChallenges, replay
from zkgpu.plonk.keys import FIXED, OPENED, Proof, VerifyingKey
from zkgpu.plonk.linearization import linearization
from zkgpu.poly import Claim, Opening, openings_hold


def verify(key: VerifyingKey, public_inputs: Sequence[int], proof: Proof, *, allow_insecure_key: bool = False) -> bool:
    """Whether the proof convinces that the circuit holds for these public inputs.

    public_inputs  canonical integers in [0, r), outputs of the circuit first
    A proof with a point at infinity or an opening that is 0 is not valid: no prover makes one but by a chance of
    about 2^-250, and forgers like them.
    Raises LengthError for too many or too few public inputs, UsageError for one, or an opening, outside [0, r),
    PointError for a point off its curve, InsecureKeyError for a key that lets anyone forge.
    """
    _check_question(key, public_inputs, proof, allow_insecure_key)
    if any(point.is_infinity for point in proof.points.values()) or not all(proof.evaluations.values()):
        return False
    challenges = replay(key, public_inputs, proof)
    if pow(challenges.zeta, key.domain.size, key.curve.scalar_field.modulus) == 1:
        return False  # zeta in the domain: the quotient would be divided by zero
    openings = _openings(key, public_inputs, proof, challenges)
    return openings_hold(key.curve, key.tau_g2, openings, challenges.v, challenges.u)


def _openings(key: VerifyingKey, public_inputs: Sequence[int], proof: Proof, ch: AllChallenges) -> list[Opening]:
    """What the two opening proofs claim: r is 0 and a, b, c, s1, s2 as said at zeta, z as said at zeta omega."""
    closed = {**{name: getattr(key, name) for name in FIXED}, **proof.points}
    linear = linearization(key, public_inputs, proof.evaluations, ch.identities, ch.zeta)
    points = tuple(closed[name] for name in linear.factors)
    r_is_zero = Claim(points, tuple(linear.factors.values()), -linear.constant)
    opened = [Claim.of(closed[name], getattr(proof, f"eval_{name}")) for name in OPENED]
    zeta_omega = ch.zeta * key.domain.omega % key.curve.scalar_field.modulus
    return [
        Opening(ch.zeta, proof.w_zeta, [r_is_zero, *opened]),
        Opening(zeta_omega, proof.w_zeta_omega, [Claim.of(proof.z, proof.eval_zw)]),
    ]


def _check_question(key: VerifyingKey, public_inputs: Sequence[int], proof: Proof, allow_insecure_key: bool) -> None:
    if not allow_insecure_key:
        key.require_secure()
    if len(public_inputs) != key.n_public:
        raise LengthError(f"{len(public_inputs)} public inputs, but the verifying key is for {key.n_public}")
    modulus, g1 = key.curve.scalar_field.modulus, key.curve.g1
    named = {f"public input {i}": value for i, value in enumerate(public_inputs)} | proof.evaluations
    for name, value in named.items():
        if not 0 <= value < modulus:
            raise UsageError(f"{name} is not in [0, r): values are never reduced, give the canonical one")
    for name, point in proof.points.items():
        if point.group is not g1:
            raise UsageError(f"proof point {name} is in {point.group.name}, not in {g1.name}")
        if not point.is_on_curve():
            raise PointError(f"proof point {name} is not on the curve {g1.name}")
