"""What a service proves with: keys and models under names, the only ones that a client can say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from zkgpu.errors import UsageError
from zkgpu.records import dataclass

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_HOW_TO_NAME = "a name has up to 64 letters, digits, '.', '_' and '-', and begins with a letter or a digit"


@dataclass(frozen=True)
class Served:
    """A key, or the build folder of a model.

    Attributes:
        path: of the .zkey, or of the folder
        calculator, circuit: the .wasm and the .r1cs of a key, where they are given
    """

    name: str
    path: str
    is_model: bool = False
    calculator: str | None = None
    circuit: str | None = None

    @property
    def key_file(self) -> str:
        return os.path.join(self.path, "key.zkey") if self.is_model else self.path

    @property
    def files(self) -> list[str]:
        """All that lies in memory, or is mapped, while the key is open."""
        beside = [os.path.join(self.path, name) for name in ("model.npz", "circuit.bin")] if self.is_model else []
        found = [self.key_file, *beside, *filter(None, (self.calculator, self.circuit))]
        return [path for path in found if os.path.isfile(path)]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def key_of(text: str) -> Served:
    """NAME=KEY.zkey[,CALCULATOR.wasm][,CIRCUIT.r1cs]. Raises UsageError for anything else."""
    name, paths = _split(text, "--key NAME=KEY.zkey[,CALCULATOR.wasm][,CIRCUIT.r1cs]")
    key, *beside = paths.split(",")
    found = {Path(path).suffix: _place(path) for path in beside}
    if len(found) != len(beside) or not found.keys() <= {".wasm", ".r1cs"}:
        raise UsageError(f"--key {text}: behind the key come at most one .wasm and one .r1cs file")
    return Served(name, _place(key), calculator=found.get(".wasm"), circuit=found.get(".r1cs"))


def model_of(text: str) -> Served:
    """NAME=BUILD, with the build folder of a model. Raises UsageError for anything else."""
    name, path = _split(text, "--model NAME=BUILD")
    return Served(name, _place(path), is_model=True)


def by_name(served: Iterable[Served]) -> dict[str, Served]:
    """Raises UsageError for a name given twice, and where there is none."""
    found: dict[str, Served] = {}
    for one in served:
        if one.name in found:
            raise UsageError(f"two keys are called {one.name}: give each a name of its own")
        found[one.name] = one
    if not found:
        raise UsageError("nothing to prove with: give --key NAME=KEY.zkey or --model NAME=BUILD")
    return found


def _split(text: str, form: str) -> tuple[str, str]:
    name, equals, rest = text.partition("=")
    if not equals or not rest:
        raise UsageError(f"{text}: give {form}")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{text}: {_HOW_TO_NAME}")
    return name, rest


def _place(path: str) -> str:
    """The absolute path, as other processes have other working folders. Raises UsageError where there is nothing."""
    if not os.path.exists(path):
        raise UsageError(f"{path}: there is no such file or folder")
    return os.path.abspath(path)
