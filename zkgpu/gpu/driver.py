"""What a driver does: reach one device's memory and run kernels on it. CuPy is one; tests bring an emulation."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import ResourceError, ZkgpuError
from zkgpu.gpu.source import Source

Bytes = NDArray[np.uint8]
Extent = tuple[int, int, int]


class OutOfMemory(ResourceError):
    """The device has not enough free memory; less at a time may do."""


class Memory(Protocol):
    """An allocation on a device, freed when the last reference to it goes."""

    @property
    def address(self) -> int: ...


class Driver(Protocol):
    """One device. Work goes to the stream in use, which does it in order; streams run side by side.

    Memory belongs to the stream it was allocated on: freed, it may be given out there again at once. Another stream
    that still uses it must be waited for first.
    """

    @property
    def name(self) -> str:
        """What messages call the device."""
        ...

    @property
    def free_memory(self) -> int:
        """Bytes that can still be allocated."""
        ...

    # streams

    def stream(self) -> Any:
        """A new stream."""
        ...

    def on(self, stream: Any) -> AbstractContextManager[None]:
        """In the block, `stream` is the one in use."""
        ...

    def mark(self) -> Any:
        """An event: it happens when all that the stream in use was given so far is done."""
        ...

    def wait(self, event: Any) -> None:
        """What the stream in use is given from now on is done after the event; the caller does not wait."""
        ...

    # work

    def allocate(self, nbytes: int) -> Memory:
        """Memory with arbitrary contents. Raises OutOfMemory when there is not enough."""
        ...

    def write(self, memory: Any, offset: int, data: Bytes) -> None:
        """Copy bytes to the device; the caller may change its own as soon as this returns."""
        ...

    def read(self, memory: Any, offset: int, nbytes: int) -> Bytes:
        """Bytes from the device, after all work of the stream in use."""
        ...

    def copy(self, source: int, target: int, nbytes: int) -> None:
        """Copy bytes from one address of the device to another."""
        ...

    def compile(self, source: Source) -> Any:
        """The module of a source, kept by its text's digest. Raises ResourceError when it cannot be compiled."""
        ...

    def launch(
        self, module: Any, kernel: str, grid: Extent, block: Extent, shared: int, arguments: Sequence[int]
    ) -> None:
        """Run a kernel; of arrays their addresses are passed. `Program.launch` has checked the arguments."""
        ...

    def synchronize(self) -> None:
        """Wait for all work on all streams. Raises ResourceError when a kernel failed."""
        ...


class Recording(Protocol):
    """Work that was enqueued once, and the memory allocated for it."""

    def replay(self) -> None:
        """Enqueue all of it again on the stream in use, in the same memory. One replay must be done before the next."""
        ...


@runtime_checkable
class Records(Protocol):
    """A driver that takes a whole list of work at once, for hardly more than one launch costs the host."""

    def recording(self) -> AbstractContextManager[Recording]:
        """In the block, launches and copies are kept instead of done; the recording is of use after it.

        Memory that is allocated meanwhile is nobody else's as long as the recording lives, even when it is let go. It
        belongs to the stream in use around the block, and may be used once that has done what it was given before.
        What needs the host or another stream is refused with a ZkgpuError: events, reads, writes, other recordings.
        """
        ...


def not_recorded(name: str, what: str) -> ZkgpuError:
    """The error of a driver that is given something which a recording cannot hold."""
    return ZkgpuError(f"{name}: {what} cannot be recorded")
