"""Groth16's verifier: e(A, B) = e(alpha, beta) e(vk_x, gamma) e(C, delta)."""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.curves.pairing import is_in_subgroup_g2, pairing_product_is_one, small_msm
from zkgpu.curves.points import Point, sum_points
from zkgpu.errors import LengthError, PointError, UsageError
from zkgpu.fields.field import Field
from zkgpu.groth16.keys import Proof, VerifyingKey

Instance = tuple[Sequence[int], Proof]


def verify(key: VerifyingKey, public_inputs: Sequence[int], proof: Proof, *, allow_insecure_key: bool = False) -> bool:
    """Whether the proof convinces that the circuit holds for these public inputs.

    public_inputs  canonical integers in [0, r), outputs of the circuit first
    Raises LengthError for too many or too few of them, UsageError for one outside [0, r), PointError for a point
    off its curve or outside the subgroup, InsecureKeyError for a key that lets anyone forge.
    eprint 2016/260, section 3.2.
    """
    _check_question(key, public_inputs, proof, allow_insecure_key)
    pairs = [
        (-proof.a, proof.b),
        (key.alpha_g1, key.beta_g2),
        (_bind(key, public_inputs), key.gamma_g2),
        (proof.c, key.delta_g2),
    ]
    return pairing_product_is_one(pairs)


def verify_batch(key: VerifyingKey, instances: Sequence[Instance], *, allow_insecure_key: bool = False) -> bool:
    """Whether all of the proofs for one key are valid, with n + 3 pairings in place of 4n.

    Sums the equations with 128-bit random weights: a batch with a wrong proof passes with probability 2^-128.
    Raises as `verify`. An empty batch is valid.
    """
    for public_inputs, proof in instances:
        _check_question(key, public_inputs, proof, allow_insecure_key)
    if not instances:
        return True
    field, g1 = key.curve.scalar_field, key.curve.g1
    weights = [_random_weight(field) for _ in instances]
    weighted_inputs = [
        sum(w * public_inputs[i] for w, (public_inputs, _) in zip(weights, instances, strict=True)) % field.modulus
        for i in range(key.n_public)
    ]
    total = sum(weights) % field.modulus
    vk_x = small_msm(list(key.ic), [total, *weighted_inputs])
    c = sum_points(g1, (w * proof.c for w, (_, proof) in zip(weights, instances, strict=True)))
    pairs = [(-(w * proof.a), proof.b) for w, (_, proof) in zip(weights, instances, strict=True)]
    return pairing_product_is_one(
        [*pairs, (total * key.alpha_g1, key.beta_g2), (vk_x, key.gamma_g2), (c, key.delta_g2)]
    )


def _random_weight(field: Field) -> int:
    """128 random bits, never zero."""
    return 1 + field.random() % ((1 << 128) - 1)


def _bind(key: VerifyingKey, public_inputs: Sequence[int]) -> Point:
    """vk_x = ic_0 + sum of public_inputs[i] * ic_{i+1}."""
    return small_msm(list(key.ic), [1, *public_inputs])


def _check_question(key: VerifyingKey, public_inputs: Sequence[int], proof: Proof, allow_insecure_key: bool) -> None:
    if not allow_insecure_key:
        key.require_secure()
    if len(public_inputs) != key.n_public:
        raise LengthError(f"{len(public_inputs)} public inputs, but the verifying key is for {key.n_public}")
    modulus = key.curve.scalar_field.modulus
    for i, value in enumerate(public_inputs):
        if not 0 <= value < modulus:
            raise UsageError(f"public input {i} is not in [0, r): values are never reduced, give the canonical one")
    for name, point, group in (("A", proof.a, "g1"), ("B", proof.b, "g2"), ("C", proof.c, "g1")):
        if point.group is not getattr(key.curve, group):
            raise UsageError(f"proof point {name} is in {point.group.name}, which is not {group} of {key.curve.name}")
        if not point.is_on_curve():
            raise PointError(f"proof point {name} is not on the curve {point.group.name}")
    if not is_in_subgroup_g2(proof.b):
        raise PointError(f"proof point B is outside the prime-order subgroup of {proof.b.group.name}")
