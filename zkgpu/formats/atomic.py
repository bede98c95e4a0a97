"""Files that appear whole or not at all: written aside, flushed to the disk, then renamed into place.

At no moment may anybody do more with a new file than the umask and the file it replaces allow; with a secret one,
nobody but its owner may do anything.

Files that belong together are prepared and flushed together, and only then put in place (`together`): the old ones are
removed, the last first, and the new ones renamed, the last last. So at no moment, and after no crash, do old and new
ones lie beside each other; and where the last one of a group lies, all of it does.
"""

from __future__ import annotations

import errno
import itertools
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from zkgpu.errors import ResourceError, UsageError

_serial = itertools.count()
_staged: dict[str, Path] = {}  # places by path, of files that wait for the others of their group
_BLOCK = bytes(1 << 12)  # more than a full disk takes
_PUBLIC, _SECRET = 0o666, 0o600  # what the umask and an old file's mode are taken from


@contextmanager
def replacing(path: str | os.PathLike[str], *, secret: bool = False) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends, and vanishes when the block raises.

    Args:
        secret: it holds a witness, private weights or the like: only its owner may read and write it

    Whoever opens `path` meanwhile, or after a crash or a full disk, sees the old file whole. A pipe or a device such
    as /dev/stdout is written directly. Raises ResourceError when the system refuses to write.
    """
    try:
        if os.fspath(path) in _staged:
            yield from _written(os.fspath(path), _SECRET if secret else _PUBLIC)
        elif is_special(path):
            with open(path, "wb") as stream:  # the resolved name of a pipe is no name to open
                yield stream
        else:
            yield from _replaced(Path(os.path.realpath(path)), _SECRET if secret else _PUBLIC)
    except OSError as error:
        place = _staged.get(os.fspath(path), path)
        raise ResourceError(f"{place}: cannot be written ({error.strerror or error}): choose another place") from error


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether this is a pipe, a device or the like, which is written directly."""
    return os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)


@contextmanager
def together(
    *paths: str | os.PathLike[str], remove: Sequence[str | os.PathLike[str]] = ()
) -> Iterator[tuple[Path, ...]]:
    """Where to write files that belong together: each stands for one of `paths`, whose places they take at the end.

    Args:
        remove: files that belong to the old ones, and have no place beside the new ones

    When the block raises, or one cannot be flushed, all old files are left as they were. Pipes and devices are written
    directly. Raises UsageError for a place given twice, ResourceError where no file can be made.
    """
    staged: dict[Path, Path] = {}
    try:
        for path in paths:
            if not is_special(path):
                target = Path(os.path.realpath(path))
                if target in staged:
                    raise UsageError(f"{os.fspath(path)}: two files would be written there: choose a place for each")
                staged[target] = _stage(target)
        yield tuple(staged.get(Path(os.path.realpath(path)), Path(path)) for path in paths)
        _install(staged, [Path(os.path.realpath(path)) for path in remove])
    except OSError as error:
        raise ResourceError(
            f"{error.filename or paths[0]}: cannot be written ({error.strerror or error}): choose another place"
        ) from error
    finally:
        for part in staged.values():
            _staged.pop(os.fspath(part), None)
            part.unlink(missing_ok=True)


def make_folder(path: str | os.PathLike[str], mode: int = 0o777) -> None:
    """Makes a folder, and those above it, unless it is there. Raises ResourceError where it cannot be made."""
    try:
        Path(path).mkdir(mode, parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(
            f"{os.fspath(path)}: the folder cannot be made ({error.strerror or error}): choose another place"
        ) from error


def require_writable(path: str | os.PathLike[str]) -> None:
    """Raises ResourceError unless a file can be made where `path` is to be, and a block be written to it."""
    target = Path(os.path.realpath(path))
    part = _part(target)
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with open(part, "xb") as stream:
            _fill(stream)
    except OSError as error:
        raise ResourceError(f"{path}: cannot be written ({error.strerror or error}): choose another place") from error
    finally:
        with suppress(OSError):
            part.unlink()


def _fill(stream: BinaryIO) -> None:
    """Takes a block of the disk: reserved where the system can do that, which waits for no disk as writing does.

    Either says at once that the disk is full or that the user may have no more of it.
    """
    try:
        os.posix_fallocate(stream.fileno(), 0, len(_BLOCK))
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) in _FULL:
            raise
        stream.write(_BLOCK)
        stream.flush()
        os.fsync(stream.fileno())


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes UTF-8 text to `path`, whole or not at all."""
    with replacing(path) as stream:
        stream.write(text.encode())


def _stage(target: Path) -> Path:
    """An empty file beside `target`, of its mode, but that its owner may write it until it is in place."""
    _remove_abandoned(target)
    part = _part(target)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _PUBLIC & _mode_of(target) | _SECRET))
    _staged[os.fspath(part)] = target
    return part


def _written(part: str, mode: int) -> Iterator[BinaryIO]:
    """A staged file, written and flushed where it lies; it waits for the others of its group."""
    with open(part, "wb") as stream:
        _narrow(stream.fileno(), mode)
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _install(staged: Mapping[Path, Path], remove: Sequence[Path]) -> None:
    """Puts the parts in the places of their targets; see the head of this file for the order."""
    targets = list(staged)
    for target, part in staged.items():
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(target))
        with part.open("rb") as stream:
            _narrow(stream.fileno(), _mode_of(target))
    with _uninterrupted():
        old = [target for target in (*remove, *reversed(targets)) if os.path.lexists(target)]
        if old and (len(targets) > 1 or remove):
            for target in old:
                target.unlink(missing_ok=True)
            _sync_folders(targets)
        for target in targets:
            os.replace(staged[target], target)
        _sync_folders(targets)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals that would end the process wait until the block has ended."""
    import signal

    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _part(target: Path) -> Path:
    return target.with_name(f"{_prefix(target)}{os.getpid()}-{next(_serial)}.part")


def _replaced(target: Path, mode: int) -> Iterator[BinaryIO]:
    _remove_abandoned(target)
    part = _part(target)
    try:
        # the umask is the system's to apply: it can be read only by changing it, for all threads
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
    return f".{target.name}.{platform.node()}-"


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


def _sync_folders(targets: Sequence[Path]) -> None:
    for folder in dict.fromkeys(target.parent for target in targets):
        _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    # the rename itself is durable only once the folder is; systems that cannot sync a folder order renames themselves
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
