"""Files whose points were all found valid, remembered by digest in the user's cache folder.

Checking every point of a large key takes longer than a proof; its digest takes a tenth of a second. Whoever can
write the cache folder can also change the compiled kernels in it, so the marks need no authentication of their own.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from zkgpu.errors import ResourceError
from zkgpu.formats.container import Bytes

_CHECKS = b"zkgpu points 1"  # part of the digest: stricter checks forget what weaker ones passed


def digest(data: Bytes) -> str:
    """BLAKE2b-256 of a whole file, in hexadecimal."""
    return hashlib.blake2b(data.data, digest_size=32, person=_CHECKS).hexdigest()


def is_known(digest: str) -> bool:
    """Whether a file with this digest was remembered, in a folder that nobody else can write."""
    try:
        return (_folder() / digest).is_file()
    except (OSError, ResourceError):
        return False


def remember(digest: str) -> None:
    """Notes that a file with this digest passed every check. Does nothing when the cache cannot be written."""
    with suppress(OSError, ResourceError):
        os.close(os.open(_folder() / digest, os.O_CREAT | os.O_WRONLY, 0o600))


def _folder() -> Path:
    from zkgpu.jit.cache import cache_dir, private_folder

    return private_folder(private_folder(cache_dir()) / "checked")
