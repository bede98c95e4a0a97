"""A circom circuit for the benches: SHA-256 of a message that fills a domain of 2^15 or 2^18; its wires are bits.

Compiled by npm's circom2 from circomlib's templates. The witness comes from zkgpu's calculator: its digest must be
Python's, and `zkgpu check` and `zkgpu fullprove` must accept it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from files import CircuitFiles
from programs import ZKGPU, run

from zkgpu.backend import Backend
from zkgpu.circom import compute_witness
from zkgpu.curves.bn254 import Fr
from zkgpu.fields.field import Limbs
from zkgpu.formats.circuit_inputs import read_inputs
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.groth16 import unsafe_setup

MESSAGE_BYTES = {15: 32, 18: 480}  # of 1 and of 8 blocks
TEMPLATE = Path(__file__).with_suffix(".circom")
PACKAGES = ("circom2", "circomlib")


def lacks(node_modules: str | None) -> str:
    """Why the circuit cannot be compiled; nothing if it can."""
    if not node_modules:
        return "give --node-modules"
    missing = [name for name in PACKAGES if not Path(node_modules, name).is_dir()]
    return f"npm install {' '.join(missing)}" if missing else ""


@contextmanager
def sha256_files(log_size: int, backend: Backend, node_modules: str) -> Iterator[CircuitFiles]:
    """The files of a circuit that fills 2^log_size, with an unsafe key, in a folder that vanishes."""
    message = bytes(i % 256 for i in range(MESSAGE_BYTES[log_size]))
    with TemporaryDirectory() as folder:
        files = CircuitFiles(Path(folder), "sha256")
        compile_circom(files, node_modules, len(message))
        files.inputs.write_text(json.dumps({"message": list(message)}))
        assignment = compute_witness(files.calculator, read_inputs(files.inputs), Fr)
        require_digest(assignment, message)
        r1cs = read_r1cs(files.r1cs)
        key = unsafe_setup(r1cs, backend)
        if key.domain_size != 1 << log_size:
            raise SystemExit(f"{len(message)} bytes fill a domain of {key.domain_size}, not of 2^{log_size}")
        files.write(r1cs, assignment, key)
        run([*ZKGPU, "check", files.r1cs, files.witness])
        yield files


def compile_circom(files: CircuitFiles, node_modules: str, message_bytes: int) -> None:
    """Writes .r1cs and the calculator. circom2 sees only what is below its working directory: hence the root."""
    main = files.folder / f"{files.name}.circom"
    main.write_text(f"{TEMPLATE.read_text()}\ncomponent main = DigestOf({message_bytes});\n")
    compiler = ["node", Path(node_modules, ".bin", "circom2")]
    command = [*compiler, main, "--r1cs", "--wasm", "-l", node_modules, "-o", files.folder]
    done = subprocess.run(list(map(str, command)), cwd="/", capture_output=True, text=True, check=False)
    if not (files.r1cs.exists() and files.calculator.exists()):
        raise SystemExit(f"circom2: {done.stdout}{done.stderr}")


def require_digest(assignment: Limbs, message: bytes) -> None:
    """Exits unless the circuit's two outputs are the halves of the message's digest."""
    digest = hashlib.sha256(message).digest()
    if Fr.from_limbs(assignment[1:3]) != [int.from_bytes(half, "big") for half in (digest[:16], digest[16:])]:
        raise SystemExit("the circuit's digest is not that of hashlib")


def share_of_bits(assignment: Limbs) -> float:
    """How much of a witness is zeros and ones."""
    return float(((assignment[:, 1:] == 0).all(axis=1) & (assignment[:, 0] <= 1)).mean())
