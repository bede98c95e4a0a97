"""What the cache folder forgets: entries that nothing has used for a month, and the oldest where room is short.

An entry is a file or a folder; its time of modification is that of its last use. A newer version of zkgpu, Python or
Numba compiles into a folder of its own, and nothing else would ever remove the old one.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

KEPT_SECONDS = 30 * 24 * 3600
KEPT_ENTRIES = 3  # stay however old they are: a machine may rest for a month


def prune(folder: Path, now: float | None = None) -> None:
    """Removes the entries that were not used for a month, but for the newest few."""
    limit = (time.time() if now is None else now) - KEPT_SECONDS
    for used, entry in _by_last_use(folder)[KEPT_ENTRIES:]:
        if used < limit:
            remove(entry)


def shrink(folder: Path, size: int) -> None:
    """Removes the entries used longest ago until the others take at most `size` bytes."""
    for _, entry in _by_last_use(folder):
        size -= size_of(entry)
        if size < 0:
            remove(entry)


def size_of(entry: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 when another process has removed it."""
    files = [entry] if entry.is_file() else list(entry.rglob("*"))
    return sum(_size(file) for file in files)


def remove(entry: Path) -> None:
    """Removes a file, or a folder in one step as others see it. What cannot be removed stays."""
    with suppress(OSError):
        if entry.is_symlink() or not entry.is_dir():
            entry.unlink()
            return
        aside = Path(tempfile.mkdtemp(dir=entry.parent.parent, prefix="removed-"))
        entry.rename(aside / entry.name)
        shutil.rmtree(aside, ignore_errors=True)


def _by_last_use(folder: Path) -> list[tuple[float, Path]]:
    """(time, entry), the last used first."""
    found = []
    for entry in folder.iterdir():
        with suppress(OSError):  # another process has removed it
            found.append((entry.lstat().st_mtime, entry))
    return sorted(found, reverse=True)


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size if file.is_file() else 0
    except OSError:
        return 0
