"""Native code that a library made of a file and can load again, kept in the cache folder under the trust of kernels.

    cache_dir()/calculators/<digest>.module      magic[16] | SHA-256[32] of name and code | code

An entry is code that will run: it must be the user's own, writable by nobody else, and whole, as a compiled kernel.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterable
from typing import TypeVar

from zkgpu.errors import ResourceError
from zkgpu.jit import pruning
from zkgpu.jit.cache import checked, own_folder, sealed, write_private

log = logging.getLogger(__name__)

T = TypeVar("T")
MOST_BYTES = 1 << 30  # of all entries together; those used longest ago give way


def name_of(parts: Iterable[bytes | memoryview]) -> str:
    """The name of what was made of a file, by a library, with these settings: all that decides the code."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return f"{digest.hexdigest()}.module"


def load(name: str, restore: Callable[[bytes], T]) -> T | None:
    """What `restore` makes of the code kept under a name, or None where there is none that can be used."""
    try:
        path = own_folder("calculators") / name
        value = restore(checked(path))
        os.utime(path)  # its last use, for pruning
        return value
    except (FileNotFoundError, ResourceError):
        return None
    except Exception as error:  # of another version, damaged, not the user's own: it can be made again
        log.warning("%s: not used, compiling again (%s)", name, str(error).splitlines()[0] if str(error) else error)
        return None


def keep(name: str, code: bytes) -> None:
    """Keeps code under a name. Does nothing where the cache cannot be written."""
    try:
        folder = own_folder("calculators")
        pruning.prune(folder)
        pruning.shrink(folder, MOST_BYTES - len(code))
        write_private(folder / name, sealed(name, code))
    except (OSError, ResourceError) as error:
        log.info("a compiled calculator is not kept (%s)", error)
