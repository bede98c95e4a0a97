"""A counting device whose memory runs out: what a run takes of it, and what gives way where there is less.

What the backend allocates, and when it lets go, depends on sizes and on the memory that is free, so a proof's most
bytes come out without a GPU, of the very calls that a prover makes; tests hold them against an emulated device.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from counting import CountedRecording, CountingDriver

from zkgpu.gpu.driver import Memory, OutOfMemory
from zkgpu.gpu.lent import Shelf, lend


class MeteredMemory:
    """Bytes in use until the last reference to them goes; then they are on a shelf of their stream."""

    def __init__(self, driver: MeteredDriver, address: int, nbytes: int, shelf: Shelf):
        self._driver, self.ptr, self.address, self._nbytes, self._shelf = driver, address, address, nbytes, shelf

    def __del__(self) -> None:
        self._driver.used -= self._nbytes
        self._shelf.append(self.address)


class MeteredRecording(CountedRecording):
    """Keeps what is let go within it, as long as it lives."""

    def __init__(self, driver: CountingDriver):
        super().__init__(driver)
        self.shelves: defaultdict[int, Shelf] = defaultdict(deque)


class MeteredDriver(CountingDriver):
    """A device of `memory` bytes, of which `used` are in use and `most` ever were.

    What is let go is kept for the next allocation of its size on its stream, as CuPy's driver does; `given_back` counts
    how often all of it had to be given back to make room.

    Args:
        rounded: how many bytes an allocation of so many takes
    """

    def __init__(self, memory: int, rounded: Callable[[int], int] = int):
        super().__init__(memory)
        self.used = self.most = self.given_back = 0
        self._rounded, self._stream = rounded, self.stream()
        self._shelves: defaultdict[tuple[object, int], Shelf] = defaultdict(deque)
        self._recording: MeteredRecording | None = None

    @property
    def free_memory(self) -> int:
        return self.memory - self.used

    @contextmanager
    def on(self, stream: Any) -> Iterator[None]:
        outer, self._stream = self._stream, stream
        try:
            yield
        finally:
            self._stream = outer

    def new_recording(self) -> MeteredRecording:
        return MeteredRecording(self)

    @contextmanager
    def recording(self) -> Iterator[MeteredRecording]:
        with super().recording() as recording:
            assert isinstance(recording, MeteredRecording)
            self._recording = recording
            try:
                yield recording
            finally:
                self._recording = None

    def allocate(self, nbytes: int) -> Memory:
        self.counts.allocations += 1
        size = self._rounded(nbytes)
        if self._recording is None:
            return self._allocate(size)
        return lend(self._recording.shelves[size], self._allocate, size)

    def _allocate(self, nbytes: int) -> MeteredMemory:
        shelf = self._shelves[self._stream, nbytes]
        address = shelf.pop() if shelf else self._more(nbytes)
        self.used += nbytes
        self.most = max(self.most, self.used)
        return MeteredMemory(self, address, nbytes, shelf)

    def _more(self, nbytes: int) -> int:
        kept = sum(size * len(shelf) for (_, size), shelf in self._shelves.items())
        if self.used + kept + nbytes > self.memory:
            self.given_back += 1
            for shelf in self._shelves.values():
                shelf.clear()
        if nbytes > self.free_memory:
            raise OutOfMemory(f"{self.name}: no memory for {nbytes:,} bytes")
        return self._place(nbytes)
