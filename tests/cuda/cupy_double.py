"""A double of the few names of CuPy that the driver of real GPUs uses; copies are done as late as CUDA may do them."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np


class Failure(RuntimeError):
    """Any error of CUDA, in CuPy's name."""


class Full(MemoryError):
    """CuPy's error of a full device."""


class Pointer:
    """Memory of the double: a host array, addressed as CuPy's pointers are."""

    def __init__(self, data: np.ndarray, ptr: int):
        self.data, self.ptr = data, ptr

    def __add__(self, offset: int) -> Pointer:
        return Pointer(self.data[offset:], self.ptr + offset)

    def copy_from_host_async(self, source: int, size: int, stream: Stream) -> None:
        assert size <= self.data.size
        stream.ask(lambda: ctypes.memmove(self.data.ctypes.data, source, size))

    def copy_to_host_async(self, target: int, size: int, stream: Stream) -> None:
        assert size <= self.data.size
        stream.ask(lambda: ctypes.memmove(target, self.data.ctypes.data, size))


class Pinned:
    """Pinned memory, which is overwritten as soon as it is let go."""

    def __init__(self, data: np.ndarray):
        self.data, self.ptr = data, data.ctypes.data

    def __del__(self) -> None:
        self.data[:] = 0xEE


class Event:
    """Happens when its stream gets there."""

    def __init__(self, disable_timing: bool):
        assert disable_timing
        self.done, self.stream = False, None

    def synchronize(self) -> None:
        while not self.done:
            self.stream.step()

    def happen(self) -> None:
        self.done = True


class Stream:
    """Does its work when somebody waits for it."""

    def __init__(self, non_blocking: bool):
        assert non_blocking
        self.work: list[Callable[[], object]] = []
        self.is_current = 0

    def ask(self, work: Callable[[], object]) -> None:
        assert self.is_current, "work for a stream that is not in use"
        self.work.append(work)

    def step(self) -> None:
        self.work.pop(0)()

    def record(self, event: Event) -> Event:
        event.stream = self
        self.ask(event.happen)
        return event

    def wait_event(self, event: Event) -> None:
        self.ask(event.synchronize)

    def synchronize(self) -> None:
        while self.work:
            self.step()

    def __enter__(self) -> Stream:
        self.is_current += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.is_current -= 1


class Device:
    """A context, as CuPy's devices are."""

    compute_capability = "90"
    attributes = MappingProxyType({"MultiProcessorCount": 3})

    def __init__(self, number: int):
        self.number = number

    def synchronize(self) -> None: ...

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_: object) -> None: ...


class Cupy:
    """Two GPUs with 1000 bytes each; every launch is remembered."""

    def __init__(self) -> None:
        self.launches: list[Any] = []
        self.pinned: list[np.ndarray] = []
        self.freed = 0
        self.fail_launch = False
        self.loaded: list[bytes] = []  # cubins
        self.compiled: list[str] = []  # sources
        self.driver_version = 13000
        self.refuses: Exception | None = None  # what loading a cubin fails with
        self.lacks: Exception | None = None  # what compiling fails with, whatever the source
        runtime = SimpleNamespace(
            getDeviceCount=lambda: 2,
            memGetInfo=lambda: (600, 1000),
            driverGetVersion=lambda: self.driver_version,
            CUDARuntimeError=Failure,
        )
        self.cuda = SimpleNamespace(
            runtime=runtime,
            driver=SimpleNamespace(
                CUDADriverError=Failure,
                CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8,
                funcSetAttribute=set_attribute,
                occupancyMaxActiveBlocksPerMultiprocessor=blocks_that_fit,
            ),
            Module=lambda: Module(self),
            compiler=SimpleNamespace(CompileException=SyntaxError),
            memory=SimpleNamespace(OutOfMemoryError=Full),
            alloc=self._alloc,
            alloc_pinned_memory=self._alloc_pinned,
            Device=Device,
            Stream=Stream,
            Event=Event,
        )

    def _alloc_pinned(self, nbytes: int) -> Pinned:
        data = np.zeros(nbytes, np.uint8)
        self.pinned.append(data)  # stays valid, so that a copy from memory that was let go shows
        return Pinned(data)

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
        return RawModule(self, code)


@dataclass(frozen=True)
class RawModule:
    """A source, compiled when its module is asked for."""

    cupy: Cupy
    code: str

    @property
    def module(self) -> Module:
        if self.cupy.lacks:
            raise self.cupy.lacks
        if "broken" in self.code:
            raise SyntaxError("line 1: error\nmore")
        self.cupy.compiled.append(self.code)
        return Module(self.cupy)


@dataclass(frozen=True)
class Module:
    """A module, whatever it was made of."""

    cupy: Cupy

    def load(self, cubin: bytes) -> None:
        if self.cupy.refuses:
            raise self.cupy.refuses
        self.cupy.loaded.append(cubin)

    def get_function(self, name: str) -> Kernel:
        return Kernel(self.cupy, name)


class Kernel:
    """A function of a module."""

    def __init__(self, cupy: Cupy, name: str):
        self._cupy, self._name, self.ptr = cupy, name, [0]

    def __call__(self, grid: Any, block: Any, arguments: Any, shared_mem: int) -> None:
        if self._cupy.fail_launch:
            raise Failure("an illegal memory access was encountered")
        self._cupy.launches.append((self._name, grid, block, arguments, shared_mem, self.ptr[0]))


def set_attribute(kernel: list[int], attribute: int, value: int) -> None:
    """The double's kernels are addressed by the one attribute they have."""
    assert attribute == 8
    kernel[0] = value


def blocks_that_fit(kernel: list[int], threads: int, shared: int) -> int:
    """For 2048 threads a multiprocessor, and shared memory that the kernel was allowed."""
    assert shared <= max(kernel[0], 48 << 10)
    return 2048 // threads
