"""What every prover does around its algebra, in each proof system alike: checks, second tries, the fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import bls12_381
from zkgpu import groth16, plonk
from zkgpu.backend import open_backend
from zkgpu.backend.reference import ReferenceBackend
from zkgpu.circuits import Circuit
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.curves.bn254 import BN254
from zkgpu.errors import PointError, SelfCheckError, UnsatisfiedError, UsageError
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.groth16.prover import Prover as Groth16Prover
from zkgpu.plonk.keys import EVALUATIONS, POINTS
from zkgpu.plonk.prover import Prover as PlonkProver
from zkgpu.provers.checked import CheckedProver
from zkgpu.provers.constraints import DeviceConstraints
from zkgpu.provers.statement import Statement

SYSTEMS = {"groth16": groth16, "plonk": plonk}
INPUTS = {"x": 3, "y": 27}


def cubed(name: str = "y") -> CompiledCircuit:
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.public(name)
    circuit.assert_equal(x * x * x, y)
    return circuit.compile()


COMPILED = cubed()
ASSIGNMENT = COMPILED.witness(INPUTS)


class OtherDevice(ReferenceBackend):
    """A device with another to fall back on."""

    def fallback(self) -> Any:
        return open_backend("cpu", threads=1)


@pytest.fixture(scope="module", params=SYSTEMS)
def system(request: pytest.FixtureRequest) -> Any:
    return SYSTEMS[request.param]


@pytest.fixture(scope="module")
def key(system: Any) -> Any:
    return system.unsafe_setup(COMPILED.r1cs, open_backend("cpu"))


def wrong() -> np.ndarray:
    return np.array(BN254.scalar_field.to_limbs([1, 28, 3, 9]))[: len(ASSIGNMENT)]


class Refusing:
    """A verifier that gives these answers, one a proof, and then those of the real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, system: Any, *answers: Any) -> None:
        self.answers, self.calls = list(answers), 0
        real = system.Prover._verify

        def verify(prover: Any, statement: Statement) -> bool:
            self.calls += 1
            answer = self.answers.pop(0) if self.answers else real(prover, statement)
            if isinstance(answer, Exception):
                raise answer
            return bool(answer)

        monkeypatch.setattr(system.Prover, "_verify", verify)


ONCE = "a proof failed its self-check and was made again"
TWICE = "a proof failed its self-check twice: do not trust it; made on cpu"


@pytest.mark.parametrize(
    ("answers", "logged"),
    [
        ([True], ""),
        ([False], ONCE),
        ([PointError("not a point")], ONCE),
        ([UsageError("no scalar")], ONCE),
        ([False, False], TWICE),
        ([PointError("not a point"), UsageError("no scalar")], TWICE),
    ],
    ids=["right", "refused", "no point", "no scalar", "refused twice", "wrong twice"],
)
def test_a_refused_proof_is_made_again_and_then_elsewhere(
    system: Any, key: Any, answers: list[Any], logged: str, monkeypatch: Any, caplog: Any
) -> None:
    prover = system.Prover(key, OtherDevice(BN254))
    refusing = Refusing(monkeypatch, system, *answers)
    statement = prover.statement(ASSIGNMENT)
    assert statement.public_inputs == [27]
    assert system.verify(key.verifying_key, statement.public_inputs, statement.proof)
    assert refusing.calls == len(answers) + (answers[-1] is not True)
    assert logged in caplog.text
    assert len(caplog.messages) == bool(logged)


def test_a_proof_that_no_device_makes_is_tried_three_times(system: Any, key: Any, monkeypatch: Any) -> None:
    prover = system.Prover(key, OtherDevice(BN254), circuit=COMPILED.r1cs)
    refusing = Refusing(monkeypatch, system, *[False] * 9)
    with pytest.raises(SelfCheckError, match="the witness satisfies the circuit, but the proof does not verify"):
        prover.prove(ASSIGNMENT)
    assert refusing.calls == 3


def test_where_the_circuit_is_known_to_hold_it_is_the_key(system: Any, key: Any, monkeypatch: Any) -> None:
    Refusing(monkeypatch, system, *[False] * 9)
    for prove in (
        lambda: system.Prover(key, ReferenceBackend(BN254), circuit=COMPILED.r1cs).prove(ASSIGNMENT),
        lambda: system.Prover(key, ReferenceBackend(BN254)).prove_circuit(COMPILED, INPUTS),
    ):
        with pytest.raises(SelfCheckError, match="the key is damaged or belongs to another circuit"):
            prove()


def test_a_wrong_witness_is_to_blame_and_told_how_to_find_out(system: Any, key: Any) -> None:
    with pytest.raises(UnsatisfiedError, match=r"`zkgpu check CIRCUIT\.r1cs WITNESS\.wtns` names the constraint"):
        system.Prover(key, open_backend("cpu")).prove(wrong())
    with pytest.raises(UnsatisfiedError, match="constraint"):
        system.Prover(key, open_backend("cpu"), circuit=COMPILED.r1cs).prove(wrong())


