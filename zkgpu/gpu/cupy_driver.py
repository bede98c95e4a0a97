"""A CUDA GPU through CuPy: its memory pool, streams, pinned memory and modules.

A proof is hundreds of small calls, so what is called most goes to CUDA by its handles, and what CUDA takes long to make
is kept: memory by stream and size, events, pinned memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

from zkgpu.errors import ResourceError
from zkgpu.gpu.calls import FULL, Calls, Translated
from zkgpu.gpu.cupy_streams import CupyStream, Events, Graph
from zkgpu.gpu.driver import Bytes, Extent, OutOfMemory, not_recorded
from zkgpu.gpu.launcher import Launcher
from zkgpu.gpu.lent import Lent, lend
from zkgpu.gpu.modules import INSTALL, Module, Modules
from zkgpu.gpu.pinned import PinnedCopies
from zkgpu.gpu.source import Source

UNIT = 512  # bytes: CuPy's pool rounds up to as many
STEPS = 4  # a logarithm: between two powers of two there are 16 sizes


class CupyDriver:
    """GPU `number`. Raises ResourceError, with the reason in one line, when it cannot be used.

    Where CuPy was given another allocator than its pool, that is called for each array, with exactly as many bytes.
    """

    def __init__(self, number: int = 0):
        self.name = f"cuda:{number}"
        self._cupy = _import_cupy(self.name)
        self._keeps = self._cupy.cuda.get_allocator() == self._cupy.get_default_memory_pool().malloc
        cuda = self._cupy.cuda
        with Translated(cuda, self.name):
            count = cuda.runtime.getDeviceCount()
            if number >= count:
                raise ResourceError(f"{self.name}: this machine has {count} GPUs, numbered from 0")
            self._device, self._streams = cuda.Device(number), WeakSet[CupyStream]()
            with self._device:
                self._stream = self._new_stream()
                self._on_device = Calls(cuda, self.name, number)
            self._modules = self._modules_of_device()
        self._events, self._launch = Events(self._cupy), Launcher(cuda)
        self._copies = PinnedCopies(self._cupy, self._events)
        self._is_recording = False

    def _modules_of_device(self) -> Modules:
        capability, version = int(self._device.compute_capability), self._cupy.cuda.runtime.driverGetVersion()
        return Modules(self._cupy, self._device, self.name, divmod(capability, 10), version // 1000)

    @property
    def description(self) -> str:
        """The GPU's name, memory and the CUDA version its driver supports."""
        runtime = self._cupy.cuda.runtime
        with self._on_device():
            properties, version = runtime.getDeviceProperties(self._device.id), runtime.driverGetVersion()
        name, memory = properties["name"].decode(), properties["totalGlobalMem"] >> 30
        return f"{name}, {memory} GiB, CUDA {version // 1000}.{version % 1000 // 10}"

    # streams

    def stream(self) -> CupyStream:
        with self._on_device(), self._device:
            return self._new_stream()

    def _new_stream(self) -> CupyStream:
        """One that does not wait for the null stream, where other users of CuPy work."""
        stream = CupyStream(self._cupy.cuda.Stream(non_blocking=True), self._keeps)
        self._streams.add(stream)
        return stream

    @contextmanager
    def on(self, stream: CupyStream) -> Iterator[None]:
        self._must_not_record("another stream")
        outer, self._stream = self._stream, stream
        try:
            yield
        finally:
            self._stream = outer

    def mark(self) -> Lent:
        self._must_not_record("an event")
        with self._on_device():
            return self._events.mark(self._stream)

    def wait(self, event: Lent) -> None:
        self._must_not_record("waiting for an event")
        with self._on_device():
            self._events.wait(self._stream, event)

    @contextmanager
    def recording(self) -> Iterator[Graph]:
        """A graph captured by a stream of its own, so that none is left capturing when that fails."""
        self._must_not_record("a recording")
        outer = self._stream.inner
        with self._on_device(), self._device:
            stream = CupyStream(self._cupy.cuda.Stream(non_blocking=True), keeps=True, pool=outer)
            graph = Graph(self._cupy, stream, self._replay)
        with self.on(stream):
            self._is_recording = True
            try:
                yield graph
            except BaseException:
                with suppress(ResourceError):  # the first error says why
                    self._end(graph)
                raise
            self._end(graph)

    def _end(self, graph: Graph) -> None:
        self._is_recording = False
        with self._on_device():
            graph.end()

    def _replay(self, graph: Any) -> None:
        self._must_not_record("a recording")
        with self._on_device():
            graph.launch(self._stream.inner)

    def _must_not_record(self, what: str) -> None:
        if self._is_recording:
            raise not_recorded(self.name, what)

    # memory

    @property
    def free_memory(self) -> int:
        with self._on_device():
            free, _ = self._cupy.cuda.runtime.memGetInfo()
            kept = sum(stream.kept for stream in list(self._streams))
            return int(free + self._cupy.get_default_memory_pool().free_bytes() + kept)

    def allocate(self, nbytes: int) -> Lent:
        size = rounded(nbytes) if self._keeps else nbytes
        return lend(self._stream.shelves[size], self._allocate, size)

    def _allocate(self, nbytes: int) -> Any:
        """Memory of CuPy's pool; where that is short, all that is kept goes back first."""
        full = self._cupy.cuda.memory.OutOfMemoryError
        try:
            return self._from_pool(nbytes)
        except full:
            # CUDA waits for the device when it frees, which does not go with recording
            if not self._is_recording:
                self._give_back()
        try:
            return self._from_pool(nbytes)
        except full:
            raise OutOfMemory(f"{self.name}: no memory for {nbytes:,} bytes: {FULL}") from None

    def _from_pool(self, nbytes: int) -> Any:
        """CuPy's pool has an arena for each stream, and memory goes back to the one it is from."""
        with self._on_device(), self._device, self._stream.pool:
            return self._cupy.cuda.alloc(nbytes)

    def _give_back(self) -> None:
        """Give the device what is kept here, and what CuPy's pool keeps."""
        for stream in list(self._streams):
            stream.give_back()
        with self._on_device(), self._device:
            self._cupy.get_default_memory_pool().free_all_blocks()

    def write(self, memory: Lent, offset: int, data: Bytes) -> None:
        self._must_not_record("a copy from the host")
        with self._on_device():
            self._copies.upload(memory.address + offset, data, self._stream)

    def read(self, memory: Lent, offset: int, nbytes: int) -> Bytes:
        self._must_not_record("a copy to the host")
        with self._on_device():
            return self._copies.download(memory.address + offset, nbytes, self._stream)

    def copy(self, source: int, target: int, nbytes: int) -> None:
        runtime = self._cupy.cuda.runtime
        with self._on_device():
            runtime.memcpyAsync(target, source, nbytes, runtime.memcpyDeviceToDevice, self._stream.ptr)

    # kernels

    def compile(self, source: Source) -> Module:
        with self._on_device(), self._device:
            return self._modules.load(source)

    def launch(
        self, module: Module, kernel: str, grid: Extent, block: Extent, shared: int, arguments: Sequence[int]
    ) -> None:
        with self._on_device():
            self._launch(module.kernel(kernel, shared), grid, block, shared, self._stream.ptr, arguments)

    def synchronize(self) -> None:
        self._must_not_record("waiting for the device")
        with self._on_device():
            self._device.synchronize()


def rounded(nbytes: int) -> int:
    """A size of few that is not smaller: sixteen to a power of two, so at most a sixteenth is for nothing."""
    step = max(UNIT, 1 << max(0, (nbytes - 1).bit_length() - 1 - STEPS))
    return -(-nbytes // step) * step


def _import_cupy(name: str) -> Any:
    try:
        import cupy
    except ImportError as error:
        reason = str(error).strip().splitlines() or ["no reason given"]
        raise ResourceError(f"{name}: CuPy cannot be imported ({reason[0]}): {INSTALL}") from error
    return cupy
