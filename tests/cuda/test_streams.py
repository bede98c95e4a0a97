"""Sums on streams of their own: right in every order that streams may take, and wrong once a dependency is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver, EmulationError, missing
from tests.emulation.streams import Event
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.gpu.driver import OutOfMemory
from zkgpu.gpu.program import U32, DeviceArray, Grid, Program, allocate, upload
from zkgpu.gpu.source import load
from zkgpu.gpu.streams import Job, SideStreams

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
SEEDS = range(1, 6)
KERNELS = """
ZK_KERNEL(32) copy(uint32_t n, const uint32_t* in, uint32_t* out) {
    uint32_t i = thread_index();
    if (i < n) out[i] = in[i];
}
"""


class Forgetful(EmulatedDriver):
    """A device that waits for nothing."""

    def wait(self, event: Event) -> None: ...


class Careless(EmulatedDriver):
    """A device whose first stream, the one in use, does not wait for the others."""

    def wait(self, event: Event) -> None:
        if self._scheduler.current is not self._scheduler.first:
            super().wait(event)


def sums_are_right(driver: EmulatedDriver) -> bool:
    """Several sums over two vectors, one of them computed, while the stream in use goes on."""
    backend = CudaBackend(driver, BN254)
    factors = [pow(3, i, Fr.modulus) for i in range(6)]
    z = backend.vector(Fr.to_limbs(factors))
    h = backend.pointwise(lambda x: x * x, z)
    g1, g2 = (backend.points(g, g.to_rows([g.generator] * 6)) for g in (G1, G2))
    found = backend.msm_many([(g1, z), (g2, z), (g1, h)])
    plain, squared = sum(factors) % Fr.modulus, sum(k * k for k in factors) % Fr.modulus
    return found == [plain * G1.generator, plain * G2.generator, squared * G1.generator]


def streamed_sums_are_right(driver: EmulatedDriver) -> bool:
    """Points on the host, copied in three chunks while others are summed."""
    backend = CudaBackend(driver, BN254, chunk=2)
    points = backend.points(G1, G1.to_rows(k * G1.generator for k in range(1, 6)))
    points.give_back()
    return backend.msm(points, backend.vector(Fr.to_limbs([7] * 5))) == 105 * G1.generator


def repeated_sums_are_right(driver: EmulatedDriver) -> bool:
    """Sums over the same points with other scalars, which are recorded and replayed."""
    backend = CudaBackend(driver, BN254, tables=True)
    points = [backend.points(G1, G1.to_rows(k * G1.generator for k in range(1, 6))) for _ in range(2)]
    found = []
    for k in range(4):
        z = backend.vector(Fr.to_limbs([k] * 5))
        h = backend.pointwise(lambda x: x + x, z)
        found += backend.msm_many([(points[0], z), (points[1], h), (points[1], z)])
    return found == [n * k * G1.generator for k in range(4) for n in (15, 30, 15)]


def copies_are_right(driver: EmulatedDriver) -> bool:
    """Arrays copied on side streams and let go at once, while the stream in use is given their memory again."""
    program = Program(driver, load("grid.cuh", KERNELS, name="copy.cu"))
    streams = SideStreams(driver, 2)

    def copied(source: DeviceArray) -> DeviceArray:
        out = allocate(driver, U32, 8)
        program.launch("copy", Grid.over(8), **{"n": 8, "in": source, "out": out})
        return out

    def job(source: DeviceArray) -> Job[DeviceArray]:
        return Job(lambda: copied(copied(source)), [source])

    outcomes = []
    for k in range(4):
        jobs = [job(upload(driver, U32, np.full(8, 10 * k + j, np.uint32))) for j in range(2)]
        outs = streams.run(jobs)
        del jobs
        upload(driver, U32, np.zeros(8, np.uint32))
        outcomes += [(out, 10 * k + j) for j, out in enumerate(outs)]
    return all(set(out.read(np.uint32).tolist()) == {value} for out, value in outcomes)


Law = Callable[[EmulatedDriver], bool]
LAWS = [sums_are_right, repeated_sums_are_right, streamed_sums_are_right, copies_are_right]


@pytest.fixture(params=SEEDS)
def seeded(request: pytest.FixtureRequest) -> Iterator[EmulatedDriver]:
    with closing(EmulatedDriver(request.param)) as device:
        yield device


@pytest.mark.parametrize("law", LAWS)
def test_every_order_of_streams_gives_the_same_results(seeded: EmulatedDriver, law: Law) -> None:
    assert law(seeded)


def holds(law: Law, device: type[EmulatedDriver], seed: int) -> bool:
    with closing(device(seed)) as driver:
        try:
            return law(driver)
        except EmulationError:
            return False


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("device", [Forgetful, Careless])
def test_a_missing_dependency_shows(device: type[EmulatedDriver], law: Law) -> None:
    assert not all(holds(law, device, seed) for seed in SEEDS)


def test_jobs_are_waited_for_even_when_one_of_them_fails(driver: EmulatedDriver) -> None:
    def fail() -> None:
        raise OutOfMemory("nothing is left")

    array = upload(driver, U32, np.arange(4, dtype=np.uint32))

    def late() -> None:
        array.write(np.full(4, 9, np.uint32))

    with pytest.raises(OutOfMemory):
        SideStreams(driver, 2).run([Job(late, [array]), Job(fail)])
    assert array.read(np.uint32).tolist() == [9] * 4


def test_streams_that_wait_for_each_other_are_reported() -> None:
    with closing(EmulatedDriver()) as driver:
        driver.wait(Event())
        with pytest.raises(EmulationError, match="streams wait for each other"):
            driver.synchronize()


def test_threads_share_a_device(emulated: EmulatedDriver) -> None:
    backend = CudaBackend(emulated, BN254)
    points = backend.points(G1, G1.to_rows([G1.generator] * 5))

    def work(k: int) -> bool:
        vector = backend.vector(Fr.to_limbs([k] * 5))
        total = backend.msm(points, backend.pointwise(lambda x: x * x, vector))
        return total == 5 * k * k * G1.generator

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(12)))
