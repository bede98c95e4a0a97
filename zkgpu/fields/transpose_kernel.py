"""The kernel that exchanges rows and columns of large sparse matrices; `fields.sparse` checks what it follows."""

from __future__ import annotations

from typing import Any

from zkgpu.jit.kernel import kernel


@kernel
def transposed() -> Any:
    """run(indptr, indices, ids, start, rows, ids_by_column): the entries column by column, rows ascending in each.

    indptr, indices, ids   of the matrix: int64, int32, and uint16 or int32
    start   (columns + 1,) int64 of 0; afterwards those of column j begin at start[j - 1], and at 0 for j = 0
    rows, ids_by_column   (entries,) int32, and the type of the ids
    """

    def run(indptr: Any, indices: Any, ids: Any, start: Any, rows: Any, ids_by_column: Any) -> None:
        for column in indices:
            start[column + 1] += 1
        for column in range(1, len(start)):
            start[column] += start[column - 1]
        for row in range(len(indptr) - 1):
            for entry in range(indptr[row], indptr[row + 1]):
                column = indices[entry]
                at = start[column]
                rows[at], ids_by_column[at] = row, ids[entry]
                start[column] = at + 1

    return run
