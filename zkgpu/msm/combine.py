"""A sparse matrix times a vector of points.

Coefficients are cut into signed digits of a few bits. For every output row and every window the small multiples
named by the digits are summed in batches of affine additions; doublings then join the windows of a row, so a row
pays for them once however many entries it has. Coefficients such as 1 and -1 have a single digit and no doubling.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.points import Group
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.jit.isa import InstructionSet
from zkgpu.jit.kernel import kernel
from zkgpu.jit.threads import available_threads
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.horner import Step, evaluate
from zkgpu.msm.multiples import Multiples, multiples
from zkgpu.msm.plan import balanced_bits, sparse_width, windows_of
from zkgpu.msm.points import check_rows, from_isa_form, to_isa_form
from zkgpu.msm.scalars import balanced, digits_in_order
from zkgpu.msm.scratch import parallel_with_scratch
from zkgpu.msm.segments import Workspace, add_segments, workspace
from zkgpu.records import dataclass

SEGMENTS = 1 << 13  # sums a task makes at once, which bounds its memory


def combine(group: Group, matrix: SparseMatrix, rows: Limbs, isa: InstructionSet, threads: int | None = None) -> Limbs:
    """(matrix rows, row_limbs) points rows as by Group.to_rows: matrix times the vector of points.

    Args:
        rows: one point for each column of the matrix

    Raises LengthError or UsageError for a matrix whose parts do not fit together. Variable time.
    """
    threads = threads or available_threads()
    check_rows(group, rows)
    _check(matrix, len(rows))
    shape, entries = KernelGroup.of(group, isa), _Rows.of(matrix)
    plan = _plan(shape, matrix, to_isa_form(shape, rows, threads), threads)
    out = shape.zero_rows(matrix.shape[0])
    tasks = [partial(_combine_rows, shape, entries, plan, chunk, out) for chunk in _chunks(matrix, plan)]
    parallel_with_scratch(tasks, partial(workspace, shape, 1 << 30, SEGMENTS), threads)
    return from_isa_form(shape, out, threads)


def _check(matrix: SparseMatrix, points: int) -> None:
    """Raise unless every index a kernel will follow is inside its array."""
    n_rows, n_columns = matrix.shape
    if n_columns != points:
        raise LengthError(f"a matrix with {n_columns} columns times {points} points: give one point for each column")
    ends = matrix.indptr
    if len(ends) != n_rows + 1 or ends[0] != 0 or ends[-1] != matrix.entries or np.any(ends[1:] < ends[:-1]):
        raise UsageError("sparse matrix: indptr must rise from 0 to the number of entries, one step a row")
    if len(matrix.coefficient) != matrix.entries:
        raise LengthError(f"sparse matrix: {matrix.entries} columns for {len(matrix.coefficient)} coefficients")
    for name, values, bound in (
        ("column", matrix.indices, n_columns),
        ("coefficient", matrix.coefficient, len(matrix.table)),
    ):
        if matrix.entries and (values.min() < 0 or values.max() >= bound):
            raise UsageError(f"sparse matrix: a {name} index is outside 0 .. {bound - 1}")


@dataclass(frozen=True)
class _Rows:
    """The matrix in arrays of the types the kernels are compiled for: a read-only array would be another type."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    coefficient: NDArray[np.int32]

    @classmethod
    def of(cls, matrix: SparseMatrix) -> _Rows:
        return cls(
            np.require(matrix.indptr, np.int64, ["C", "W"]),
            np.require(matrix.indices, np.int32, ["C", "W"]),
            np.require(matrix.coefficient, np.int32, ["C", "W"]),
        )


@dataclass(frozen=True)
class _Plan:
    """What all output rows share.

    Attributes:
        width: of the windows
        digits: (k, windows) int16: the digits of each value in the matrix' table
        table: the points and their small multiples
        windows: (rows,) the windows each output row needs
    """

    width: int
    digits: NDArray[np.int16]
    table: Multiples
    windows: NDArray[np.int64]


def _plan(shape: KernelGroup, matrix: SparseMatrix, points: Limbs, threads: int) -> _Plan:
    order = shape.group.order
    values = balanced(matrix.table, order)
    large = values.lengths[matrix.coefficient] > 1
    columns = np.unique(matrix.indices[large]).astype(np.int64)
    width = sparse_width(len(columns), int(np.count_nonzero(large)), balanced_bits(order))
    longest = int(values.lengths.max(initial=0))
    digits = digits_in_order(values, width, windows_of(longest, width), threads)
    table = multiples(shape, points, columns, 1 << (width - 1), threads)
    needed = np.where(values.lengths, (values.lengths.astype(np.int64) + width) // width, 0)
    windows = np.zeros(matrix.shape[0], np.int64)
    np.maximum.at(windows, matrix.row_of_entry(), needed[matrix.coefficient])
    return _Plan(width, np.ascontiguousarray(digits.T), table, windows)


def _chunks(matrix: SparseMatrix, plan: _Plan) -> list[NDArray[np.int64]]:
    """Output rows that need the same number of windows, as many as make SEGMENTS sums; the largest first."""
    by_windows = np.argsort(plan.windows, kind="stable")
    chunks = []
    for windows in np.unique(plan.windows[plan.windows > 0]):
        begin, end = np.searchsorted(plan.windows[by_windows], [windows, windows + 1])
        step = max(1, SEGMENTS // int(windows))
        chunks += [by_windows[at : min(at + step, end)] for at in range(begin, end, step)]
    entries = np.diff(matrix.indptr)
    return sorted(chunks, key=lambda chunk: -int(entries[chunk].sum() * plan.windows[chunk[0]]))


def _combine_rows(
    shape: KernelGroup,
    matrix: _Rows,
    plan: _Plan,
    chunk: NDArray[np.int64],
    out: Limbs,
    space: Workspace,
) -> None:
    """Fills the output rows of a chunk."""
    windows = int(plan.windows[chunk[0]])
    entries = int((matrix.indptr[chunk + 1] - matrix.indptr[chunk]).sum())
    references, start = np.empty(entries * windows, np.int32), np.empty(len(chunk) * windows + 1, np.int64)
    table = plan.table
    entry_references()(
        *(chunk, windows, matrix.indptr, matrix.indices, matrix.coefficient, plan.digits),
        *(table.n, table.position, len(table.columns), references, start),
    )
    sums = shape.empty_rows(len(chunk) * windows)
    add_segments(shape, table.rows, references, start, sums, space)
    if windows > 1:
        steps = [Step(0 if w == windows - 1 else plan.width, w) for w in range(windows - 1, -1, -1)]
        sums = evaluate(shape, sums, steps, windows, len(chunk))
    out[chunk] = sums


@kernel
def entry_references() -> Any:
    """references(rows, windows, indptr, indices, coefficient, digits, n, position, columns, references, start).

    Segment i * windows + w: the rows, numbered as in Multiples, that window w of matrix row rows[i] sums.
    """

    def run(
        rows: Any,
        windows: int,
        indptr: Any,
        indices: Any,
        coefficient: Any,
        digits: Any,
        n: int,
        position: Any,
        columns: int,
        references: Any,
        start: Any,
    ) -> None:
        k = segment = start[0] = 0
        for row in rows:
            for w in range(windows):
                for entry in range(indptr[row], indptr[row + 1]):
                    digit, column = digits[coefficient[entry], w], indices[entry]
                    if digit:
                        size = abs(digit)
                        at = column if size == 1 else n + (size - 2) * columns + position[column]
                        references[k] = 2 * at + (digit < 0)
                        k += 1
                segment += 1
                start[segment] = k

    return run
