"""Work on several streams: what may run side by side, and what must wait for what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from zkgpu.gpu.driver import Driver
from zkgpu.gpu.program import DeviceArray
from zkgpu.records import dataclass

T = TypeVar("T")


@dataclass(frozen=True)
class Job(Generic[T]):
    """Work for a stream of its own, and the arrays of other streams that it reads."""

    run: Callable[[], T]
    inputs: Sequence[DeviceArray] = ()


class SideStreams:
    """Streams beside the one in use, which need nothing of it but the inputs of their jobs."""

    def __init__(self, driver: Driver, n: int):
        self._driver = driver
        self._streams = [driver.stream() for _ in range(n)]

    def run(self, jobs: Sequence[Job[T]]) -> list[T]:
        """[job.run() for job in jobs], spread over the streams; what is enqueued afterwards comes after all of them.

        A job begins when its inputs are there. That holds when a job fails too: no memory is given out again that
        another job still uses.
        """
        begun = self._driver.mark()
        used = self._streams[: len(jobs)]
        try:
            return [self._run(job, used[k % len(used)], begun) for k, job in enumerate(jobs)]
        finally:
            for stream in used:
                with self._driver.on(stream):
                    done = self._driver.mark()
                self._driver.wait(done)

    def _run(self, job: Job[T], stream: object, begun: object) -> T:
        """One job; inputs that carry no event are there when the caller's stream has done its work."""
        with self._driver.on(stream):
            for event in {id(e): e for e in (array.ready or begun for array in job.inputs)}.values():
                self._driver.wait(event)
            return job.run()
