"""A digest of a circuit's constraints, by which a key without matrices of its own names the circuit that has them.

It covers A, B and C entry by entry, however their values are numbered and rows are ordered, and which wires are public
and committed; not what constraints are called.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.sparse import SparseMatrix, id_type
from zkgpu.store.digests import tree_hash

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS

DIGEST_BYTES = 32
_VERSION = b"zkgpu circuit 1"


def circuit_digest(r1cs: R1CS) -> bytes:
    """32 bytes: equal for the same constraints on the same wires."""
    if r1cs.digest is not None:
        return r1cs.digest
    sizes = (r1cs.n_constraints, r1cs.n_wires, r1cs.n_public, r1cs.n_committed)
    digest = hashlib.sha256(_VERSION + r1cs.field.modulus.to_bytes(r1cs.field.bytes, "little"))
    digest.update(b"".join(size.to_bytes(8, "little") for size in sizes))
    for matrix in (r1cs.a, r1cs.b, r1cs.c):
        for part in _canonical(matrix):
            digest.update(tree_hash(np.ascontiguousarray(part).reshape(-1).view(np.uint8)))
    return digest.digest()


def _canonical(matrix: SparseMatrix) -> Iterator[NDArray[Any]]:
    """Lengths of rows, columns ascending in each, the place of each value among all that occur, and these values."""
    used = np.zeros(len(matrix.table), dtype=bool)
    used[matrix.coefficient] = True
    values, places = np.unique(matrix.table[used], axis=0, return_inverse=True)
    numbers = np.zeros(len(matrix.table), dtype=id_type(len(values)))
    numbers[used] = places.ravel()
    order = None if _ascends(matrix) else np.lexsort((matrix.indices, matrix.row_of_entry()))
    yield np.diff(matrix.indptr).astype("<u4")
    for entries in (matrix.indices.astype("<u4", copy=False), numbers[matrix.coefficient]):
        yield entries if order is None else entries[order]
    yield values.astype("<u8", copy=False)


def _ascends(matrix: SparseMatrix) -> bool:
    """Whether columns ascend in each row."""
    rises = matrix.indices[1:] > matrix.indices[:-1]
    starts = matrix.indptr[1:-1]
    rises[starts[(starts > 0) & (starts < matrix.entries)] - 1] = True
    return bool(rises.all())
