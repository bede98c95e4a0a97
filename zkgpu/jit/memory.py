"""Arrays the kernels like: 64-byte aligned, so that a block or a point row never straddles a cache line."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE = 64


def aligned_empty(shape: int | tuple[int, ...], dtype: DTypeLike = np.uint64) -> NDArray[Any]:
    """An uninitialized C-ordered array that begins at a multiple of 64 bytes."""
    kind = np.dtype(dtype)
    shape = (shape,) if isinstance(shape, int) else shape
    size = math.prod(shape) * kind.itemsize
    buffer = np.empty(size + CACHE_LINE, np.uint8)
    start = -buffer.ctypes.data % CACHE_LINE
    return buffer[start : start + size].view(kind).reshape(shape)


def aligned_zeros(shape: int | tuple[int, ...], dtype: DTypeLike = np.uint64) -> NDArray[Any]:
    """The same, filled with zeros."""
    array = aligned_empty(shape, dtype)
    array.fill(0)
    return array
