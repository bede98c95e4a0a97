"""A double of the few names of CuPy that the driver of real GPUs uses; copies are done as late as CUDA may do them."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from zkgpu.gpu.source import Parameter, Signature, Source

CONTEXT = 100  # the handle of GPU 0's context
RELAXED = 2  # a mode of capturing


class Failure(RuntimeError):
    """Any error of CUDA, in CuPy's name."""


class Full(MemoryError):
    """CuPy's error of a full device."""


class Pointer:
    """Memory of the double, at its address on the host; it says where it goes back to."""

    def __init__(self, cupy: Cupy, nbytes: int):
        self._cupy, self.data, self.stream = cupy, np.zeros(nbytes, np.uint8), cupy.used[-1]
        self.ptr = self.data.ctypes.data
        cupy.free -= nbytes

    def __del__(self) -> None:
        self._cupy.free += self.data.size


class Pinned:
    """Pinned memory, which is overwritten as soon as it is let go."""

    def __init__(self, data: np.ndarray):
        self.data, self.ptr = data, data.ctypes.data

    def __del__(self) -> None:
        self.data[:] = 0xEE


class Moment:
    """What an event stands for since it was last recorded."""

    def __init__(self, stream: Stream):
        self.done, self.stream = False, stream

    def synchronize(self) -> None:
        while not self.done:
            self.stream.step()

    def happen(self) -> None:
        self.done = True


class Event:
    """A handle, of use once it is recorded."""

    def __init__(self, cupy: Cupy, disable_timing: bool):
        assert disable_timing
        self.ptr = cupy.handle(self)
        self.moment: Moment | None = None


class Graph:
    """What a stream captured, and the streams that it was launched on."""

    def __init__(self, work: list[Callable[[], object]]):
        self.work, self.launched = work, list[Stream]()

    def launch(self, stream: Stream) -> None:
        self.launched.append(stream)
        for work in self.work:
            stream.ask(work)


class Stream:
    """Does its work when somebody waits for it, and none while it captures."""

    def __init__(self, cupy: Cupy, non_blocking: bool):
        assert non_blocking
        self._cupy, self.context, self.ptr = cupy, cupy.context, cupy.handle(self)
        self.work: list[Callable[[], object]] = []
        self.captures = False

    def ask(self, work: Callable[[], object]) -> None:
        assert self._cupy.context == self.context, "the stream is of another device than the thread's"
        self.work.append(work)

    def step(self) -> None:
        assert not self.captures
        self.work.pop(0)()

    def begin_capture(self, mode: int) -> None:
        assert (mode, self.captures, self.work) == (RELAXED, False, [])
        self._cupy.capturing += 1
        self.captures = True

    def end_capture(self) -> Graph:
        assert self.captures
        self._cupy.capturing -= 1
        self.captures = False
        if self._cupy.fail_capture:
            raise Failure("operation failed due to a previous error during capture")
        self._cupy.graphs.append(Graph(self.work))
        return self._cupy.graphs[-1]

    def synchronize(self) -> None:
        while self.work:
            self.step()

    def __enter__(self) -> Stream:
        self._cupy.used.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._cupy.used.pop()


class Device:
    """A GPU, whose context is the thread's in the block."""

    compute_capability = "90"

    def __init__(self, cupy: Cupy, number: int):
        self._cupy, self.id, self._before = cupy, number, list[int]()

    def synchronize(self) -> None: ...

    def __enter__(self) -> Device:
        self._before.append(self._cupy.context)
        self._cupy.set_context(CONTEXT + self.id)
        return self

    def __exit__(self, *_: object) -> None:
        self._cupy.set_context(self._before.pop())


