"""Linear combinations of wires, many at once, as compressed sparse rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.coefficients import ONE, ZERO, Coefficients, Ids
from zkgpu.fields.sparse import blocks, id_type, pointer_type
from zkgpu.jit.memory import give_back
from zkgpu.records import dataclass

Index = NDArray[np.int64]

_WIRE_BITS = 32
MANY_TERMS = 1 << 24  # that are copied, after which the memory of what they were copied from goes back


@dataclass(frozen=True)
class LinearCombinations:
    """One linear combination a row: the sum of coefficients[k] * wires[k] for k in indptr[i] .. indptr[i + 1].

    Wires ascend within a row and no coefficient is zero. Wire 0 is the constant one.

    Attributes:
        indptr: (rows + 1,) int64
        wires: (terms,) int32
        coefficients: (terms,) int32 ids into the circuit's Coefficients

    Those of a circuit from a file have narrower types, as those of a SparseMatrix.
    """

    indptr: Index
    wires: NDArray[np.int32]
    coefficients: Ids

    @classmethod
    def of_wires(cls, wires: Index) -> LinearCombinations:
        """One wire a row, with coefficient one."""
        n = len(wires)
        return cls(np.arange(n + 1), np.asarray(wires, dtype=np.int32), np.full(n, ONE, dtype=np.int32))

    @classmethod
    def of_constants(cls, ids: Ids) -> LinearCombinations:
        """One constant a row."""
        flat = np.ravel(ids).astype(np.int32, copy=False)
        kept = flat[flat != ZERO]
        return cls(_offsets((flat != ZERO).astype(np.int64)), np.zeros(kept.size, dtype=np.int32), kept)

    def as_kept(self) -> LinearCombinations:
        """The same in as few bytes as hold them, for a file."""
        ids = self.coefficients.astype(id_type(int(self.coefficients.max(initial=0)) + 1))
        return LinearCombinations(self.indptr.astype(pointer_type(self.wires.size)), self.wires, ids)

    @property
    def rows(self) -> int:
        return len(self.indptr) - 1

    @property
    def lengths(self) -> Index:
        return self.indptr[1:] - self.indptr[:-1]

    @property
    def is_constant(self) -> bool:
        return not self.wires.any()

    def row_of_term(self) -> Index:
        return np.repeat(np.arange(self.rows), self.lengths)

    def take(self, rows: Index) -> LinearCombinations:
        """The named rows, in that order; a row may be named often."""
        if rows.size == self.rows and (rows == np.arange(self.rows)).all():
            return self
        lengths = self.lengths[rows]
        if (lengths == 1).all():
            terms = self.indptr[rows]
            return LinearCombinations(np.arange(rows.size + 1), self.wires[terms], self.coefficients[terms])
        return _by_blocks(_offsets(lengths), lambda begin, end: self._taken(rows[begin:end], lengths[begin:end]))

    def _taken(self, rows: Index, lengths: Index) -> LinearCombinations:
        terms = _ranges(self.indptr[rows], lengths)
        return LinearCombinations(_offsets(lengths), self.wires[terms], self.coefficients[terms])

    def part(self, begin: int, end: int) -> LinearCombinations:
        """Rows begin .. end, as views."""
        terms = slice(int(self.indptr[begin]), int(self.indptr[end]))
        pointers = self.indptr[begin : end + 1] - self.indptr[begin]
        return LinearCombinations(pointers, self.wires[terms], self.coefficients[terms])

    def diagonal(self, count: int, width: int) -> LinearCombinations:
        """The rows `count` times, each time of the next `width` wires."""
        wires = (np.arange(count, dtype=np.int32)[:, None] * np.int32(width) + self.wires).ravel()
        return LinearCombinations(_offsets(np.tile(self.lengths, count)), wires, np.tile(self.coefficients, count))

    def scale(self, factors: Ids, table: Coefficients) -> LinearCombinations:
        """Row i times the value of factors[i]."""
        if (factors == ONE).all():
            return self
        scaled = table.multiply(np.repeat(factors, self.lengths), self.coefficients)
        return _without_zeros(self.row_of_term(), self.wires, scaled, self.rows)

    def renumber(self, wires: NDArray[np.int32]) -> LinearCombinations:
        """The same combinations after wire w is given the number wires[w], in ascending order again."""
        return _by_blocks(self.indptr, lambda begin, end: self.part(begin, end)._renumbered(wires))

    def _renumbered(self, wires: NDArray[np.int32]) -> LinearCombinations:
        key = _keys(self.row_of_term(), wires[self.wires])
        if (key[1:] > key[:-1]).all():
            return LinearCombinations(self.indptr, _wire_of(key), self.coefficients)
        order = np.argsort(key, kind="stable")
        return LinearCombinations(self.indptr, _wire_of(key[order]), self.coefficients[order])


def of_matrix(ids: Ids) -> LinearCombinations:
    """The combinations with these coefficients: row by row, a column for each wire from 0 on."""
    terms = _offsets(np.count_nonzero(ids != ZERO, axis=1).astype(np.int64))

    def part(begin: int, end: int) -> LinearCombinations:
        chosen = ids[begin:end]
        _, wires = np.nonzero(chosen != ZERO)
        return LinearCombinations(terms[begin : end + 1] - terms[begin], wires.astype(np.int32), chosen[chosen != ZERO])

    return _by_blocks(terms, part)


def join_rows(parts: Sequence[LinearCombinations]) -> LinearCombinations:
    """The rows of all parts, one after the other."""
    return parts[0] if len(parts) == 1 else join_taking(list(parts))


def join_taking(parts: list[LinearCombinations]) -> LinearCombinations:
    """The same, of a list that is empty afterwards: each part goes as soon as it is copied."""
    rows, terms = sum(part.rows for part in parts), sum(part.wires.size for part in parts)
    indptr = np.zeros(rows + 1, dtype=np.int64)
    wires, coefficients = np.empty(terms, dtype=np.int32), np.empty(terms, dtype=np.int32)
    row = at = given_back = 0
    parts.reverse()
    while parts:
        part = parts.pop()
        end, size = row + part.rows, part.wires.size
        indptr[row : end + 1] = part.indptr
        indptr[row : end + 1] += at
        wires[at : at + size], coefficients[at : at + size] = part.wires, part.coefficients
        row, at = end, at + size
        del part
        if at - given_back >= MANY_TERMS:
            give_back()
            given_back = at
    return LinearCombinations(indptr, wires, coefficients)


def compose(matrix: LinearCombinations, x: LinearCombinations, table: Coefficients) -> LinearCombinations:
    """Combinations of combinations: row i is the sum over k of matrix[i, k] * x[k]. A sparse matrix product."""
    lengths = x.lengths
    terms = matrix.indptr if (lengths == 1).all() else _offsets(lengths[matrix.wires])[matrix.indptr]
    return _by_blocks(terms, lambda begin, end: _composed(matrix.part(begin, end), x, table))


def _composed(matrix: LinearCombinations, x: LinearCombinations, table: Coefficients) -> LinearCombinations:
    lengths = x.lengths[matrix.wires]
    terms = _ranges(x.indptr[matrix.wires], lengths)
    coefficients = table.multiply(np.repeat(matrix.coefficients, lengths), x.coefficients[terms])
    return _merged(np.repeat(matrix.row_of_term(), lengths), x.wires[terms], coefficients, matrix.rows, table)


def _by_blocks(terms: Index, rows: Callable[[int, int], LinearCombinations]) -> LinearCombinations:
    """Combinations made some rows at a time, which bounds what making them takes beside them.

    Args:
        terms: (rows + 1,) pointers to as many terms as the rows have at most
        rows: those from begin to end
    """
    cuts = list(blocks(terms))
    if len(cuts) == 1:
        return rows(0, len(terms) - 1)
    most, indptr, at = int(terms[-1]), np.zeros(len(terms), dtype=np.int64), 0
    wires, coefficients = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    for begin, end in cuts:
        part = rows(begin, end)
        indptr[begin : end + 1] = at + part.indptr
        wires[at : indptr[end]], coefficients[at : indptr[end]] = part.wires, part.coefficients
        at = int(indptr[end])
    return LinearCombinations(indptr, _shortened(wires, at), _shortened(coefficients, at))


def _shortened(values: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    """The first of the values: a copy where much memory would be kept for nothing."""
    return values[:size] if 2 * size > values.size else values[:size].copy()


class GrowingSum:
    """A long combination and short ones to be added to it, row by row; they are when it is needed, or when many wait.

    A sum that goes on from another shares its list as long as it is the first to do so: n additions in a loop make one
    list, and are added up some log2(n) times.
    """

    __slots__ = ("_count", "_later", "_start", "_terms")

    def __init__(
        self, start: LinearCombinations, later: list[tuple[LinearCombinations, int]], count: int, terms: int
    ) -> None:
        self._start, self._later, self._count, self._terms = start, later, count, terms

    def plus(self, y: LinearCombinations, sign: int, table: Coefficients) -> GrowingSum:
        """This and sign * y."""
        if self._terms > self._start.wires.size:
            self._start, self._later, self._count, self._terms = self.value(table), [], 0, 0
        later = self._later if len(self._later) == self._count else self._later[: self._count]
        later.append((y, sign))
        return GrowingSum(self._start, later, self._count + 1, self._terms + y.wires.size)

    def value(self, table: Coefficients) -> LinearCombinations:
        return _total([(self._start, 1), *self._later[: self._count]], table)


LONG, MUCH_SHORTER = 256, 8  # terms of a combination from which shorter ones wait, and how many times shorter


def add_lazily(
    x: LinearCombinations | GrowingSum, y: LinearCombinations, table: Coefficients, sign: int
) -> LinearCombinations | GrowingSum:
    """x + sign * y, row by row, added up now or later."""
    if isinstance(x, GrowingSum):
        return x.plus(y, sign, table)
    if x.wires.size < max(LONG, MUCH_SHORTER * y.wires.size):
        return add(x, y, table, sign)
    return GrowingSum(x, [], 0, 0).plus(y, sign, table)


def add(x: LinearCombinations, y: LinearCombinations, table: Coefficients, sign: int = 1) -> LinearCombinations:
    """x + sign * y, row by row; both have the same number of rows."""
    if not y.wires.size:
        return x
    return _total([(x, 1), (y, sign)], table)


def _total(parts: Sequence[tuple[LinearCombinations, int]], table: Coefficients) -> LinearCombinations:
    """The sum of sign * part, row by row."""
    terms = np.sum([part.indptr for part, _ in parts], axis=0)
    return _by_blocks(terms, lambda i, j: _added([(part.part(i, j), sign) for part, sign in parts], table))


def _added(parts: Sequence[tuple[LinearCombinations, int]], table: Coefficients) -> LinearCombinations:
    signs = [np.full(part.wires.size, table.intern(sign), dtype=np.int32) for part, sign in parts]
    signed = [table.multiply(s, part.coefficients) for s, (part, _) in zip(signs, parts, strict=True)]
    rows = np.concatenate([part.row_of_term() for part, _ in parts])
    wires = np.concatenate([part.wires for part, _ in parts])
    return _merged(rows, wires, np.concatenate(signed), parts[0][0].rows, table)


def _merged(
    rows: Index, wires: NDArray[np.int32], coefficients: Ids, n_rows: int, table: Coefficients
) -> LinearCombinations:
    """Terms in any order, to combinations: sorted by (row, wire), equal wires added up, zeros dropped."""
    key = _keys(rows, wires)
    if not (key[1:] > key[:-1]).all():
        order = np.argsort(key, kind="stable")
        key, coefficients = _add_equal(key[order], coefficients[order], table)
    return _without_zeros(key >> _WIRE_BITS, _wire_of(key), coefficients, n_rows)


def _add_equal(key: Index, coefficients: Ids, table: Coefficients) -> tuple[Index, Ids]:
    """Adds up the coefficients under each run of one key: neighbors in pairs, until no run is left."""
    while True:
        starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        if starts.size == key.size:
            return key, coefficients
        place = np.arange(key.size) - np.repeat(starts, np.diff(np.append(starts, key.size)))
        second = np.flatnonzero(place & 1)
        coefficients = coefficients.copy()
        coefficients[second - 1] = table.add(coefficients[second - 1], coefficients[second])
        key, coefficients = np.delete(key, second), np.delete(coefficients, second)


def _without_zeros(rows: Index, wires: NDArray[np.int32], coefficients: Ids, n_rows: int) -> LinearCombinations:
    kept = coefficients != ZERO
    if not kept.all():
        rows, wires, coefficients = rows[kept], wires[kept], coefficients[kept]
    return LinearCombinations(_offsets(np.bincount(rows, minlength=n_rows)), wires, coefficients)


def _keys(rows: Index, wires: NDArray[np.int32]) -> Index:
    return (rows << _WIRE_BITS) | wires


def _wire_of(key: Index) -> NDArray[np.int32]:
    return (key & ((1 << _WIRE_BITS) - 1)).astype(np.int32)


def _offsets(lengths: Index) -> Index:
    out = np.zeros(lengths.size + 1, dtype=np.int64)
    np.cumsum(lengths, out=out[1:])
    return out


def _ranges(starts: Index, lengths: Index) -> Index:
    """starts[0] .. starts[0] + lengths[0] - 1, then the next range, and so on."""
    offsets = _offsets(lengths)
    return np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
