"""A CUDA GPU through CuPy: its memory pool, streams, pinned memory and modules.

CuPy's pool keeps an arena for each stream, so what a stream frees is given out on the same stream only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from zkgpu.errors import ResourceError
from zkgpu.gpu.driver import Bytes, Extent, OutOfMemory
from zkgpu.gpu.modules import INSTALL, Module, Modules
from zkgpu.gpu.pinned import PinnedCopies
from zkgpu.gpu.source import Source

FULL = "close other programs on this GPU, or use --device cpu"


class CupyMemory:
    """An allocation of CuPy's pool."""

    def __init__(self, pointer: Any):
        self.pointer = pointer

    @property
    def address(self) -> int:
        return int(self.pointer.ptr)


class CupyDriver:
    """GPU `number`. Raises ResourceError, with the reason in one line, when it cannot be used."""

    def __init__(self, number: int = 0):
        self.name = f"cuda:{number}"
        self._cupy = _import_cupy(self.name)
        with self._translated():
            count = self._cupy.cuda.runtime.getDeviceCount()
            if number >= count:
                raise ResourceError(f"{self.name}: this machine has {count} GPUs, numbered from 0")
            self._device = self._cupy.cuda.Device(number)
            with self._device:
                # streams that do not wait for the null stream, where other users of CuPy work
                self._stream = self._cupy.cuda.Stream(non_blocking=True)
            self._modules = self._modules_of_device()
        self._copies = PinnedCopies(self._cupy)

    def _modules_of_device(self) -> Modules:
        capability, version = int(self._device.compute_capability), self._cupy.cuda.runtime.driverGetVersion()
        return Modules(self._cupy, self._device, self.name, divmod(capability, 10), version // 1000)

    @property
    def description(self) -> str:
        """The GPU's name, memory and the CUDA version its driver supports."""
        runtime = self._cupy.cuda.runtime
        with self._translated():
            properties, version = runtime.getDeviceProperties(self._device.id), runtime.driverGetVersion()
        name, memory = properties["name"].decode(), properties["totalGlobalMem"] >> 30
        return f"{name}, {memory} GiB, CUDA {version // 1000}.{version % 1000 // 10}"

    def stream(self) -> Any:
        with self._on_device():
            return self._cupy.cuda.Stream(non_blocking=True)

    @contextmanager
    def on(self, stream: Any) -> Iterator[None]:
        outer, self._stream = self._stream, stream
        try:
            yield
        finally:
            self._stream = outer

    def mark(self) -> Any:
        with self._on_device():
            return self._stream.record(self._cupy.cuda.Event(disable_timing=True))

    def wait(self, event: Any) -> None:
        with self._on_device():
            self._stream.wait_event(event)

    @property
    def free_memory(self) -> int:
        with self._on_device():
            free, _ = self._cupy.cuda.runtime.memGetInfo()
            return int(free + self._cupy.get_default_memory_pool().free_bytes())

    def allocate(self, nbytes: int) -> CupyMemory:
        try:
            with self._on_device():
                return CupyMemory(self._cupy.cuda.alloc(nbytes))
        except self._cupy.cuda.memory.OutOfMemoryError:
            with self._on_device():  # blocks of other sizes that the pool keeps may be what is missing
                self._cupy.get_default_memory_pool().free_all_blocks()
            raise OutOfMemory(f"{self.name}: no memory for {nbytes:,} bytes: {FULL}") from None

    def write(self, memory: CupyMemory, offset: int, data: Bytes) -> None:
        with self._on_device():
            self._copies.start(memory.pointer + offset, data, self._stream)

    def read(self, memory: CupyMemory, offset: int, nbytes: int) -> Bytes:
        data = np.empty(nbytes, np.uint8)
        with self._on_device():
            (memory.pointer + offset).copy_to_host_async(data.ctypes.data, nbytes, self._stream)
            self._stream.synchronize()
        return data

    def compile(self, source: Source) -> Module:
        with self._on_device():
            return self._modules.load(source)

    def launch(
        self, module: Module, kernel: str, grid: Extent, block: Extent, shared: int, arguments: Sequence[np.generic]
    ) -> None:
        with self._on_device():
            module.kernel(kernel, shared)(grid, block, tuple(arguments), shared_mem=shared)

    def synchronize(self) -> None:
        with self._on_device():
            self._device.synchronize()

    def blocks_at_once(self, module: Module, kernel: str, threads: int, shared: int) -> int:
        with self._on_device():
            function = module.kernel(kernel, shared).ptr
            each = self._cupy.cuda.driver.occupancyMaxActiveBlocksPerMultiprocessor(function, threads, shared)
            return int(each) * int(self._device.attributes["MultiProcessorCount"])

    @contextmanager
    def _on_device(self) -> Iterator[None]:
        with self._translated(), self._device, self._stream:
            yield

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """CUDA's errors as ours."""
        cuda = self._cupy.cuda
        try:
            yield
        except (cuda.runtime.CUDARuntimeError, cuda.driver.CUDADriverError) as error:
            if "out of memory" in str(error):
                raise OutOfMemory(f"{self.name}: no memory for what CUDA itself needs: {FULL}") from error
            raise ResourceError(
                f"{self.name}: {error}: check the driver with nvidia-smi, or use --device cpu"
            ) from error


def _import_cupy(name: str) -> Any:
    try:
        import cupy
    except ImportError as error:
        reason = str(error).strip().splitlines() or ["no reason given"]
        raise ResourceError(f"{name}: CuPy cannot be imported ({reason[0]}): {INSTALL}") from error
    return cupy
