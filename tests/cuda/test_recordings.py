"""Sums that are recorded and replayed: the same points, whatever becomes of memory, streams and other sums."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver, missing
from tests.emulation.streams import Event
from zkgpu.backend import residency
from zkgpu.backend.cuda import CudaBackend
from zkgpu.backend.residency import ResidentPoints
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group, Point
from zkgpu.errors import ResourceError, ZkgpuError
from zkgpu.gpu.driver import Extent, OutOfMemory
from zkgpu.gpu.program import U32, DeviceArray, Grid, Program, allocate, upload
from zkgpu.gpu.recorded import Recorded
from zkgpu.gpu.source import load
from zkgpu.msm import cuda as buckets

emulation = pytest.mark.skipif(missing() is not None, reason=str(missing()))
SEEDS = range(1, 6)
N = 8
r = Fr.modulus
LOGS = [0, 1, 5, r - 5, 7, 7, 2, 3]
VECTORS = [[pow(3 + k, i * (k + 1), r) for i in range(N)] for k in range(5)]
VECTORS[2] = [0] * N
KERNELS = """
ZK_KERNEL(32) add_one(uint32_t n, const uint32_t* in, uint32_t* out) {
    uint32_t i = thread_index();
    if (i < n) out[i] = in[i] + 1;
}
"""


def some_points(backend: CudaBackend, group: Group = G1) -> ResidentPoints:
    return backend.points(group, group.to_rows(k * group.generator for k in LOGS))


def right(factors: Sequence[int], group: Group = G1) -> Point:
    return sum(k * f for k, f in zip(LOGS, factors, strict=True)) % r * group.generator


def sum_is_right(backend: CudaBackend, points: ResidentPoints, factors: Sequence[int]) -> bool:
    return backend.msm(points, backend.vector(Fr.to_limbs(factors))) == right(factors)


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The recordings that are replayed from now on, in their order."""
    seen, replay = list[object](), Recorded.replay

    def noted(self: Recorded[Any], values: DeviceArray) -> Any:
        seen.append(self)
        return replay(self, values)

    monkeypatch.setattr(Recorded, "replay", noted)
    return seen


@pytest.fixture
def device() -> Iterator[EmulatedDriver]:
    if missing():
        pytest.skip(str(missing()))
    with closing(EmulatedDriver()) as driver:
        yield driver


# recordings of a driver


def twice(driver: Any) -> Recorded[DeviceArray]:
    """Eight numbers and two, by an array between that is let go."""
    program = Program(driver, load("grid.cuh", KERNELS, name="add_one.cu"))

    def added(values: DeviceArray) -> DeviceArray:
        out = allocate(driver, U32, N)
        program.launch("add_one", Grid.over(N), **{"n": N, "in": values, "out": out})
        return out

    return Recorded(driver, U32, N, lambda values: added(added(added(values))))


def numbers(driver: Any, k: int) -> DeviceArray:
    return upload(driver, U32, np.full(N, k, np.uint32)).marked()


def test_a_recording_is_replayed_with_other_values_in_memory_of_its_own(driver: EmulatedDriver) -> None:
    recorded = twice(driver)
    for k in range(4):
        held = [numbers(driver, 77) for _ in range(4)]
        out = recorded.replay(numbers(driver, k))
        assert out.read(np.uint32).tolist() == [k + 3] * N
        assert all(array.read(np.uint32).tolist() == [77] * N for array in held)


def replays_are_in_order(driver: EmulatedDriver) -> bool:
    """Two on streams of their own: the second overwrites what the first made."""
    recorded, values = twice(driver), [numbers(driver, k) for k in (10, 20)]
    driver.synchronize()
    for array in values:
        with driver.on(driver.stream()):
            out = recorded.replay(array)
    driver.synchronize()
    return out.read(np.uint32).tolist() == [23] * N


class Forgetful(EmulatedDriver):
    def wait(self, event: Event) -> None: ...


@emulation
@pytest.mark.parametrize("seed", SEEDS)
def test_replays_wait_for_the_one_before(seed: int) -> None:
    with closing(EmulatedDriver(seed)) as driver:
        assert replays_are_in_order(driver)


@emulation
def test_replays_that_do_not_wait_show() -> None:
    outcomes = []
    for seed in SEEDS:
        with closing(Forgetful(seed)) as driver:
            outcomes.append(replays_are_in_order(driver))
    assert not all(outcomes)


def test_a_recording_refuses_what_needs_the_host_or_another_stream(driver: EmulatedDriver) -> None:
    array, event, side = numbers(driver, 1), driver.mark(), driver.stream()
    with driver.recording() as other:
        pass
    with driver.recording():
        for ask in (
            driver.mark,
            driver.synchronize,
            other.replay,
            driver.recording().__enter__,
            driver.on(side).__enter__,
            lambda: driver.wait(event),
            lambda: array.read(np.uint32),
            lambda: array.write(np.zeros(N, np.uint32)),
        ):
            with pytest.raises(ZkgpuError, match="cannot be recorded"):
                ask()
    assert array.read(np.uint32).tolist() == [1] * N


def test_arrays_are_copied_from_others_of_their_type_and_length(driver: EmulatedDriver) -> None:
    array = upload(driver, U32, np.arange(10, dtype=np.uint32))
    target = allocate(driver, U32, 4)
    target.copy_from(array.part(3, 7))
    assert target.read(np.uint32).tolist() == [3, 4, 5, 6]
    with pytest.raises(ZkgpuError, match="10 of uint32_t for 4 of uint32_t"):
        target.copy_from(array)


