"""The prover: right proofs come out, wrong ones never do."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from zkgpu.backend import Backend, open_backend
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import InsecureKeyError, LengthError, SelfCheckError, UnsatisfiedError, UsageError
from zkgpu.groth16 import Prover, verify
from zkgpu.groth16.prover import Blinding

FIXED = Blinding(r=12345, s=67890)


def test_a_proof_of_a_right_witness_verifies(backend: Backend, statement: Any) -> None:
    prover = Prover(statement.key, backend)
    proof = prover.prove(statement.assignment)
    assert prover.public_inputs(statement.assignment) == [35, 77]
    assert verify(statement.key.verifying_key, [35, 77], proof)


def test_every_backend_gives_the_same_proof_for_the_same_blinding(backend: Backend, statement: Any) -> None:
    expected = Prover(statement.key, open_backend("reference")).prove(statement.assignment, _blinding=FIXED)
    assert Prover(statement.key, backend).prove(statement.assignment, _blinding=FIXED) == expected


def test_tables_of_multiples_change_no_proof(statement: Any) -> None:
    expected = Prover(statement.key, open_backend("reference")).prove(statement.assignment, _blinding=FIXED)
    backend = open_backend("cpu", tables=8)
    assert Prover(statement.key, backend).prove(statement.assignment, _blinding=FIXED) == expected


def test_one_prover_makes_many_proofs_and_no_element_repeats(statement: Any) -> None:
    prover = Prover(statement.key, open_backend("cpu"))
    proofs = [prover.prove(statement.assignment) for _ in range(20)]
    points = [point for proof in proofs for point in (proof.a, proof.b, proof.c)]
    assert len(set(map(str, points))) == len(points)


def test_blinding_comes_from_the_operating_system_only(statement: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise OSError("no entropy")

    prover = Prover(statement.key, open_backend("reference"))
    monkeypatch.setattr(os, "urandom", broken)
    with pytest.raises(OSError, match="no entropy"):
        prover.prove(statement.assignment)


@pytest.mark.parametrize("with_circuit", [False, True])
def test_a_value_that_is_right_modulo_r_but_not_below_it_is_refused(
    backend: Backend, statement: Any, with_circuit: bool
) -> None:
    """Such a witness satisfies the constraints: only the check of its values keeps it out."""
    circuit = statement.r1cs if with_circuit else None
    prover = Prover(statement.key, backend, circuit=circuit)
    for wire in range(1, len(statement.assignment)):
        wrong = statement.assignment.copy()
        (value,) = Fr.from_limbs(wrong[wire : wire + 1])
        limbs = (value + Fr.modulus).to_bytes(32, "little")
        wrong[wire] = np.frombuffer(limbs, np.uint64)
        with pytest.raises(UsageError, match=f"witness value {wire} is not below the modulus"):
            prover.prove(wrong)


@pytest.mark.parametrize("first", [0, 2, Fr.modulus - 1])
def test_a_witness_begins_with_the_constant_one(backend: Backend, statement: Any, first: int) -> None:
    wrong = statement.assignment.copy()
    wrong[0] = Fr.to_limbs([first])[0]
    with pytest.raises(UsageError, match="must be the constant 1"):
        Prover(statement.key, backend).prove(wrong)


def test_a_changed_witness_value_never_gives_a_proof(statement: Any) -> None:
    prover = Prover(statement.key, open_backend("cpu"))
    for wire in range(1, len(statement.assignment)):
        if wire == 2:
            continue  # `unused` is public and free: its value is bound to the proof, not to the circuit
        wrong = statement.assignment.copy()
        wrong[wire, 0] += 1
        with pytest.raises(UnsatisfiedError):
            prover.prove(wrong)


def test_with_the_circuit_at_hand_a_wrong_witness_is_named_before_any_proving(statement: Any) -> None:
    prover = Prover(statement.key, open_backend("cpu"), circuit=statement.r1cs)
    wrong = statement.assignment.copy()
    wrong[1, 0] += 1
    with pytest.raises(UnsatisfiedError, match="cubic"):
        prover.prove(wrong)


def first_wire_other_than_one(a: np.ndarray) -> np.ndarray:
    a[0, 0] = 2
    return a


def value_at_the_modulus(a: np.ndarray) -> np.ndarray:
    a[2] = Fr.to_limbs([Fr.modulus - 1])[0]
    a[2, 0] += 1
    return a


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda a: a[:-1], LengthError),
        (lambda a: np.concatenate([a, a[:1]]), LengthError),
        (lambda a: a[:, :3], UsageError),
        (lambda a: a.astype(np.int64), UsageError),
        (first_wire_other_than_one, UsageError),
        (value_at_the_modulus, UsageError),
    ],
    ids=["short", "long", "three limbs", "signed", "no constant one", "not canonical"],
)
def test_an_assignment_of_the_wrong_form_is_refused(
    statement: Any, spoil: Callable[[np.ndarray], np.ndarray], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Prover(statement.key, open_backend("cpu")).prove(spoil(statement.assignment.copy()))


def test_a_key_without_a_contribution_is_refused(statement: Any) -> None:
    bare = replace(statement.key, contributions=())
    with pytest.raises(InsecureKeyError, match="no contribution"):
        Prover(bare, open_backend("reference"))
    proof = Prover(bare, open_backend("reference"), allow_insecure_key=True).prove(statement.assignment)
    assert verify(bare.verifying_key, [35, 77], proof)


def test_a_damaged_key_gives_an_error_and_no_proof(statement: Any) -> None:
    damaged = statement.key.h_query.copy()
    damaged[0] = statement.key.h_query[1]
    key = replace(statement.key, h_query=damaged)
    with pytest.raises(UnsatisfiedError, match="key is damaged"):
        Prover(key, open_backend("cpu")).prove(statement.assignment)
    with pytest.raises(SelfCheckError):
        Prover(key, open_backend("cpu"), circuit=statement.r1cs).prove(statement.assignment)


class ErringOnce:
    """A backend whose first batch of multi-scalar multiplications comes out wrong."""

    def __init__(self, backend: Backend):
        self._backend, self.was_wrong = backend, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def msm_many(self, pairs: Any, *meanwhile: Any) -> Any:
        points = self._backend.msm_many(pairs, *meanwhile)
        if not self.was_wrong:
            self.was_wrong = True
            points[0] = points[0] + points[0].group.generator
        return points


def test_a_device_that_errs_once_is_asked_again_and_reported(statement: Any, caplog: pytest.LogCaptureFixture) -> None:
    erring = ErringOnce(open_backend("cpu"))
    proof = Prover(statement.key, erring).prove(statement.assignment)  # type: ignore[arg-type]
    assert erring.was_wrong
    assert verify(statement.key.verifying_key, [35, 77], proof)
    assert "failed its self-check" in caplog.text
