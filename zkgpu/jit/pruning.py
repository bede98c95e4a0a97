"""What the cache folder forgets: entries that nothing has used for a month, and the oldest where room is short.

An entry is a file or a folder; its time of modification is that of its last use. A newer version of zkgpu, Python or
Numba compiles into a folder of its own, and nothing else would ever remove the old one.

The folder of the cache may be anybody's: `ZKGPU_CACHE_DIR` names it. So nothing is ever removed but entries whose names
are zkgpu's, in folders that it marked when it made them (CACHEDIR.TAG, "Cache Directory Tagging Specification").
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

KEPT_SECONDS = 30 * 24 * 3600
KEPT_ENTRIES = 3  # stay however old they are: a machine may rest for a month
ASIDE = "removed-"
OWN_NAMES = {  # of the entries of each folder; a write that was cut off leaves eight more characters
    "kernels": re.compile(rf"[0-9a-f]{{24}}|{ASIDE}\w{{8}}", re.ASCII),
    "checked": re.compile(r"[0-9a-f]{64}(\w{8})?", re.ASCII),
    "calculators": re.compile(r"[0-9a-f]{64}\.module(\w{8})?", re.ASCII),
    "prepared": re.compile(r"[0-9a-f]{64}-[\w.-]+\.bin(\w{8})?", re.ASCII),
}
TAG = "CACHEDIR.TAG"
SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55\n"
MARK = SIGNATURE + b"# made by zkgpu: everything here can be made again\n"


def mark(folder: Path) -> None:
    """Say that zkgpu made a folder, or that all in it is zkgpu's."""
    with os.fdopen(os.open(folder / TAG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(MARK)


def is_marked(folder: Path) -> bool:
    """Whether zkgpu made a folder; never that of somebody else which a link leads to."""
    tag = folder / TAG
    return not folder.is_symlink() and not tag.is_symlink() and tag.is_file() and tag.read_bytes() == MARK


def own_entries(folder: Path) -> list[Path]:
    """The entries of a folder that are zkgpu's."""
    names = OWN_NAMES[folder.name]
    return [entry for entry in folder.iterdir() if names.fullmatch(entry.name)]


def clear(folder: Path) -> None:
    """Removes all that zkgpu put into a folder that it marked, and the folder where nothing else is in it."""
    if not is_marked(folder):
        return
    for entry in own_entries(folder):
        remove(entry)
    if [entry.name for entry in folder.iterdir()] == [TAG]:
        import shutil

        shutil.rmtree(folder)


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
        import shutil
        import tempfile

        aside = Path(tempfile.mkdtemp(dir=entry.parent, prefix=ASIDE))
        entry.rename(aside / entry.name)
        shutil.rmtree(aside, ignore_errors=True)


def _by_last_use(folder: Path) -> list[tuple[float, Path]]:
    """(time, entry) of what zkgpu may remove, the last used first."""
    found = []
    for entry in own_entries(folder) if is_marked(folder) else []:
        with suppress(OSError):  # another process has removed it
            found.append((entry.lstat().st_mtime, entry))
    return sorted(found, reverse=True)


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size if file.is_file() else 0
    except OSError:
        return 0
