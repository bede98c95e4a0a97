"""The disk cache of compiled kernels.

    cache_dir()/kernels/<digest>/<kernel>-<kinds of its arguments>.code

Folders that another digest made are removed once nothing has used them for a month (`pruning`).

The digest covers all that decides the machine code: the sources of the rooms that emit it, Python, Numba,
llvmlite, and the level of the CPU's features (`target`). Entries are code: folder and entry must belong to the user and
be writable by nobody else. Each begins with a hash of its name and of all that follows, so that one that is damaged, or
stands in another's place, is compiled again rather than run:

    magic[16] | SHA-256[32] | line of JSON | code

The line says which features the code needs, where its function begins, and where the addresses of memcpy and the like
belong (see `linking`). Loading imports neither Numba nor LLVM.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import importlib.util
import json
import logging
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

from zkgpu.errors import ResourceError
from zkgpu.jit import pruning
from zkgpu.jit.loading import Entry, Image, load_image, load_object
from zkgpu.jit.pruning import size_of
from zkgpu.jit.signature import Kind
from zkgpu.jit.target import Target, host_targets, is_runnable
from zkgpu.records import dataclass
from zkgpu.stages import tell_of_compiling

log = logging.getLogger(__name__)

ROOMS = ("jit", "fields", "curves", "ntt", "msm")
LOCK = "kernels.lock"
PACKAGE = Path(__file__).parents[1]
SHIPPED = PACKAGE / "kernels"  # what `python -m zkgpu.cli.kernels` makes for a release
_MAGIC = b"zkgpu kernel 003"
SUFFIX = ".code"
_HEADER = len(_MAGIC) + hashlib.sha256().digest_size
_MOST_FACTS = 1 << 12  # bytes of the line of JSON, with room to spare
MARK_SECONDS = 3600  # far below the time after which an unused folder is removed


@dataclass(frozen=True)
class CacheInfo:
    """Where the cache is and the bytes its files take.

    Attributes:
        entries: compiled kernels that this version of zkgpu, Python and Numba uses
        outdated: folders of kernels that other versions compiled, and their bytes
        prepared: key files whose arrays are kept as a device takes them, and their bytes
    """

    path: Path
    bytes: int
    entries: int
    outdated: int = 0
    outdated_bytes: int = 0
    prepared: int = 0
    prepared_bytes: int = 0


def cache_dir() -> Path:
    """$ZKGPU_CACHE_DIR, else the user's cache folder for zkgpu; it need not exist yet."""
    told = os.environ.get("ZKGPU_CACHE_DIR")
    if told:
        return Path(told)
    import platformdirs

    return Path(platformdirs.user_cache_dir("zkgpu", appauthor=False))


def private_folder(folder: Path) -> Path:
    """The folder, made with mode 0700 if missing.

    Raises ResourceError when another user owns it or may write into it, OSError when it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not is_own(folder.stat()):
        raise ResourceError(
            f"{folder}: others can write to this cache of compiled code and may have put some into it: remove it, or "
            "set ZKGPU_CACHE_DIR to a folder of your own"
        )
    return folder


def open_own(path: Path) -> FileIO:
    """A regular file of the cache, open for reading, without a buffer.

    Raises FileNotFoundError, and ValueError for a link, a pipe, and a file that another user owns or may write to.
    """
    try:
        # a pipe would wait for its writer, and Windows would take bytes for text
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags)
    except OSError as error:
        if isinstance(error, FileNotFoundError) or error.errno != errno.ELOOP:
            raise
        raise ValueError("it is a link") from error
    file = os.fdopen(descriptor, "rb", buffering=0)  # a buffer would be one copy more
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or not is_own(status):
        file.close()
        raise ValueError("it is not a file that only the user may write")
    return file


def is_own(status: os.stat_result) -> bool:
    """Whether the user owns it and nobody else may write to it; always where there are no such modes."""
    return os.name != "posix" or (status.st_uid == os.getuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def own_folder(name: str) -> Path:
    """A folder of the cache, marked as zkgpu's when it is made, or when all in it is. Raises as `private_folder`."""
    folder = private_folder(cache_dir()) / name
    is_new = not folder.exists()
    private_folder(folder)
    if (
        not folder.is_symlink()
        and not pruning.is_marked(folder)
        and (is_new or len(pruning.own_entries(folder)) == len(_children(folder)))
    ):
        pruning.mark(folder)
    return folder


def cache_info() -> CacheInfo:
    """What the cache holds."""
    current = cache_dir() / "kernels" / toolchain_digest()
    outdated = [folder for folder in _own_children("kernels") if folder != current]
    prepared = _own_children("prepared")
    return CacheInfo(
        cache_dir(),
        sum(size_of(cache_dir() / name) for name in pruning.OWN_NAMES),
        entries=sum(entry.suffix == SUFFIX for entry in _children(current)),
        outdated=len(outdated),
        outdated_bytes=sum(map(size_of, outdated)),
        prepared=len({entry.name.split("-")[0] for entry in prepared}),
        prepared_bytes=sum(map(size_of, prepared)),
    )


