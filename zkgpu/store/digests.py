"""Files whose points were all found valid, remembered by digest in the user's cache folder.

Checking every point of a large key takes longer than a proof; its digest takes hundredths of a second, and that of a
large file of the user's own is noted with what the system says of it: inode, size, and when bytes and status changed.
Whoever can write the cache folder can also change the compiled kernels in it, so the marks need no authentication.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError, ResourceError
from zkgpu.jit import pruning
from zkgpu.jit.cache import is_own, open_own, own_folder, write_private
from zkgpu.jit.threads import parallel

Bytes: TypeAlias = NDArray[np.uint8]

_CHECKS = b"zkgpu points 3"  # part of the digest: stricter checks forget what weaker ones passed
LARGE, SETTLED_NANOSECONDS = 1 << 20, 2 * 10**9  # what takes longer to hash than to look up; how coarse times may be
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LEAF_BYTES = 1 << 22  # what one thread hashes at a time


def digest(data: Bytes) -> str:
    """A hash of a whole file, in hexadecimal."""
    return hashlib.sha256(_CHECKS + tree_hash(data)).hexdigest()


def digest_of(path: str | os.PathLike[str] | bytes, data: Bytes) -> str:
    """The digest of a mapped file's bytes, which a large one is hashed for only once while it stays as it is.

    That is known of files that only the user may write, and that were left alone for a while when they were hashed.
    """
    return digest(data) if isinstance(path, bytes) else noted_of(path, len(data), b"", lambda: digest(data))


def noted_of(path: str | os.PathLike[str], size: int, what: bytes, make: Callable[[], str]) -> str:
    """The SHA-256 that `make` computes of a mapped file, in hexadecimal, once while the file stays as it is.

    Args:
        size: bytes that are mapped
        what: tells it from others of the same file

    Noted as of `digest_of`.
    """
    identity = _identity(path, size, what) if size >= LARGE else None
    noted = _noted(identity) if identity else None
    if noted is not None:
        return noted
    found = make()
    if identity and _identity(path, size, what) == identity:
        _note(identity, found)
    return found


@contextmanager
def hashed_before(file: str | os.PathLike[str] | int, size: int) -> Iterator[bool]:
    """Whether a mapped file was found whole before, and stayed as it is since: its bytes need no hash again.

    Args:
        file: its path, or a descriptor of it

    When the block ends without an error, so it is noted, on the conditions of `digest_of`.
    """
    identity = _identity(file, size, b"whole") if size >= LARGE else None
    known = identity is not None and is_known(identity)
    yield known
    if identity and not known and _identity(file, size, b"whole") == identity:
        remember(identity)


def _identity(path: str | os.PathLike[str] | int, size: int, what: bytes) -> str | None:
    """A name for the file as it is; None where it could change without a trace of that in its status."""
    status = os.stat(path)
    settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) >= SETTLED_NANOSECONDS
    if os.name != "posix" or not stat.S_ISREG(status.st_mode) or not is_own(status) or not settled:
        return None
    facts = (status.st_dev, status.st_ino, size, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return hashlib.sha256(_CHECKS + what + repr(facts).encode()).hexdigest()


def _noted(identity: str) -> str | None:
    try:
        path = _folder() / identity
        with open_own(path) as file:
            found = file.read(65).decode("ascii")
        os.utime(path, follow_symlinks=False)  # its last use, for pruning
        return found if _DIGEST.fullmatch(found) else None
    except (OSError, ValueError, ResourceError):
        return None


def _note(identity: str, found: str) -> None:
    with suppress(OSError, ResourceError):
        pruning.prune(_folder())
        write_private(_folder() / identity, found.encode())


def tree_hash(data: Bytes) -> bytes:
    """32 bytes: SHA-256 of the length and of the SHA-256 of each leaf, which all cores share out among them."""
    leaves = (data[at : at + _LEAF_BYTES] for at in range(0, len(data), _LEAF_BYTES))
    hashes = parallel([partial(_leaf_hash, leaf) for leaf in leaves])
    return hashlib.sha256(len(data).to_bytes(8, "little") + b"".join(hashes)).digest()


def _leaf_hash(leaf: Bytes) -> bytes:
    return hashlib.sha256(leaf.data).digest()


def is_known(digest: str) -> bool:
    """Whether a file with this digest was remembered, in a folder that nobody else can write."""
    try:
        path = _folder() / digest
        open_own(path).close()
        os.utime(path, follow_symlinks=False)  # its last use, for pruning
        return True
    except (OSError, ValueError, ResourceError):
        return False


def require_unchanged(path: str, data: Bytes, digest_before: str) -> None:
    """Raises FormatError when the bytes of a mapped file are no longer those of the digest: what was checked is not it.

    For whoever is about to keep under a digest what was found out after it was taken.
    """
    if digest(data) != digest_before:
        raise FormatError(f"{path}: the file changed while it was read: wait until it is whole, then try again")


def remember(digest: str) -> None:
    """Notes that a file with this digest passed every check. Does nothing when the cache cannot be written."""
    with suppress(OSError, ResourceError):
        pruning.prune(_folder())
        os.close(os.open(_folder() / digest, os.O_CREAT | os.O_WRONLY, 0o600))


def _folder() -> Path:
    return own_folder("checked")
