"""Copies to a GPU that need no waiting.

An asynchronous copy from ordinary memory may first wait for its stream, and then the host asks nothing of the other
streams (CUDA Runtime API, "API synchronization behavior"). Copies from pinned memory never do.
"""

from __future__ import annotations

import ctypes
from collections import deque
from typing import Any

from zkgpu.gpu.driver import Bytes

PIECE = 16 << 20  # bytes copied at once
MOST_IN_FLIGHT = 64 << 20


class PinnedCopies:
    """Bytes on their way to a GPU, each piece in pinned memory that is kept until its copy is done."""

    def __init__(self, cupy: Any):
        self._cuda = cupy.cuda
        self._in_flight: deque[tuple[Any, Any, int]] = deque()

    def start(self, target: Any, data: Bytes, stream: Any) -> None:
        """Copy `data` to the device pointer `target` in the order of a stream."""
        for begin in range(0, data.size, PIECE):
            piece = data[begin : begin + PIECE]
            self._make_room(piece.size)
            pinned = self._cuda.alloc_pinned_memory(piece.size)
            ctypes.memmove(pinned.ptr, piece.ctypes.data, piece.size)
            (target + begin).copy_from_host_async(pinned.ptr, piece.size, stream)
            arrived = stream.record(self._cuda.Event(disable_timing=True))
            self._in_flight.append((arrived, pinned, piece.size))

    def _make_room(self, nbytes: int) -> None:
        """Let go of what has arrived; wait for the oldest where too much is on its way."""
        total = sum(size for _, _, size in self._in_flight)
        while self._in_flight:
            event, _, size = self._in_flight[0]
            if total + nbytes > MOST_IN_FLIGHT:
                event.synchronize()
            elif not event.done:
                return
            self._in_flight.popleft()
            total -= size
