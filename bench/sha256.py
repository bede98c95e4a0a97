"""A real circom circuit for the benches: SHA-256 of a message that fills a domain of 2^15 or 2^18, nearly all bits.

Compiled with npm's circom2 and circomlib (`npm install circom2 circomlib snarkjs`). The witness is that of zkgpu's
own calculator, its digest is held against Python's, and `zkgpu check` must find nothing wrong with it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from files import BenchFiles
from programs import run, zkgpu_program

from zkgpu.backend import Backend
from zkgpu.formats.json_files import write_verifying_key
from zkgpu.formats.r1cs import read_r1cs
from zkgpu.formats.wtns import read_wtns
from zkgpu.formats.zkey import write_zkey
from zkgpu.groth16 import unsafe_setup

BYTES = {15: 32, 18: 480}  # messages of 1 and of 8 blocks
TEMPLATE = Path(__file__).with_suffix(".circom")
PACKAGES = ("circom2", "circomlib", "snarkjs")


def lacks(node_modules: str | None) -> str:
    """What is missing to compile the circuit, or nothing."""
    if not node_modules:
        return "--node-modules is not given"
    missing = [name for name in PACKAGES if not Path(node_modules, name).is_dir()]
    return f"{node_modules} lacks {', '.join(missing)}" if missing else ""


@contextmanager
def sha256_files(log_size: int, backend: Backend, node_modules: str) -> Iterator[BenchFiles]:
    """The files of a circuit that fills 2^log_size, with an unsafe key, in a folder that vanishes."""
    with TemporaryDirectory() as folder:
        files = BenchFiles(Path(folder), "sha256")
        message = bytes(i % 256 for i in range(BYTES[log_size]))
        compile_circom(files, node_modules, len(message))
        files.inputs.write_text(json.dumps({"message": list(message)}))
        key = unsafe_setup(read_r1cs(files.r1cs), backend)
        if key.domain_size != 1 << log_size:
            raise SystemExit(f"{len(message)} bytes fill a domain of {key.domain_size}, not of 2^{log_size}")
        write_zkey(files.key, key)
        write_verifying_key(files.verifying_key, key.verifying_key)
        run([*zkgpu_program("fullprove"), files.inputs, files.wasm, files.key, *files.outputs("fullprove")])
        run([*zkgpu_program("witness"), files.wasm, files.inputs, "-o", files.witness])
        run([*zkgpu_program("check"), files.r1cs, files.witness])
        require_digest(files, message)
        yield files


def compile_circom(files: BenchFiles, node_modules: str, message_bytes: int) -> None:
    """Writes .r1cs and .wasm. circom2 reads only below its working directory, which is why that is the root."""
    main = files.folder / "sha256.circom"
    text = TEMPLATE.read_text() + f"\ncomponent main = DigestOf({message_bytes});\n"
    main.write_text(text)
    command = ["node", Path(node_modules, ".bin", "circom2"), main, "--r1cs", "--wasm", "-l", node_modules]
    done = subprocess.run([*command, "-o", files.folder], cwd="/", capture_output=True, text=True, check=False)
    if not files.r1cs.exists() or not files.wasm.exists():
        raise SystemExit(f"circom2: {done.stdout}{done.stderr}")


def require_digest(files: BenchFiles, message: bytes) -> None:
    digest = hashlib.sha256(message).digest()
    field_values = read_wtns(files.witness)
    print(field_values[:3], digest)
