"""Exact products of matrices of 8-bit integers on a device: the linear layers of a quantized network."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import LengthError
from zkgpu.gpu.program import U32, DeviceArray, Grid, Programs, allocate, upload
from zkgpu.gpu.source import load
from zkgpu.records import dataclass

Bytes = NDArray[np.int8]

TILE, THREADS = 64, 256  # a block of cuda/matmul.cu
SHARED = 2 * 16 * (TILE + 4) * 4
LONGEST = ((1 << 31) - 1) // (128 * 128)  # so many products of -128 and -128 still fit 32 bits


@dataclass(frozen=True)
class ByteRows:
    """The rows of a matrix on a device, each padded with zeros to whole words of four entries."""

    shape: tuple[int, int]
    words: DeviceArray


class ByteProducts:
    """Products x @ y of int8 matrices on one device. A `y` that serves many products is uploaded once."""

    def __init__(self, programs: Programs):
        self._driver = programs.driver
        self._program = programs(load("matmul.cu"))

    def __call__(self, x: Bytes, y: Bytes | ByteRows) -> NDArray[np.int32]:
        """x @ y, (m, n) int32, exactly.

        Args:
            x: (m, k) int8, k at most 131,071 so that no sum leaves 32 bits
            y: (k, n) int8, or what `columns` made of it

        Raises LengthError for other shapes.
        """
        right, left = y if isinstance(y, ByteRows) else self.columns(y), self._rows(x)
        (m, k), (n, other) = left.shape, right.shape
        if k != other:
            raise LengthError(f"{k} columns but {other} rows: the two must be equal")
        out = allocate(self._driver, U32, m * n)
        sizes = {"rows": m, "columns": n, "words": -(-k // 4)}
        grid = Grid(-(-m // TILE) * -(-n // TILE), THREADS, SHARED)
        self._program.launch("multiply_bytes", grid, **sizes, left=left.words, right=right.words, out=out)
        return out.read(np.int32).reshape(m, n)

    def columns(self, y: Bytes) -> ByteRows:
        """The columns of a (k, n) int8 matrix on the device."""
        return self._rows(np.asarray(y).T)

    def _rows(self, x: Bytes) -> ByteRows:
        if x.ndim != 2 or x.dtype != np.int8:
            raise LengthError(f"{x.dtype} of shape {x.shape}: a product takes matrices of int8")
        m, k = x.shape
        if k > LONGEST:
            raise LengthError(f"{k:,} products in a sum: more than {LONGEST:,} may not fit 32 bits, cut the matrices")
        padded = np.zeros((m, -(-k // 4) * 4), np.int8)
        padded[:, :k] = x
        return ByteRows((m, k), upload(self._driver, U32, padded))
