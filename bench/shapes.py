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
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.groth16.qap import Qap
from zkgpu.ntt.domain import Domain

ENTRIES = 3  # of a row of a matrix, in the circuits of the benches
Run = Callable[[], object]


@dataclass(frozen=True)
class Size:
    """Wires of a circuit, and the entries of a row of its matrices."""

    wires: int
    entries: int = ENTRIES


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
    n = 1 << log_size
    size = size or Size(n)
    backend = opaque(CudaBackend(driver, BN254))
    qap = Qap(backend, *(backend.matrix(_matrix(n, size)) for _ in range(2)))
    on_wires = [backend.points(g, nothing(size.wires, g.row_limbs)) for g in (G1, G1, G2, G1)]
    of_quotient, assignment = backend.points(G1, nothing(n, G1.row_limbs)), nothing(size.wires)

    def prove() -> object:
        z = backend.vector(assignment)
        h = qap.quotient(z)
        pairs: list[tuple[Any, Any]] = [*((points, z) for points in on_wires), (of_quotient, h)]
        del z, h
        return backend.msm_many(pairs)

    prove()
    return prove


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
