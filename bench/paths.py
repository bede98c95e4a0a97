"""What the README says to type, typed by somebody who has nothing yet: a fresh clone, a fresh environment, no kernels.

    python bench/paths.py [--python PROGRAM]    # needs git, and a network for pip

Takes some minutes, of which pip and the first compilation of kernels are the most. Commands are those of README.md and
of the page on ceremonies, in the order that a reader needs them; only the files that these name are made here: a
circuit of circom's, a model, samples. What each command prints and takes is shown as it ends; one that fails ends all.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import ROOT, Recorder
from measuring import Measurement
from programs import cpu_of_ended_children

LIMIT = 900  # seconds of one command
SHOWN = 12  # lines of what a command prints
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
SAMPLES = """
import numpy as np
from sklearn.datasets import load_digits
images = load_digits().data.astype(np.float32)
np.savez("data.npz", x=images[:200])
np.savez("input.npz", x=images[1600:1601])
"""


@dataclass(frozen=True)
class Reader:
    """Somebody with a clone and an environment of their own.

    Attributes:
        folder: the clone lies in it, and so does what they make
        python: which the environment is made of
    """

    folder: Path
    python: str
    recorder: Recorder

    @property
    def clone(self) -> Path:
        return self.folder / "zkgpu"

    def types(self, command: str, place: Path) -> None:
        """One command of a shell, shown with its output and seconds, and recorded."""
        print(f"\n$ {command}", flush=True)
        cpu, start = cpu_of_ended_children(), time.perf_counter()
        done = subprocess.run(
            ["bash", "-c", command], cwd=place, env=self._environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT, check=False,
        )  # fmt: skip
        taken = Measurement((time.perf_counter() - start,), (cpu_of_ended_children() - cpu,))
        print("\n".join(done.stdout.splitlines()[-SHOWN:]), flush=True)
        if done.returncode:
            raise SystemExit(f"{command}: exit code {done.returncode}")
        self.recorder.add(taken, threads=os.cpu_count(), what=command, checked="exit code 0")

    def types_all(self, block: str, place: Path) -> None:
        for line in block.splitlines():
            command = line.partition("#")[0].strip()
            if command:
                self.types(re.sub(r"0x00\.\.(\w\w)", r"0x" + 31 * "00" + r"\1", command), place)

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith(("ZKGPU", "PYTHON", "VIRTUAL"))}
        programs = f"{self.folder / 'venv' / 'bin'}{os.pathsep}{own['PATH']}"
        places = {"ZKGPU": str(ROOT), "PYTHON": self.python, "ZKGPU_CACHE_DIR": str(self.folder / "cache")}
        return {**own, "PATH": programs, **places}


def blocks(page: Path, language: str = "") -> list[str]:
    """The fenced blocks of a page."""
    return [text for kind, text in BLOCK.findall(page.read_text()) if kind == language]


def walk(reader: Reader) -> None:
    """Every path of the README, in its order; the powers of tau that two of them take are made before these."""
    reader.types('git clone -q "$ZKGPU" zkgpu', reader.folder)
    reader.types('"$PYTHON" -m venv venv', reader.folder)
    first, circom, model, *_ = blocks(reader.clone / "README.md")
    (ceremony,) = blocks(reader.clone / "docs" / "how-to" / "hold-a-ceremony.md")
    reader.types_all(first, reader.clone)
    reader.types("pip install '.[circom,evm,sklearn]'", reader.clone)
    reader.types("zkgpu demo", reader.folder)
    place = _made(reader.folder / "circuit")
    (place / "circuit.py").write_text(blocks(reader.clone / "README.md", "python")[0])
    reader.types("python circuit.py", place)
    place = _made(reader.folder / "project")
    _put_circuit(reader.clone, place)
    reader.types_all(ceremony, place)
    reader.types_all(circom, place)
    powers, place = place / "pot.ptau", _made(reader.folder / "model")
    shutil.copy(reader.clone / "examples" / "models" / "digits_dense.onnx", place / "model.onnx")
    (place / "samples.py").write_text(SAMPLES)
    os.link(powers, place / "pot.ptau")
    reader.types("python samples.py", place)
    reader.types_all(model, place)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _put_circuit(clone: Path, place: Path) -> None:
    """The files of a circuit as README.md calls them."""
    samples = clone / "tests" / "data" / "samples" / "multiplier"
    for name in ("multiplier.r1cs", "multiplier.wasm"):
        shutil.copy(samples / name, place / name.replace("multiplier", "circuit"))
    shutil.copy(samples / "input.json", place)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--python", default=sys.executable, help="the Python that the environment is made of")
    chosen = options.parse_args()
    with TemporaryDirectory() as folder:
        walk(Reader(Path(folder), chosen.python, Recorder("paths")))


if __name__ == "__main__":
    main()
