"""Copies between the host and a GPU through pinned memory.

An asynchronous copy from ordinary memory may first wait for its stream, and then the host enqueues nothing on the other
streams (CUDA Runtime API, "API synchronization behavior"). Copies from pinned memory never do, and are several times
as fast. What lies between them and the caller's arrays is copied by several threads: one alone is slower than the bus.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np

from zkgpu.gpu.cupy_streams import CupyStream, Events
from zkgpu.gpu.driver import Bytes
from zkgpu.gpu.lent import Lent

CHUNK = 2 << 20  # bytes of a buffer, and most that are copied at once
SMALL = 64 << 10  # bytes so few that they share a buffer with others
ALIGNED = 64
MOST_IN_FLIGHT = 32  # buffers on their way to the GPU
LANDING = 16  # buffers on their way from it
QUEUED = 4  # copies from the GPU that are enqueued before the first is waited for
THREADS = min(8, os.cpu_count() or 1)


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, thread_name_prefix="zkgpu-copy")


def _is_done() -> None: ...


class Buffer:
    """Pinned memory, and its bytes as an array."""

    def __init__(self, pinned: Any, nbytes: int):
        self._pinned, self.ptr = pinned, pinned.ptr
        self.bytes: Bytes = np.ctypeslib.as_array((ctypes.c_uint8 * nbytes).from_address(self.ptr))

    def fill(self, data: Bytes) -> None:
        ctypes.memmove(self.ptr, data.ctypes.data, data.size)  # other threads of Python run meanwhile

    def empty_into(self, data: Bytes) -> None:
        ctypes.memmove(data.ctypes.data, self.ptr, data.size)


class PinnedCopies:
    """Bytes on their way to and from a GPU. Buffers are kept, as pinned memory takes CUDA long to make."""

    def __init__(self, cupy: Any, events: Events):
        self._cuda, self._runtime, self._events = cupy.cuda, cupy.cuda.runtime, events
        self._lock = threading.Lock()
        self._in_flight: deque[tuple[Buffer, list[Lent]]] = deque()
        self._landing: list[Buffer] = []
        self._shared: Buffer | None = None  # the buffer of small copies, up to `_used`, for these streams
        self._used, self._sharing = 0, set[CupyStream]()

    # to the GPU

    def upload(self, target: int, data: Bytes, stream: CupyStream) -> None:
        """Copy `data` to an address of the GPU in the order of a stream; the caller may change it afterwards."""
        with self._lock:
            if data.size <= SMALL:
                self._upload_small(target, data, stream)
            else:
                self._upload_chunks(target, data, stream)

    def _upload_small(self, target: int, data: Bytes, stream: CupyStream) -> None:
        begin, end = self._used, self._used + data.size
        if self._shared is None or end > self._shared.bytes.size:
            if self._shared is not None:
                self._in_flight.append((self._shared, [self._events.mark(s) for s in self._sharing]))
            self._shared, self._sharing = self._room(), set()
            begin, end = 0, data.size
        self._shared.bytes[begin:end] = data
        self._used = -(-end // ALIGNED) * ALIGNED
        self._sharing.add(stream)
        self._to_gpu(target, self._shared.ptr + begin, data.size, stream)

    def _upload_chunks(self, target: int, data: Bytes, stream: CupyStream) -> None:
        """Threads fill buffers, and what is full is sent in order."""
        filling: deque[tuple[int, Buffer, int, Callable[[], None]]] = deque()
        for begin in range(0, data.size, CHUNK):
            part, buffer = data[begin : begin + CHUNK], self._room()
            filling.append((target + begin, buffer, part.size, self._filled(buffer, part, data.size <= CHUNK)))
            if len(filling) > THREADS:
                self._send(*filling.popleft(), stream)
        while filling:
            self._send(*filling.popleft(), stream)

    def _filled(self, buffer: Buffer, part: Bytes, is_all: bool) -> Callable[[], None]:
        """Fill a buffer, by another thread unless this is all there is to do; returns how to wait for that."""
        if not is_all:
            return _threads().submit(buffer.fill, part).result
        buffer.fill(part)
        return _is_done

    def _send(self, target: int, buffer: Buffer, nbytes: int, filled: Callable[[], None], stream: CupyStream) -> None:
        filled()
        self._to_gpu(target, buffer.ptr, nbytes, stream)
        self._in_flight.append((buffer, [self._events.mark(stream)]))

    def _room(self) -> Buffer:
        """A buffer whose bytes have arrived, or a new one; where too many are on their way, the oldest once it has."""
        if self._in_flight:
            buffer, events = self._in_flight[0]
            if len(self._in_flight) >= MOST_IN_FLIGHT:
                for event in events:
                    self._events.await_(event)
            if all(self._events.is_past(event) for event in events):
                self._in_flight.popleft()
                return buffer
        return self._new()

    # from the GPU

    def download(self, source: int, nbytes: int, stream: CupyStream) -> Bytes:
        """Bytes from an address of the GPU, after all work of a stream."""
        with self._lock:
            for _ in range(len(self._landing), min(LANDING, -(-nbytes // CHUNK))):
                self._landing.append(self._new())
            if nbytes > CHUNK:
                return self._download_chunks(source, nbytes, stream)
            buffer = self._landing[0]
            self._to_host(buffer.ptr, source, nbytes, stream)
            self._runtime.streamSynchronize(stream.ptr)
            landed: Bytes = buffer.bytes[:nbytes].copy()
            return landed

    def _download_chunks(self, source: int, nbytes: int, stream: CupyStream) -> Bytes:
        """Buffers are filled in order, and threads empty what is full."""
        data = np.empty(nbytes, np.uint8)
        queued: deque[tuple[Bytes, Buffer, Lent]] = deque()
        copies: list[Future[None]] = []
        for k, begin in enumerate(range(0, nbytes, CHUNK)):
            if k >= LANDING:
                copies[k - LANDING].result()  # its buffer is free
            part, buffer = data[begin : begin + CHUNK], self._landing[k % LANDING]
            self._to_host(buffer.ptr, source + begin, part.size, stream)
            queued.append((part, buffer, self._events.mark(stream)))
            if len(queued) > QUEUED:
                copies.append(self._land(*queued.popleft()))
        copies += [self._land(*copy) for copy in queued]
        for copy in copies:
            copy.result()
        return data

    def _land(self, part: Bytes, buffer: Buffer, event: Lent) -> Future[None]:
        self._events.await_(event)
        return _threads().submit(buffer.empty_into, part)

    # both

    def _new(self) -> Buffer:
        return Buffer(self._cuda.alloc_pinned_memory(CHUNK), CHUNK)

    def _to_gpu(self, target: int, source: int, nbytes: int, stream: CupyStream) -> None:
        self._runtime.memcpyAsync(target, source, nbytes, self._runtime.memcpyHostToDevice, stream.ptr)

    def _to_host(self, target: int, source: int, nbytes: int, stream: CupyStream) -> None:
        self._runtime.memcpyAsync(target, source, nbytes, self._runtime.memcpyDeviceToHost, stream.ptr)
