"""The container shared by .r1cs, .wtns, .ptau and .zkey: sections by id, in any order, memory-mapped.

    magic[4] | version u32 | number of sections u32 | { id u32 | size u64 | bytes[size] } for each section

All integers are little-endian. Source: iden3/r1csfile, doc/r1cs_bin_format.md; iden3/binfileutils.
Nothing is allocated from a number read in a file before that number was compared with the bytes that are there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

from zkgpu.errors import FormatError, InputError, ResourceError, UsageError, is_shortage
from zkgpu.formats.atomic import replacing
from zkgpu.formats.kinds import container_name, wrong_kind
from zkgpu.records import dataclass

if TYPE_CHECKING:
    import numpy.typing as npt

Bytes: TypeAlias = "npt.NDArray[np.uint8]"
Limbs: TypeAlias = "npt.NDArray[np.uint64]"
Source: TypeAlias = str | os.PathLike[str] | bytes  # a path, or the bytes of a file
BytesLike: TypeAlias = "bytes | npt.NDArray[Any]"

MAX_SECTIONS = 256  # the richest file in use has 17; a walk over millions of empty sections would be a way to hang us
_FILE_HEADER = 12
_SECTION_HEADER = 12


@dataclass(frozen=True)
class Section:
    """Where the body of one section lies in its file."""

    id: int
    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


@dataclass(frozen=True)
class Container:
    """An open file: its bytes, mapped read-only, and its sections in file order."""

    path: str
    version: int
    sections: tuple[Section, ...]
    data: Bytes

    def has(self, section_id: int) -> bool:
        return any(section.id == section_id for section in self.sections)

    def find(self, section_id: int, what: str) -> Section:
        """The one section with this id. Raises FormatError when there is none or more than one."""
        found = [section for section in self.sections if section.id == section_id]
        if len(found) == 1:
            return found[0]
        if not found:
            raise FormatError(f"{self.path}: section {section_id} ({what}) is missing: make the file again")
        starts = " and ".join(f"{section.start:,}" for section in found[:2])
        raise FormatError(f"{self.path}: section {section_id} ({what}) occurs twice, at bytes {starts}: make it again")

    def read(self, section_id: int, what: str) -> SectionReader:
        """A reader at the start of the one section with this id."""
        return SectionReader(self, self.find(section_id, what), what)


class SectionReader:
    """Reads one section from front to back and never past its end. Errors name file, section and byte."""

    def __init__(self, file: Container, section: Section, what: str) -> None:
        self._file = file
        self._section = section
        self._what = what
        self._at = section.start

    @property
    def remaining(self) -> int:
        """Bytes of the section not read yet."""
        return self._section.end - self._at

    def error(self, message: str, kind: type[FormatError] = FormatError) -> FormatError:
        """An error to raise: `message` after the file, the section and the byte reached."""
        return kind(f"{self._file.path}: section {self._section.id} ({self._what}), byte {self._at:,}: {message}")

    def u32(self) -> int:
        return int.from_bytes(self.bytes(4), "little")

    def u64(self) -> int:
        return int.from_bytes(self.bytes(8), "little")

    def integer(self, size: int) -> int:
        """An unsigned integer of `size` bytes."""
        return int.from_bytes(self.bytes(size), "little")

    def bytes(self, size: int) -> bytes:
        return self.array(size).tobytes()

    def array(self, size: int) -> Bytes:
        """The next `size` bytes as a read-only view of the mapped file, without a copy."""
        if size > self.remaining:
            raise self.error(
                f"{size:,} bytes are wanted, {self.remaining:,} are left: the file is damaged, copy it again"
            )
        view = self._file.data[self._at : self._at + size]
        self._at += size
        return view

    def limbs(self, rows: int, words: int) -> Limbs:
        """The next rows x words unsigned 64-bit words as a read-only view (not necessarily aligned to 8 bytes)."""
        return self.array(rows * words * 8).view("<u8").reshape(rows, words)

    def expect_size(self, size: int, why: str) -> None:
        """Raises FormatError unless exactly `size` bytes are left."""
        if self.remaining != size:
            raise self.error(f"{self.remaining:,} bytes are left but {why} take {size:,}: make the file again")

    def end(self) -> None:
        """Raises FormatError when bytes are left."""
        self.expect_size(0, "the values declared before")


def name_of(source: Source) -> str:
    """What messages call it."""
    return "bytes" if isinstance(source, bytes) else os.fspath(source)


@contextmanager
def naming(source: Any) -> Iterator[None]:
    """In the block what is wrong with given values is said of the file that they are from, if they are from one."""
    try:
        yield
    except InputError as error:
        name = name_of(source) if isinstance(source, str | os.PathLike | bytes) else ""
        raise error if not name or str(error).startswith(f"{name}: ") else error.within(name) from None


def open_container(source: Source, magic: bytes, versions: Sequence[int]) -> Container:
    """The sections of a file, after checking magic, version and that the sections tile the file to its last byte."""
    name, data = name_of(source), map_file(source)
    other = None if data[:4].tobytes() == magic else wrong_kind(name, data, container_name(magic), is_json=False)
    if other is not None:
        raise other
    if data.size < _FILE_HEADER:
        raise FormatError(f"{name}: {data.size} bytes are too few for a .{magic.decode()} file: copy it again")
    if data[:4].tobytes() != magic:
        raise FormatError(f"{name}: does not begin with '{magic.decode()}': this is not a .{magic.decode()} file")
    version, count = (int(word) for word in data[4:_FILE_HEADER].view("<u4"))
    if version not in versions:
        raise FormatError(f"{name}: byte 4: version {version:,} is not known (known: {versions}): update zkgpu")
    if count > MAX_SECTIONS:
        raise FormatError(f"{name}: byte 8: {count:,} sections are declared, more than {MAX_SECTIONS}: copy it again")
    return Container(name, version, _walk(name, data, count), data)


def map_file(source: Source) -> Bytes:
    """The bytes of a regular file, mapped read-only. Raises UsageError when it cannot be opened."""
    if isinstance(source, bytes):
        if not source:
            raise FormatError("bytes: there are none: give all of a file's")
        return np.frombuffer(source, dtype=np.uint8)
    with _opened(source) as stream:
        # the plain ndarray behind the memmap: slices of np.memmap are several times slower to make
        return np.asarray(np.memmap(stream, dtype=np.uint8, mode="r"))


def read_file(source: Source, most: int) -> bytes:
    """The bytes of a regular file that is to be small. Raises as `map_file`, and FormatError for more than `most`."""
    if isinstance(source, bytes):
        _require_size(source, len(source), most)
        return source
    with _opened(source) as stream:
        _require_size(source, os.fstat(stream.fileno()).st_size, most)
        return stream.read(most)


def _require_size(source: Source, size: int, most: int) -> None:
    if not size:
        raise FormatError("bytes: there are none: give all of a file's")
    if size > most:
        raise FormatError(f"{name_of(source)}: {size:,} bytes, more than the {most:,} allowed: is this the right file?")


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # before opening: a pipe would wait for its writer
            raise UsageError(f"{os.fspath(path)}: is not a regular file: give the path of a file")
        with open(path, "rb") as stream:
            if os.fstat(stream.fileno()).st_size == 0:
                raise FormatError(f"{os.fspath(path)}: the file is empty: copy it again")
            yield stream
    except OSError as error:
        if is_shortage(error):
            raise ResourceError(
                f"{os.fspath(path)}: cannot be read ({error.strerror}): allow this process more"
            ) from error
        raise UsageError(f"{os.fspath(path)}: cannot be read ({error.strerror}): check the path") from error


@dataclass(frozen=True)
class Pieces:
    """Bytes that are made while they are written, piece by piece.

    Attributes:
        nbytes: how many there will be
        make: the pieces, in order
    """

    nbytes: int
    make: Callable[[], Iterable[BytesLike | memoryview]]

    @classmethod
    def of(cls, data: memoryview) -> Pieces:
        return cls(data.nbytes, lambda: [data])


def write_container(
    path: str | os.PathLike[str],
    magic: bytes,
    version: int,
    sections: Sequence[tuple[int, Sequence[BytesLike | Pieces]]],
    *,
    secret: bool = False,
) -> None:
    """Writes (id, contents) sections in the order given; the contents of a section are joined. Whole or not at all."""
    with replacing(path, secret=secret) as stream:
        begin_container(stream, magic, version, len(sections))
        for section_id, contents in sections:
            write_section(stream, section_id, contents)


def begin_container(stream: BinaryIO, magic: bytes, version: int, sections: int) -> None:
    """The head of a file with so many sections, which `write_section` adds."""
    stream.write(magic + _u32(version) + _u32(sections))


def write_section(stream: BinaryIO, section_id: int, contents: Sequence[BytesLike | Pieces]) -> Section:
    """One section, of which the contents are joined; and where it lies."""
    parts = [content if isinstance(content, Pieces) else Pieces.of(_flat(content)) for content in contents]
    size = sum(part.nbytes for part in parts)
    stream.write(_u32(section_id) + size.to_bytes(8, "little"))
    begin = stream.tell() if stream.seekable() else 0
    for part in parts:
        for piece in part.make():
            stream.write(_flat(piece))
    assert not stream.seekable() or stream.tell() - begin == size, f"section {section_id} has another size"
    return Section(section_id, begin, size)


def _walk(name: str, data: Bytes, count: int) -> tuple[Section, ...]:
    at, sections = _FILE_HEADER, []
    for number in range(1, count + 1):
        if at + _SECTION_HEADER > data.size:
            raise FormatError(
                f"{name}: byte {at:,}: {count:,} sections are declared but the file ends after {number - 1}: "
                "the file is truncated, copy it again"
            )
        header = data[at : at + _SECTION_HEADER].tobytes()
        section = Section(
            int.from_bytes(header[:4], "little"), at + _SECTION_HEADER, int.from_bytes(header[4:], "little")
        )
        if section.end > data.size:
            raise FormatError(
                f"{name}: section {section.id} ends at byte {section.end:,} but the file has {data.size:,} bytes: "
                "the file is truncated, copy it again"
            )
        sections.append(section)
        at = section.end
    if at != data.size:
        raise FormatError(f"{name}: byte {at:,}: {data.size - at:,} bytes follow the last section: copy it again")
    return tuple(sections)


def _flat(content: BytesLike | memoryview) -> memoryview:
    if isinstance(content, bytes | memoryview):
        return memoryview(content)
    return np.ascontiguousarray(content).reshape(-1).view(np.uint8).data


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")