# sums


@pytest.mark.parametrize("group", [G1, G2], ids=["G1", "G2"])
def test_sums_are_replayed_from_the_second_on(driver: EmulatedDriver, group: Group, replays: list[object]) -> None:
    backend = CudaBackend(driver, BN254, tables=True)
    points, other = some_points(backend, group), some_points(backend, group)
    for k, factors in enumerate(VECTORS):
        vector = backend.vector(Fr.to_limbs(factors))
        assert backend.msm_many([(points, vector), (other, vector)]) == [right(factors, group)] * 2
        assert len(replays) == 2 * k
    assert len(set(map(id, replays))) == 2


def test_points_without_tables_and_too_many_are_not_recorded(
    driver: EmulatedDriver, replays: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, backend = (CudaBackend(driver, BN254, tables=tables) for tables in (False, True))
    monkeypatch.setattr(residency, "MOST_RECORDED", N - 1)
    for work in (plain, backend):
        points = some_points(work)
        assert all(sum_is_right(work, points, factors) for factors in VECTORS[:3])
    assert replays == []


def test_two_sums_over_the_same_points_at_once_do_not_share_a_recording(
    driver: EmulatedDriver, replays: list[object]
) -> None:
    backend = CudaBackend(driver, BN254, tables=True)
    points = some_points(backend)
    vectors = [backend.vector(Fr.to_limbs(factors)) for factors in VECTORS]
    for _ in range(3):
        assert backend.msm_many([(points, v) for v in vectors]) == [right(factors) for factors in VECTORS]
    assert len(replays) == 2


def test_threads_share_recordings(driver: EmulatedDriver) -> None:
    backend = CudaBackend(driver, BN254, tables=True)
    points = some_points(backend)
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda factors: sum_is_right(backend, points, factors), VECTORS * 2))


def test_recordings_are_given_back_first_and_not_made_again(
    device: EmulatedDriver, caplog: pytest.LogCaptureFixture, replays: list[object]
) -> None:
    backend = CudaBackend(device, BN254, tables=True)
    points = some_points(backend)
    assert sum_is_right(backend, points, VECTORS[0])
    gc.collect()
    before = device.used
    assert sum_is_right(backend, points, VECTORS[1])
    gc.collect()
    assert device.used > before
    replays.clear()
    assert backend.residency.evict()
    gc.collect()
    assert (device.used, points.has_tables) == (before, True)
    assert "sums over 8 points are launched step by step" in caplog.text
    while points.is_resident:
        assert all(sum_is_right(backend, points, factors) for factors in VECTORS[:3])
        assert backend.residency.evict()
    assert sum_is_right(backend, points, VECTORS[3])
    assert replays == []


class Failing(EmulatedDriver):
    """A device where the k-th call of a recording fails."""

    fails_at: int | None = None

    def _count(self, error: Exception) -> None:
        if self._recording is not None and self.fails_at is not None:
            self.fails_at -= 1
            if self.fails_at < 0:
                raise error

    def allocate(self, nbytes: int) -> Any:
        self._count(OutOfMemory("no memory for this"))
        return super().allocate(nbytes)

    def launch(
        self, module: Any, kernel: str, grid: Extent, block: Extent, shared: int, arguments: Sequence[int]
    ) -> None:
        self._count(ResourceError("this kernel cannot be recorded"))
        super().launch(module, kernel, grid, block, shared, arguments)


@emulation
@pytest.mark.parametrize("step", [11, pytest.param(1, marks=pytest.mark.slow)], ids=["some places", "every place"])
def test_what_fails_while_it_is_recorded_is_done_without(
    caplog: pytest.LogCaptureFixture, replays: list[object], step: int
) -> None:
    with closing(Failing()) as driver:
        backend = CudaBackend(driver, BN254, tables=True)
        for at in range(0, 100, step):
            points = some_points(backend)
            assert sum_is_right(backend, points, VECTORS[0])
            gc.collect()
            before, driver.fails_at = driver.used, at
            assert all(sum_is_right(backend, points, factors) for factors in VECTORS[1:3])
            gc.collect()
            if replays:
                break
            assert driver.used == before
            assert "sums over 8 points are not recorded" in caplog.text
            caplog.clear()
            driver.fails_at = None
        assert at > 30


@emulation
def test_sums_with_little_memory_are_right_or_refused(monkeypatch: pytest.MonkeyPatch, replays: list[object]) -> None:
    monkeypatch.setattr(buckets, "LEAST_CHUNK", 4)
    monkeypatch.setattr(residency, "RECORDED_SHARE", 0)
    found = []
    with closing(EmulatedDriver()) as driver:
        for room in (0, 3_000, 10_000, 20_000, 40_000, 80_000, 160_000):
            backend = CudaBackend(driver, BN254, tables=True)
            points = some_points(backend)
            gc.collect()
            driver.memory = driver.used + room
            for factors in VECTORS:
                found.append(outcome(lambda: sum_is_right(backend, points, factors)))  # noqa: B023
            driver.memory = 1 << 28
            assert sum_is_right(backend, points, VECTORS[0])
    assert set(found) == {True, None}
    assert replays


def outcome(work: Callable[[], bool]) -> bool | None:
    try:
        return work()
    except OutOfMemory:
        return None
