"""PLONK's verifier (eprint 2019/953, section 8.3), by snarkjs' transcript."""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.curves.proper import require_point
from zkgpu.errors import LengthError, UsageError
from zkgpu.plonk.keys import FIXED, OPENED, Proof, VerifyingKey
from zkgpu.plonk.linearization import linearization
from zkgpu.plonk.transcript import AllChallenges
from zkgpu.poly import Claim, Opening, openings_hold


def verify(key: VerifyingKey, public_inputs: Sequence[int], proof: Proof, *, allow_insecure_key: bool = False) -> bool:
    """Whether the proof convinces that the circuit holds for these public inputs.

    Args:
        public_inputs: canonical integers in [0, r), Python's or NumPy's, outputs of the circuit first

    A proof with a point at infinity or an opening that is 0 is not valid: no prover makes one but by a chance of
    about 2^-250, and forgers like them.
    Nothing is reduced or converted. Raises LengthError for too many or too few public inputs, UsageError for one, or an
    opening, outside [0, r) and for a value of another type, PointError for a point of proof or key with a coordinate
    outside [0, q), off its curve or outside the subgroup, InsecureKeyError for a key that lets anyone forge. A key's
    points are looked at once for each key object.
    """
    _check_key(key, allow_insecure_key)
    public_inputs = _canonical(key, public_inputs)
    _check_proof(key, proof)
    if any(point.is_infinity for point in proof.points.values()) or not all(proof.evaluations.values()):
        return False
    challenges = AllChallenges.of(key, public_inputs, proof)
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


def _check_key(key: VerifyingKey, allow_insecure_key: bool) -> None:
    if not isinstance(key, VerifyingKey):
        raise UsageError(f"the key is a {type(key).__name__}, not a VerifyingKey of PLONK: give the proof's own key")
    key.require_proper()
    if not allow_insecure_key:
        key.require_secure()


def _canonical(key: VerifyingKey, public_inputs: Sequence[int]) -> list[int]:
    """The public inputs as Python integers. Raises as `verify`."""
    inputs = key.curve.scalar_field.elements(public_inputs, "public input")
    if len(inputs) != key.n_public:
        raise LengthError(f"{len(inputs)} public inputs, but the verifying key is for {key.n_public}")
    return inputs


def _check_proof(key: VerifyingKey, proof: Proof) -> None:
    if not isinstance(proof, Proof):
        raise UsageError(f"the proof is a {type(proof).__name__}, not a Proof of PLONK: read it from its file")
    for name, value in proof.evaluations.items():
        if type(value) is not int:
            raise UsageError(f"{name} is a {type(value).__name__}, not a Python integer: read the proof from its file")
        key.curve.scalar_field.element(value, name)
    for name, point in proof.points.items():
        require_point(point, key.curve.g1, f"proof point {name}")
