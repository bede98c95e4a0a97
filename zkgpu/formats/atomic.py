"""Files that appear whole or not at all: written aside, flushed to the disk, then renamed into place."""

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


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends, and vanishes when the block raises.

    Whoever opens `path` meanwhile, or after a crash or a full disk, sees the old file whole. A pipe or a device such
    as /dev/stdout is written directly. Raises ResourceError when the system refuses to write.
    """
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            with open(path, "wb") as stream:  # the resolved name of a pipe is no name to open
                yield stream
        else:
            yield from _replaced(Path(os.path.realpath(path)))
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written ({error.strerror or error}): choose another place") from error


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text to `path`, whole or not at all."""
    with replacing(path) as stream:
        stream.write(text.encode())


def _replaced(target: Path) -> Iterator[BinaryIO]:
    _remove_abandoned(target)
    part = target.with_name(f"{_prefix(target)}{os.getpid()}-{next(_serial)}.part")
    try:
        with open(part, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
    _sync_folder(target.parent)


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
