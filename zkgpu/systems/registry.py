"""Which proof systems there are: one line each. Its folder says what a system can do, and brings its contract."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from zkgpu.errors import FormatError
from zkgpu.formats import zkey
from zkgpu.provers.proof_system import ProofSystem
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.evm.form import ContractForm


@dataclass(frozen=True)
class _Entry:
    """How files name a proof system, known without importing it.

    Attributes:
        titles: by what JSON files call it
        zkey: by what numbers .zkey files do
    """

    titles: Mapping[str, str]
    zkey: tuple[int, ...]


_ENTRIES = {
    "groth16": _Entry(
        {"groth16": "Groth16", "groth16-commitment": "Groth16 with a commitment"},
        (zkey.GROTH16, zkey.GROTH16_COMMITTED),
    ),
    "plonk": _Entry({"plonk": "PLONK"}, (zkey.PLONK,)),
}
NAMES = tuple(_ENTRIES)
TITLES = {protocol: title for entry in _ENTRIES.values() for protocol, title in entry.titles.items()}

_BY_PROTOCOL = {protocol: name for name, entry in _ENTRIES.items() for protocol in entry.titles}
_BY_NUMBER = {number: name for name, entry in _ENTRIES.items() for number in entry.zkey}


def system(name: str) -> ProofSystem:
    """The proof system of that name, one of NAMES; imported when it is first used."""
    found: ProofSystem = import_module(f"zkgpu.{name}.system").SYSTEM
    return found


def contract_form(name: str) -> ContractForm:
    """What the proof system of that name brings for the EVM; imported apart, as few who prove need it."""
    found: ContractForm = import_module(f"zkgpu.{name}.contract").FORM
    return found


def system_of(value: Any) -> ProofSystem:
    """The proof system of a key or a proof."""
    return system(value.system)


def system_of_json(value: Any, what: str) -> ProofSystem:
    """The proof system that a parsed proof or key names. Raises FormatError unless there is such a one."""
    return system(_BY_PROTOCOL[protocol_of(value, what)])


def system_of_zkey(number: int) -> ProofSystem:
    """The proof system with a .zkey's number; for one that there is not, one whose reader says so."""
    return system(_BY_NUMBER.get(number, NAMES[0]))


def protocol_of(value: Any, what: str) -> str:
    """What a parsed proof or key calls its proof system. Raises FormatError unless there is such a one."""
    from zkgpu.formats.json_values import member
    from zkgpu.formats.kinds import require_kind
    from zkgpu.formats.strict_json import shown

    require_kind(value, f"a {what}")
    protocol = member(value, "protocol")
    if not isinstance(protocol, str) or protocol not in TITLES:
        raise FormatError(f"the protocol of the {what} is {shown(protocol)}: zkgpu has {' and '.join(TITLES)}")
    return protocol
