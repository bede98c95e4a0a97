"""The emulation does what CUDA does: shuffles, ballots and atomics have their documented results."""

from __future__ import annotations

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver, EmulationError
from zkgpu.gpu.program import U32, Grid, Program, allocate, upload
from zkgpu.gpu.source import load

KERNELS = """
ZK_KERNEL(128) exchange(uint32_t kind, uint32_t* values) {
    uint32_t i = thread_index(), all = 0xffffffffu, x = values[i];
    switch (kind) {
        case 0: x = __shfl_up_sync(all, x, 3); break;
        case 1: x = __shfl_down_sync(all, x, 5); break;
        case 2: x = __shfl_xor_sync(all, x, 9); break;
        case 3: x = __shfl_sync(all, x, 7); break;
        case 4: x = __ballot_sync(all, x % 3 == 0); break;
    }
    values[i] = x;
}

ZK_KERNEL(128) count(uint32_t* total, uint32_t* least, uint32_t* most) {
    atomicAdd(total, 2u);
    atomicMin(least, thread_index());
    atomicMax(most, thread_index());
}

ZK_KERNEL(128) wait_for_half(uint32_t* values) {
    if (threadIdx.x % 2) __syncthreads();
    values[threadIdx.x] = 0;
}

ZK_KERNEL(128) fresh(uint32_t* out) { out[threadIdx.x] = shared_memory<uint32_t>()[threadIdx.x]; }
"""


@pytest.fixture(scope="module")
def driver(emulated: EmulatedDriver) -> EmulatedDriver:
    return emulated


@pytest.fixture(scope="module")
def program(driver: EmulatedDriver) -> Program:
    return Program(driver, load("grid.cuh", KERNELS, name="emulation.cu"))


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        (0, lambda lane: lane - 3 if lane >= 3 else lane),
        (1, lambda lane: lane + 5 if lane + 5 < 32 else lane),
        (2, lambda lane: lane ^ 9),
        (3, lambda lane: 7),
    ],
)
def test_shuffles_read_the_lane_they_name(driver: EmulatedDriver, program: Program, kind: int, source: object) -> None:
    values = np.arange(96, dtype=np.uint32) * 10
    array = upload(driver, U32, values)
    program.launch("exchange", Grid(1, 96), kind=kind, values=array)
    expected = [values[i // 32 * 32 + source(i % 32)] for i in range(96)]  # type: ignore[operator]
    assert array.read(np.uint32).tolist() == expected


def test_threads_that_wait_for_ever_are_reported_and_the_device_goes_on(
    driver: EmulatedDriver, program: Program
) -> None:
    values = upload(driver, U32, np.ones(64, dtype=np.uint32))
    program.launch("wait_for_half", Grid(1, 64), values=values)
    with pytest.raises(EmulationError, match="threads wait for others"):
        driver.synchronize()
    array = upload(driver, U32, np.arange(96, dtype=np.uint32))
    program.launch("exchange", Grid(1, 96), kind=2, values=array)
    assert array.read(np.uint32).tolist() == [lane ^ 9 for lane in range(96)]
    assert values.read(np.uint32).tolist() == [0, 1] * 32


def test_a_ballot_gathers_the_votes_of_a_warp(driver: EmulatedDriver, program: Program) -> None:
    array = upload(driver, U32, np.arange(64, dtype=np.uint32))
    program.launch("exchange", Grid(1, 64), kind=4, values=array)
    votes = [sum(1 << lane for lane in range(32) if (32 * w + lane) % 3 == 0) for w in (0, 1)]
    assert array.read(np.uint32).tolist() == [votes[0]] * 32 + [votes[1]] * 32


def test_atomics_count_every_thread_once(driver: EmulatedDriver, program: Program) -> None:
    total, least, most = (upload(driver, U32, np.array([v], np.uint32)) for v in (1, 99, 0))
    program.launch("count", Grid(3, 64), total=total, least=least, most=most)
    assert [int(a.read(np.uint32)[0]) for a in (total, least, most)] == [1 + 2 * 192, 0, 191]


def test_shared_memory_is_poisoned_for_every_block(driver: EmulatedDriver, program: Program) -> None:
    out = allocate(driver, U32, 32)
    program.launch("fresh", Grid(2, 32, 128), out=out)
    assert set(out.read(np.uint32).tolist()) == {0xA5A5A5A5}
