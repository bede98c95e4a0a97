"""The log of an audit: one line an inference, appended and flushed before the answer is given.

The first line is {"zkgpu audit log":1,"model":".."}; each other one has the model's hash, the client's request, the
digests of inputs and outputs, and the inputs' integers, in base64. Each ends in "check": 16 bytes of the SHA-256 of the
check before it and of its own text, so that lines which are missing, changed or in another order are named.

A line is written by one call and then flushed: a process that is killed leaves it whole, or cut at the file's end. The
next one that appends completes a line that lacks only its newline, and moves a shorter piece to a file beside the log.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import field
from pathlib import Path
from typing import BinaryIO

from zkgpu.errors import FormatError, ResourceError, UsageError
from zkgpu.records import dataclass

try:
    import fcntl
except ImportError:  # not a system of POSIX: one process at a time may append
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_WORD = 32  # bytes of a hash, and of a request
_HASH, _CHECK = r"[0-9a-f]{64}", r"[0-9a-f]{32}"
_HEADER = re.compile(rf'\{{"zkgpu audit log":1,"model":"({_HASH})","check":"({_CHECK})"\}}\n'.encode())
_LINE = re.compile(
    rf'\{{"model":"({_HASH})","request":"({_HASH})","inputs":"({_HASH})","outputs":"({_HASH})",'
    rf'"data":"((?:[A-Za-z0-9+/]{{4}})*(?:[A-Za-z0-9+/]{{2}}==|[A-Za-z0-9+/]{{3}}=)?)","check":"({_CHECK})"\}}\n'.encode()
)
_START = b'{"zkgpu audit log":1,'
_CHECK_BYTES = len('"check":""}\n') + 32


@dataclass(frozen=True)
class Inference:
    """One line of a log.

    Attributes:
        request: 32 bytes by which the client knows it
        inputs, outputs: their digests, 32 bytes each
        data: the inputs' integers, packed one input after another
    """

    request: bytes
    inputs: bytes
    outputs: bytes
    data: bytes

    def __post_init__(self) -> None:
        if not all(len(value) == _WORD for value in (self.request, self.inputs, self.outputs)):
            raise UsageError(f"a request and digests have {_WORD} bytes each")


class CutShort(FormatError):
    """The last line has no end, as a killed process leaves it."""


@dataclass
class _Reader:
    """What the lines so far have said: feed it one after another.

    Attributes:
        number: of the last line, from 1
        end: bytes up to its end
    """

    path: Path
    model: bytes
    number: int = 0
    end: int = 0
    check: bytes = b""
    requests: dict[bytes, int] = field(default_factory=dict)

    def feed(self, line: bytes) -> Inference | None:
        """The inference of the next line; None for the first. Raises FormatError naming the line, and is as it was."""
        if not line.endswith(b"\n"):
            what = "is cut short: the next `zkgpu audit log` puts it aside; its inference was not logged"
            raise CutShort(str(self._wrong(what)))
        found = (_LINE if self.number else _HEADER).fullmatch(line)
        if found is None:
            raise self._wrong("is damaged: restore the log from a copy")
        if bytes.fromhex(found[1].decode()) != self.model:
            raise self._wrong("is of another model: give the build folder that the log was written with")
        check = _check(self.check, line[:-_CHECK_BYTES])
        if check.hex().encode() != found[found.re.groups]:
            raise self._wrong("was changed, or lines before it are missing: restore the log from a copy")
        inference = self._inference(found) if self.number else None
        self.number, self.end, self.check = self.number + 1, self.end + len(line), check
        return inference

    def _inference(self, found: re.Match[bytes]) -> Inference:
        request, inputs, outputs = (bytes.fromhex(found[i].decode()) for i in (2, 3, 4))
        if request in self.requests:
            raise self._wrong(f"has the request of line {self.requests[request]:,}: each has one of its own")
        data = base64.b64decode(found[5])
        self.requests[request] = self.number + 1
        return Inference(request, inputs, outputs, data)

    def _wrong(self, what: str) -> FormatError:
        return FormatError(f"{self.path}: line {self.number + 1:,} {what}")


class Log:
    """A log that is appended to. Several processes may append to one.

    Raises FormatError, naming the line, for a file that is damaged or of another model.

    Args:
        model: the model's hash
    """

    def __init__(self, path: str | os.PathLike[str], model: bytes) -> None:
        self._reader = _Reader(Path(path), model)
        self.append(())

    @property
    def count(self) -> int:
        """Inferences that it has."""
        return self._reader.number - 1

    def append(self, inferences: Iterable[Inference]) -> None:
        """Writes lines and flushes them to the disk: when this returns, they are there; when it raises, none is.

        Raises UsageError for a request that the log has already.
        """
        new = list(inferences)
        with _locked(self._reader.path) as file:
            self._catch_up(file)
            self._require_new(new)
            header = [] if self._reader.number else [f'{{"zkgpu audit log":1,"model":"{self._reader.model.hex()}",']
            lines = list(_checked([*header, *(_text(self._reader.model, one) for one in new)], self._reader.check))
            if lines:
                _write(file, self._reader.path, self._reader.end, b"".join(lines))
            for line in lines:
                self._reader.feed(line)

    def _catch_up(self, file: BinaryIO) -> None:
        """Reads what others have appended, and mends a line that a killed process left."""
        if os.fstat(file.fileno()).st_size < self._reader.end:
            raise FormatError(f"{self._reader.path}: the log has become shorter: restore it from a copy")
        file.seek(self._reader.end)
        for line in file:
            if not line.endswith(b"\n"):
                line = _mended(file, self._reader, line)
            if line:
                self._reader.feed(line)

    def _require_new(self, inferences: list[Inference]) -> None:
        seen = set()
        for one in inferences:
            if one.request in self._reader.requests or one.request in seen:
                line = self._reader.requests.get(one.request)
                where = f"line {line:,}" if line else "one of these inferences"
                raise UsageError(f"{self._reader.path}: {where} has this request already: each has one of its own")
            seen.add(one.request)


@dataclass(frozen=True)
class LoggedLine:
    """An inference, the number of its line, and the check that the line ends in."""

    number: int
    check: bytes
    inference: Inference


def read_log(path: str | os.PathLike[str], model: bytes) -> Iterator[LoggedLine]:
    """The inferences of a log, in order. Raises FormatError naming the line that is wrong."""
    reader = _Reader(Path(path), model)
    with open(path, "rb") as file:
        _lock(file, shared=True)
        for line in file:
            found = reader.feed(line)
            if found is not None:
                yield LoggedLine(reader.number, reader.check, found)
    if not reader.number:
        raise FormatError(f"{path}: the log is empty: nothing was logged")


def model_of(path: str | os.PathLike[str]) -> bytes:
    """The hash of the model whose log this is. Raises FormatError for another file."""
    with open(path, "rb") as file:
        found = _HEADER.fullmatch(file.readline())
    if found is None:
        raise FormatError(f"{path}: line 1 is not that of an audit's log")
    return bytes.fromhex(found[1].decode())


def _text(model: bytes, one: Inference) -> str:
    data = base64.b64encode(one.data).decode()
    return (
        f'{{"model":"{model.hex()}","request":"{one.request.hex()}","inputs":"{one.inputs.hex()}",'
        f'"outputs":"{one.outputs.hex()}","data":"{data}",'
    )


def _checked(texts: Iterable[str], check: bytes) -> Iterator[bytes]:
    """Lines that begin with these texts, each ending in its check."""
    for text in texts:
        check = _check(check, text.encode())
        yield f'{text}"check":"{check.hex()}"}}\n'.encode()


def _check(before: bytes, text: bytes) -> bytes:
    return hashlib.sha256(before + text).digest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO]:
    """The file, made for its owner only where there is none, while no other process appends."""
    try:
        is_new = not path.exists()
        with open(path, "rb+", buffering=0, opener=_opened) as raw, open(raw.fileno(), "rb", closefd=False) as file:
            _lock(file)
            if is_new:
                _sync_folder(path.parent)
            yield file
    except OSError as error:
        raise ResourceError(
            f"{path}: cannot be written ({error.strerror or error}): make room or choose another place"
        ) from error


def _lock(file: BinaryIO, *, shared: bool = False) -> None:
    """Until the file is closed."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)


