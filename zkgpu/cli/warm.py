"""Compiling ahead: runs that need every kernel, and a second process that takes its share of a first start.

Numba compiles under a lock of the whole process, so another core helps only from another process. Whichever of the two
comes to a kernel first compiles it while the other waits for it: nothing is compiled twice.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zkgpu.backend.protocol import Backend
from zkgpu.curves.points import Group
from zkgpu.errors import ZkgpuError
from zkgpu.stages import stage

if TYPE_CHECKING:
    import subprocess

    from zkgpu.provers.proof_system import ProofSystem

_PROGRAM = "from zkgpu.cli import main; main()"
_SHARE = ("--quiet", "--device", "cpu", "cache", "warm", "--only", "g2")


@contextlib.contextmanager
def second_process(backend: Backend) -> Iterator[subprocess.Popen[bytes] | None]:
    """While the block runs, another process compiles the kernels of G2 and of pairings: half of a first start.

    None where there is nothing to share: some kernels are cached, there is one core, or the device is not the CPU.
    """
    if not _is_worth_while(backend):
        yield None
        return
    import subprocess

    command, nothing = [sys.executable, "-c", _PROGRAM, *_SHARE], subprocess.DEVNULL
    with subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing) as process:  # noqa: S603 - ourselves
        try:
            yield process
        finally:
            process.terminate()


def _is_worth_while(backend: Backend) -> bool:
    from zkgpu.backend.machine import needs_compiling

    if not backend.name.startswith("cpu") or not sys.executable or (os.cpu_count() or 1) < 2:
        return False
    return needs_compiling()


def warm(backend: Backend) -> None:
    """Run every kernel of the device that a command may need."""
    from zkgpu.systems.registry import NAMES, system

    with stage("warm G1"):
        warm_group(backend, backend.curve.g1)
    with stage("warm vectors"):
        warm_vectors(backend)
        warm_matrices()
    for proof_system in map(system, reversed(NAMES)):  # the default last: it waits for the second process
        with stage(f"warm {proof_system.title}"):
            warm_system(backend, proof_system)
    with stage("warm G2"):
        warm_group(backend, backend.curve.g2)
    with stage("warm hash"):
        warm_hash()


def warm_group(backend: Backend, group: Group) -> None:
    """Run the kernels of a group: those of every setup and proof first, then those of a setup from a ceremony."""
    import numpy as np

    from zkgpu.fields.sparse import SparseMatrix
    from zkgpu.msm.merging import FEWEST

    field = backend.curve.scalar_field
    scalars = backend.vector(field.to_limbs([1, field.modulus - 2]))
    rows = backend.fixed_base(group.generator, scalars)
    backend.msm(backend.points(group, rows), scalars)
    many = np.arange(FEWEST) & 1  # the points of long scalars that occur often are added first
    backend.msm(backend.points(group, rows[many]), backend.vector(field.to_limbs([1 << 200, 1 << 201])[many]))
    indices = np.arange(2, dtype=np.int64)
    matrix = SparseMatrix.from_entries((2, 2), indices, indices, indices, field.to_limbs([1, 12345]))
    combined = backend.combine_points(group, matrix, rows)
    backend.canonical_rows(group, rows)
    if backend.first_invalid_point(group, backend.scale_points(group, combined, 7)) is not None:
        raise ZkgpuError(f"{backend.name}: a multiple of the generator of {group.name} is not a valid point")


def warm_hash() -> None:
    """Run the kernel of the hash that contributions to powers of tau leave open."""
    import hashlib

    from zkgpu.store.open_hash import OpenHash

    state = OpenHash()
    state.update(bytes(1000))
    if state.digest() != hashlib.blake2b(bytes(1000)).digest():
        raise ZkgpuError("the hash of contributions is not BLAKE2b")


def warm_share(backend: Backend) -> None:
    """What a second process does of a first start: the kernels of G2, then the one that later verifications run on."""
    from zkgpu.curves.execution import use_kernel
    from zkgpu.curves.pairing import is_in_subgroup_g2

    warm_group(backend, backend.curve.g2)
    use_kernel()
    if not is_in_subgroup_g2(backend.curve.g2.generator):
        raise ZkgpuError(f"{backend.name}: the generator of {backend.curve.g2.name} is not in its subgroup")


def warm_vectors(backend: Backend) -> None:
    """Run the kernels of vectors; transforms of a size that is not done by definition, over every kind of coset."""
    from zkgpu.ntt.domain import Domain

    field = backend.curve.scalar_field
    n = 1 << 7
    rows = field.to_limbs(range(1, n + 1))
    vector = backend.vector(rows)
    rows.flags.writeable = False  # as those of a mapped file, which a kernel takes for another kind
    backend.vector(rows)
    for offset in (1, field.root_of_unity(2 * n), 5):
        domain = Domain(field, n, offset)
        if backend.evaluate(backend.intt(backend.ntt(vector, domain), domain), 1) != n * (n + 1) // 2:
            raise ZkgpuError(f"{backend.name}: a transform is not inverted by its inverse")
    products = backend.prefix_product(backend.inverse(vector))
    backend.divide_by_linear(backend.pointwise(lambda x, y: x * y - x + 1, products, vector), 3)


def warm_matrices() -> None:
    """Run the kernel that transposes large matrices, with narrow ids and with wide ones."""
    import numpy as np

    from zkgpu.fields.transpose_kernel import transposed

    for kind in (np.uint16, np.int32):
        columns, ids, start = np.array([1, 0], np.int32), np.array([3, 4], kind), np.zeros(3, np.int64)
        rows, moved = np.empty_like(columns), np.empty_like(ids)
        transposed()(np.array([0, 1, 2]), columns, ids, start, rows, moved)
        if moved.tolist() != [4, 3] or rows.tolist() != [1, 0]:
            raise ZkgpuError("the transpose of a matrix is not its transpose")


def warm_system(backend: Backend, proof_system: ProofSystem) -> None:
    """Run the kernels of a proof system's setup and proof, and of the pairings by which that is verified."""
    from zkgpu.circuits import Circuit
    from zkgpu.curves.execution import use_kernel

    circuit = Circuit()
    x = circuit.private("x", shape=100)
    circuit.output("y", (x * x).sum())
    compiled = circuit.compile()
    key = proof_system.unsafe_setup(compiled.r1cs, backend)
    use_kernel()
    proof_system.prover(key, backend).prove(compiled.witness({"x": list(range(100))}))
