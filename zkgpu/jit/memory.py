"""Arrays the kernels like: 64-byte aligned, so that a block or a point row never straddles a cache line."""

from __future__ import annotations

import ctypes
import functools
import math
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE = 64
_SECOND_LEVEL = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")  # "1024K"
LARGE = 1 << 26  # bytes from which an array is worth a file

_folder: ContextVar[Path | None] = ContextVar("folder of large arrays", default=None)


@functools.cache
def second_level_cache() -> int:
    """Bytes of a core's second-level cache as Linux says; 256 KiB, which every CPU has, where nothing says."""
    with suppress(OSError, ValueError):
        return int(_SECOND_LEVEL.read_text().strip().removesuffix("K")) << 10
    return 1 << 18


def aligned_empty(shape: int | tuple[int, ...], dtype: DTypeLike = np.uint64) -> NDArray[Any]:
    """An uninitialized C-ordered array that begins at a multiple of 64 bytes."""
    kind = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else shape
    size = math.prod(shape) * kind.itemsize
    folder = _folder.get()
    buffer = _in_file(folder, size) if folder and size >= LARGE else np.empty(size + CACHE_LINE, np.uint8)
    start = -buffer.ctypes.data % CACHE_LINE
    return buffer[start : start + size].view(kind).reshape(shape)


@contextmanager
def large_in_files(folder: Path) -> Iterator[None]:
    """Large arrays that are made in the block lie in files of that folder, which have no names and vanish with them.

    The system writes them out where memory is short. An array for which there is no room on the disk is made in memory.
    """
    token = _folder.set(folder)
    try:
        yield
    finally:
        _folder.reset(token)


def _in_file(folder: Path, size: int) -> NDArray[np.uint8]:
    try:
        import tempfile

        with tempfile.TemporaryFile(dir=folder) as file:
            os.posix_fallocate(file.fileno(), 0, size)  # a disk that fills up later would end the process
            return np.frombuffer(mmap.mmap(file.fileno(), size), np.uint8)
    except (OSError, AttributeError):  # no room, or a system that cannot reserve it
        return np.empty(size + CACHE_LINE, np.uint8)


def aligned_zeros(shape: int | tuple[int, ...], dtype: DTypeLike = np.uint64) -> NDArray[Any]:
    """The same, filled with zeros."""
    array = aligned_empty(shape, dtype)
    array.fill(0)
    return array


def give_back() -> None:
    """Returns to the system what the C library keeps of freed memory, where it does: glibc keeps pieces of up to 32 MB.

    For the moment between two stages of something large, when the first is over and the second takes other arrays.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if os.name == "posix" else None
    if trim is not None:
        trim(ctypes.c_size_t(0))


def will_need(array: NDArray[Any]) -> None:
    """Tells the system that a contiguous array, perhaps of a mapped file, is about to be read. Returns at once."""
    if not array.nbytes or not hasattr(mmap, "MADV_WILLNEED"):
        return
    page, begin = mmap.PAGESIZE, array.ctypes.data
    first = begin - begin % page
    ctypes.CDLL(None).madvise(ctypes.c_void_p(first), ctypes.c_size_t(begin + array.nbytes - first), mmap.MADV_WILLNEED)
