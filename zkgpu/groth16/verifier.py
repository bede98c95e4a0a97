"""Groth16's verifier: e(A, B) = e(alpha, beta) e(vk_x, gamma) e(C, delta), and what a commitment adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from zkgpu.circuits.committed import require_bytes
from zkgpu.curves.pairing import pairing_product_is_one, small_msm
from zkgpu.curves.points import Point, sum_points
from zkgpu.curves.proper import require_point
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Field
from zkgpu.groth16.keys import Commitment, Proof, VerifyingKey
from zkgpu.provers.statement import Statement
from zkgpu.records import dataclass


def verify(
    key: VerifyingKey,
    public_inputs: Sequence[int],
    proof: Proof,
    *,
    packed: bytes = b"",
    allow_insecure_key: bool = False,
) -> bool:
    """Whether the proof convinces that the circuit holds for these public inputs.

    Args:
        public_inputs: canonical integers in [0, r), Python's or NumPy's, outputs of the circuit first; without
            challenges and digest
        packed: the public arrays of a circuit that has some (`CommittedRound`)

    Nothing is reduced or converted. Raises LengthError for too many or too few of them, UsageError for one outside
    [0, r), for a value of another type and for a proof that lacks a commitment or has one too many, PointError for a
    point of proof or key with a coordinate outside [0, q), off its curve or outside the subgroup, FormatError for a
    packed value outside its interval, InsecureKeyError for a key that lets anyone forge. A key's points are looked at
    once for each key object.
    eprint 2016/260, section 3.2; with a commitment, see `groth16.commitment`.
    """
    return verify_batch(key, [Statement(public_inputs, proof, packed)], allow_insecure_key=allow_insecure_key)


def verify_batch(
    key: VerifyingKey, statements: Sequence[Statement | tuple[Any, ...]], *, allow_insecure_key: bool = False
) -> bool:
    """Whether all of the proofs for one key are valid, with n + 3 pairings in place of 4n, one more if committed.

    Args:
        statements: or tuples (public inputs, proof) and (public inputs, proof, packed values)

    Sums the equations with 128-bit random weights: a batch with a wrong proof passes with probability 2^-128.
    Raises as `verify`. An empty batch is valid.
    """
    _check_key(key, allow_insecure_key)
    checked = [_checked(key, statement) for statement in statements]
    if not checked:
        return True
    field, g1 = key.curve.scalar_field, key.curve.g1
    # a single equation needs no weight
    weights = [1] if len(checked) == 1 else [_random_weight(field) for _ in checked]
    parts = [(w, statement.proof, _equation(key, statement)) for w, statement in zip(weights, checked, strict=True)]
    total = sum(weights) * key.alpha_g1
    c = sum_points(g1, (w * proof.c for w, proof, _ in parts))
    pairs = [(-(w * proof.a), proof.b) for w, proof, _ in parts]
    pairs += [(total, key.beta_g2), (_bound(key, parts), key.gamma_g2), (c, key.delta_g2)]
    pairs += [(_unknown(parts), commitment.sigma_g2) for commitment in key.commitments]
    return pairing_product_is_one(pairs)


@dataclass(frozen=True)
class _Equation:
    """What a proof's equation has besides A, B, C: all public inputs, and for a commitment D, pi and the power t."""

    public_inputs: Sequence[int]
    commitments: tuple[Commitment, ...] = ()
    t: int = 0


_Part = tuple[int, Proof, _Equation]


def _equation(key: VerifyingKey, statement: Statement) -> _Equation:
    public, proof, packed = statement
    if not proof.commitments:
        return _Equation(public)
    from zkgpu.groth16.commitment import CommitmentTranscript

    said = CommitmentTranscript(key, proof.commitments[0].point, public, packed)
    return _Equation(said.all_public_inputs(), proof.commitments, said.fold(proof))


def _bound(key: VerifyingKey, parts: Sequence[_Part]) -> Point:
    """The weighted sum of vk_x + D + t pi, vk_x being ic_0 + sum of public_inputs[i] * ic_{i+1}."""
    modulus = key.curve.scalar_field.modulus
    points, scalars = list(key.ic), [0] * len(key.ic)
    for w, _, equation in parts:
        for i, value in enumerate((1, *equation.public_inputs)):
            scalars[i] = (scalars[i] + w * value) % modulus
        for commitment in equation.commitments:
            points += [commitment.point, commitment.knowledge]
            scalars += [w, w * equation.t]
    return small_msm(points, scalars)


def _unknown(parts: Sequence[_Part]) -> Point:
    """The weighted sum of -t D, which meets sigma."""
    committed = [(c.point, -w * equation.t) for w, _, equation in parts for c in equation.commitments]
    return small_msm([d for d, _ in committed], [k for _, k in committed])


def _random_weight(field: Field) -> int:
    """128 random bits, never zero."""
    return 1 + field.random() % ((1 << 128) - 1)


def _check_key(key: VerifyingKey, allow_insecure_key: bool) -> None:
    if not isinstance(key, VerifyingKey):
        raise UsageError(f"the key is a {type(key).__name__}, not a VerifyingKey of Groth16: give the proof's own key")
    key.require_proper()
    if not allow_insecure_key:
        key.require_secure()


def _checked(key: VerifyingKey, given: object) -> Statement:
    """The statement with its public inputs as Python integers. Raises unless it is one for the key."""
    if isinstance(given, tuple) and len(given) in (2, 3):
        given = Statement(*given)
    if not isinstance(given, Statement):
        raise UsageError("an entry of a batch is no Statement, and no tuple of public inputs, proof and packed values")
    if not isinstance(given.proof, Proof):
        raise UsageError(f"the proof is a {type(given.proof).__name__}, not a Proof of Groth16: read it from its file")
    inputs = key.curve.scalar_field.elements(given.public_inputs, "public input")
    if len(inputs) != key.n_explicit_public:
        raise LengthError(f"{len(inputs)} public inputs, but the verifying key is for {key.n_explicit_public}")
    _check_points(key, given.proof)
    _check_commitment(key, given)
    return replace(given, public_inputs=inputs)


def _check_points(key: VerifyingKey, proof: Proof) -> None:
    g1, g2 = key.curve.g1, key.curve.g2
    named = {"A": (proof.a, g1), "B": (proof.b, g2), "C": (proof.c, g1)}
    for commitment in proof.commitments:
        if not isinstance(commitment, Commitment):
            raise UsageError(f"a commitment of the proof is a {type(commitment).__name__}: give a Commitment")
        named |= {"commitment": (commitment.point, g1), "knowledge": (commitment.knowledge, g1)}
    for name, (point, group) in named.items():
        require_point(point, group, f"proof point {name}")


def _check_commitment(key: VerifyingKey, statement: Statement) -> None:
    """A key with a commitment takes proofs with one, and packed values of the right form; another key neither."""
    require_bytes(statement.packed)
    if len(statement.proof.commitments) < len(key.commitments):
        raise UsageError("the key is for proofs with a commitment: this proof is for another key")
    if len(statement.proof.commitments) > len(key.commitments) or (statement.packed and not key.commitments):
        raise UsageError("the proof has a commitment or packed values, but the key has none: they do not belong")
    for commitment in key.commitments:
        commitment.round.unpack(statement.packed)
