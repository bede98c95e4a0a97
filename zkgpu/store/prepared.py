"""What was made of a key file, kept in the cache folder until the file is opened again.

    cache_dir()/prepared/<digest of the key file>-<what>.bin

A file as of `mapped`, stamped with the sources. Kernels follow indices in its arrays: the folder must be one that only
the user may write, as that of the compiled kernels beside it. An entry that is damaged, or that other sources wrote,
counts for nothing and is replaced.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import ResourceError
from zkgpu.jit import pruning
from zkgpu.jit.cache import ROOMS, digest_of_rooms, open_own, own_folder, write_private
from zkgpu.jit.memory import large_in_files
from zkgpu.store import mapped, values
from zkgpu.store.digests import Bytes, hashed_before

log = logging.getLogger(__name__)

LEAST_BYTES = 1 << 16  # less is made anew within a millisecond
MOST_BYTES = 8 << 30  # of all entries together, or this share of the disk where that is more
MOST_OF_DISK = 8  # one part in so many; entries used longest ago give way
USE_SECONDS = 3600  # how exactly the last use of an entry is noted

_MAGIC = b"zkgpu prepared 1"
_PACKAGE = Path(__file__).parents[1]
_ROOMS = (*ROOMS, "circuits", "store", "formats", "backend")


def load(digest: str, what: str) -> Any | None:
    """What was kept under this name for the key file with this digest, or None."""
    try:
        path = _folder() / f"{digest}-{what}.bin"
        with open_own(path) as file:
            data = np.asarray(np.memmap(file, dtype=np.uint8, mode="c"))
            if time.time() - os.fstat(file.fileno()).st_mtime > USE_SECONDS:
                os.utime(path)  # its last use, for pruning; after that the file counts as another, to be hashed again
            with hashed_before(file.fileno(), len(data)) as hashed:
                return _unpacked(data, hashed=hashed)
    except (OSError, ResourceError):  # not there, or no folder to keep anything in
        return None
    except Exception as error:  # whatever a damaged file leads to, the key can be prepared again
        log.warning("%s-%s: what was prepared is unreadable and is made again (%s)", digest, what, error)
        return None


def keep(digest: str, what: str, value: Any) -> None:
    """Keeps a value that `values` can describe. Does nothing when it is small, too large, or cannot be written."""
    size = _bytes_of(value)
    if size < LEAST_BYTES:
        return
    try:
        folder = _folder()
    except (OSError, ResourceError):  # which is said of the kernels beside it
        return
    try:
        if make_room(size):
            write_private(folder / f"{digest}-{what}.bin", *_packed(value))
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


def _bytes_of(value: Any) -> int:
    """Of its arrays."""
    arrays: list[NDArray[Any]] = []
    values.describe(value, arrays)
    return sum(array.nbytes for array in arrays)


def make_room(size: int) -> bool:
    """Whether `size` more bytes may be kept, once entries used longest ago are gone."""
    import shutil

    folder = _folder()
    most = max(MOST_BYTES, shutil.disk_usage(folder).total // MOST_OF_DISK)
    pruning.prune(folder)
    pruning.shrink(folder, most - size)
    return size <= most and size <= shutil.disk_usage(folder).free // 2


def _folder() -> Path:
    return own_folder("prepared")


def _packed(value: Any) -> list[memoryview]:
    return mapped.packed(_MAGIC, _stamp(), value)


def _unpacked(data: Bytes, *, hashed: bool = False) -> Any | None:
    return mapped.unpacked(_MAGIC, _stamp(), data, hashed=hashed)


@functools.cache
def _stamp() -> bytes:
    """Changes with the sources that decide what an entry looks like."""
    proof_systems = sorted(path.parent.name for path in _PACKAGE.glob("*/system.py"))
    return bytes.fromhex(sources_of(*_ROOMS, *proof_systems))


def sources_of(*rooms: str) -> str:
    """A digest of all sources of these rooms: what they wrote, others would read in another way."""
    return digest_of_rooms(*rooms)
