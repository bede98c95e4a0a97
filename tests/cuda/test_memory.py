"""A device whose memory runs out: results are right or refused in one line, and all that was taken comes back."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import closing

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver, missing
from zkgpu.backend import residency
from zkgpu.backend.cuda import CudaBackend
from zkgpu.backend.reference import ReferenceBackend
from zkgpu.circuits import Circuit
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.errors import ResourceError
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.groth16 import Prover, unsafe_setup
from zkgpu.groth16.prover import Blinding
from zkgpu.msm import cuda as buckets
from zkgpu.ntt.domain import Domain

PLENTY = 1 << 28
KEPT = 4096  # bytes of tables of powers that stay for later transforms
r = Fr.modulus


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmulatedDriver]:
    """Chunks on this device get small before it gives up."""
    if missing():
        pytest.skip(str(missing()))
    monkeypatch.setattr(buckets, "LEAST_CHUNK", 4)
    monkeypatch.setattr(residency, "LEAST_CHUNK", 4)
    with closing(EmulatedDriver(memory=PLENTY)) as driver:
        yield driver


def outcome(driver: EmulatedDriver, room: int, work: Callable[[], object]) -> object:
    """What work() gives with `room` more bytes than are in use, or its refusal."""
    gc.collect()
    driver.memory = driver.used + room
    try:
        return work()
    except ResourceError as error:
        return str(error)
    finally:
        driver.memory = PLENTY


def refused(found: object) -> bool:
    """Whether an outcome is a refusal, which must be one line that says why."""
    assert not isinstance(found, str) or ("no memory for" in found and "\n" not in found)
    return isinstance(found, str)


@pytest.mark.slow
def test_a_proof_with_little_memory_is_right_or_refused_and_the_next_one_works(device: EmulatedDriver) -> None:
    circuit = Circuit()
    x, y = circuit.private("x", shape=6), circuit.public("y")
    circuit.assert_equal((x * x * x).sum(), y)
    compiled = circuit.compile()
    assignment, blinding = compiled.witness({"x": range(6), "y": 225}), Blinding(5, 6)
    key = unsafe_setup(compiled.r1cs, ReferenceBackend(BN254))
    right = Prover(key, ReferenceBackend(BN254)).prove(assignment, _blinding=blinding)
    seen = set()
    for tables, room in [(False, 0), (False, 150_000), (False, 300_000), (True, -20_000), (True, 50_000)]:
        prover = Prover(key, CudaBackend(device, BN254, tables=tables))
        gc.collect()
        before = device.used
        found = outcome(device, room, lambda: prover.prove(assignment, _blinding=blinding))  # noqa: B023
        gc.collect()
        assert refused(found) or found == right
        assert device.used <= before + KEPT
        assert prover.prove(assignment, _blinding=blinding) == right
        seen.add(found == right)
    assert seen == {True, False}


def test_keys_load_into_little_memory_or_not_at_all(device: EmulatedDriver) -> None:
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.public("y")
    circuit.assert_equal(x * x, y)
    compiled = circuit.compile()
    assignment, blinding = compiled.witness({"x": 3, "y": 9}), Blinding(7, 8)
    key = unsafe_setup(compiled.r1cs, ReferenceBackend(BN254))
    right = Prover(key, ReferenceBackend(BN254)).prove(assignment, _blinding=blinding)
    found = []
    for room in (0, 8_000, 32_000, 1 << 20):
        backend = CudaBackend(device, BN254)
        found += [outcome(device, room, lambda b=backend: Prover(key, b).prove(assignment, _blinding=blinding))]
    assert all(refused(x) or x == right for x in found)
    assert [refused(x) for x in found] == sorted((refused(x) for x in found), reverse=True)
    assert {refused(x) for x in found} == {True, False}


def test_tables_go_first_then_points_and_sums_stay_the_same(
    device: EmulatedDriver, caplog: pytest.LogCaptureFixture
) -> None:
    backend = CudaBackend(device, BN254, tables=True)
    logs = [0, 1, 5, r - 5, 7, 7, 2, 3]
    points = backend.points(G1, G1.to_rows(k * G1.generator for k in logs))
    scalars = backend.vector(Fr.to_limbs(pow(3, i, r) for i in range(8)))
    right = sum(k * pow(3, i, r) for i, k in enumerate(logs)) % r * G1.generator
    states = []
    while points.is_resident:
        states.append((points.has_tables, device.used))
        assert backend.msm(points, scalars) == right
        assert backend.residency.evict()
    assert backend.msm(points, scalars) == right
    assert not backend.residency.evict()
    assert [tables for tables, _ in states] == [True, False]
    assert states[0][1] > states[1][1] > device.used
    assert "8 points lose their tables" in caplog.text
    assert "8 points move to the host" in caplog.text


def test_points_that_give_back_make_room_for_vectors(device: EmulatedDriver) -> None:
    backend = CudaBackend(device, BN254, tables=True)
    points = backend.points(G2, G2.to_rows([G2.generator] * 50))
    backend.vector(Fr.to_limbs([1]))
    found = outcome(device, 100, lambda: backend.limbs(backend.vector(Fr.to_limbs(range(100)))))
    assert np.array_equal(found, Fr.to_limbs(range(100)))
    assert not points.has_tables


def test_tables_of_roots_go_before_those_of_points_and_transforms_stay_the_same(
    device: EmulatedDriver, caplog: pytest.LogCaptureFixture
) -> None:
    backend, domain = CudaBackend(device, BN254, tables=True), Domain(Fr, 1 << 10)
    points = backend.points(G1, G1.to_rows([G1.generator] * 8))
    vector = backend.vector(Fr.to_limbs(range(domain.size)))
    right = backend.limbs(backend.ntt(vector, domain))
    before = device.used
    assert backend.residency.evict()
    assert device.used == before - 32 * domain.size
    assert points.has_tables
    assert "1024 roots of unity lose their table" in caplog.text
    assert np.array_equal(backend.limbs(backend.ntt(vector, domain)), right)
    assert backend.residency.evict()
    assert not points.has_tables


def test_a_large_table_of_roots_is_not_made_where_memory_is_short(device: EmulatedDriver) -> None:
    backend, domain = CudaBackend(device, BN254), Domain(Fr, 1 << 10)
    vector = backend.vector(Fr.to_limbs(range(domain.size)))
    right = backend.limbs(backend.ntt(vector, domain))
    scarce = CudaBackend(device, BN254)
    vector = scarce.vector(Fr.to_limbs(range(domain.size)))
    found = outcome(device, 3 * 32 * domain.size, lambda: scarce.limbs(scarce.ntt(vector, domain)))
    assert np.array_equal(found, right)  # type: ignore[arg-type]
    assert not scarce.residency.evict()


Work = Callable[[CudaBackend], object]
ROWS = G1.to_rows((1 + k % 5) * G1.generator for k in range(64))
WRONG = np.concatenate([ROWS[:50], ROWS[50:51] ^ np.uint64(1), ROWS[51:]])
MATRIX = SparseMatrix.from_entries(
    (30, 64), np.arange(90) // 3, np.arange(90) * 7 % 64, np.arange(90) % 2, Fr.to_limbs([3, r - 2])
)
OPERATIONS: dict[str, Work] = {
    "fixed_base": lambda b: b.fixed_base(G1.generator, b.vector(Fr.to_limbs(range(64)))),
    "scale_points": lambda b: b.scale_points(G1, ROWS, 77),
    "combine_points": lambda b: b.combine_points(G1, MATRIX, ROWS),
    "canonical_rows": lambda b: b.canonical_rows(G1, ROWS),
    "first_invalid_point": lambda b: b.first_invalid_point(G1, WRONG),
    "ntt": lambda b: b.limbs(b.ntt(b.vector(Fr.to_limbs(range(64))), Domain(Fr, 64))),
    "evaluate": lambda b: b.evaluate(b.vector(Fr.to_limbs(range(64))), 5),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_right_or_refused_in_any_memory(device: EmulatedDriver, name: str) -> None:
    backend, work = CudaBackend(device, BN254), OPERATIONS[name]
    right = work(backend)
    gc.collect()
    before, kinds = device.used, set()
    for room in (0, 4_000, 16_000, 1 << 22):
        found = outcome(device, room, lambda: work(backend))
        assert refused(found) or np.array_equal(found, right)  # type: ignore[arg-type]
        kinds.add(refused(found))
        del found
        gc.collect()
        assert device.used <= before
    assert kinds == {True, False}


def test_what_a_pool_keeps_counts_as_free(device: EmulatedDriver) -> None:
    array = device.allocate(5000)
    device.memory = device.used + 100
    del array
    assert device.allocate(5050).address
