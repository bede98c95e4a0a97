"""input.json: the named inputs of a circuit."""

from __future__ import annotations

import os
from typing import Any

from zkgpu.errors import FormatError
from zkgpu.formats import strict_json
from zkgpu.formats.json_values import StrPath

MAX_INPUT_BYTES = 1 << 28


def read_inputs(path: StrPath) -> dict[str, Any]:
    """The input signals of a circuit: names to integers, strings, nested lists, or nested objects for buses.

    Integers may be of any sign and size up to 96 digits; fractions, NaN and duplicate names are refused.
    """
    value = strict_json.load(path, "a JSON file of inputs", MAX_INPUT_BYTES)
    if not isinstance(value, dict):
        raise FormatError(f'{os.fspath(path)}: not an object of named inputs: give {{"name": value}}')
    return value
