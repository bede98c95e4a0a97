"""public.json: the public inputs of a proof as snarkjs writes them, decimal strings in a list.

Of a circuit with packed arrays, which snarkjs does not have, it is {"inputs": ["1", ..], "packed": "0x.."}.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zkgpu.curves import DEFAULT
from zkgpu.curves.points import Curve
from zkgpu.errors import FormatError
from zkgpu.fields.field import integer
from zkgpu.formats import strict_json
from zkgpu.formats.atomic import is_special
from zkgpu.formats.container import Source
from zkgpu.formats.json_values import StrPath, list_of, located, member
from zkgpu.formats.kinds import PUBLIC, require_kind
from zkgpu.formats.strict_json import decimal, shown

_HEX = re.compile(r"0x([0-9a-f]{2})*")


def read_public(path: StrPath, curve: Curve = DEFAULT) -> list[int]:
    """The public inputs in a file, each canonical and below the scalar field's modulus."""
    return located(path, public_from_json, strict_json.load(path, PUBLIC), curve)


def read_public_values(path: Source, curve: Curve = DEFAULT) -> tuple[list[int], bytes]:
    """The public inputs in a file, and the packed arrays of a circuit that has some, else no bytes."""
    return located(path, public_values_from_json, strict_json.load(path, PUBLIC), curve)


def public_beside(proof_path: StrPath) -> Path:
    """Where the public values of a proof lie by default: public.json beside proof.json, p2.public.json beside p2.json.

    Beside a pipe or a device nothing lies: public.json in the working folder.
    """
    path = Path(proof_path)
    if is_special(path):
        return Path("public.json")
    return path.with_name("public.json" if path.name == "proof.json" else f"{path.stem}.public.json")


def write_public(path: StrPath, public_inputs: Sequence[int]) -> None:
    """Writes a public.json of public inputs alone. Raises UsageError for one that is no integer."""
    strict_json.dump(path, public_values_to_json(public_inputs, b"", False))


def public_from_json(value: Any, curve: Curve = DEFAULT) -> list[int]:
    """The public inputs of a parsed public.json."""
    require_kind(value, PUBLIC)
    modulus = curve.scalar_field.modulus
    return [decimal(item, modulus, f"public input {i}") for i, item in enumerate(list_of(value, "the public inputs"))]


def public_values_to_json(public_inputs: Sequence[int], packed: bytes, committed: bool) -> Any:
    """The value of a public.json: a list, or an object with the packed arrays beside a proof with a commitment.

    Raises UsageError for a public input that is no integer.
    """
    inputs = [str(integer(value, f"public input {i}")) for i, value in enumerate(public_inputs)]
    return {"inputs": inputs, "packed": "0x" + packed.hex()} if committed else inputs


def public_values_from_json(value: Any, curve: Curve = DEFAULT) -> tuple[list[int], bytes]:
    """The public inputs of a parsed public.json, and its packed arrays."""
    if not isinstance(value, dict) or "packed" not in value:
        return public_from_json(value, curve), b""
    packed = member(value, "packed")
    if not isinstance(packed, str) or not _HEX.fullmatch(packed):
        raise FormatError(f'packed: {shown(packed)} is not a string of bytes such as "0x0aff": make the file again')
    return public_from_json(member(value, "inputs"), curve), bytes.fromhex(packed[2:])
