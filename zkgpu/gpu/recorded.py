"""Work that depends on sizes alone: recorded once, and replayed with other values in its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from zkgpu.gpu.driver import Driver, Records
from zkgpu.gpu.program import DeviceArray, Element, allocate

T = TypeVar("T")


class Recorded(Generic[T]):
    """A recording of work(input), with an input, an output and memory of its own.

    Replays may go to any stream: each waits for the one before, and overwrites its output. Whoever made this
    must have its stream wait for all replays before it lets this go, as their memory is then that stream's again.
    """

    def __init__(self, driver: Driver, element: Element, length: int, work: Callable[[DeviceArray], T]):
        assert isinstance(driver, Records)
        self._driver: Driver = driver
        self._input = allocate(driver, element, length)
        with driver.recording() as self._recording:
            self._output = work(self._input)
        # whoever had the memory before may not be done with it
        self._free = driver.mark()

    def replay(self, values: DeviceArray) -> T:
        """work(values) on the stream in use, there until the next replay."""
        self._driver.wait(self._free)
        try:
            self._input.copy_from(values)
            self._recording.replay()
        finally:  # what was enqueued before an error is done all the same
            self._free = self._driver.mark()
        return self._output
