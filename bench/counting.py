"""A driver that computes nothing: it counts launches, allocations and bytes, and keeps the arguments of each launch.

What the backend has a device do depends on sizes alone, so a proof's or a sum's whole list of launches comes out
without a GPU, in the time that Python takes to enqueue it. Memory holds zeros where it is read.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from zkgpu.gpu.driver import Bytes, Extent, Memory
from zkgpu.gpu.source import Signature, Source

GIB = 1 << 30


@dataclass(frozen=True)
class Launch:
    """A kernel, its grid, and its arguments by name: numbers, and of arrays how many bytes lie behind the pointer."""

    source: Source
    kernel: str
    blocks: int
    rows: int
    threads: int
    numbers: dict[str, int]
    nbytes: dict[str, int]

    @property
    def all_threads(self) -> int:
        return self.blocks * self.rows * self.threads


@dataclass(frozen=True)
class Module:
    """A source, and its kernels by name."""

    source: Source
    kernels: dict[str, Signature]


Launched = tuple[Module, str, tuple[int, int, int], Sequence[int]]


@dataclass
class Counts:
    """What a device was given to do."""

    launched: list[Launched] = field(default_factory=list)
    behind: Callable[[int], int] = int  # bytes from an address to the end of its allocation
    allocations: int = 0
    written: int = 0
    read: int = 0
    events: int = 0
    copies: int = 0
    replays: int = 0
    replayed: int = 0

    @cached_property
    def launches(self) -> list[Launch]:
        """All launches, argument by argument; made of them afterwards, as that would take the host's time."""
        return [self._launch(*launched) for launched in self.launched]

    def _launch(self, module: Module, kernel: str, extents: tuple[int, int, int], values: Sequence[int]) -> Launch:
        named = list(zip(module.kernels[kernel].parameters, values, strict=True))
        numbers = {p.name: value for p, value in named if not p.is_pointer}
        nbytes = {p.name: self.behind(value) for p, value in named if p.is_pointer}
        return Launch(module.source, kernel, *extents, numbers, nbytes)

    @property
    def calls(self) -> int:
        """Launches as the host makes them: a replay is one."""
        return len(self.launched) - self.replayed + self.replays

    def by_kernel(self) -> Counter[str]:
        return Counter(launch.kernel for launch in self.launches)


@dataclass(frozen=True)
class CountedMemory:
    address: int


class CountedRecording:
    """Launches that count each time they are replayed."""

    def __init__(self, driver: CountingDriver):
        self._driver = driver
        self.launched: list[Launched] = []

    def replay(self) -> None:
        counts = self._driver.counts
        counts.launched += self.launched
        counts.replays += 1
        counts.replayed += len(self.launched)


class CountingDriver:
    """A device of `memory` bytes, none of which is ever used up; `counts` begins anew with each `counting` block."""

    def __init__(self, memory: int = 80 * GIB):
        self.name, self.memory = "counted", memory
        self.counts = Counts()
        self._next = 1 << 20
        self._begins: list[int] = []
        self._ends: list[int] = []

    @property
    def free_memory(self) -> int:
        return self.memory

    @contextmanager
    def counting(self) -> Iterator[Counts]:
        self.counts = counts = Counts(behind=self._behind)
        yield counts

    def stream(self) -> object:
        return object()

    @contextmanager
    def on(self, stream: Any) -> Iterator[None]:
        yield

    def mark(self) -> object:
        self.counts.events += 1
        return object()

    def wait(self, event: Any) -> None:
        self.counts.events += 1

    def new_recording(self) -> CountedRecording:
        return CountedRecording(self)

    @contextmanager
    def recording(self) -> Iterator[CountedRecording]:
        recording, counts = self.new_recording(), self.counts
        done, counts.launched = counts.launched, recording.launched
        try:
            yield recording
        finally:
            counts.launched = done

    def allocate(self, nbytes: int) -> Memory:
        self.counts.allocations += 1
        return CountedMemory(self._place(nbytes))

    def _place(self, nbytes: int) -> int:
        """An address that was never given out."""
        address = self._next
        self._begins.append(address)
        self._ends.append(address + nbytes)
        self._next += (nbytes // 512 + 1) * 512
        return address

    def write(self, memory: Any, offset: int, data: Bytes) -> None:
        self.counts.written += data.size

    def read(self, memory: Any, offset: int, nbytes: int) -> Bytes:
        self.counts.read += nbytes
        return np.zeros(nbytes, np.uint8)

    def copy(self, source: int, target: int, nbytes: int) -> None:
        self.counts.copies += 1

    def compile(self, source: Source) -> Module:
        return Module(source, source.signatures())

    def launch(
        self, module: Module, kernel: str, grid: Extent, block: Extent, shared: int, arguments: Sequence[int]
    ) -> None:
        self.counts.launched.append((module, kernel, (grid[0], grid[1], block[0] * block[1]), arguments))

    def _behind(self, address: int) -> int:
        """Bytes from an address to the end of its allocation."""
        return self._ends[bisect.bisect_right(self._begins, address) - 1] - address

    def synchronize(self) -> None:
        pass
