"""What a proof takes of a GPU's memory, planned by a device that computes nothing: as measured, and within 8 GB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver, missing
from zkgpu.backend import open_backend
from zkgpu.backend.cuda import CudaBackend
from zkgpu.backend.protocol import opaque
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.curves.bn254 import BN254
from zkgpu.groth16 import Prover, ProvingKey, unsafe_setup
from zkgpu.groth16.prover import Blinding
from zkgpu.groth16.resident import ResidentKey

BENCHES = Path(__file__).parents[2] / "bench"
PLENTY = 1 << 28
QUERIES = 5  # of a key without a commitment
BLINDING = Blinding(5, 6, 7)
needs_emulation = pytest.mark.skipif(missing() is not None, reason=str(missing()))


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHES))
    import gpu_memory

    return gpu_memory


@contextmanager
def emulated(memory: int) -> Iterator[EmulatedDriver]:
    driver = EmulatedDriver(memory=memory)
    try:
        yield driver
    finally:
        driver.close()


def squares(n: int) -> tuple[CompiledCircuit, dict[str, Any]]:
    """A chain whose circuit has n + 2 wires, and its input."""
    circuit = Circuit()
    x = circuit.private("x")
    for _ in range(n):
        x = x * x + 1
    circuit.output("y", x)
    return circuit.compile(), {"x": 3}


def committed(n: int) -> tuple[CompiledCircuit, dict[str, Any]]:
    """A circuit that commits to n values."""
    circuit = Circuit()
    values = circuit.private("values", shape=n)
    circuit.commit(values)
    total = circuit.challenge() * values[0]
    for k in range(1, n):
        total = total * circuit.challenge("x") + values[k]
    circuit.assert_equal(total - total, 0)
    return circuit.compile(), {"values": range(n)}


def planned(plans: Any, key: ProvingKey, memory: int, **options: Any) -> tuple[int, int]:
    """(most bytes, queries on the device afterwards) of three proofs, by the plan."""
    driver, assignment = plans.MeteredDriver(memory), np.zeros((key.n_wires, 4), np.uint64)
    resident = ResidentKey(key, opaque(CudaBackend(driver, BN254, **options)))
    prove = plans.proof_on(resident, assignment)
    for _ in range(2):
        prove()
    return driver.most, plans.places(resident, assignment)["on_device"]


def proven(driver: EmulatedDriver, key: ProvingKey, circuit: CompiledCircuit, inputs: dict[str, Any]) -> list[Any]:
    """Three proofs on an emulated device."""
    prover = Prover(key, CudaBackend(driver, BN254))
    return [prover.prove_circuit(circuit, inputs, _blinding=BLINDING).proof for _ in range(3)]


def right(key: ProvingKey, circuit: CompiledCircuit, inputs: dict[str, Any]) -> Any:
    return Prover(key, open_backend("cpu", threads=1)).prove_circuit(circuit, inputs, _blinding=BLINDING).proof


@needs_emulation
@pytest.mark.parametrize(
    ("make", "n"),
    [(squares, 14), pytest.param(squares, 62, marks=pytest.mark.slow), (committed, 5)],
    ids=["few", "tables", "committed"],
)
def test_the_plan_of_a_proof_takes_to_the_byte_what_a_proof_takes(plans: Any, make: Any, n: int) -> None:
    circuit, inputs = make(n)
    key = unsafe_setup(circuit.r1cs, open_backend("cpu", threads=1))
    with emulated(PLENTY) as driver:
        assert proven(driver, key, circuit, inputs) == [right(key, circuit, inputs)] * 3
        assert driver.most == planned(plans, key, PLENTY)[0]


@needs_emulation
def test_a_key_that_does_not_fit_beside_its_sums_streams(plans: Any) -> None:
    """With a byte less than points on the device take; the same proof, within that memory, as planned."""
    circuit, inputs = squares(14)
    key = unsafe_setup(circuit.r1cs, open_backend("cpu", threads=1))
    fitting, on_device = planned(plans, key, PLENTY, tables=False)
    assert on_device == QUERIES
    most, on_device = planned(plans, key, fitting - 1)
    assert on_device < QUERIES
    with emulated(fitting - 1) as driver:
        assert proven(driver, key, circuit, inputs) == [right(key, circuit, inputs)] * 3
        assert driver.most == most < fitting


@pytest.mark.parametrize("is_committed", [False, True], ids=["plain", "committed"])
def test_a_gpu_with_8_gb_proves_2_to_the_20(plans: Any, is_committed: bool) -> None:
    """With tables for some queries, and nothing to wait for; without any, a sixteenth of the memory is enough."""
    key, memory = plans.key_of(20, plans.sized(20, is_committed)), 8 * plans.GB - plans.OF_CUDA
    found = plans.of_proof(key, memory)
    assert found["most_bytes"] < memory
    assert 0 < found["with_tables"] < found["queries"] == found["on_device"]
    assert found["given_back"] == 0
    scarce = plans.of_proof(key, plans.GB // 2)
    assert scarce["most_bytes"] <= plans.GB // 2
    assert scarce["on_device"] < scarce["queries"]


def test_a_plan_has_what_it_takes_of_the_driver_s_sizes(plans: Any) -> None:
    """A size is rounded up, and memory that is let go is used again on its own stream only."""
    driver = plans.MeteredDriver(4096, plans.rounded)
    first = driver.allocate(1)
    assert driver.used == driver.most == 512
    address = first.address
    del first
    assert driver.used == 0
    with driver.on(driver.stream()):
        other = driver.allocate(1)
    again = driver.allocate(1)
    assert other.address != address == again.address
    assert driver.most == 1024
    with pytest.raises(plans.OutOfMemory, match="no memory for 4,096 bytes"):
        driver.allocate(4096)
    del again
    assert driver.given_back == 1
    assert driver.allocate(3000).address != address


def test_what_a_recording_lets_go_stays_its_own(plans: Any) -> None:
    driver = plans.MeteredDriver(4096)
    with driver.recording() as recording:
        driver.allocate(1000)
        driver.allocate(1000)
    assert driver.used == 1000
    del recording
    assert driver.used == 0


def test_the_least_memory_is_enough_and_less_is_not(plans: Any) -> None:
    key = plans.key_of(12, plans.sized(12))
    most = plans.of_proof(key, PLENTY)["most_bytes"]
    least = plans.least_memory(key, most, precision=10_000)
    assert plans.of_proof(key, least)["on_device"] < QUERIES
    with pytest.raises(plans.OutOfMemory):
        plans.of_proof(key, least - 20_000)