def _opened(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_CREAT | os.O_APPEND, 0o600)


def _write(file: BinaryIO, path: Path, end: int, data: bytes) -> None:
    """All of the data, on the disk, or none of it."""
    try:
        written = os.write(file.fileno(), data)
        os.fsync(file.fileno())
    except OSError:
        os.ftruncate(file.fileno(), end)
        raise
    if written != len(data):
        os.ftruncate(file.fileno(), end)
        raise ResourceError(f"{path}: only a part could be written, and was taken back: make room")


def _mended(file: BinaryIO, reader: _Reader, tail: bytes) -> bytes:
    """A last line that lacks its newline, completed; nothing, where it is shorter: it is moved to a file of its own."""
    whole = tail + b"\n"
    if (_LINE if reader.number else _HEADER).fullmatch(whole):
        os.write(file.fileno(), b"\n")
    elif not tail.startswith(_START[: len(tail)]) and not reader.number:
        raise FormatError(f"{reader.path}: line 1 is not that of an audit's log")
    else:
        whole = b""
        _move_aside(file, reader, tail)
    os.fsync(file.fileno())
    return whole


def _move_aside(file: BinaryIO, reader: _Reader, tail: bytes) -> None:
    aside = reader.path.with_name(f"{reader.path.name}.cut-{reader.end}")
    with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as other:
        other.write(tail)
        other.flush()
        os.fsync(other.fileno())
    os.ftruncate(file.fileno(), reader.end)
    number = reader.number + 1
    log.warning("%s: line %d was cut short, and lies now in %s: log it again", reader.path, number, aside.name)


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # on a system that cannot
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
