"""Object code becomes an image: bytes that run wherever they lie, with the few addresses that they need listed.

An ELF object of one kernel (Tool Interface Standard, "ELF Specification" 1.2; System V ABI, AMD64 supplement 1.0 table
4.10; "ELF for the Arm 64-bit Architecture", 2023) has code and constants, and relocations between them. All lie in one
image here, so every distance is known. Calls that leave the image can only go to the functions of `loading.IMPORTS`,
through a slot each, which whoever loads the image fills in. Anything else is refused by name.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from zkgpu.jit.loading import IMPORTS, Image
from zkgpu.records import dataclass

SECTION_ALIGNMENT = 64
_ALLOCATED, _WRITABLE = 2, 1  # SHF_ALLOC, SHF_WRITE
_SYMBOLS, _RELOCATIONS, _NO_BITS = 2, 4, 8  # SHT_SYMTAB, SHT_RELA, SHT_NOBITS
_UNWINDING = ".eh_frame"  # nothing unwinds through a kernel
_X86_64, _AARCH64 = 62, 183


class LinkError(Exception):
    """An object that no image can be made of."""


@dataclass(frozen=True)
class _Section:
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int


def link(data: bytes, entry: str) -> Image:
    """The image of a relocatable ELF object. Raises LinkError for what an image cannot hold."""
    return _Linker(data).image(entry)


class _Linker:
    def __init__(self, data: bytes):
        if data[:6] != b"\x7fELF\x02\x01":
            raise LinkError("not a little-endian ELF object of 64 bits")
        self._data = data
        (self._machine,) = struct.unpack_from("<H", data, 18)
        if self._machine not in _PATCHES:
            raise LinkError(f"code for machine {self._machine}")
        self._sections = self._read_sections()
        self._code = bytearray()
        self._place = self._lay_out()
        self._slots: dict[str, int] = {}

    def image(self, entry: str) -> Image:
        symbols = self._read_symbols()
        found = [(section, value) for name, section, value in symbols if name == entry and section]
        if len(found) != 1 or found[0][0] not in self._place:
            raise LinkError(f"no function {entry}")
        for section in self._sections:
            if section.kind == _RELOCATIONS and section.info in self._place:
                self._relocate(section, symbols)
        imports = tuple((at + len(_STUBS[self._machine]), name) for name, at in self._slots.items())
        return Image(bytes(self._code), self._place[found[0][0]] + found[0][1], imports)

    def _read_sections(self) -> list[_Section]:
        (table,) = struct.unpack_from("<Q", self._data, 40)
        size, count, names = struct.unpack_from("<HHH", self._data, 58)
        rows = [struct.unpack_from("<IIQQQQIIQQ", self._data, table + size * k) for k in range(count)]
        texts = rows[names][4]
        return [
            _Section(self._text(texts + name), kind, flags, offset, length, link, info, alignment)
            for name, kind, flags, _, offset, length, link, info, alignment, _ in rows
        ]

    def _text(self, at: int) -> str:
        return self._data[at : self._data.index(b"\0", at)].decode()

    def _lay_out(self) -> dict[int, int]:
        """Where each section begins in the image, by its index."""
        places = {}
        for k, section in enumerate(self._sections):
            if not section.flags & _ALLOCATED or not section.size or section.name == _UNWINDING:
                continue
            if section.flags & _WRITABLE or section.kind == _NO_BITS:
                raise LinkError(f"section {section.name}, which is written to")
            if section.alignment > SECTION_ALIGNMENT:
                raise LinkError(f"section {section.name}, aligned to {section.alignment}")
            self._code += bytes(-len(self._code) % SECTION_ALIGNMENT)
            places[k] = len(self._code)
            self._code += self._data[section.offset : section.offset + section.size]
        return places

    def _read_symbols(self) -> list[tuple[str, int, int]]:
        """(name, section, value) of each symbol."""
        (table,) = (section for section in self._sections if section.kind == _SYMBOLS)
        texts = self._sections[table.link].offset
        rows = (struct.unpack_from("<IBBHQQ", self._data, table.offset + at) for at in range(0, table.size, 24))
        return [(self._text(texts + name), section, value) for name, _, _, section, value, _ in rows]

    def _relocate(self, section: _Section, symbols: list[tuple[str, int, int]]) -> None:
        patches = _PATCHES[self._machine]
        for at in range(section.offset, section.offset + section.size, 24):
            offset, info, addend = struct.unpack_from("<QQq", self._data, at)
            name, target, value = symbols[info >> 32]
            kind = info & 0xFFFFFFFF
            if kind not in patches:
                raise LinkError(f"a relocation of type {kind} to {name or 'a section'}")
            address = self._address(name, target, value)
            patches[kind](self._code, self._place[section.info] + offset, address + addend)

    def _address(self, name: str, section: int, value: int) -> int:
        if section in self._place:
            return self._place[section] + value
        if section or name not in IMPORTS:
            raise LinkError(f"a reference to {name or 'a section that is left out'}")
        return self._stub(name)

    def _stub(self, name: str) -> int:
        """Where the code lies that jumps to a function of the C library; its slot follows it."""
        if name not in self._slots:
            self._code += bytes(-len(self._code) % 16)
            self._slots[name] = len(self._code)
            self._code += _STUBS[self._machine] + bytes(8)
        return self._slots[name]


_STUBS = {
    _X86_64: bytes.fromhex("ff2502000000") + b"\x90\x90",  # jmp [rip + 2], over two bytes of nothing
    _AARCH64: struct.pack("<II", 0x58000050, 0xD61F0200),  # ldr x16, the slot behind; br x16
}

_Patch = Callable[[bytearray, int, int], None]


def _distance32(code: bytearray, at: int, target: int) -> None:
    struct.pack_into("<i", code, at, target - at)


def _distance64(code: bytearray, at: int, target: int) -> None:
    struct.pack_into("<q", code, at, target - at)


def _instruction(mask: int, field_of: Callable[[int, int], int]) -> _Patch:
    """Puts a field into an instruction of 32 bits."""

    def patch(code: bytearray, at: int, target: int) -> None:
        (word,) = struct.unpack_from("<I", code, at)
        struct.pack_into("<I", code, at, (word & ~mask) | (field_of(at, target) & mask))

    return patch


def _call(at: int, target: int) -> int:
    if not -(1 << 27) <= target - at < 1 << 27:
        raise LinkError("a call that is too far")
    return target - at >> 2


def _pages(at: int, target: int) -> int:
    """Immediate of ADRP: 21 bits, the lowest two of them at bit 29."""
    pages = (target >> 12) - (at >> 12)
    return (pages & 3) << 29 | (pages >> 2 & 0x7FFFF) << 5


def _low_bits(shift: int) -> _Patch:
    """The place within its page, counted in units of 2^shift bytes, at bit 10."""
    return _instruction(0xFFF << 10, lambda _, target: (target & 0xFFF) >> shift << 10)


_PATCHES: dict[int, dict[int, _Patch]] = {
    _X86_64: {2: _distance32, 4: _distance32, 24: _distance64},  # R_X86_64_PC32, PLT32, PC64
    _AARCH64: {
        260: _distance64,  # R_AARCH64_PREL64
        261: _distance32,  # PREL32
        275: _instruction(3 << 29 | 0x7FFFF << 5, _pages),  # ADR_PREL_PG_HI21
        277: _low_bits(0),  # ADD_ABS_LO12_NC
        278: _low_bits(0),  # LDST8_ABS_LO12_NC
        282: _instruction(0x3FFFFFF, _call),  # JUMP26
        283: _instruction(0x3FFFFFF, _call),  # CALL26
        284: _low_bits(1),  # LDST16_ABS_LO12_NC
        285: _low_bits(2),  # LDST32_ABS_LO12_NC
        286: _low_bits(3),  # LDST64_ABS_LO12_NC
        299: _low_bits(4),  # LDST128_ABS_LO12_NC
    },
}
