"""The driver of real GPUs, over a double of the few names of CuPy it uses: what it calls, and how errors read."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.cuda.cupy_double import CONTEXT, Cupy
from zkgpu.backend import open_backend
from zkgpu.errors import ResourceError, ZkgpuError
from zkgpu.gpu import pinned
from zkgpu.gpu.cupy_driver import CupyDriver, rounded
from zkgpu.gpu.driver import Bytes, OutOfMemory, Records
from zkgpu.gpu.source import Source

KERNELS = Source("a.cu", "ZK_KERNEL(64) f(uint32_t n, const Scalar* a, uint64_t k) {}\nZK_KERNEL(64) g() {}")
ONE = (1, 1, 1)


def ascending(n: int) -> Bytes:
    return np.arange(n, dtype=np.uint32).view(np.uint8)


@pytest.fixture
def in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Buffers of 100 bytes, few of them, and small copies of at most 20."""
    for name, value in {"CHUNK": 100, "SMALL": 20, "MOST_IN_FLIGHT": 4, "LANDING": 3, "QUEUED": 2}.items():
        monkeypatch.setattr(pinned, name, value)


def test_bytes_come_back_as_they_went_in(cupy: Cupy) -> None:
    driver = CupyDriver(1)
    memory = driver.allocate(16)
    driver.write(memory, 4, np.arange(8, dtype=np.uint8))
    assert driver.read(memory, 2, 6).tolist() == [0, 0, 0, 1, 2, 3]
    assert driver.name == "cuda:1"


# copies


def test_pinned_memory_is_kept_until_its_copy_is_done_and_then_used_again(cupy: Cupy, in_chunks: None) -> None:
    driver, data = CupyDriver(), np.arange(250, dtype=np.uint8)
    memory = driver.allocate(2500)
    for k in range(10):
        driver.write(memory, 250 * k, data + k)
    right = [(i + k) % 256 for k in range(10) for i in range(250)]
    assert driver.read(memory, 0, 2500).tolist() == right
    assert len(cupy.pinned) <= pinned.MOST_IN_FLIGHT + pinned.THREADS + 1 + pinned.LANDING
    assert not any((block == 0xEE).all() for block in cupy.pinned)


@pytest.mark.parametrize("nbytes", [1, 20, 21, 100, 101, 399, 1000])
def test_the_caller_may_change_its_data_after_a_write(cupy: Cupy, in_chunks: None, nbytes: int) -> None:
    driver = CupyDriver()
    memory, data = driver.allocate(1000), np.arange(nbytes, dtype=np.uint32).astype(np.uint8)
    right = data.tolist()
    driver.write(memory, 0, data)
    data[:] = 0xAA
    assert driver.read(memory, 0, nbytes).tolist() == right


def test_chunks_are_sent_in_order_and_small_copies_share_buffers(cupy: Cupy, in_chunks: None) -> None:
    driver = CupyDriver()
    memory = driver.allocate(1000)
    driver.write(memory, 0, np.zeros(250, np.uint8))
    assert cupy.copied == [100, 100, 50]
    before = len(cupy.pinned)
    with driver.on(driver.stream()):
        driver.write(memory, 0, np.full(10, 1, np.uint8))
    driver.write(memory, 10, np.full(20, 2, np.uint8))
    assert cupy.copied[3:] == [10, 20]
    assert len(cupy.pinned) == before + 1


def test_a_buffer_that_streams_share_is_used_again_when_all_of_them_are_done(cupy: Cupy, in_chunks: None) -> None:
    driver = CupyDriver()
    memory, streams = driver.allocate(2000), [driver.stream() for _ in range(3)]
    for k in range(100):
        with driver.on(streams[k % 3]):
            driver.write(memory, 20 * k, np.full(20, k, np.uint8))
    assert len(cupy.pinned) <= pinned.MOST_IN_FLIGHT + 1
    for stream in streams:
        with driver.on(stream):
            driver.wait(driver.mark())
            found = driver.read(memory, 0, 2000).reshape(100, 20)
    assert found.tolist() == [[k] * 20 for k in range(100)]


def test_large_reads_go_through_pinned_memory_by_chunks(cupy: Cupy, monkeypatch: pytest.MonkeyPatch) -> None:
    driver, data = CupyDriver(), ascending(200_000)
    memory = driver.allocate(data.size)
    driver.write(memory, 0, data)
    monkeypatch.setattr(pinned, "CHUNK", 10_000)
    cupy.copied.clear()
    assert np.array_equal(driver.read(memory, 3, data.size - 3), data[3:])
    assert cupy.copied == [10_000] * 79 + [9_997]
    assert np.array_equal(driver.read(memory, 0, data.size), data)


# memory


