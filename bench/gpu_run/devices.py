"""The device of a run: GPU 0, or with ZKGPU_GPU_DRIVER=emulated the tests' emulation, for a dry run at tiny sizes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

from measuring import Measurement, measure

from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254
from zkgpu.gpu.driver import Driver, Extent, Recording
from zkgpu.gpu.source import Source

EMULATED = os.environ.get("ZKGPU_GPU_DRIVER") == "emulated"
Kernels = dict[str, dict[str, float]]


class ObservedRecording:
    """A driver's recording, and while the driver is observed, its launches one by one."""

    def __init__(self, driver: ObservedDriver, inner: Recording):
        self._driver, self._inner = driver, inner
        self.recorded: list[Callable[[], None]] = []

    def replay(self) -> None:
        if self._driver.is_observed:
            for again in self.recorded:
                again()
        else:
            self._inner.replay()


class ObservedDriver:
    """A driver that reports the launches of its kernels and how long they take, while `observed` runs.

    event  event(stream) marks a moment of a stream; None on a device without clocks
    """

    def __init__(self, inner: Any, event: Callable[[Any], Any] | None):
        self._inner, self._event = inner, event
        self._current, self._stay = inner.stream(), ExitStack()
        self._stay.enter_context(inner.on(self._current))
        self._seen: list[tuple[str, Any, Any]] | None = None
        self._recording: ObservedRecording | None = None
        self.compiled: list[tuple[str, float]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    @contextmanager
    def on(self, stream: Any) -> Iterator[None]:
        outer, self._current = self._current, stream
        try:
            with self._inner.on(stream):
                yield
        finally:
            self._current = outer

    @property
    def is_observed(self) -> bool:
        return self._seen is not None

    @contextmanager
    def recording(self) -> Iterator[ObservedRecording]:
        with self._inner.recording() as inner:
            self._recording = ObservedRecording(self, inner)
            try:
                yield self._recording
            finally:
                self._recording = None

    def copy(self, source: int, target: int, nbytes: int) -> None:
        if self._recording is not None:
            self._recording.recorded.append(partial(self.copy, source, target, nbytes))
        self._inner.copy(source, target, nbytes)

    def compile(self, source: Source) -> Any:
        """The module, and in `compiled` how many seconds it took to be made or found."""
        began = time.perf_counter()
        module = self._inner.compile(source)
        self.compiled.append((source.name, round(time.perf_counter() - began, 3)))
        return module

    def launch(
        self, module: Any, kernel: str, grid: Extent, block: Extent, shared: int, arguments: Sequence[int]
    ) -> None:
        launched = module, kernel, grid, block, shared, arguments
        if self._recording is not None:
            self._recording.recorded.append(partial(self.launch, *launched))
            self._inner.launch(*launched)
            return
        begin = self._moment()
        self._inner.launch(*launched)
        if self._seen is not None:
            self._seen.append((kernel, begin, self._moment()))

    def _moment(self) -> Any:
        return self._event(self._current) if self._event and self._seen is not None else None

    def observed(self, run: Callable[[], object]) -> Kernels:
        """Launches of each kernel in run(), and milliseconds by events: all, and of the longest; longest kernels first.

        What runs on several streams at once counts for each of them.
        """
        self._seen = []
        try:
            run()
            self._inner.synchronize()
            seen = self._seen
        finally:
            self._seen = None
        found: Kernels = {}
        for kernel, begin, end in seen:
            entry = found.setdefault(kernel, {"launches": 0, "ms": 0.0, "longest_ms": 0.0})
            taken = elapsed_ms(begin, end)
            entry["launches"] += 1
            entry["ms"] = round(entry["ms"] + taken, 4)
            entry["longest_ms"] = max(entry["longest_ms"], round(taken, 4))
        return dict(sorted(found.items(), key=lambda item: -item[1]["ms"]))

    def timed(self, run: Callable[[], object]) -> Measurement:
        """Seconds by the host's clock of run() until all its work is done; where nothing is real, of one run."""

        def finished() -> None:
            run()
            self._inner.synchronize()

        return measure(finished, *((1, 0) if self._event is None else ()))


def elapsed_ms(begin: Any, end: Any) -> float:
    if begin is None:
        return 0.0
    import cupy

    return float(cupy.cuda.get_elapsed_time(begin, end))


def open_driver(emulated: bool = EMULATED) -> ObservedDriver:
    """The device. With ZKGPU_TEST_POOL=0 each array has memory of its own, so that sanitizers see where it ends."""
    if emulated:
        from tests.emulation.driver import EmulatedDriver

        return ObservedDriver(EmulatedDriver(memory=1 << 30), None)
    import cupy

    from zkgpu.gpu.cupy_driver import CupyDriver

    if os.environ.get("ZKGPU_TEST_POOL") == "0":
        cupy.cuda.set_allocator(None)
    return ObservedDriver(CupyDriver(), _cuda_event)


def _cuda_event(stream: Any) -> Any:
    import cupy

    event = cupy.cuda.Event()
    event.record(stream)
    return event


def described(driver: Driver) -> str:
    """What a line of results calls the device."""
    return str(getattr(driver, "description", driver.name))


def backend_on(driver: Any, **options: Any) -> CudaBackend:
    return CudaBackend(driver, BN254, **options)


def multiprocessors(emulated: bool = EMULATED) -> int:
    if emulated:
        return 1
    import cupy

    return int(cupy.cuda.Device(0).attributes["MultiProcessorCount"])
