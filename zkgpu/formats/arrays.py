"""Plain arrays in .npy and .npz files. Nothing is inflated before its shape was read and its bytes were budgeted.

Source: numpy.lib.format, whose headers these are; an .npz file is a zip archive of .npy files.
"""

from __future__ import annotations

import io
import math
import mmap
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError, ResourceError, ZkgpuError
from zkgpu.formats.container import Bytes, Source, map_file, name_of

Array = NDArray[Any]
Header = tuple[tuple[int, ...], bool, np.dtype[Any]]  # shape, whether in Fortran's order, kind of number

MEMORY = 2 << 30  # bytes that an archive may inflate to, where nothing else is known of it
_NPY = b"\x93NUMPY"
_MOST_AXES = 32
_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], Header]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_PLAIN, _INFLATED = (zipfile.ZIP_STORED,), (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_arrays(
    source: Source, *, names: Collection[str] | None = None, memory: int | None = None
) -> Array | dict[str, Array]:
    """The one array of an .npy file, as a read-only view of the mapped file; those of an .npz file, by name.

    Args:
        names: of an archive read these alone, as far as they are there
        memory: bytes that they may take; by default MEMORY, or twice the file's size where that is more

    Raises UsageError when it cannot be opened, FormatError for anything but plain arrays, ResourceError for more
    than the memory.
    """
    name, data = name_of(source), map_file(source)
    with _named(name):
        if data[: len(_NPY)].tobytes() == _NPY:
            return _read_npy(data)
        with _as_stream(source) as stream:
            return _read_archive(stream, memory or max(MEMORY, 2 * data.size), names, _INFLATED)


class _Mapped(mmap.mmap):
    """A mapped file: to read more than it holds takes no more memory than it holds, as it would of an open one."""

    def seekable(self) -> bool:
        return True

    def seek(self, *where: Any) -> Any:
        """As of an open file, of which zipfile before Python 3.14 expects an OSError for a place before its start."""
        try:
            super().seek(*where)
        except ValueError as error:
            raise OSError(str(error)) from error
        return self.tell()


@contextmanager
def _as_stream(source: Source) -> Iterator[Any]:
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    with open(source, "rb") as file, _Mapped(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        yield mapped


def read_stored(data: bytes, name: str) -> dict[str, Array]:
    """The arrays of an .npz file's bytes, none of which is compressed: together they are not larger than the file.

    Raises FormatError for anything else.
    """
    with _named(name):
        try:
            return _read_archive(io.BytesIO(data), len(data), None, _PLAIN)
        except ResourceError as error:
            raise FormatError("its arrays say to take more bytes than the file has: it is damaged") from error


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Whatever a damaged file makes zipfile and NumPy raise is a FormatError with the file's name in front."""
    try:
        yield
    except ZkgpuError as error:
        raise error.within(name) from None
    except MemoryError:
        raise
    except Exception as error:
        raise FormatError(
            f"{name}: not an .npy or .npz file of numbers, or a damaged one ({type(error).__name__}): save it again, "
            "with numpy.savez"
        ) from error


def _read_npy(data: Bytes) -> Array:
    start = io.BytesIO(data[: 1 << 16].tobytes())  # NumPy takes no header beyond 10,000 bytes
    header = _read_header(start, "the array")
    return _array(data[start.tell() :], header, "the array")


def _read_archive(
    stream: IO[bytes], memory: int, names: Collection[str] | None, methods: tuple[int, ...]
) -> dict[str, Array]:
    found: dict[str, Array] = {}
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if names is not None and name not in names:
                continue
            if name in found:
                raise FormatError(f"'{info.filename}' is in it twice: keep one")
            found[name] = _read_member(archive, info, methods, memory)
            memory -= info.file_size
    return found


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, methods: tuple[int, ...], memory: int) -> Array:
    if info.compress_type not in methods:
        raise FormatError(f"'{info.filename}' in it is compressed in a way that is not read here: save it again")
    if info.file_size > memory:
        raise ResourceError(
            f"'{info.filename}' in it takes {info.file_size:,} bytes, {max(memory, 0):,} are left of what this file "
            "may take: give it more with --memory if you trust it"
        )
    with archive.open(info) as member:
        header = _read_header(member, f"'{info.filename}' in it")
        return _array(np.frombuffer(member.read(), dtype=np.uint8), header, f"'{info.filename}' in it")


def _read_header(stream: IO[bytes], what: str) -> Header:
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise FormatError(f"{what} has version {version} of NumPy's format: save it again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers written by Python 2, and of odd text in damaged ones
        shape, by_columns, kind = _HEADERS[version](stream)
    if (
        kind.kind not in "biufcSU"
        or kind.itemsize == 0
        or len(shape) > _MOST_AXES
        or not all(type(n) is int and n >= 0 for n in shape)
    ):
        raise FormatError(f"{what} is not a plain array with at most {_MOST_AXES} axes: save it as one")
    return shape, by_columns, kind


def _array(data: Bytes, header: Header, what: str) -> Array:
    shape, by_columns, kind = header
    if math.prod(shape) * kind.itemsize != data.size:
        raise FormatError(
            f"{what} has {data.size:,} bytes for numbers of shape {shape} and {kind.itemsize} bytes each: copy it again"
        )
    return data.view(kind).reshape(shape, order="F" if by_columns else "C")
