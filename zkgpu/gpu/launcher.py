"""Launches by the call of CUDA's driver itself, with what it reads of the host's memory laid out once."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence
from typing import Any

from zkgpu.gpu.driver import Extent

MOST = 64  # arguments of a kernel


class Launcher:
    """Words of eight bytes for the arguments, and a pointer to each: of a shorter argument CUDA reads the low bytes.

    That is right on hosts whose low bytes come first, as on all for which CUDA is made.
    """

    def __init__(self, cuda: Any):
        self._launch, self._lock = cuda.driver.launchKernel, threading.Lock()
        self._words: Any = (ctypes.c_uint64 * MOST)()
        first = ctypes.addressof(self._words)
        self._pointers = (ctypes.c_void_p * MOST)(*range(first, first + 8 * MOST, 8))
        self._address = ctypes.addressof(self._pointers)

    def __call__(
        self, kernel: int, grid: Extent, block: Extent, shared: int, stream: int, arguments: Sequence[int]
    ) -> None:
        """Enqueue a launch on a stream. CUDA has read the arguments when this returns."""
        with self._lock:  # the call lets other threads of Python run
            self._words[: len(arguments)] = arguments
            self._launch(kernel, *grid, *block, shared, stream, self._address, 0)
