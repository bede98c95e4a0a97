"""Input signals as circom's calculators name them: by the hash of a name, with the values of an array in a row."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping
from typing import Any

from zkgpu.errors import InputError
from zkgpu.fields.field import Field
from zkgpu.formats.circuit_inputs import integer_of


def flatten(inputs: Mapping[str, Any], field: Field) -> dict[str, list[int]]:
    """Each signal's values in row-major order, canonical in the field.

    A value is an integer, a decimal or 0x string, an array, or a nested list of those; negative ones count from the
    modulus. A mapping is a bus: its member b of signal a is named a.b, of an array of buses a[0].b. Raises InputError
    naming the signal for anything else, for rows of different lengths, and for values not between -modulus and modulus,
    which would be reduced.
    """
    signals: dict[str, list[int]] = {}
    for name, value in inputs.items():
        for leaf, number in _leaves(name, "", value, field):
            signals.setdefault(leaf, []).append(number)
    return signals


def name_hash(name: str) -> int:
    """64-bit FNV-1a of the name (draft-eastlake-fnv, parameters for 64 bits)."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return state


def _leaves(name: str, index: str, value: Any, field: Field) -> Iterator[tuple[str, int]]:
    """Names of signals with values in a row; `index` is the place in the signal, for messages."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if not index:
        _shape(f"input '{name}'", value)
    if isinstance(value, Mapping):
        for member, inner in value.items():
            yield from _leaves(f"{name}{index}.{member}", "", inner, field)
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from _leaves(name, f"{index}[{i}]", inner, field)
    else:
        yield name, _number(f"input '{name}'{index}", value, field)


def _shape(where: str, value: Any) -> tuple[int, ...]:
    """Of a signal's values. Raises InputError unless all rows of an axis are alike, as circom's arrays are."""
    if not isinstance(value, list | tuple):
        return tuple(getattr(value, "shape", ()))
    shapes = {_shape(where, inner) for inner in value}
    if len(shapes) > 1:
        raise InputError(f"{where}: its rows have different lengths: give an array as the circuit declares it")
    return (len(value), *next(iter(shapes), ()))


def _number(where: str, value: Any, field: Field) -> int:
    number = _integer(value)
    if number is None:
        raise InputError(f'{where}: a {type(value).__name__} is not an integer: give 42, "42" or "0x2a"')
    if not -field.modulus < number < field.modulus:
        raise InputError(f"{where}: a value is not between -r and r, r = {field.modulus}: reduce it yourself")
    return number % field.modulus


def _integer(value: Any) -> int | None:
    if isinstance(value, str | bool):
        return integer_of(value)
    try:
        return operator.index(value)
    except TypeError:
        return None
