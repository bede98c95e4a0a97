"""Vectors and matrices of scalars on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from zkgpu.backend.expression import trace
from zkgpu.curves.points import Curve
from zkgpu.errors import LengthError
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.gpu.catalogue import expression_source
from zkgpu.gpu.elements import number, scalar, scalar_source
from zkgpu.gpu.program import U32, U64, DeviceArray, Grid, Programs, allocate, upload
from zkgpu.records import dataclass

LONGEST_ROW = 64  # entries a thread sums; longer rows are cut into pieces
INVERSIONS = 1 << 16  # threads that keep a device busy, when there are so many entries
SHARE = 32  # entries of a prefix product, or of a polynomial, that are one thread's


@dataclass(frozen=True)
class Level:
    """Rows for one launch of the matrix kernel."""

    rows: int
    begin: DeviceArray
    column: DeviceArray
    coefficient: DeviceArray
    table: DeviceArray


@dataclass(frozen=True)
class DeviceMatrix:
    """A sparse matrix as a product of matrices with short rows, the first to be applied first."""

    shape: tuple[int, int]
    levels: tuple[Level, ...]


class Vectors:
    """The kernels of vector.cu on one device, and those traced from expressions."""

    def __init__(self, programs: Programs, curve: Curve):
        self._programs, self._curve, self._field = programs, curve, curve.scalar_field
        self._number, self._scalar = number(self._field), scalar(self._field)
        self.driver = programs.driver
        self._program = programs(scalar_source(curve, "vector.cu"))

    def from_limbs(self, limbs: Limbs) -> DeviceArray:
        """Scalars in Montgomery form, from (n, limbs) canonical limbs."""
        numbers = upload(self.driver, self._number, np.ascontiguousarray(limbs))
        out = allocate(self.driver, self._scalar, len(numbers))
        n = len(numbers)
        self._program.launch("numbers_to_scalars", Grid.over(n), n=n, numbers=numbers, out=out)
        return out

    def to_numbers(self, scalars: DeviceArray) -> DeviceArray:
        """Canonical numbers on the device."""
        n = len(scalars)
        out = allocate(self.driver, self._number, n)
        self._program.launch("scalars_to_numbers", Grid.over(n), n=n, scalars=scalars, out=out)
        return out

    def to_limbs(self, scalars: DeviceArray) -> Limbs:
        return self.to_numbers(scalars).read(np.uint64).reshape(-1, self._field.limbs)

    def matrix(self, matrix: SparseMatrix) -> DeviceMatrix:
        levels: list[Level] = []
        rest: SparseMatrix | None = matrix
        while rest is not None:
            pieces, rest = split_rows(rest, LONGEST_ROW)
            levels.append(self._level(pieces))
        return DeviceMatrix(matrix.shape, tuple(levels))

    def _level(self, matrix: SparseMatrix) -> Level:
        return Level(
            matrix.shape[0],
            upload(self.driver, U64, matrix.indptr.astype(np.uint64)),
            upload(self.driver, U32, matrix.indices.astype(np.uint32)),
            upload(self.driver, U32, matrix.coefficient.astype(np.uint32)),
            self.from_limbs(matrix.table),
        )

    def matvec(self, matrix: DeviceMatrix, vector: DeviceArray) -> DeviceArray:
        if matrix.shape[1] != len(vector):
            raise LengthError(
                f"{matrix.shape[1]} matrix columns but {len(vector)} vector entries: the two must be equal"
            )
        for level in matrix.levels:
            out = allocate(self.driver, self._scalar, level.rows)
            self._program.launch(
                "matrix_times_vector",
                Grid.over(level.rows),
                rows=level.rows,
                begin=level.begin,
                column=level.column,
                coefficient=level.coefficient,
                table=level.table,
                vector=vector,
                out=out,
            )
            vector = out
        return vector

    def pointwise(self, f: Callable[..., Any], *vectors: DeviceArray) -> DeviceArray:
        """f entry by entry, as one kernel; constants are arguments, so expressions that differ in them share it."""
        n = len(vectors[0])
        for other in vectors[1:]:
            if len(other) != n:
                raise LengthError(f"{n} entries but {len(other)} entries: the two must be equal")
        expression = trace(f, len(vectors))
        constants = upload(self.driver, self._scalar, self._field.to_montgomery_limbs(expression.constants))
        out = allocate(self.driver, self._scalar, n)
        inputs = {f"x{k}": vector for k, vector in enumerate(vectors)}
        arguments: dict[str, DeviceArray | int] = {"n": n, "constants": constants, **inputs, "out": out}
        program = self._programs(expression_source(self._curve, expression.text))
        program.launch("pointwise", Grid.over(n), **arguments)
        return out

    def inverse(self, values: DeviceArray) -> DeviceArray:
        """1 / value for each, and 0 for 0."""
        n = len(values)
        step = max(1, -(-n // 64), min(INVERSIONS, n // 8))
        out = allocate(self.driver, self._scalar, n)
        self._program.launch("invert", Grid.over(step), n=n, step=step, values=values, out=out)
        return out

    def prefix_product(self, values: DeviceArray) -> DeviceArray:
        """out[i] = values[0] * ... * values[i]."""
        n = len(values)
        shares = -(-n // SHARE)
        out, totals = allocate(self.driver, self._scalar, n), allocate(self.driver, self._scalar, shares)
        sizes = {"n": n, "width": SHARE}
        self._program.launch("multiply_shares", Grid.over(shares), **sizes, values=values, out=out, totals=totals)
        if shares > 1:
            before = self.prefix_product(totals)
            self._program.launch("scale_shares", Grid.over(n), **sizes, before=before, out=out)
        return out

    def evaluate(self, coefficients: DeviceArray, x: int) -> int:
        """The value at x of the polynomial with these coefficients."""
        while len(coefficients) > 1:
            coefficients, x = self._evaluate_shares(coefficients, x, 0), pow(x, SHARE, self._field.modulus)
        return sum(self._field.from_limbs(self.to_limbs(coefficients)))

    def divide_by_linear(self, coefficients: DeviceArray, root: int, leading: int) -> DeviceArray:
        """Quotient of coefficients(X) + leading X^n by X - root, n coefficients."""
        n = len(coefficients)
        if n <= 1:
            return self._scalars([leading] * n)
        # what a share passes down to the next one is a quotient too: of the shares' values, by X - root^SHARE
        missing = -n % SHARE
        values = self._evaluate_shares(coefficients, root, missing)
        above = self.divide_by_linear(values, pow(root, SHARE, self._field.modulus), leading)
        out = allocate(self.driver, self._scalar, n)
        sizes = {"n": n, "width": SHARE, "missing": missing}
        vectors = {"x": self._scalars([root]), "coefficients": coefficients, "above": above, "out": out}
        self._program.launch("divide_shares", Grid.over(len(values)), **sizes, **vectors)
        return out

    def _evaluate_shares(self, coefficients: DeviceArray, x: int, missing: int) -> DeviceArray:
        """The values at x of the polynomials that shares of the coefficients make; the first share is shorter."""
        n = len(coefficients)
        out = allocate(self.driver, self._scalar, -(-(n + missing) // SHARE))
        sizes = {"n": n, "width": SHARE, "missing": missing}
        vectors = {"x": self._scalars([x]), "coefficients": coefficients, "values": out}
        self._program.launch("evaluate_shares", Grid.over(len(out)), **sizes, **vectors)
        return out

    def _scalars(self, values: list[int]) -> DeviceArray:
        return self.from_limbs(self._field.to_limbs(values))


def split_rows(matrix: SparseMatrix, longest: int) -> tuple[SparseMatrix, SparseMatrix | None]:
    """(pieces, sums) with matrix = sums @ pieces, no row of pieces longer than `longest`; sums is None if none is."""
    lengths = np.diff(matrix.indptr)
    counts = np.maximum(1, -(-lengths // longest))
    if int(counts.max(initial=1)) == 1:
        return matrix, None
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]).astype(np.int64)
    n, row = int(first[-1]), np.repeat(np.arange(matrix.shape[0]), counts)
    begin = matrix.indptr[row] + longest * (np.arange(n) - first[row])
    indptr = np.append(begin, matrix.indptr[-1]).astype(np.int64)
    pieces = SparseMatrix((n, matrix.shape[1]), indptr, matrix.indices, matrix.coefficient, matrix.table)
    columns, ones = np.arange(n, dtype=np.int32), np.zeros(n, np.int32)
    one = np.zeros((1, matrix.table.shape[1]), np.uint64)
    one[0, 0] = 1
    return pieces, SparseMatrix((matrix.shape[0], n), first, columns, ones, one)