def test_nothing_is_proven_of_a_witness_that_the_circuit_refuses(system: Any, key: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(system.Prover, "_make", lambda *_: pytest.fail("made a proof"))
    with pytest.raises(UnsatisfiedError):
        system.Prover(key, open_backend("cpu"), circuit=COMPILED.r1cs).prove(wrong())


def test_inputs_give_a_statement_in_every_system(system: Any, key: Any) -> None:
    statement = system.Prover(key, open_backend("cpu")).prove_circuit(COMPILED, INPUTS)
    assert statement.public_inputs == [27]
    assert statement.packed == b""
    assert system.verify(key.verifying_key, statement.public_inputs, statement.proof)


def test_a_witness_that_waits_for_challenges_is_for_other_keys(system: Any, key: Any) -> None:
    with pytest.raises(UsageError, match="a circuit without challenges: give its assignment"):
        system.Prover(key, open_backend("cpu")).prove(COMPILED.deferred(INPUTS))


def test_a_circuit_of_another_shape_is_refused_by_its_numbers(system: Any, key: Any) -> None:
    circuit = Circuit()
    x = circuit.private("x", 2)
    circuit.output("y", x * x)
    with pytest.raises(UsageError, match=r"the circuit has \d+ wires, 2 public inputs and 0 committed wires, the key"):
        system.Prover(key, open_backend("cpu"), circuit=circuit.compile().r1cs)


def test_a_circuit_with_challenges_belongs_to_no_plonk_key() -> None:
    circuit = Circuit()
    x = circuit.public_array("x", 1, bits=8)
    circuit.output_array("y", x * 2, bits=9)
    r1cs = circuit.compile().r1cs
    plain = plonk.unsafe_setup(COMPILED.r1cs, open_backend("cpu"))
    # as many wires and public inputs, but some of them committed: only that number gives it away
    same = replace(plain.verifying_key, n_public=r1cs.n_public)
    fitting = replace(plain, verifying_key=same, n_wires=r1cs.n_wires + len(plain.additions))
    with pytest.raises(UsageError, match="do not belong together"):
        plonk.Prover(fitting, open_backend("cpu"), circuit=r1cs, allow_insecure_key=True)


def test_a_backend_over_another_curve_is_refused(system: Any, key: Any) -> None:
    other = replace(BN254, name="another curve")
    with pytest.raises(UsageError, match="the key is over bn254, the backend computes over another curve"):
        system.Prover(key, ReferenceBackend(other))


@pytest.mark.parametrize("prover", [Groth16Prover, PlonkProver])
def test_a_proof_system_brings_its_algebra_and_nothing_around_it(prover: type) -> None:
    around = {name for name in vars(CheckedProver) if not name.startswith("_")} | {
        "_prove",
        "_in_turn",
        "_verified",
        "_made",
        "_check",
        "_accepts",
    }
    assert issubclass(prover, CheckedProver)
    assert around <= set(vars(CheckedProver))
    assert not around & set(vars(prover))


def test_a_proof_over_a_curve_without_a_name_in_files_is_not_written_under_another(tmp_path: Path) -> None:
    g1, g2 = bls12_381.G1.generator, bls12_381.G2.generator
    points, values = dict.fromkeys(POINTS, g1), dict.fromkeys(EVALUATIONS, 1)
    for proof in (groth16.Proof(g1, g2, g1), plonk.Proof(**points, **values)):
        with pytest.raises(UsageError, match="BLS12-381 G1 is no group of a known curve"):
            Statement([1], proof).save(tmp_path / "proof.json")
    assert list(tmp_path.iterdir()) == []


# -- constraints, checked where the witness goes


def test_a_device_with_memory_of_its_own_checks_constraints_itself(key: Any, system: Any, monkeypatch: Any) -> None:
    prover = system.Prover(key, ReferenceBackend(BN254), circuit=COMPILED.r1cs)
    with monkeypatch.context() as patched:
        patched.setattr(type(COMPILED.r1cs), "check", lambda *_: pytest.fail("the device did not check"))
        prover.prove(ASSIGNMENT)
    with pytest.raises(UnsatisfiedError, match=r"constraint \d+: A \* B is not C"):
        prover.prove(wrong())


def test_a_device_that_finds_a_right_witness_wrong_is_not_believed(key: Any, system: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(DeviceConstraints, "hold", lambda *_: False)
    assert system.Prover(key, ReferenceBackend(BN254), circuit=COMPILED.r1cs).prove(ASSIGNMENT)


def test_a_device_that_finds_a_wrong_witness_right_proves_nothing(key: Any, system: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(DeviceConstraints, "hold", lambda *_: True)
    with pytest.raises((UnsatisfiedError, SelfCheckError)):
        system.Prover(key, ReferenceBackend(BN254), circuit=COMPILED.r1cs).prove(wrong())


def test_every_constraint_counts_on_a_device() -> None:
    circuit = Circuit()
    x = circuit.private("x", 5)
    circuit.assert_equal(x * x, circuit.public("y", 5))
    compiled = circuit.compile()
    right = compiled.witness({"x": [1, 2, 3, 4, 5], "y": [1, 4, 9, 16, 25]})
    constraints = DeviceConstraints(compiled.r1cs, open_backend("reference"))
    assert constraints.hold(right)
    for wire in range(1, len(right)):
        changed = right.copy()
        changed[wire, 0] += np.uint64(1)
        assert not constraints.hold(changed)
    empty = replace(compiled.r1cs, **{name: first_rows(getattr(compiled.r1cs, name), 0) for name in "abc"})
    assert DeviceConstraints(empty, open_backend("reference")).hold(right)


def first_rows(m: SparseMatrix, n: int) -> SparseMatrix:
    end = int(m.indptr[n])
    return SparseMatrix((n, m.shape[1]), m.indptr[: n + 1], m.indices[:end], m.coefficient[:end], m.table)
