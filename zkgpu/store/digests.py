"""Files whose points were all found valid, remembered by digest in the user's cache folder.

Checking every point of a large key takes longer than a proof; its digest takes hundredths of a second. Whoever can
write the cache folder can also change the compiled kernels in it, so the marks need no authentication of their own.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError, ResourceError
from zkgpu.jit import pruning
from zkgpu.jit.cache import open_own, own_folder
from zkgpu.jit.threads import parallel

Bytes: TypeAlias = NDArray[np.uint8]

_CHECKS = b"zkgpu points 3"  # part of the digest: stricter checks forget what weaker ones passed
_LEAF_BYTES = 1 << 22  # what one thread hashes at a time


def digest(data: Bytes) -> str:
    """A hash of a whole file, in hexadecimal."""
    return hashlib.sha256(_CHECKS + tree_hash(data)).hexdigest()


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
