"""Combinations of a ceremony's points by sparse matrices, a piece of the outputs at a time.

A piece meets only the points that its entries name, so what it takes beside the result is bounded by its entries,
however many points there are: mapped files are read where they are needed, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.backend.beside import aligned_empty
from zkgpu.backend.protocol import Backend
from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix, blocks
from zkgpu.stages import advance

PIECE = 1 << 17  # entries that are combined at a time


def combine_by_pieces(
    backend: Backend, group: Group, matrices: Sequence[SparseMatrix], points: Sequence[Limbs]
) -> Limbs:
    """(rows, row_limbs) points rows: the sum of matrices[k] times points[k], as `Backend.combine_points` gives it.

    Advances by the entries that are done. All matrices have equally many rows.
    """
    out = aligned_empty((matrices[0].shape[0], group.row_limbs))
    together = np.sum([m.indptr.astype(np.int64) for m in matrices], axis=0)
    for begin, end in blocks(together, PIECE):
        piece = SparseMatrix.side_by_side([m.part(begin, end) for m in matrices])
        columns, places = np.unique(piece.indices, return_inverse=True)
        compact = SparseMatrix(
            (end - begin, len(columns)), piece.indptr, places.astype(np.int32), piece.coefficient, piece.table
        )
        out[begin:end] = backend.combine_points(group, compact, _gathered(points, columns))
        advance(piece.entries)
    return out


def _gathered(points: Sequence[Limbs], columns: NDArray[np.integer[Any]]) -> Limbs:
    """The rows of all points, one array behind the other, that ascending columns name."""
    ends = np.cumsum([0, *(len(rows) for rows in points)])
    within = np.searchsorted(columns, ends)
    named = zip(points, ends[:-1], within[:-1], within[1:], strict=True)
    return np.concatenate([rows[columns[first:last] - start] for rows, start, first, last in named])
