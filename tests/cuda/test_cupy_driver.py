"""The driver of real GPUs, over a double of the few names of CuPy it uses: what it asks for, and how errors read."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zkgpu.backend import open_backend
from zkgpu.errors import ResourceError
from zkgpu.gpu.cupy_driver import CupyDriver
from zkgpu.gpu.driver import OutOfMemory
from zkgpu.gpu.source import Source


class Failure(Exception):
    """Any error of CuPy."""


class Full(MemoryError):
    """CuPy's error of a full device."""


class Pointer:
    """Memory of the double: a host array, addressed as CuPy's pointers are."""

    def __init__(self, data: np.ndarray, ptr: int):
        self.data, self.ptr = data, ptr

    def __add__(self, offset: int) -> Pointer:
        return Pointer(self.data[offset:], self.ptr + offset)

    def copy_from_host(self, source: int, size: int) -> None:
        self._copy(self.data.ctypes.data, source, size)

    def copy_to_host(self, target: int, size: int) -> None:
        self._copy(target, self.data.ctypes.data, size)

    def _copy(self, target: int, source: int, size: int) -> None:
        import ctypes

        assert size <= self.data.size
        ctypes.memmove(target, source, size)


class Device:
    """A context, as CuPy's devices are."""

    def __init__(self, number: int):
        self.number = number

    def use(self) -> None: ...

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None: ...


class Cupy:
    """Two GPUs with 1000 bytes each; every launch is remembered."""

    def __init__(self) -> None:
        self.launches: list[Any] = []
        self.freed = 0
        self.fail_launch = False
        runtime = SimpleNamespace(getDeviceCount=lambda: 2, memGetInfo=lambda: (600, 1000), CUDARuntimeError=Failure)
        self.cuda = SimpleNamespace(
            runtime=runtime,
            driver=SimpleNamespace(CUDADriverError=Failure),
            compiler=SimpleNamespace(CompileException=SyntaxError),
            memory=SimpleNamespace(OutOfMemoryError=Full),
            alloc=self._alloc,
            Device=Device,
            get_current_stream=lambda: SimpleNamespace(synchronize=lambda: None),
        )

    def _alloc(self, nbytes: int) -> Pointer:
        if nbytes > 1000:
            raise Full("out of memory")
        return Pointer(np.zeros(nbytes, np.uint8), 4096)

    def get_default_memory_pool(self) -> Any:
        def free() -> None:
            self.freed += 1

        return SimpleNamespace(free_bytes=lambda: 40, free_all_blocks=free)

    def RawModule(self, code: str, options: tuple[str, ...], backend: str) -> Any:
        assert (options, backend) == (("--std=c++17",), "nvrtc")

        def compile_now() -> None:
            if "broken" in code:
                raise SyntaxError("line 1: error\nmore")

        return SimpleNamespace(compile=compile_now, get_function=lambda name: Kernel(self, name))


class Kernel:
    """A function of a module."""

    max_dynamic_shared_size_bytes = 0

    def __init__(self, cupy: Cupy, name: str):
        self._cupy, self._name = cupy, name

    def __call__(self, grid: Any, block: Any, arguments: Any, shared_mem: int) -> None:
        if self._cupy.fail_launch:
            raise Failure("an illegal memory access was encountered")
        self._cupy.launches.append((self._name, grid, block, arguments, shared_mem, self.max_dynamic_shared_size_bytes))


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Cupy:
    double = Cupy()
    monkeypatch.setitem(sys.modules, "cupy", double)  # type: ignore[arg-type]
    return double


def test_bytes_come_back_as_they_went_in(cupy: Cupy) -> None:
    driver = CupyDriver(1)
    memory = driver.allocate(16)
    driver.write(memory, 4, np.arange(8, dtype=np.uint8))
    assert driver.read(memory, 2, 6).tolist() == [0, 0, 0, 1, 2, 3]
    assert (driver.name, driver.free_memory, memory.address) == ("cuda:1", 640, 4096)


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


def test_a_gpu_that_is_not_there_is_refused(cupy: Cupy) -> None:
    with pytest.raises(ResourceError, match="cuda:2: this machine has 2 GPUs"):
        open_backend("cuda:2")
    assert open_backend("cuda:1").name == "cuda:1"


def test_without_cupy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ResourceError, match=r"cuda:0: CuPy cannot be imported .*zkgpu\[cuda13\]"):
        open_backend("cuda")
