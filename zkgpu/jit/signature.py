"""The kinds of a kernel's arguments, for which it is compiled, and the words that it gets of them.

A word of an array is the address of what NumPy keeps of it (PyArrayObject_fields in NumPy's C API): the kernel reads
from there where the numbers lie and the shape. Asking for that in Python would take longer than many a kernel runs.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from zkgpu.errors import ResourceError

DATA, SHAPE, STRIDES = 0, 2, 3  # words of an array's fields; word 1 is the number of dimensions
_FIELDS = object.__basicsize__  # bytes of an object that come before them
_C_CONTIGUOUS, _ALIGNED, _WRITABLE = 0x1, 0x100, 0x400  # bits of numpy.ndarray.flags.num
_SEEN = _C_CONTIGUOUS | _ALIGNED | _WRITABLE
_NDIM = 16  # where the number of dimensions stands above these bits


@dataclass(frozen=True)
class ArrayKind:
    """An array of this dtype (as `dtype.str`) and so many dimensions."""

    dtype: str
    ndim: int
    is_contiguous: bool
    is_writable: bool


Kind: TypeAlias = "ArrayKind | str | tuple[Kind, ...]"
INTEGER = "int64"


def take(argument: Any, words: list[int]) -> Any:
    """Appends the words of an argument, and gives the key of its kind: equal for arguments of one kind alone.

    Raises TypeError for anything but arrays, 64-bit integers, and tuples of these.
    """
    kind = type(argument)
    if kind is int:
        words.append(argument)
        return None
    if isinstance(argument, np.ndarray):
        words.append(id(argument) + _FIELDS)
        return argument.dtype, argument.flags.num & _SEEN | argument.ndim << _NDIM
    if kind is tuple:
        return tuple([take(item, words) for item in argument])
    if kind is np.int64:
        words.append(int(argument))
        return None
    raise TypeError(f"a {kind.__name__}: kernels take arrays, integers and tuples of these")


def kind_of(key: Any) -> Kind:
    """The kind that `take` gave the key of. Raises TypeError for an array that no kernel takes."""
    if key is None:
        return INTEGER
    if not isinstance(key[0], np.dtype):
        return tuple(map(kind_of, key))
    dtype, flags = key
    if dtype.kind not in "iu" or not flags & _ALIGNED:
        raise TypeError(f"an array of {dtype} that is not of aligned integers")
    return ArrayKind(dtype.str, flags >> _NDIM, bool(flags & _C_CONTIGUOUS), bool(flags & _WRITABLE))


def _require_fields() -> None:
    """Raises ResourceError where arrays are kept in another way than kernels read them."""
    probe = np.zeros((3, 5), np.int64)
    fields = (ctypes.c_void_p * 4).from_address(id(probe) + _FIELDS)
    shape = (ctypes.c_ssize_t * 2).from_address(fields[SHAPE] or 0)
    strides = (ctypes.c_ssize_t * 2).from_address(fields[STRIDES] or 0)
    if (fields[DATA], *shape, *strides) != (probe.ctypes.data, *probe.shape, *probe.strides):
        raise ResourceError("this NumPy keeps its arrays in a way that zkgpu does not know: take NumPy 1.26 to 2.x")


_require_fields()
