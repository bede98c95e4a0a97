"""What was made of a key file, kept in the cache folder until the file is opened again.

    cache_dir()/prepared/<digest of the key file>-<what>.bin

    magic[16] | hash of the table[32] | size of the table u64 | table | parts, each at a multiple of 64 bytes

The table is a stamp[32] and { size u64 | hash[32] } for each part; the first part is the JSON that describes the value
(`values`), the others are its arrays, which come back as views of the mapped file, private to the process, so that they
take no memory of their own. Kernels follow indices in these arrays: the folder must be one that only the user may
write, as that of the compiled kernels beside it. An entry that is damaged, or that other sources wrote, counts for
nothing and is replaced.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import ResourceError
from zkgpu.jit import pruning
from zkgpu.jit.cache import ROOMS, open_own, own_folder, source_digest, write_private
from zkgpu.jit.memory import large_in_files
from zkgpu.store import digests as checked
from zkgpu.store import values
from zkgpu.store.digests import Bytes

log = logging.getLogger(__name__)

LEAST_BYTES = 1 << 20  # less is made anew within milliseconds
MOST_BYTES = 8 << 30  # of all entries together; those used longest ago give way

_MAGIC = b"zkgpu prepared 1"
_HASH_BYTES, _ALIGNMENT = 32, 64
_TABLE = len(_MAGIC) + _HASH_BYTES + 8  # where the table begins
_ROOMS = (*ROOMS, "circuits", "store", "formats", "backend")


def load(digest: str, what: str) -> Any | None:
    """What was kept under this name for the key file with this digest, or None."""
    try:
        path = _folder() / f"{digest}-{what}.bin"
        with open_own(path) as file:
            value = _unpacked(np.asarray(np.memmap(file, dtype=np.uint8, mode="c")))
        os.utime(path)  # its last use, for pruning
        return value
    except (OSError, ResourceError):  # not there, or no folder to keep anything in
        return None
    except Exception as error:  # whatever a damaged file leads to, the key can be prepared again
        log.warning("%s-%s: what was prepared is unreadable and is made again (%s)", digest, what, error)
        return None


def keep(digest: str, what: str, value: Any) -> None:
    """Keeps a value that `values` can describe. Does nothing when it is small, too large, or cannot be written."""
    buffers = _packed(value)
    size = sum(buffer.nbytes for buffer in buffers)
    if size < LEAST_BYTES:
        return
    try:
        folder = _folder()
    except (OSError, ResourceError):  # which is said of the kernels beside it
        return
    try:
        if make_room(size):
            write_private(folder / f"{digest}-{what}.bin", *buffers)
    except OSError as error:
        log.warning("what was prepared of a key is not kept (%s)", error)


@contextmanager
def making() -> Iterator[None]:
    """Large arrays of what is prepared in the block lie in files of the cache folder, where there is one."""
    try:
        folder = _folder()
    except (OSError, ResourceError):
        yield
        return
    with large_in_files(folder):
        yield


def make_room(size: int) -> bool:
    """Whether `size` more bytes may be kept, once entries used longest ago are gone."""
    folder = _folder()
    pruning.prune(folder)
    pruning.shrink(folder, MOST_BYTES - size)
    return size <= MOST_BYTES and size <= shutil.disk_usage(folder).free // 2


def _folder() -> Path:
    return own_folder("prepared")


def _packed(value: Any) -> list[memoryview]:
    """What a file that _unpacked reads consists of, in order."""
    arrays: list[NDArray[Any]] = []
    described = json.dumps(values.describe(value, arrays)).encode()
    parts = [memoryview(described), *(array.reshape(-1).view(np.uint8).data for array in arrays)]
    entries = (part.nbytes.to_bytes(8, "little") + _hash(part) for part in parts)
    table = _stamp() + b"".join(entries)
    buffers = [memoryview(_MAGIC + _hash(table) + len(table).to_bytes(8, "little") + table)]
    at = buffers[0].nbytes
    for part in parts:
        buffers += [memoryview(bytes(-at % _ALIGNMENT)), part]
        at += -at % _ALIGNMENT + part.nbytes
    return buffers


def _unpacked(data: Bytes) -> Any | None:
    """The value, or None when other sources wrote the file. Raises ValueError when it is damaged."""
    table_hash, size = data[16:48].tobytes(), int.from_bytes(data[48:_TABLE].tobytes(), "little")
    table = data[_TABLE : _TABLE + size].tobytes()
    if data[:16].tobytes() != _MAGIC or len(table) != size or _hash(table) != table_hash:
        raise ValueError("its table is damaged")
    if table[:_HASH_BYTES] != _stamp():
        return None
    parts, at = [], _TABLE + size
    for begin in range(_HASH_BYTES, size, 8 + _HASH_BYTES):
        at += -at % _ALIGNMENT
        part = data[at : at + int.from_bytes(table[begin : begin + 8], "little")]
        if _hash(part) != table[begin + 8 : begin + 8 + _HASH_BYTES]:
            raise ValueError(f"the bytes from {at:,} on are damaged")
        parts.append(part)
        at += len(part)
    return values.restore(json.loads(parts[0].tobytes()), parts[1:])


def _hash(data: Bytes | memoryview | bytes) -> bytes:
    return checked.tree_hash(np.frombuffer(data, np.uint8))


@functools.cache
def _stamp() -> bytes:
    """Changes with the sources that decide what an entry looks like."""
    package = Path(__file__).parents[1]
    proof_systems = sorted(path.parent.name for path in package.glob("*/system.py"))
    return bytes.fromhex(source_digest(package, (*_ROOMS, *proof_systems)))
