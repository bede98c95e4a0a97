"""Which circuit a key is for."""

from __future__ import annotations

from typing import Any

import numpy as np

from zkgpu.circuits.r1cs import R1CS
from zkgpu.errors import ZkgpuError
from zkgpu.fields.sparse import SparseMatrix


def holds_circuit(key: Any, r1cs: R1CS) -> bool:
    """Whether a proving key, of any proof system, is for these constraints.

    Of a Groth16 key as far as A and B tell: what C was, its points do not show.
    """
    public = r1cs.n_public
    try:
        return key.n_public == public and (_groth16_holds if key.system == "groth16" else _plonk_holds)(key, r1cs)
    except ZkgpuError:  # a circuit that the proof system cannot take
        return False


def same_circuit(one: R1CS, other: R1CS) -> bool:
    """Whether two systems have the same constraints on the same wires."""
    counts = ("n_public_outputs", "n_public_inputs", "n_public", "n_committed")
    return all(getattr(one, name) == getattr(other, name) for name in counts) and all(
        _same_matrix(mine, theirs) for mine, theirs in ((one.a, other.a), (one.b, other.b), (one.c, other.c))
    )


def _groth16_holds(key: Any, r1cs: R1CS) -> bool:
    """By A and B with the rows that bind public inputs."""
    from zkgpu.groth16.qap import qap_matrices

    if (key.n_wires, key.n_committed) != (r1cs.n_wires, r1cs.n_committed):
        return False
    matrices = qap_matrices(r1cs)
    return _same_matrix(key.a, matrices.a) and _same_matrix(key.b, matrices.b)


def _plonk_holds(key: Any, r1cs: R1CS) -> bool:
    """By the wires and selectors of all rows."""
    from zkgpu.plonk.arithmetize import arithmetize
    from zkgpu.plonk.keys import SELECTORS

    if key.n_circuit_wires != r1cs.n_wires:
        return False
    rows, field = arithmetize(r1cs), r1cs.field
    if not np.array_equal(rows.wires, key.wires) or len(rows.additions) != len(key.additions):
        return False
    for name in SELECTORS:
        values = key.fixed[name][key.domain_size :: 4][: rows.n_rows]  # Montgomery
        wanted = [value * field.montgomery_radix % field.modulus for value in field.from_limbs(rows.selectors[name])]
        if field.from_limbs(np.ascontiguousarray(values)) != wanted:
            return False
    return True


def _same_matrix(one: SparseMatrix, other: SparseMatrix) -> bool:
    if one.shape != other.shape or one.entries != other.entries:
        return False
    places, values = zip(*(_sorted(matrix) for matrix in (one, other)), strict=True)
    return np.array_equal(*places) and np.array_equal(*values)


def _sorted(matrix: SparseMatrix) -> tuple[Any, Any]:
    """Rows with columns, and values, in one order."""
    rows = matrix.row_of_entry()
    order = np.lexsort((matrix.indices, rows))
    places = np.stack([rows[order], matrix.indices[order].astype(np.int64)])
    return places, matrix.table[matrix.coefficient[order]]