def test_memory_that_is_let_go_is_given_out_again_on_its_stream_only(cupy: Cupy) -> None:
    driver = CupyDriver()
    side, memory = driver.stream(), driver.allocate(1000)
    address = memory.address
    with driver.on(side):
        del memory  # it goes back to where it is from, whatever stream is in use
        assert driver.allocate(1000).address != address
    assert driver.allocate(2000).address != address
    first, second = driver.allocate(900), driver.allocate(1000)
    assert first.address == address != second.address
    assert cupy.allocated == [1024, 1024, 2048, 1024]


def test_what_is_kept_counts_as_free(cupy: Cupy) -> None:
    driver = CupyDriver()
    free = driver.free_memory
    memory = driver.allocate(10_000)
    assert driver.free_memory == free - rounded(10_000)
    del memory
    assert driver.free_memory == free
    assert cupy.free < 1 << 20


def test_all_that_is_kept_is_given_back_before_memory_is_refused(cupy: Cupy) -> None:
    driver = CupyDriver()
    side, large = driver.stream(), 900 << 10
    memory = driver.allocate(200 << 10)
    with driver.on(side):
        driver.allocate(100 << 10)
    del memory
    assert driver.allocate(large).address
    assert cupy.freed == 1
    with pytest.raises(OutOfMemory, match=r"cuda:0: no memory for 1,114,112 bytes: close other programs") as caught:
        driver.allocate((1 << 20) + 1)
    assert "\n" not in str(caught.value)
    assert cupy.free == 1 << 20


def test_threads_allocate_and_let_go_side_by_side(cupy: Cupy) -> None:
    driver = CupyDriver()

    def work(_: int) -> set[int]:
        held = [driver.allocate(512) for _ in range(10)]
        return {memory.address for memory in held}

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(200)))
    assert all(len(addresses) == 10 for addresses in found)
    assert len(cupy.allocated) <= 80
    assert driver.free_memory == (1 << 20) + 40


def test_an_allocator_that_is_not_the_pool_is_asked_each_time_for_as_much_as_is_needed(cupy: Cupy) -> None:
    cupy.allocator = lambda nbytes: None
    driver = CupyDriver()
    driver.allocate(5)
    driver.allocate(5)
    assert cupy.allocated == [5, 5]
    assert cupy.free == 1 << 20


