"""Work of known sizes for a counting device: transforms, sums, and what a Groth16 proof does on a device.

Points and scalars are zeros that nobody reads: launches, allocations and bytes follow from sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from zkgpu.backend.cuda import CudaBackend
from zkgpu.backend.protocol import opaque
from zkgpu.circuits.committed import ChallengeSource, CommittedRound, FirstRound
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.groth16.committer import Committer
from zkgpu.groth16.keys import CommitmentKey, CommitmentQueries, ProvingKey, VerifyingKey
from zkgpu.groth16.resident import ResidentKey
from zkgpu.ntt.domain import Domain

ENTRIES = 3  # of a row of a matrix, in the circuits of the benches
Run = Callable[[], object]


@dataclass(frozen=True)
class Size:
    """Wires of a circuit, how many of them are committed, and the entries of a row of its matrices."""

    wires: int
    entries: int = ENTRIES
    committed: int = 0


def nothing(n: int, width: int = 4) -> Limbs:
    return np.zeros((n, width), np.uint64)


def transform(driver: Any, log_size: int) -> Run:
    backend, domain = CudaBackend(driver, BN254), Domain(Fr, 1 << log_size)
    vector = backend.vector(nothing(domain.size))
    backend.ntt(vector, domain)  # its tables are made once
    return lambda: backend.ntt(vector, domain)


def sum_of(driver: Any, group: Group, log_size: int) -> Run:
    backend, n = CudaBackend(driver, BN254), 1 << log_size
    points, scalars = backend.points(group, nothing(n, group.row_limbs)), backend.vector(nothing(n))
    return lambda: backend.msm(points, scalars)


def groth16(driver: Any, log_size: int, size: Size | None = None) -> Run:
    """A proof with its key resident: the witness goes up, the quotient, five sums. Run once, so tables are there."""
    size = size or Size(1 << log_size)
    key, backend = key_of(log_size, size), opaque(CudaBackend(driver, BN254))
    return proof_on(ResidentKey(key, backend), nothing(size.wires))


def proof_on(resident: ResidentKey, assignment: Limbs) -> Run:
    """What a proof has a device do, after it was done once: make_proof without what the host does beside it."""

    def prove() -> object:
        commit(resident, assignment)
        pairs = [resident.pairs(assignment)]
        return resident.backend.msm_many(pairs.pop())

    prove()
    return prove


def commit(resident: ResidentKey, assignment: Limbs) -> None:
    """The first round, of a key with a commitment."""
    first = FirstRound((), assignment[: resident.key.n_committed], b"")

    def witness(challenges: ChallengeSource) -> Limbs:
        challenges(first)
        return assignment

    for queries in resident.commitments:
        Committer(resident.key, queries, resident.backend).run(witness, mask=0)


def key_of(log_size: int, size: Size) -> ProvingKey:
    """A key of a domain's size whose queries are points at infinity; with a commitment where wires are committed."""
    n, public = 1 << log_size, 1 if size.committed else 0
    g1, g2 = G1.generator, G2.generator
    committed = [CommitmentKey(g2, CommittedRound(size.committed, 1))] if size.committed else []
    queries = [CommitmentQueries(nothing(size.committed, 8), nothing(size.committed, 8)) for _ in committed]
    vk = VerifyingKey(BN254, g1, g2, g2, g2, (g1,) * (public + 1), tuple(committed))
    a, b = (_matrix(n, size) for _ in range(2))
    private = size.wires - public - 1 - size.committed
    a_g1, b_g1, b_g2 = (nothing(size.wires, group.row_limbs) for group in (G1, G1, G2))
    of_proof = a_g1, b_g1, b_g2, nothing(private, 8), nothing(n, 8)
    return ProvingKey(vk, g1, g1, a, b, *of_proof, b"", (), tuple(queries))


def _matrix(rows: int, size: Size) -> SparseMatrix:
    total = rows * size.entries
    begins = np.arange(0, total + 1, size.entries, dtype=np.int64)
    zeros = np.zeros(total, np.int32)
    return SparseMatrix((rows, size.wires), begins, zeros, zeros, nothing(64))


SHAPES: dict[str, Callable[[Any, int], Run]] = {
    "ntt": transform,
    "msm_g1": lambda driver, log_size: sum_of(driver, G1, log_size),
    "msm_g2": lambda driver, log_size: sum_of(driver, G2, log_size),
    "groth16": groth16,
}
