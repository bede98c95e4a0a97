"""Every assignment of a circuit over a tiny field, and which of them satisfy it."""

from __future__ import annotations

import numpy as np

from tests.soundness import tried
from zkgpu.circuits import R1CS, CompiledCircuit, SparseMatrix
from zkgpu.fields.field import Field

F5, F7 = Field("F5", 5, generator=2), Field("F7", 7, generator=3)


def satisfying(compiled: CompiledCircuit) -> np.ndarray:
    """(n, n_wires) integers: all satisfying assignments whose mask is 0."""
    r1cs, p = compiled.r1cs, compiled.r1cs.field.modulus
    fixed = {0, r1cs.n_public + 1} if r1cs.rounds else {0}
    free = [w for w in range(r1cs.n_wires) if w not in fixed]
    values = np.zeros((r1cs.n_wires, p ** len(free)), dtype=np.int16)
    tried("assignments over small fields", values.shape[1])
    values[0] = 1
    for i, wire in enumerate(free):
        values[wire] = np.arange(values.shape[1]) // p**i % p
    a, b, c = (_dense(matrix, r1cs) @ values % p for matrix in (r1cs.a, r1cs.b, r1cs.c))
    return values[:, ((a * b - c) % p == 0).all(axis=0)].T


def _dense(matrix: SparseMatrix, r1cs: R1CS) -> np.ndarray:
    table = np.array(r1cs.field.from_limbs(matrix.table), dtype=np.int16)
    dense = np.zeros(matrix.shape, dtype=np.int16)
    dense[matrix.row_of_entry(), matrix.indices] = table[matrix.coefficient]
    return dense


def challenges_by_commitment(compiled: CompiledCircuit) -> dict[tuple[int, ...], set[int]]:
    """For each assignment of the committed wires, mask left out: the first challenges it can be completed for."""
    r1cs = compiled.r1cs
    assert r1cs.rounds
    start, challenge = r1cs.n_public + 2, 1 + r1cs.n_public - r1cs.rounds[0].n_public
    found: dict[tuple[int, ...], set[int]] = {}
    for row in satisfying(compiled):
        committed = tuple(int(v) for v in row[start : start + r1cs.rounds[0].n_committed - 1])
        found.setdefault(committed, set()).add(int(row[challenge]))
    return found