def test_sizes_are_rounded_up_to_few(cupy: Cupy) -> None:
    sizes = [1, 512, 513, 8192, 8193, 16385, (1 << 20) + 1, 1 << 30]
    assert [rounded(n) for n in sizes] == [512, 512, 1024, 8192, 8704, 17408, (1 << 20) + (1 << 16), 1 << 30]
    assert all(n <= rounded(n) <= max(512, n + n // 16 + 512) for n in range(1, 100_000, 37))


# streams and threads


def test_handles_of_events_are_used_again_and_streams_wait_for_what_they_stood_for(cupy: Cupy) -> None:
    driver = CupyDriver()
    memory, side = driver.allocate(8), driver.stream()
    with driver.on(side):
        driver.write(memory, 0, np.arange(8, dtype=np.uint8))
        done = driver.mark()
    driver.wait(done)
    handle = done.address
    del done
    assert driver.mark().address == handle
    assert driver.read(memory, 0, 8).tolist() == list(range(8))


def test_each_thread_works_on_the_gpu_of_the_driver_and_keeps_its_own(cupy: Cupy) -> None:
    driver = CupyDriver(1)
    module, memory = driver.compile(KERNELS), driver.allocate(8)

    def work(context: int) -> int:
        cupy.set_context(context)
        driver.launch(module, "g", ONE, ONE, 0, [])
        driver.write(memory, 0, np.zeros(8, np.uint8))
        driver.allocate(64)
        driver.wait(driver.mark())
        driver.read(memory, 0, 8)
        return cupy.context

    for context in (0, CONTEXT, CONTEXT + 1):
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(work, context).result() == context
    assert len(cupy.launches) == 3


def test_streams_wait_for_events_of_others(cupy: Cupy) -> None:
    driver = CupyDriver()
    memory, side = driver.allocate(8), driver.stream()
    with driver.on(side):
        driver.write(memory, 0, np.arange(8, dtype=np.uint8))
        done = driver.mark()
    driver.wait(done)
    assert driver.read(memory, 0, 8).tolist() == list(range(8))


# kernels


def test_a_launch_passes_extents_arguments_and_shared_memory(cupy: Cupy) -> None:
    driver = CupyDriver()
    module = driver.compile(KERNELS)
    driver.launch(module, "f", (2, 3, 1), (32, 1, 1), 100, [7, 1 << 40, (1 << 64) - 1])
    driver.launch(module, "g", ONE, ONE, 90_000, [])
    assert cupy.launches == [
        ("f", (2, 3, 1), (32, 1, 1), (7, 1 << 40, (1 << 64) - 1), 100, 0),
        ("g", ONE, ONE, (), 90_000, 90_000),
    ]
    driver.synchronize()


def test_errors_of_cuda_and_of_its_compiler_become_ours(cupy: Cupy) -> None:
    driver = CupyDriver()
    with pytest.raises(ResourceError, match=r"cuda:0: b.cu does not compile: line 1: error$"):
        driver.compile(Source("b.cu", "broken"))
    cupy.fail_launch = True
    with pytest.raises(ResourceError, match=r"cuda:0: an illegal memory access was encountered: check the driver"):
        driver.launch(driver.compile(Source("a.cu", "")), "f", ONE, ONE, 0, [])
    cupy.fail_launch = False
    driver.launch(driver.compile(KERNELS), "f", ONE, ONE, 0, [1, 2, 3])


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


# recordings


def test_what_is_recorded_is_done_when_it_is_replayed_on_the_stream_in_use(cupy: Cupy) -> None:
    driver = CupyDriver()
    assert isinstance(driver, Records)
    module, (source, target) = driver.compile(KERNELS), (driver.allocate(8) for _ in range(2))
    with driver.recording() as recording:
        driver.copy(source.address, target.address, 8)
        driver.launch(module, "g", ONE, ONE, 0, [])
    side = driver.stream()
    for k in range(3):
        driver.write(source, 0, np.full(8, k, np.uint8))
        written = driver.mark()
        assert driver.read(target, 0, 8).tolist() == [max(k - 1, 0)] * 8
        with driver.on(side):
            driver.wait(written)
            recording.replay()
            assert driver.read(target, 0, 8).tolist() == [k] * 8
        driver.wait(driver.mark())
    assert len(cupy.launches) == 1
    assert [len(graph.launched) for graph in cupy.graphs] == [3]
    assert all(stream is side.inner for stream in cupy.graphs[0].launched)


def test_memory_of_a_recording_is_its_own_as_long_as_it_lives(cupy: Cupy) -> None:
    driver = CupyDriver()
    free = driver.free_memory
    with driver.recording() as recording:
        first = driver.allocate(1000)
        address = first.address
        del first
        again, out = driver.allocate(1000), driver.allocate(1000)
    assert again.address == address != out.address
    assert driver.free_memory == free - 2 * 1024
    del again
    assert driver.allocate(1000).address not in (address, out.address)
    assert driver.free_memory == free - 2 * 1024
    del recording, out
    assert driver.free_memory == free


def test_a_recording_takes_its_memory_from_the_stream_around_it(cupy: Cupy) -> None:
    driver = CupyDriver()
    side = driver.stream()
    with driver.on(side), driver.recording():
        assert driver.allocate(8)._thing.stream is side.inner


def test_a_recording_refuses_what_needs_the_host_or_another_stream(cupy: Cupy) -> None:
    driver = CupyDriver()
    memory, event, side = driver.allocate(8), driver.mark(), driver.stream()
    with driver.recording() as other:
        pass
    refused = {
        "an event": driver.mark,
        "waiting for an event": lambda: driver.wait(event),
        "a copy from the host": lambda: driver.write(memory, 0, np.zeros(8, np.uint8)),
        "a copy to the host": lambda: driver.read(memory, 0, 8),
        "waiting for the device": driver.synchronize,
        "another stream": driver.on(side).__enter__,
        "a recording": driver.recording().__enter__,
    }
    with driver.recording() as recording:
        for what, ask in [*refused.items(), ("a recording", other.replay)]:
            with pytest.raises(ZkgpuError, match=f"cuda:0: {what} cannot be recorded"):
                ask()
    recording.replay()
    assert driver.read(memory, 0, 8).tolist() == [0] * 8


def test_a_recording_that_fails_leaves_the_driver_as_it_was(cupy: Cupy) -> None:
    driver = CupyDriver()
    free, memory = driver.free_memory - 512, driver.allocate(8)
    module = driver.compile(KERNELS)
    cupy.fail_launch = cupy.fail_capture = True

    def ask() -> None:
        driver.allocate(1000)
        driver.launch(module, "g", ONE, ONE, 0, [])

    with pytest.raises(ResourceError, match="an illegal memory access"), driver.recording():  # the first error
        ask()
    cupy.fail_launch = False
    with pytest.raises(ResourceError, match="a previous error during capture"), driver.recording():
        ask()
    assert (cupy.capturing, driver.free_memory) == (0, free)
    driver.wait(driver.mark())
    assert driver.read(memory, 0, 8).tolist() == [0] * 8


def test_a_full_device_frees_nothing_while_it_records(cupy: Cupy) -> None:
    driver = CupyDriver()
    driver.allocate(600 << 10)  # kept
    with pytest.raises(OutOfMemory, match="no memory for"), driver.recording():
        driver.allocate(600 << 10)
    assert cupy.freed == 0
    assert driver.allocate(700 << 10).address
    assert cupy.freed == 1
