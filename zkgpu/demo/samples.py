"""Files to try the commands with: a circom circuit, a model, their inputs, and powers of tau that suffice for both."""

from __future__ import annotations

import tempfile
from importlib.resources import files
from pathlib import Path

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.phase_one import contribute_powers, write_new_powers
from zkgpu.ceremony.preparing import prepare_powers
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.curves import DEFAULT
from zkgpu.formats.atomic import replacing
from zkgpu.stages import stage

POWERS = "pot.ptau"
POWER = 11  # the model's circuit has 1,589 constraints
CONTRIBUTOR = "unsafe: zkgpu samples, one party alone"
# of circom 2.2.3, from circuit.circom; and the digits' network of examples/models, 128 images for it, and a three:
# scikit-learn's, from UCI's Optical Recognition of Handwritten Digits, CC BY 4.0
_CIRCOM = ("circuit.circom", "circuit.r1cs", "circuit.sym", "circuit.wasm", "input.json")
KEPT = (*_CIRCOM, "model.onnx", "data.npz", "input.npz")
NAMES = (*KEPT, POWERS)


def sample(name: str) -> bytes:
    """What one of KEPT holds."""
    return files("zkgpu.demo").joinpath("samples").joinpath(name).read_bytes()


def write_samples(folder: Path, backend: Backend) -> None:
    """Writes NAMES into a folder, which is made where there is none. The powers are new ones each time.

    The powers, which take nearly all of the time, come first: where that ends early, it can be begun again. Raises
    ResourceError when the system refuses to write.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _write_powers(folder / POWERS, backend)
    with stage("write files"):
        for name in KEPT:
            with replacing(folder / name) as file:
                file.write(sample(name))


def _write_powers(path: Path, backend: Backend) -> None:
    """Powers of tau of a ceremony of one."""
    with tempfile.TemporaryDirectory() as scratch:
        new, contributed = Path(scratch, "new.ptau"), Path(scratch, "contributed.ptau")
        write_new_powers(new, DEFAULT, POWER)
        contribute_powers(read_ptau(new), contributed, backend, name=CONTRIBUTOR)
        prepare_powers(read_ptau(contributed), path, backend)
