"""A faulty device: its proof is made again, at last on the CPU, and the device is named; no wrong proof leaves."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver, missing
from zkgpu import groth16, plonk
from zkgpu.backend.cuda import CudaBackend
from zkgpu.backend.reference import ReferenceBackend
from zkgpu.circuits import Circuit
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.curves.bn254 import BN254
from zkgpu.errors import UnsatisfiedError
from zkgpu.fields.field import Limbs
from zkgpu.gpu.driver import Bytes
from zkgpu.groth16.prover import Blinding as Groth16Blinding
from zkgpu.plonk.prover import Blinding as PlonkBlinding
from zkgpu.stages import listening

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
AGAIN, ON_CPU = "emulated: a proof failed its self-check and was made again", "twice: do not trust it; made on cpu"
BLINDINGS: dict[Any, Any] = {groth16: Groth16Blinding, plonk: PlonkBlinding}


class Erring(EmulatedDriver):
    """A device that is faulty where `fails` says so: flips a bit of what is read, or leaves a kernel out."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: Callable[[str], bool] = lambda what: False

    def read(self, memory: Any, offset: int, nbytes: int) -> Bytes:
        data = super().read(memory, offset, nbytes)
        if self.fails("read"):
            data[nbytes // 2] ^= 4
        return data

    def _run(self, module: int, kernel: str, numbers: Sequence[int], arguments: Sequence[int]) -> None:
        if not self.fails(kernel):
            super()._run(module, kernel, numbers, arguments)


@dataclass(frozen=True)
class Statement:
    """A circuit with an assignment, a prover on the faulty device, and the right proof."""

    assignment: Limbs
    prover: Any
    blinding: Any
    right: Any


@pytest.fixture(scope="module")
def device() -> Iterator[Erring]:
    with closing(Erring()) as driver:
        yield driver


@pytest.fixture(scope="module")
def compiled() -> CompiledCircuit:
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.public("y")
    circuit.assert_equal(x * x * x, y)
    return circuit.compile()


@pytest.fixture(scope="module", params=[groth16, plonk], ids=["groth16", "plonk"])
def statement(request: pytest.FixtureRequest, device: Erring, compiled: CompiledCircuit) -> Statement:
    system, reference = request.param, ReferenceBackend(BN254)
    key, assignment = system.unsafe_setup(compiled.r1cs, reference), compiled.witness({"x": 3, "y": 27})
    blinding = BLINDINGS[system].random(BN254.scalar_field)
    right = system.Prover(key, reference).prove(assignment, _blinding=blinding)
    return Statement(assignment, system.Prover(key, CudaBackend(device, BN254, log_tile=3)), blinding, right)


@contextmanager
def erring(device: Erring, what: str, which: Callable[[int], bool]) -> Iterator[None]:
    """In the block, reads or launches of one name go wrong when `which` says so of their number."""
    numbers = itertools.count()
    device.fails = lambda name: name == what and which(next(numbers))
    try:
        yield
    finally:
        device.fails = lambda name: False


ERRORS = [
    *[("read", 0), ("transform_pass", 0), ("add_pieces", 1)],
    *(pytest.param(*error, marks=pytest.mark.slow) for error in [("read", 2), ("restore_pass", 1), ("pointwise", 0)]),
]


@pytest.mark.parametrize(("what", "number"), ERRORS)
def test_a_device_that_errs_once_is_asked_again_and_named(
    statement: Statement, device: Erring, what: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    with erring(device, what, lambda k: k == number):
        assert statement.prover.prove(statement.assignment, _blinding=statement.blinding) == statement.right
    assert AGAIN in caplog.text


@pytest.mark.parametrize("what", ["read", "transform_pass", "add_pieces"])
def test_a_device_that_keeps_erring_is_replaced_by_the_cpu_and_named(
    statement: Statement, device: Erring, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    with erring(device, what, lambda k: True):
        assert statement.prover.prove(statement.assignment, _blinding=statement.blinding) == statement.right
    assert ON_CPU in caplog.text
    assert len(caplog.messages) == 1


@pytest.mark.parametrize("stage", ["quotient", pytest.param("self-check", marks=pytest.mark.slow)])
def test_a_proof_that_is_stopped_leaves_a_device_that_goes_on(
    statement: Statement, caplog: pytest.LogCaptureFixture, stage: str
) -> None:
    def stop(name: str, seconds: float | None) -> None:
        if name == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listening(stop):
        statement.prover.prove(statement.assignment)
    assert statement.prover.prove(statement.assignment, _blinding=statement.blinding) == statement.right
    assert caplog.text == ""


def test_a_wrong_witness_is_blamed_and_no_device(
    statement: Statement, compiled: CompiledCircuit, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = statement.assignment.copy()
    wrong[1, 0] += np.uint64(1)
    with pytest.raises(UnsatisfiedError, match="does not satisfy"):
        statement.prover.prove(wrong)
    assert caplog.text == ""


def test_constraints_are_checked_on_the_device_and_named_by_the_host(
    statement: Statement, device: Erring, compiled: CompiledCircuit, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, wrong = statement.prover.key, statement.assignment.copy()
    wrong[1, 0] += np.uint64(1)
    prover = type(statement.prover)(key, statement.prover.backend, circuit=compiled.r1cs)
    with pytest.raises(UnsatisfiedError, match="constraint 1: A"):
        prover.prove(wrong)
    monkeypatch.setattr(type(compiled.r1cs), "check", lambda *_: pytest.fail("the device did not check"))
    assert prover.prove(statement.assignment, _blinding=statement.blinding) == statement.right
