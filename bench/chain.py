"""The circuit of the benches: a chain of Poseidon hashes that fills a domain of 2^k, a dense R1CS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from zkgpu import Circuit
from zkgpu.backend import Backend
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.gadgets import poseidon, poseidon_hash
from zkgpu.circuits.wires import stack
from zkgpu.fields.field import Limbs
from zkgpu.formats.json_files import write_verifying_key
from zkgpu.formats.r1cs import write_r1cs
from zkgpu.formats.wtns import write_wtns
from zkgpu.formats.zkey import write_zkey
from zkgpu.groth16 import ProvingKey, unsafe_setup

CONSTRAINTS_PER_HASH = 240
SECRET, SALT = 123456789, 987654321


def chain(hashes: int) -> Circuit:
    """`end` is the last of x, hash(x, salt), hash(hash(x, salt), salt), ... for a secret x."""
    circuit = Circuit()
    end, salt, node = circuit.public("end"), circuit.public("salt"), circuit.private("x")
    for _ in range(hashes):
        node = poseidon(stack([node, salt]))
    circuit.assert_equal(node, end, label="end of the chain")
    return circuit


def hashes_for(log_size: int) -> int:
    """The longest chain whose constraints and binding rows fit a domain of 2^log_size."""
    return ((1 << log_size) - 5) // CONSTRAINTS_PER_HASH


def inputs_for(hashes: int) -> dict[str, int]:
    node = SECRET
    for _ in range(hashes):
        node = poseidon_hash([node, SALT])
    return {"end": node, "salt": SALT, "x": SECRET}


@dataclass(frozen=True)
class ChainFiles:
    """Where a chain's circuit, witness, key and verification key are."""

    folder: Path

    @property
    def r1cs(self) -> Path:
        return self.folder / "chain.r1cs"

    @property
    def witness(self) -> Path:
        return self.folder / "chain.wtns"

    @property
    def key(self) -> Path:
        return self.folder / "chain.zkey"

    @property
    def verifying_key(self) -> Path:
        return self.folder / "chain.json"


def write_files(folder: Path, compiled: CompiledCircuit, assignment: Limbs, key: ProvingKey) -> ChainFiles:
    files = ChainFiles(folder)
    write_r1cs(files.r1cs, compiled.r1cs)
    write_wtns(files.witness, compiled.r1cs.field, assignment)
    write_zkey(files.key, key)
    write_verifying_key(files.verifying_key, key.verifying_key)
    return files


@contextmanager
def chain_files(log_size: int, backend: Backend) -> Iterator[ChainFiles]:
    """The files of a chain that fills 2^log_size, with an unsafe key, in a folder that vanishes."""
    hashes = hashes_for(log_size)
    compiled = chain(hashes).compile()
    key = unsafe_setup(compiled.r1cs, backend)
    if key.domain_size != 1 << log_size:
        raise SystemExit(f"{hashes} hashes fill a domain of {key.domain_size}, not of 2^{log_size}")
    with TemporaryDirectory() as folder:
        yield write_files(Path(folder), compiled, compiled.witness(inputs_for(hashes)), key)
