"""input.json, or .npz: the named inputs of a circuit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from zkgpu.errors import FormatError
from zkgpu.fields.field import Field
from zkgpu.formats import strict_json
from zkgpu.formats.container import Source, map_file, name_of
from zkgpu.formats.strict_json import Misfit

MAX_INPUT_BYTES = 1 << 28
_SHOWN = 80  # characters of a value
_NUMERAL = re.compile(r"-?(0x[0-9a-fA-F]{1,128}|[0-9]{1,160})", re.ASCII)
_WORD = re.compile(r"[A-Za-z]{0,16}")
_DIGITS = re.compile(r"[a-fA-F]+")  # a word that may be a number in hexadecimal
_CONSTANTS = {True: "true", False: "false", None: "null"}


class _Leaf(NamedTuple):
    """A single value: `where` is what messages call it, such as 'a'[1] or 'bus.x'."""

    where: str
    value: Any


def read_inputs(source: Source, field: Field | None = None, *, buses: bool = True) -> dict[str, Any]:
    """The input signals of a circuit: names to integers, strings, nested lists, or nested objects for buses.

    Args:
        field: when given, values must lie between -r and r, r its modulus
        buses: whether a value may be an object

    Raises FormatError, naming file, input and index, for a value that is no integer, nor a decimal or 0x string;
    for fractions, NaN and duplicate names. Integers are exact, whatever their size.
    """
    value = strict_json.load(source, "a JSON file of inputs", MAX_INPUT_BYTES, keep_misfits=True)
    if not isinstance(value, dict):
        raise FormatError(f'{name_of(source)}: not an object of named inputs: give {{"name": value}}')
    for name, item in value.items():
        for leaf in _leaves(name, "", item, buses):
            _judge(name_of(source), leaf, field)
    return value


def read_integer_arrays(source: Source) -> dict[str, NDArray[Any]] | None:
    """The arrays of an .npz file by name; None for a file of another kind.

    Raises FormatError for one whose arrays are no integers or truths, and for an .npy file, whose array has no name.
    """
    if not map_file(source)[:6].tobytes().startswith((b"\x93NUMPY", b"PK\x03\x04")):
        return None
    from zkgpu.formats.arrays import read_arrays  # here, as archives take longer to import than JSON

    arrays = read_arrays(source)
    if not isinstance(arrays, dict):
        raise FormatError(f"{name_of(source)}: an array without a name: give an .npz file with the inputs by name")
    for name, array in arrays.items():
        if array.dtype.kind not in "biu":
            raise FormatError(f"{name_of(source)}: input '{name}' has the type {array.dtype}: give integers")
    return arrays


def integer_of(value: Any) -> int | None:
    """The integer that a JSON integer, a decimal or a 0x string spells; None for anything else."""
    if isinstance(value, str) and not isinstance(value, Misfit):
        return int(value, 16 if "0x" in value else 10) if _NUMERAL.fullmatch(value) else None
    return value if type(value) is int else None


def _leaves(name: str, index: str, value: Any, buses: bool) -> Iterator[_Leaf]:
    if isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves(name, f"{index}[{i}]", inner, buses)
    elif isinstance(value, Mapping) and buses:
        for member, inner in value.items():
            yield from _leaves(f"{name}{index}.{member}", "", inner, buses)
    else:
        yield _Leaf(f"'{name}'{index}", value)


def _judge(path: str, leaf: _Leaf, field: Field | None) -> None:
    number = integer_of(leaf.value)
    where = f"{path}: input {leaf.where}"
    if number is None:
        raise FormatError(
            f'{where}: {_called(leaf.value)} is not an integer: give 42, "42" or "0x2a"',
            values=_spelled(leaf.value),
        )
    if field is not None and not -field.modulus < number < field.modulus:
        raise FormatError(
            f"{where}: the value is not between -r and r, r = {field.modulus}: reduce it yourself",
            values=_spelled(leaf.value),
        )


def _called(value: Any) -> str:
    """What a message calls a value that is no integer: itself where it is a word, which no number can hide behind."""
    if isinstance(value, Misfit):
        return value.kind
    if isinstance(value, str):
        is_word = _WORD.fullmatch(value) and not _DIGITS.fullmatch(value)
        return f'"{value}"' if is_word else f"a string of {len(value):,} characters"
    return "an object" if isinstance(value, Mapping) else _CONSTANTS[value]


def _spelled(value: Any) -> str:
    """The value itself, for whoever asks to see it."""
    text = hex(value) if type(value) is int else json.dumps(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
