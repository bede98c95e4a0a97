"""CuPy's streams and events, by CUDA's own handles: through CuPy's objects each call takes several times as long."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from typing import Any

from zkgpu.gpu.lent import Lent, Shelf, lend


class CupyStream:
    """A stream, and by size the memory that was let go on it.

    Args:
        keeps: whether memory that is let go is kept for the next allocation
        pool: the stream of CuPy whose memory this one takes; None for its own
    """

    def __init__(self, stream: Any, keeps: bool, pool: Any = None):
        self.inner, self.ptr, self.pool = stream, stream.ptr, pool or stream
        self.shelves: defaultdict[int, Shelf] = defaultdict(lambda: deque(maxlen=None if keeps else 0))

    @property
    def kept(self) -> int:
        """Bytes of the memory that is kept."""
        return sum(size * len(shelf) for size, shelf in list(self.shelves.items()))

    def give_back(self) -> None:
        """Give all memory that is kept back to CuPy's pool."""
        for shelf in list(self.shelves.values()):
            shelf.clear()


class Events:
    """Events of one GPU, whose handles are used again.

    A stream waits for what an event stood for when the wait was enqueued, whatever the event is used for later (CUDA
    Runtime API, cudaStreamWaitEvent), so a handle is free with the last reference to its event.
    """

    def __init__(self, cupy: Any):
        self._runtime, self._event = cupy.cuda.runtime, cupy.cuda.Event
        self._shelf: Shelf = deque()

    def mark(self, stream: CupyStream) -> Lent:
        """An event that happens when all that a stream was given so far is done."""
        event = lend(self._shelf, self._new)
        self._runtime.eventRecord(event.address, stream.ptr)
        return event

    def wait(self, stream: CupyStream, event: Lent) -> None:
        """Work that a stream is given from now on is done after the event."""
        self._runtime.streamWaitEvent(stream.ptr, event.address)

    def is_past(self, event: Lent) -> bool:
        return bool(self._runtime.eventQuery(event.address) == 0)

    def await_(self, event: Lent) -> None:
        """Return when the event has happened."""
        self._runtime.eventSynchronize(event.address)

    def _new(self) -> Any:
        return self._event(disable_timing=True)


class Graph:
    """A CUDA graph of what its stream, which does nothing else, was given, and that stream's memory.

    Args:
        launch: launch(graph) enqueues a graph of CuPy on the stream in use

    What is captured is not done. The relaxed mode lets CuPy's pool call cudaMalloc meanwhile (CUDA Runtime API,
    cudaThreadExchangeStreamCaptureMode). CUDA ends a graph that is let go while it runs (cudaGraphExecDestroy).
    """

    def __init__(self, cupy: Any, stream: CupyStream, launch: Callable[[Any], None]):
        self._stream, self._launch = stream, launch
        self._stream.inner.begin_capture(cupy.cuda.runtime.streamCaptureModeRelaxed)

    def end(self) -> None:
        self._graph = self._stream.inner.end_capture()

    def replay(self) -> None:
        self._launch(self._graph)