def _children(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _own_children(name: str) -> list[Path]:
    folder = cache_dir() / name
    return pruning.own_entries(folder) if folder.is_dir() else []


def clear_cache() -> None:
    """Removes what zkgpu put into its cache folder: kernels, marks of checked files, arrays prepared of keys.

    Nothing else: the folder may be anybody's.
    """
    if not cache_dir().is_dir():
        return
    private_folder(cache_dir())
    for name in pruning.OWN_NAMES:
        if (cache_dir() / name).is_dir():
            pruning.clear(own_folder(name))
    if _is_empty_file(cache_dir() / LOCK):
        (cache_dir() / LOCK).unlink()


def _is_empty_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and path.stat().st_size == 0


def source_digest(package: Path, rooms: Sequence[str] = ROOMS) -> str:
    """Digest of every Python file in these rooms, by default those that emit code."""
    digest, base = hashlib.sha256(), os.fspath(package)
    for room in rooms:
        for source in sorted(_sources(os.path.join(base, room))):
            with open(source, "rb", buffering=0) as file:
                text = file.read()
            name = source[len(base) + 1 :].replace(os.sep, "/")
            digest.update(f"{name} {len(text)}\n".encode() + text)
    return digest.hexdigest()


def _sources(folder: str) -> Iterator[str]:
    """Of a folder and those in it. Plain strings: a command waits for this, and paths take five times as long."""
    for place, _, files in os.walk(folder):
        yield from (os.path.join(place, name) for name in files if name.endswith(".py"))


@functools.cache
def toolchain_digest() -> str:
    """Digest of the sources and of everything else that decides the machine code."""
    parts = (_package_digest(), sys.version, _version_of("numba"), _version_of("llvmlite"), host_targets()[0])
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def digest_of_rooms(*rooms: str) -> str:
    """Of the package's own sources in these rooms, each of which a process reads once."""
    return hashlib.sha256("".join(map(_room_digest, rooms)).encode()).hexdigest()


@functools.cache
def _room_digest(room: str) -> str:
    return source_digest(PACKAGE, (room,))


def _package_digest() -> str:
    return digest_of_rooms(*ROOMS)


def _version_of(package: str) -> bytes:
    """The file of a package that says its version; so the package is not imported."""
    spec = importlib.util.find_spec(package)
    return Path(str(spec.origin)).with_name("_version.py").read_bytes() if spec else b""


def kernel_folder() -> Path | None:
    """The folder of this process's kernels; None, with a warning, when it cannot be written."""
    try:
        private_folder(cache_dir())
        folder = own_folder("kernels") / toolchain_digest()
        _mark_used(folder)
        if not os.access(private_folder(folder), os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        log.warning("compiled kernels are not kept: %s cannot be written (%s)", cache_dir(), error)
        return None
    return folder


def _mark_used(folder: Path) -> None:
    """Makes the folder, or notes now and then that it is in use; whoever makes one also removes outdated ones.

    Both happen under a lock, so that no folder is removed that a process has just found.
    """
    if folder.is_dir() and time.time() - folder.stat().st_mtime < MARK_SECONDS:
        return
    with _file_lock(cache_dir() / LOCK):
        new = not folder.is_dir()
        folder.mkdir(mode=0o700, exist_ok=True)
        os.utime(folder)
        if new:
            pruning.prune(folder.parent)


def entry(name: str, kinds: tuple[Kind, ...], compiled: Callable[[Target], bytes]) -> Entry:
    """The function of a kernel for arguments of these kinds, loaded, or compiled and kept.

    Several processes may compile at once: the first takes a file lock, the others wait and load its result.

    Args:
        compiled: gives an object file for a target, whose function `name` is the entry
    """
    file = file_of(name, kinds)
    shipped = _load_shipped(file)
    if shipped is not None:
        return shipped
    folder = folder_in_use()
    if folder is None:
        return loaded(_compiled(name, compiled))
    found = _load(folder / file)
    if found is None:
        with _file_lock(folder / f"{name}.lock"):
            found = _load(folder / file) or _compile(folder / file, name, compiled)
    return found


def is_kept(name: str, kinds: tuple[Kind, ...]) -> bool:
    """Whether there is an entry of the kernel for arguments of these kinds; it is trusted when it is loaded."""
    file = file_of(name, kinds)
    return any(
        (folder / file).is_file() for folder in (*shipped_folders(), cache_dir() / "kernels" / toolchain_digest())
    )


def folder_in_use() -> Path | None:
    """The folder of this process's kernels as it was found first: one warning where it cannot be written."""
    return _folder_in(str(cache_dir()))


@functools.cache
def _folder_in(_: str) -> Path | None:
    return kernel_folder()


def file_of(name: str, kinds: tuple[Kind, ...]) -> str:
    """The name of a kernel's entry."""
    return f"{name}-{hashlib.sha256(repr(kinds).encode()).hexdigest()[:16]}{SUFFIX}"


def shipped_folder(target: Target) -> Path:
    """Where a release has its kernels for a target, in the package: none are found there by other sources."""
    return SHIPPED / f"{_package_digest()[:24]}-{target.name}"


@functools.cache
def shipped_folders() -> tuple[Path, ...]:
    """Those that there are for this CPU, the best first."""
    return tuple(folder for target in host_targets() if (folder := shipped_folder(target)).is_dir())


def _load_shipped(file: str) -> Entry | None:
    """A kernel of the release. It is trusted as the package's modules beside it are, but must be whole."""
    for folder in shipped_folders():
        try:
            return loaded(opened(file, (folder / file).read_bytes()))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError) as error:
            log.warning("%s: not used (%s): install zkgpu again", folder / file, error)
    return None


def _load(path: Path) -> Entry | None:
    """The kernel of an entry, or None when it is not there or cannot be used."""
    try:
        return loaded(checked(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:  # a damaged or foreign file must not be fatal: compile again
        log.warning("%s: not used, compiling again (%s)", path, error)
        return None


def kept_file(file: str) -> bytes | None:
    """What a file beside the kernels holds, of the release or the user's cache; None where there is none whole."""
    for folder in shipped_folders():
        try:
            return bytes(opened(file, (folder / file).read_bytes()))
        except (OSError, ValueError):
            continue
    folder_of_user = None if shipped_folders() else folder_in_use()
    try:
        return checked(folder_of_user / file) if folder_of_user else None
    except (OSError, ValueError):
        return None


def keep_file(file: str, payload: bytes) -> None:
    """Keeps it in the user's cache, where there are no kernels of a release, which has its own."""
    folder = None if shipped_folders() else folder_in_use()
    if folder is not None:
        with contextlib.suppress(OSError):  # a full disk costs only the caching
            write_private(folder / file, sealed(file, payload))


def kept(name: str, kinds: tuple[Kind, ...]) -> bytes | None:
    """What the user's cache holds of a kernel, whole and trusted; None when it does not."""
    folder = folder_in_use()
    try:
        return checked(folder / file_of(name, kinds)) if folder else None
    except (OSError, ValueError):
        return None


def _compile(path: Path, name: str, compiled: Callable[[Target], bytes]) -> Entry:
    payload = _compiled(name, compiled)
    try:
        write_private(path, sealed(path.name, payload))
    except OSError as error:  # a full disk costs only the caching
        log.warning("%s: not kept (%s)", path, error)
    return loaded(payload)


@contextlib.contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    import filelock

    lock = filelock.FileLock(path, mode=0o600)
    try:
        lock.acquire()
    except (OSError, NotImplementedError):  # a file system without locks: worst, two processes do the same work
        yield
        return
    with contextlib.ExitStack() as stack:
        stack.callback(lock.release)
        yield


def _compiled(name: str, compiled: Callable[[Target], bytes]) -> bytes:
    """What an entry of the kernel holds, compiled now."""
    tell_of_compiling(name)
    target = host_targets()[0]
    return packed(compiled(target), name, target)


def packed(code: bytes, name: str, target: Target) -> bytes:
    """What an entry holds of an object file: how to load it, as a line of JSON, and the code."""
    facts: dict[str, Any] = {"entry": name, "needs": target.features}
    if target.makes_images:
        from zkgpu.jit.linking import link

        image = link(code, name)
        facts |= {"entry": image.entry, "imports": image.imports}
        code = bytes(image.code)
    return json.dumps(facts).encode() + b"\n" + code


def loaded(payload: bytes | memoryview) -> Entry:
    """The function of what `packed` made. Raises ValueError for code of features that this CPU lacks, or no code."""
    head = bytes(payload[:_MOST_FACTS]).partition(b"\n")[0]
    facts, code = json.loads(head), memoryview(payload)[len(head) + 1 :]
    if not is_runnable(facts["needs"]):
        raise ValueError("it is for a CPU with more instructions")
    if "imports" not in facts:
        return load_object(bytes(code), facts["entry"])
    return load_image(Image(code, facts["entry"], tuple((at, name) for at, name in facts["imports"])))


def sealed(name: str, payload: bytes) -> bytes:
    """The bytes of the entry of that name."""
    return _MAGIC + _hash(name, payload) + payload


def checked(path: Path) -> bytes:
    """What an entry holds behind its hash. Raises FileNotFoundError, and ValueError unless it is own and undamaged."""
    with open_own(path) as file:
        header, payload = file.read(_HEADER), file.read()
    if header != _MAGIC + _hash(path.name, payload):
        raise ValueError("it is damaged")
    return payload


def opened(name: str, data: bytes) -> memoryview:
    """What was `sealed` under the name. Raises ValueError unless it is undamaged."""
    payload = memoryview(data)[_HEADER:]
    if data[:_HEADER] != _MAGIC + _hash(name, payload):
        raise ValueError("it is damaged")
    return payload


def _hash(name: str, payload: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(name.encode() + b"\n")
    digest.update(payload)
    return digest.digest()


def write_private(path: Path, *buffers: bytes | memoryview) -> None:
    """Writes a file of mode 0600 in one step: readers see the old one or the whole new one."""
    import tempfile

    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # mkstemp files have mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(buffers)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
