"""The kinds of a kernel's arguments, for which it is compiled, and the words that it gets of them.

A word of an array is the address of what NumPy keeps of it (PyArrayObject_fields in NumPy's C API): the kernel reads
from there where the numbers lie and the shape. Asking for that in Python would take longer than many a kernel runs. So
would asking for the kinds: where the first word says so, the kernel looks itself whether its arrays are of those that
it was compiled for, and does nothing when they are not.
"""

from __future__ import annotations

import ctypes
import functools
import math
import struct
from typing import Any, TypeAlias

import numpy as np

from zkgpu.errors import ResourceError
from zkgpu.records import dataclass

DATA, NDIM, SHAPE, STRIDES, DESCRIPTOR, FLAGS = 0, 1, 2, 3, 5, 6  # words of an array's fields
TYPE = 3  # the word of a dtype that says which it is (PyArray_Descr): kind, char, byteorder, flags, int num
INT = (1 << 32) - 1  # NDIM and FLAGS take half a word
TYPE_MASK = INT << 32 | (1 << 24) - 1
FIELDS = object.__basicsize__  # bytes of an object that come before its fields
_C_CONTIGUOUS, _ALIGNED, _WRITABLE = 0x1, 0x100, 0x400  # bits of numpy.ndarray.flags.num
SEEN = _C_CONTIGUOUS | _ALIGNED | _WRITABLE
_NDIM = 16  # where the number of dimensions stands above these bits


@dataclass(frozen=True)
class ArrayKind:
    """An array of this dtype (as `dtype.str`) and so many dimensions."""

    dtype: str
    ndim: int
    is_contiguous: bool
    is_writable: bool

    @property
    def flags(self) -> int:
        """Those of SEEN that its arrays have."""
        return _ALIGNED | self.is_contiguous * _C_CONTIGUOUS | self.is_writable * _WRITABLE


class PlainArray:
    """A buffer as an array without NumPy, contiguous and writable: importing NumPy takes longer than a pairing.

    Args:
        buffer: memory that begins at a multiple of 8 bytes, and stays
        dtype: "<i4" or "<u8"
        shape: of as many integers as the buffer has
    """

    def __init__(self, buffer: bytearray | memoryview, dtype: str, shape: tuple[int, ...]) -> None:
        size = int(dtype[2:]) * math.prod(shape)
        if size != len(buffer):
            raise ValueError(f"{len(buffer):,} bytes for an array of {size:,}")
        self.buffer, self.shape = buffer, shape
        self.kind = ArrayKind(dtype, len(shape), is_contiguous=True, is_writable=True)
        self._data = (ctypes.c_char * size).from_buffer(buffer)
        self._lengths = (ctypes.c_int64 * len(shape))(*shape)
        # the first fields of NumPy's arrays; a kernel that is told the kinds reads no others of a contiguous one
        self._fields = (ctypes.c_uint64 * 3)(ctypes.addressof(self._data), len(shape), ctypes.addressof(self._lengths))
        self.word = ctypes.addressof(self._fields)


Kind: TypeAlias = "ArrayKind | str | tuple[Kind, ...]"
INTEGER = "int64"
LOOK, KNOWN = 1, 0  # first word: whether the kernel looks at the kinds, or they are known to be right
OTHER_KINDS = 1  # what a kernel returns that found other kinds, and did nothing


def type_word(dtype: np.dtype[Any]) -> int:
    """The word TYPE of a dtype, under TYPE_MASK."""
    return ord(dtype.kind) | ord(dtype.char) << 8 | ord(dtype.byteorder) << 16 | dtype.num << 32


def quick_words(arguments: tuple[Any, ...]) -> list[int]:
    """The words of arguments that are arrays and integers, all of no other types."""
    return [id(argument) + FIELDS if type(argument) is np.ndarray else argument for argument in arguments]


def take(argument: Any, words: list[int]) -> Any:
    """Appends the words of an argument, and gives the key of its kind: equal for arguments of one kind alone.

    Raises TypeError for anything but arrays, those without NumPy too, 64-bit integers, and tuples of these.
    """
    kind = type(argument)
    if kind is int:
        words.append(argument)
        return None
    if isinstance(argument, PlainArray):
        words.append(argument.word)
        return argument.kind
    if isinstance(argument, np.ndarray):
        words.append(id(argument) + FIELDS)
        return argument.dtype, argument.flags.num & SEEN | argument.ndim << _NDIM
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
    if isinstance(key, ArrayKind):
        return key
    if not isinstance(key[0], np.dtype):
        return tuple(map(kind_of, key))
    _require_fields()
    dtype, flags = key
    if dtype.kind not in "iu" or not dtype.isnative or not flags & _ALIGNED:
        raise TypeError(f"an array of {dtype} that is not of aligned integers")
    return ArrayKind(dtype.str, flags >> _NDIM, bool(flags & _C_CONTIGUOUS), bool(flags & _WRITABLE))


_STRANGE = "this NumPy keeps its arrays in a way that zkgpu does not know: take NumPy 1.26 to 2.x"


@functools.cache
def _require_fields() -> None:
    """Raises ResourceError where arrays are kept in another way than kernels read them."""
    probe = np.zeros((3, 5), np.int64)
    fields = (ctypes.c_uint64 * 7).from_address(id(probe) + FIELDS)
    if fields[DATA] != probe.ctypes.data or fields[NDIM] & INT != 2 or fields[FLAGS] & INT != probe.flags.num:
        raise ResourceError(_STRANGE)
    shape = (ctypes.c_ssize_t * 2).from_address(fields[SHAPE])
    strides = (ctypes.c_ssize_t * 2).from_address(fields[STRIDES])
    (found,) = struct.unpack_from("<Q", ctypes.string_at(fields[DESCRIPTOR] + 8 * TYPE, 8))
    if (*shape, *strides, found & TYPE_MASK) != (*probe.shape, *probe.strides, type_word(probe.dtype)):
        raise ResourceError(_STRANGE)