class Cupy:
    """Two GPUs with `free` bytes each; every launch is remembered."""

    def __init__(self) -> None:
        self.launches: list[Any] = []
        self.pinned: list[np.ndarray] = []
        self.allocated: list[Any] = []  # sizes that the pool allocated
        self.copied: list[int] = []  # sizes of copies to and from the device
        self.free, self.freed = 1 << 20, 0
        self.allocator = self._alloc
        self.used: list[Any] = [None]  # streams in use, the innermost last
        self.fail_launch = self.fail_capture = False
        self.graphs: list[Graph] = []
        self.capturing = 0  # streams that do
        self.loaded: list[bytes] = []  # cubins
        self.compiled: list[str] = []  # sources
        self.driver_version = 13000
        self.refuses: Exception | None = None  # what loading a cubin fails with
        self.lacks: Exception | None = None  # what compiling fails with, whatever the source
        self._thread, self._handles = threading.local(), dict[int, Any]()
        runtime = SimpleNamespace(
            getDeviceCount=lambda: 2,
            memGetInfo=lambda: (self.free, 1 << 20),
            driverGetVersion=lambda: self.driver_version,
            CUDARuntimeError=Failure,
            memcpyHostToDevice=1,
            memcpyDeviceToHost=2,
            memcpyDeviceToDevice=3,
            streamCaptureModeRelaxed=RELAXED,
            memcpyAsync=self._copy,
            eventRecord=self._record,
            eventQuery=lambda event: 0 if self._handles[event].moment.done else 600,
            eventSynchronize=lambda event: self._handles[event].moment.synchronize(),
            streamWaitEvent=self._wait,
            streamSynchronize=lambda stream: self._handles[stream].synchronize(),
        )
        self.cuda = SimpleNamespace(
            runtime=runtime,
            driver=SimpleNamespace(
                CUDADriverError=Failure,
                CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8,
                funcSetAttribute=self._set_attribute,
                ctxGetCurrent=lambda: self.context,
                ctxSetCurrent=self.set_context,
                launchKernel=self._launch,
            ),
            Module=lambda: Module(self),
            compiler=SimpleNamespace(CompileException=SyntaxError),
            memory=SimpleNamespace(OutOfMemoryError=Full),
            alloc=self._alloc,
            get_allocator=lambda: self.allocator,
            alloc_pinned_memory=self._alloc_pinned,
            Device=lambda number: Device(self, number),
            Stream=lambda non_blocking: Stream(self, non_blocking),
            Event=lambda disable_timing: Event(self, disable_timing),
        )

    def handle(self, thing: Any) -> int:
        """A number for a thing, as CUDA hands out."""
        self._handles[len(self._handles) + 1] = thing
        return len(self._handles)

    @property
    def context(self) -> int:
        """The thread's: none at first."""
        return getattr(self._thread, "context", 0)

    def set_context(self, context: int) -> None:
        self._thread.context = context

    def _copy(self, target: int, source: int, nbytes: int, kind: int, stream: int) -> None:
        assert kind in (1, 2, 3)
        self.copied.append(nbytes)
        self._handles[stream].ask(lambda: ctypes.memmove(target, source, nbytes))

    def _record(self, event: int, stream: int) -> None:
        moment = self._handles[event].moment = Moment(self._handles[stream])
        moment.stream.ask(moment.happen)

    def _wait(self, stream: int, event: int) -> None:
        self._handles[stream].ask(self._handles[event].moment.synchronize)

    def _alloc_pinned(self, nbytes: int) -> Pinned:
        data = np.zeros(nbytes, np.uint8)
        self.pinned.append(data)  # stays valid, so that a copy from memory that was let go shows
        return Pinned(data)

    def _alloc(self, nbytes: int) -> Pointer:
        if nbytes > self.free:
            raise Full("out of memory")
        self.allocated.append(nbytes)
        return Pointer(self, nbytes)

    def get_default_memory_pool(self) -> Any:
        def free() -> None:
            assert not self.capturing
            self.freed += 1

        return SimpleNamespace(free_bytes=lambda: 40, free_all_blocks=free, malloc=self._alloc)

    def RawModule(self, code: str, options: tuple[str, ...], backend: str) -> Any:
        assert (options, backend) == (("--std=c++17",), "nvrtc")
        return RawModule(self, code)

    def _launch(self, kernel: int, *numbers: int) -> None:
        """Reads the arguments as CUDA does: each from where a pointer says, as many bytes as the kernel's text has."""
        *extents, shared, stream, pointers, extra = numbers
        assert (len(extents), extra) == (6, 0)
        if self.fail_launch:
            raise Failure("an illegal memory access was encountered")
        function = self._handles[kernel]
        at = (ctypes.c_uint64 * len(function.sizes)).from_address(pointers)
        values = [int.from_bytes(ctypes.string_at(p, n), "little") for p, n in zip(at, function.sizes, strict=True)]
        launch = (function.name, tuple(extents[:3]), tuple(extents[3:]), tuple(values), shared, function.allowed)
        self._handles[stream].ask(lambda: None)
        self.launches.append(launch)

    def _set_attribute(self, kernel: int, attribute: int, value: int) -> None:
        assert attribute == 8
        self._handles[kernel].allowed = value


@dataclass(frozen=True)
class RawModule:
    """A source, compiled when its module is loaded."""

    cupy: Cupy
    code: str

    @property
    def module(self) -> Module:
        if self.cupy.lacks:
            raise self.cupy.lacks
        if "broken" in self.code:
            raise SyntaxError("line 1: error\nmore")
        self.cupy.compiled.append(self.code)
        return Module(self.cupy, self.code)


@dataclass(frozen=True)
class Module:
    """A module, and the text it was made of where that is known."""

    cupy: Cupy
    code: str = ""

    def load(self, cubin: bytes) -> None:
        if self.cupy.refuses:
            raise self.cupy.refuses
        self.cupy.loaded.append(cubin)

    def get_function(self, name: str) -> Kernel:
        return Kernel(self.cupy, name, Source("", self.code).signatures().get(name))


class Kernel:
    """A function of a module: the sizes of its arguments, and how much shared memory it is allowed."""

    def __init__(self, cupy: Cupy, name: str, signature: Signature | None):
        self.name, self.allowed, self.ptr = name, 0, cupy.handle(self)
        self.sizes = [] if signature is None else [argument_size(p) for p in signature.parameters]


def argument_size(parameter: Parameter) -> int:
    return 4 if parameter.type == "uint32_t" and not parameter.is_pointer else 8
