"""Files that appear whole or not at all: written aside, flushed to the disk, then renamed into place.

At no moment may anybody do more with a new file than the umask and the file it replaces allow; with a secret one,
nobody but its owner may do anything.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from zkgpu.errors import ResourceError

_serial = itertools.count()
_PUBLIC, _SECRET = 0o666, 0o600  # what the umask and an old file's mode are taken from


@contextmanager
def replacing(path: str | os.PathLike[str], *, secret: bool = False) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends, and vanishes when the block raises.

    secret   it holds a witness, private weights or the like: only its owner may read and write it

    Whoever opens `path` meanwhile, or after a crash or a full disk, sees the old file whole. A pipe or a device such
    as /dev/stdout is written directly. Raises ResourceError when the system refuses to write.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as stream:  # the resolved name of a pipe is no name to open
                yield stream
        else:
            yield from _replaced(Path(os.path.realpath(path)), _SECRET if secret else _PUBLIC)
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written ({error.strerror or error}): choose another place") from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text to `path`, whole or not at all."""
    with replacing(path) as stream:
        stream.write(text.encode())


def _replaced(target: Path, mode: int) -> Iterator[BinaryIO]:
    _remove_abandoned(target)
    part = target.with_name(f"{_prefix(target)}{os.getpid()}-{next(_serial)}.part")
    try:
        # the umask is the system's to apply: it can be asked for only by changing it, for all threads
        with open(part, "xb", opener=lambda name, flags: os.open(name, flags, mode & _mode_of(target))) as stream:
            yield stream
            stream.flush()
            _narrow(stream.fileno(), _mode_of(target))
            os.fsync(stream.fileno())
        os.replace(part, target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    _sync_folder(target.parent)


def _mode_of(target: Path) -> int:
    """Who may read, write and run the file; everybody, where there is none."""
    try:
        return target.stat().st_mode & 0o777
    except FileNotFoundError:
        return 0o777


def _narrow(descriptor: int, mode: int) -> None:
    """Takes from an open file what `mode` does not allow: the old file's mode may have changed meanwhile."""
    own = os.fstat(descriptor).st_mode & 0o777
    if own & ~mode and os.name == "posix":
        os.fchmod(descriptor, own & mode)


def _prefix(target: Path) -> str:
    return f".{target.name}.{socket.gethostname()}-"


def _remove_abandoned(target: Path) -> None:
    """Removes what a killed process of this machine left half-written beside `target`."""
    prefix = _prefix(target)
    for name in os.listdir(target.parent):
        if name.startswith(prefix) and name.endswith(".part"):
            pid = name[len(prefix) :].split("-")[0]
            if pid.isdecimal() and not _is_running(int(pid)):
                with suppress(OSError):
                    (target.parent / name).unlink()


def _is_running(pid: int) -> bool:
    if os.name != "posix":  # elsewhere signal 0 is not a mere question
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    # the rename itself is durable only once the folder is; systems that cannot sync a folder order renames themselves
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
