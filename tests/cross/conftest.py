"""snarkjs, when it is there: `npm install snarkjs` in the project's folder, or anywhere named by ZKGPU_NODE_MODULES."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
Snarkjs = Callable[..., str]


def find_snarkjs() -> str | None:
    """Path of the snarkjs program, or None."""
    folders = [os.environ.get("ZKGPU_NODE_MODULES"), str(ROOT / "node_modules")]
    programs = [str(Path(folder, ".bin", "snarkjs")) for folder in folders if folder]
    return next((found for program in [*programs, "snarkjs"] if (found := shutil.which(program))), None)


@pytest.fixture(scope="session")
def snarkjs() -> Snarkjs:
    """snarkjs("groth16", "verify", ...): what the command prints, without colors. Fails when the command does."""
    program = find_snarkjs()
    if program is None:
        pytest.skip("snarkjs is not installed: npm install snarkjs")

    def run(*arguments: object, fails: bool = False) -> str:
        command = [program, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        said = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)
        assert (done.returncode != 0) == fails, said
        return said

    return run


@pytest.fixture(scope="session")
def samples() -> Path:
    return ROOT / "tests" / "data" / "samples"


@pytest.fixture(scope="session")
def powers_of_tau(snarkjs: Snarkjs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ceremony of 2^10 by snarkjs, with one contribution, prepared for phase 2. Takes a quarter of a minute."""
    folder = tmp_path_factory.mktemp("ceremony")
    new, contributed, prepared = (folder / f"{name}.ptau" for name in ("new", "contributed", "prepared"))
    snarkjs("powersoftau", "new", "bn128", 10, new)
    snarkjs("powersoftau", "contribute", new, contributed, "--name=test", "-e=any text")
    snarkjs("powersoftau", "prepare", "phase2", contributed, prepared)
    return prepared
