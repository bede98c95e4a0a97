"""The circuit of the benches: a chain of Poseidon hashes that fills a domain of 2^k, a dense R1CS."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from files import CircuitFiles

from zkgpu import Circuit
from zkgpu.backend import Backend
from zkgpu.circuits import stack
from zkgpu.circuits.gadgets import poseidon, poseidon_hash
from zkgpu.groth16 import unsafe_setup

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


@contextmanager
def chain_files(log_size: int, backend: Backend) -> Iterator[CircuitFiles]:
    """The files of a chain that fills 2^log_size, with an unsafe key, in a folder that vanishes."""
    hashes = hashes_for(log_size)
    compiled = chain(hashes).compile()
    key = unsafe_setup(compiled.r1cs, backend)
    if key.domain_size != 1 << log_size:
        raise SystemExit(f"{hashes} hashes fill a domain of {key.domain_size}, not of 2^{log_size}")
    with TemporaryDirectory() as folder:
        files = CircuitFiles(Path(folder), "chain")
        files.write(compiled.r1cs, compiled.witness(inputs_for(hashes)), key)
        yield files
