"""The named inputs and outputs of a circuit, and reading their values from Python numbers, strings and arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.numbers import Numbers, object_array
from zkgpu.errors import InputError
from zkgpu.fields.field import Field
from zkgpu.records import dataclass

Kind = Literal["output", "public", "packed", "private"]

_NUMERAL = re.compile(r"-?(0x[0-9a-fA-F]{1,128}|[0-9]{1,160})", re.ASCII)


@dataclass(frozen=True)
class Signal:
    """A named value of a circuit.

    Attributes:
        kind: "output" and "public" signals are public inputs of the proof, "packed" ones reach the verifier through a
            digest, "private" ones not at all
        shape: () for a single value
        first: its first wire; the others follow in C order
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    first: int

    @property
    def size(self) -> int:
        """How many values it has."""
        return math.prod(self.shape)


def read_inputs(signals: Sequence[Signal], inputs: Mapping[str, object], field: Field) -> dict[str, Numbers]:
    """For each signal its values, flat.

    Raises InputError that names the input when one is missing, unknown, of another shape or not a number.
    """
    known = {signal.name for signal in signals}
    unknown = [name for name in inputs if name not in known]
    missing = [signal.name for signal in signals if signal.name not in inputs]
    if unknown:
        raise InputError(f"unknown input '{unknown[0]}': the circuit takes {_listing(sorted(known))}")
    if missing:
        raise InputError(f"missing input {_listing(missing)}")
    return {signal.name: _read(signal, inputs[signal.name], field) for signal in signals}


def _read(signal: Signal, value: object, field: Field) -> Numbers:
    array = _as_array(signal.name, value)
    if array.shape != signal.shape:
        raise InputError(f"input '{signal.name}' has shape {array.shape}, but the circuit declares {signal.shape}")
    if array.dtype.kind in "biu":
        return Numbers.of(array.ravel(), field.modulus)
    numbers = [_as_integer(signal.name, v) for v in array.ravel()]
    for v in numbers:
        if not -field.modulus < v < field.modulus:
            raise InputError(
                f"input '{signal.name}' holds a value that is not below the modulus of {field.name}", values=_short(v)
            )
    return Numbers.of(object_array(numbers), field.modulus)


def _as_array(name: str, value: object) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    try:
        array = np.array(value, dtype=object)
    except ValueError as error:
        raise InputError(f"input '{name}' has rows of different lengths") from error
    if any(isinstance(v, list | tuple) for v in array.ravel()):
        raise InputError(f"input '{name}' has rows of different lengths")
    return array


def _as_integer(name: str, value: object) -> int:
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, str) and _NUMERAL.fullmatch(value):
        return int(value, 16 if "x" in value else 10)
    kind = type(value).__name__
    raise InputError(
        f"input '{name}' holds a {kind} that is neither an integer nor a decimal or 0x string", values=_short(value)
    )


def _short(value: object) -> str:
    text = hex(value) if isinstance(value, int) else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _listing(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
