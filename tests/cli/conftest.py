"""A small circuit in a file, and the files that the commands make of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zkgpu.curves.bn254 import Fr
from zkgpu.formats.wtns import read_wtns, write_wtns

CIRCUIT = """
from zkgpu import Circuit


def circuit():
    c = Circuit()
    x, y = c.private("x"), c.public("y")
    c.assert_equal(x**3 + x + 5, y, label="cubic")
    return c


ready = circuit()
number = 5


def broken():
    raise RuntimeError("two\\nlines")
"""


@pytest.fixture(scope="session")
def samples() -> Path:
    return Path(__file__).parents[1] / "data" / "samples"


@dataclass(frozen=True)
class Workspace:
    """A folder with cubic.py (x^3 + x + 5 = y) and an input that satisfies it, made into more as a test asks."""

    folder: Path
    command: Any

    def __truediv__(self, name: str) -> Path:
        return self.folder / name

    def source(self, name: str = "circuit") -> str:
        return f"{self.folder / 'cubic.py'}:{name}"

    def input(self, **values: Any) -> Path:
        (self / "input.json").write_text(json.dumps(values))
        return self / "input.json"

    def done(self, *arguments: object) -> None:
        """Runs a command that must succeed."""
        outcome = self.command(*arguments)
        assert outcome.code == 0, outcome.err

    def prepared(self) -> Workspace:
        """With circuit.r1cs, witness.wtns and an unsafe key.zkey."""
        self.done("compile", self.source(), "-o", self / "circuit.r1cs")
        self.done("witness", self.source(), self.input(x=3, y=35), "-o", self / "witness.wtns")
        self.done("setup", self / "circuit.r1cs", "--unsafe", self / "key.zkey")
        return self

    def proven(self) -> Workspace:
        """And with proof.json, public.json and vk.json."""
        self.prepared()
        self.done("prove", self / "key.zkey", self / "witness.wtns", *self.outputs)
        self.done("export", "vk", self / "key.zkey", self / "vk.json")
        return self

    @property
    def outputs(self) -> tuple[object, ...]:
        return "--proof", self / "proof.json", "--public", self / "public.json"

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def work(tmp_path: Path, command: Any) -> Workspace:
    (tmp_path / "cubic.py").write_text(CIRCUIT)
    return Workspace(tmp_path, command)


@pytest.fixture
def wrong_witness(samples: Path, tmp_path: Path) -> Path:
    """The multiplier's witness with its last value changed."""
    assignment = read_wtns(samples / "multiplier" / "witness.wtns").copy()
    assignment[-1, 0] += np.uint64(1)
    write_wtns(tmp_path / "wrong.wtns", Fr, assignment)
    return tmp_path / "wrong.wtns"
