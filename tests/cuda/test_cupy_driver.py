"""The driver of real GPUs, over a double of the few names of CuPy it uses: what it asks for, and how errors read."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from tests.cuda.cupy_double import Cupy
from zkgpu.backend import open_backend
from zkgpu.errors import ResourceError
from zkgpu.gpu import pinned
from zkgpu.gpu.cupy_driver import CupyDriver
from zkgpu.gpu.driver import CountsBlocks, OutOfMemory
from zkgpu.gpu.source import Source


def test_bytes_come_back_as_they_went_in(cupy: Cupy) -> None:
    driver = CupyDriver(1)
    memory = driver.allocate(16)
    driver.write(memory, 4, np.arange(8, dtype=np.uint8))
    assert driver.read(memory, 2, 6).tolist() == [0, 0, 0, 1, 2, 3]
    assert (driver.name, driver.free_memory, memory.address) == ("cuda:1", 640, 4096)


def test_pinned_memory_is_kept_until_its_copy_is_done(cupy: Cupy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinned, "PIECE", 100)
    monkeypatch.setattr(pinned, "MOST_IN_FLIGHT", 300)
    driver, data = CupyDriver(), np.arange(250, dtype=np.uint8)
    memory = driver.allocate(1000)
    for k in range(4):
        driver.write(memory, 250 * k, data + k)
    assert [block.size for block in cupy.pinned] == [100, 100, 50] * 4
    assert driver.read(memory, 0, 1000).tolist() == [(i + k) % 256 for k in range(4) for i in range(250)]
    assert sum(not (block == 0xEE).all() for block in cupy.pinned) <= 4


def test_streams_wait_for_events_of_others(cupy: Cupy) -> None:
    driver = CupyDriver()
    memory, side = driver.allocate(8), driver.stream()
    with driver.on(side):
        driver.write(memory, 0, np.arange(8, dtype=np.uint8))
        done = driver.mark()
    driver.wait(done)
    assert driver.read(memory, 0, 8).tolist() == list(range(8))


def test_blocks_are_counted_over_all_multiprocessors(cupy: Cupy) -> None:
    driver = CupyDriver()
    module = driver.compile(Source("a.cu", "text"))
    assert isinstance(driver, CountsBlocks)
    assert driver.blocks_at_once(module, "f", 128, 0) == 3 * 16
    assert driver.blocks_at_once(module, "g", 256, 90_000) == 3 * 8


def test_a_launch_passes_extents_arguments_and_shared_memory(cupy: Cupy) -> None:
    driver = CupyDriver()
    module = driver.compile(Source("a.cu", "text"))
    driver.launch(module, "f", (2, 1, 1), (32, 1, 1), 100, [np.uint32(7)])
    driver.launch(module, "g", (1, 1, 1), (1, 1, 1), 90_000, [])
    assert cupy.launches == [
        ("f", (2, 1, 1), (32, 1, 1), (np.uint32(7),), 100, 0),
        ("g", (1, 1, 1), (1, 1, 1), (), 90_000, 90_000),
    ]
    driver.synchronize()


def test_a_full_device_frees_its_pool_and_says_so_in_one_line(cupy: Cupy) -> None:
    with pytest.raises(OutOfMemory, match=r"cuda:0: no memory for 2,000 bytes: close other programs") as caught:
        CupyDriver().allocate(2000)
    assert cupy.freed == 1
    assert "\n" not in str(caught.value)


def test_errors_of_cuda_and_of_its_compiler_become_ours(cupy: Cupy) -> None:
    driver = CupyDriver()
    with pytest.raises(ResourceError, match=r"cuda:0: b.cu does not compile: line 1: error$"):
        driver.compile(Source("b.cu", "broken"))
    cupy.fail_launch = True
    with pytest.raises(ResourceError, match=r"cuda:0: an illegal memory access was encountered: check the driver"):
        driver.launch(driver.compile(Source("a.cu", "")), "f", (1, 1, 1), (1, 1, 1), 0, [])


def test_what_cuda_itself_has_no_memory_for_is_a_lack_of_memory(cupy: Cupy, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = CupyDriver()

    def fail(*_: object) -> None:
        raise cupy.cuda.runtime.CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")

    monkeypatch.setattr(cupy.cuda, "alloc_pinned_memory", fail)
    with pytest.raises(OutOfMemory, match="cuda:0: no memory for what CUDA itself needs: close other programs"):
        driver.write(driver.allocate(8), 0, np.zeros(8, np.uint8))


def test_a_gpu_that_is_not_there_is_refused(cupy: Cupy) -> None:
    with pytest.raises(ResourceError, match="cuda:2: this machine has 2 GPUs"):
        open_backend("cuda:2")
    assert open_backend("cuda:1").name == "cuda:1"


def test_without_cupy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ResourceError, match=r"cuda:0: CuPy cannot be imported .*zkgpu\[cuda13\]"):
        open_backend("cuda")
