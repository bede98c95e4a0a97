"""The head of a .zkey file, which says what proof system its key is for; the rest is that system's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zkgpu.formats.container import Container

MAGIC, VERSION = b"zkey", 1
PROTOCOL = 1  # the section with the number of the proof system
GROTH16, PLONK, FFLONK, EARLIER, GROTH16_COMMITTED = 1, 2, 10, 100, 101
PROTOCOL_NAMES = {GROTH16: "Groth16", PLONK: "PLONK", FFLONK: "FFLONK", GROTH16_COMMITTED: "Groth16 with a commitment"}


def protocol_of(file: Container) -> int:
    """The number of the proof system that a .zkey is for."""
    section = file.read(PROTOCOL, "protocol")
    protocol = section.u32()
    section.end()
    return protocol


def require_protocol(file: Container, wanted: int) -> None:
    """Raises FormatError, naming both, when a .zkey is for another proof system than the wanted one."""
    protocol = protocol_of(file)
    section = file.read(PROTOCOL, "protocol")
    if protocol == EARLIER:
        raise section.error("this key was made by an earlier version of zkgpu, which is not accepted: set up again")
    if protocol != wanted:
        name, right = (PROTOCOL_NAMES.get(number, f"protocol {number:,}") for number in (protocol, wanted))
        raise section.error(f"this is a key for {name}, not for {right}: use a key made by a {right} setup")
