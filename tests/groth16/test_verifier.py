"""The verifier: what it accepts, what it refuses, and what it calls a malformed question."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from zkgpu.backend import open_backend
from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.curves.points import Point, sum_points
from zkgpu.errors import InsecureKeyError, LengthError, PointError, UsageError
from zkgpu.groth16 import Proof, Prover, verify, verify_batch

PUBLIC = [35, 77]


@pytest.fixture(scope="module")
def proof(statement: Any) -> Proof:
    return Prover(statement.key, open_backend("cpu")).prove(statement.assignment)


def test_every_changed_public_input_is_refused(statement: Any, proof: Proof) -> None:
    key = statement.key.verifying_key
    assert verify(key, PUBLIC, proof)
    for i, delta in product(range(2), (1, Fr.modulus - 1, Fr.modulus // 2)):
        wrong = list(PUBLIC)
        wrong[i] = (wrong[i] + delta) % Fr.modulus
        assert not verify(key, wrong, proof)


def test_values_outside_the_field_are_refused_and_never_reduced(statement: Any, proof: Proof) -> None:
    for alias in (35 + Fr.modulus, 35 - Fr.modulus, -35, 2**256 - 1):
        with pytest.raises(UsageError, match="public input 0"):
            verify(statement.key.verifying_key, [alias, 77], proof)


@pytest.mark.parametrize("public", [[], [35], [35, 77, 0]])
def test_another_number_of_public_inputs_is_refused(statement: Any, proof: Proof, public: list[int]) -> None:
    with pytest.raises(LengthError):
        verify(statement.key.verifying_key, public, proof)


def test_each_proof_point_matters(statement: Any, proof: Proof) -> None:
    key = statement.key.verifying_key
    for name in ("a", "b", "c"):
        point = getattr(proof, name)
        for other in (point + point.group.generator, -point, 2 * point):
            assert not verify(key, PUBLIC, replace(proof, **{name: other}))


def test_points_at_infinity_are_refused_in_every_combination(statement: Any, proof: Proof) -> None:
    for flags in list(product([False, True], repeat=3))[1:]:
        points = [p.group.infinity if flag else p for p, flag in zip((proof.a, proof.b, proof.c), flags, strict=True)]
        assert not verify(statement.key.verifying_key, PUBLIC, Proof(*points))


def test_points_off_the_curve_or_outside_the_subgroup_are_named(statement: Any, proof: Proof) -> None:
    key = statement.key.verifying_key
    off_curve = Point(G1, proof.a.x, proof.a.y + 1)
    with pytest.raises(PointError, match="proof point A is not on the curve"):
        verify(key, PUBLIC, replace(proof, a=off_curve))
    with pytest.raises(PointError, match="proof point B is outside the prime-order subgroup"):
        verify(key, PUBLIC, replace(proof, b=twist_point_of_another_order()))
    with pytest.raises(UsageError, match="proof point C is in BN254 G2"):
        verify(key, PUBLIC, replace(proof, c=proof.b))


def twist_point_of_another_order() -> Point:
    f = G2.field
    for c in range(1, 100):
        y = f.sqrt(f.add(f.mul(f.square((c, 1)), (c, 1)), G2.b))
        if y is not None and not Point(G2, (c, 1), y).is_in_subgroup():
            return Point(G2, (c, 1), y)
    raise AssertionError("no point found")


def test_proofs_are_malleable_as_the_security_policy_says(statement: Any, proof: Proof) -> None:
    assert verify(statement.key.verifying_key, PUBLIC, Proof(-proof.a, -proof.b, proof.c))


def forged(key: Any, public: list[int]) -> Proof:
    """A = alpha, B = beta, C = -vk_x: a proof of anything when gamma equals delta."""
    vk_x = sum_points(G1, [key.ic[0], *(v * p for v, p in zip(public, key.ic[1:], strict=True))])
    return Proof(key.alpha_g1, key.beta_g2, -vk_x)


def test_a_key_whose_gamma_equals_delta_is_refused_because_forgeries_verify(statement: Any) -> None:
    key = replace(statement.key.verifying_key, delta_g2=statement.key.verifying_key.gamma_g2)
    forgery = forged(key, [1, 2])
    with pytest.raises(InsecureKeyError, match="gamma equals delta"):
        verify(key, [1, 2], forgery)
    assert verify(key, [1, 2], forgery, allow_insecure_key=True)


@pytest.mark.parametrize("name", ["alpha_g1", "beta_g2", "gamma_g2", "delta_g2"])
def test_a_key_with_a_point_at_infinity_is_refused(statement: Any, proof: Proof, name: str) -> None:
    key = statement.key.verifying_key
    with pytest.raises(InsecureKeyError, match="infinity"):
        verify(replace(key, **{name: getattr(key, name).group.infinity}), PUBLIC, proof)


def test_a_batch_is_valid_when_every_proof_is(statement: Any) -> None:
    key, prover = statement.key, Prover(statement.key, open_backend("cpu"))
    instances = [(PUBLIC, prover.prove(statement.assignment)) for _ in range(4)]
    assert verify_batch(key.verifying_key, instances)
    assert verify_batch(key.verifying_key, [])
    for i in range(4):
        spoilt = list(instances)
        spoilt[i] = ([36, 77], instances[i][1])
        assert not verify_batch(key.verifying_key, spoilt)


def test_errors_that_cancel_in_a_plain_sum_do_not_pass_a_batch(statement: Any, proof: Proof) -> None:
    g = G1.generator
    pair = [(PUBLIC, replace(proof, c=proof.c + g)), (PUBLIC, replace(proof, c=proof.c - g))]
    assert not verify_batch(statement.key.verifying_key, pair)
