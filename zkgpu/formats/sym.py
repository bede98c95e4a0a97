"""Names of a circuit's signals as circom writes them with --sym: a line `label,wire,component,name` for each.

A wire of -1 is one that simplification dropped. Names are read when a message needs some, and then those alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import FormatError, UsageError
from zkgpu.formats.container import map_file
from zkgpu.formats.json_values import StrPath
from zkgpu.formats.kinds import NAMES, wrong_kind

Signals: TypeAlias = Callable[[Iterable[int]], dict[int, str]]  # names by wire


def signals_of(path: StrPath, labels: NDArray[np.int64]) -> Signals:
    """What names wires by the .sym file `path`. `labels` are those of the circuit's wires, by which a line is known.

    What is returned raises FormatError for a damaged file and for one of another circuit.
    """
    return lambda wires: read_names(path, {int(labels[wire]): wire for wire in wires})


def beside(circuit: StrPath) -> Path | None:
    """The .sym file that lies beside a .r1cs file, if there is one."""
    path = Path(circuit).with_suffix(".sym")
    return path if path.is_file() and path != Path(circuit) else None


def require_sym(path: StrPath) -> None:
    """Raises FormatError unless the file begins as a .sym file does, UsageError when there is none."""
    name, data = os.fspath(path), map_file(path)
    first = data[:4096].tobytes().partition(b"\n")[0]
    if len(first.split(b",", 3)) != 4:
        other = wrong_kind(name, data, NAMES, is_json=False)
        raise other or FormatError(f"{name}: line 1 is not label,wire,component,name: give the file of circom --sym")


def read_names(path: StrPath, wires: dict[int, int]) -> dict[int, str]:
    """The names of wires by number, for wires by label. Raises FormatError for a file that is not of the circuit."""
    found: dict[int, str] = {}
    try:
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                label, wire, name = _entry(path, number, line)
                if label in wires:
                    if wire != wires[label]:
                        raise FormatError(
                            f"{os.fspath(path)}: line {number:,}: it is of another circuit: compile again"
                        )
                    found[wire] = name
    except OSError as error:
        raise UsageError(f"{os.fspath(path)}: cannot be read ({error.strerror}): check the path") from error
    return found


def _entry(path: StrPath, number: int, line: bytes) -> tuple[int, int, str]:
    try:
        label, wire, _, name = line.rstrip(b"\r\n").split(b",", 3)
        return int(label), int(wire), name.decode()
    except ValueError:
        raise FormatError(
            f"{os.fspath(path)}: line {number:,} is not label,wire,component,name: compile the circuit again"
        ) from None
