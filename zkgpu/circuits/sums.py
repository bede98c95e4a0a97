"""Values of linear combinations: sparse rows times a vector of field elements.

A row's sum is taken in machine words where that is exact: where its elements are small, its coefficients are small
fractions over one denominator, and the sum is a multiple of that. Elsewhere it is taken on Python integers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.numbers import (
    WIDE,
    Machine,
    Numbers,
    Values,
    limit,
    magnitude,
    nearest_zero,
    object_array,
    ones,
    surely_below,
)
from zkgpu.fields.sparse import Ids, Index, Pointers, blocks
from zkgpu.jit.threads import parallel
from zkgpu.records import dataclass

_FRACTION_BITS = 60
_TERMS = 1 << 17  # that are worked on together: threads share them out among them, and each has its own in a cache


@dataclass(frozen=True)
class Table:
    """The integers that coefficients point into.

    Attributes:
        values: their representatives nearest zero, which multiply faster
        numerators: int64, and
        denominators: int64: the small fraction that a value is; both 0 when it is none
    """

    values: Values
    numerators: Machine
    denominators: Machine

    @classmethod
    def of(cls, values: Iterable[int], modulus: int, used: Index | None = None) -> Table:
        """The table of these values.

        Args:
            used: which of them to look for fractions in: all by default. A hash has many coefficients, none of which is
                one, and more that only stood between
        """
        signed = object_array(nearest_zero(v, modulus) for v in values)
        small = (abs(signed) < limit(modulus)).astype(bool)
        numerators, denominators = np.where(small, signed, 0).astype(np.int64), small.astype(np.int64)
        for i in np.flatnonzero(~small) if used is None else used[~small[used]]:
            numerators[i], denominators[i] = small_fraction(signed[i], modulus)
        return cls(signed, numerators, denominators)

    def only(self, used: NDArray[np.bool_]) -> Table:
        """The table up to the last value that is used, with 0 for all others."""
        end = int(np.flatnonzero(used).max(initial=-1)) + 1
        parts = (np.where(used[:end], part[:end], 0) for part in (self.values, self.numerators, self.denominators))
        return Table(*parts)


def small_fraction(value: int, modulus: int) -> tuple[int, int]:
    """(n, d) with n = value * d modulo the modulus, both of 60 bits at most and d > 0; (0, 0) when none is found.

    The extended Euclidean algorithm, stopped half-way: Wang, "A p-adic algorithm for univariate partial fractions",
    SYMSAC 1981.
    """
    n, last, d, last_d = value % modulus, modulus, 1, 0
    while n >> _FRACTION_BITS:
        quotient = last // n
        n, last, d, last_d = last - quotient * n, n, last_d - quotient * d, d
    if abs(d) >> _FRACTION_BITS:
        return 0, 0
    return (n, d) if d > 0 else (-n, -d)


@dataclass(frozen=True)
class Rows:
    """Linear combinations as compressed rows: of LinearCombinations or of a SparseMatrix, by ids into a Table."""

    indptr: Pointers
    wires: NDArray[np.int32]
    coefficients: Ids

    @property
    def lengths(self) -> Pointers:
        return np.diff(self.indptr)

    def take(self, rows: Index) -> Rows:
        """The named rows."""
        lengths = self.lengths[rows]
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        terms = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return Rows(indptr, self.wires[terms], self.coefficients[terms])

    def part(self, begin: int, end: int) -> Rows:
        """Rows begin .. end, as views."""
        terms = slice(int(self.indptr[begin]), int(self.indptr[end]))
        return Rows(self.indptr[begin : end + 1] - self.indptr[begin], self.wires[terms], self.coefficients[terms])

    def keep(self, terms: NDArray[np.bool_]) -> Rows:
        """The rows with some of their terms only."""
        kept = np.concatenate([np.zeros(1, np.int64), np.cumsum(terms)])
        return Rows(kept[self.indptr], self.wires[terms], self.coefficients[terms])


def combine(rows: Rows, table: Table, numbers: Numbers) -> Numbers:
    """(rows, ...): each row's combination of `numbers`.

    Args:
        numbers: (n_wires, ...): further axes are independent instances
    """
    shape = numbers.small.shape[1:]
    most = _TERMS // max(1, math.prod(shape))
    if rows.wires.size <= most:
        return _combined(rows, table, numbers)
    out, parts = ones((len(rows.indptr) - 1, *shape), numbers.modulus), list(blocks(rows.indptr, most))
    made = parallel(partial(_combined, rows.part(begin, end), table, numbers) for begin, end in parts)
    for (begin, end), values in zip(parts, made, strict=True):
        out.put(slice(begin, end), values)
    return out


def _combined(rows: Rows, table: Table, numbers: Numbers) -> Numbers:
    """The same, of as many terms as are worked on at a time."""
    factors, terms = table.numerators[rows.coefficients], numbers.small[rows.wires]
    whole = (table.denominators == 1)[rows.coefficients]
    lengths = rows.lengths
    if whole.all() and (factors == 1).all() and (lengths == 1).all():
        return numbers.take(rows.wires)
    wide = terms == WIDE
    largest = magnitude(terms[~wide] if wide.any() else terms)
    out = Numbers(numbers.modulus, _sums(terms * _along(factors, terms), rows.indptr))
    beyond, odd = _rows_with(wide, rows.indptr), _rows_with(~whole, rows.indptr)
    if magnitude(factors) * largest * int(lengths.max(initial=0)) >= limit(numbers.modulus):
        odd[:] = True
    _replace(out, np.flatnonzero(odd & ~beyond), rows, table, numbers, _careful_sums)
    _replace(out, np.flatnonzero(beyond), rows, table, numbers, _mixed_sums)
    return out


def _replace(
    out: Numbers, which: Index, rows: Rows, table: Table, numbers: Numbers, sums: Callable[..., Numbers]
) -> None:
    """Puts the sums of these rows, computed in the given way, where they belong."""
    if which.size:
        out.put(which, sums(rows.take(which) if which.size < len(out.small) else rows, table, numbers))


def _rows_with(flags: NDArray[np.bool_], indptr: Pointers) -> NDArray[np.bool_]:
    """(rows,): whether a flag is set of one of a row's terms, in any instance."""
    found = np.zeros(len(indptr) - 1, dtype=bool)
    terms = np.flatnonzero(flags.any(axis=tuple(range(1, flags.ndim))))
    found[np.searchsorted(indptr, terms, side="right") - 1] = True
    return found


def _careful_sums(rows: Rows, table: Table, numbers: Numbers) -> Numbers:
    """The sums, each in machine words if it can be."""
    sums, exact = _machine_sums(rows, table, numbers)
    out = Numbers(numbers.modulus, sums)
    _replace(out, np.flatnonzero(~exact), rows, table, numbers, _integer_sums)
    return out


def _machine_sums(rows: Rows, table: Table, numbers: Numbers) -> tuple[Machine, NDArray[np.bool_]]:
    """(rows, ...) sums modulo 2^64, and for each row whether they are the exact ones, for all instances."""
    terms, lengths = numbers.small[rows.wires], rows.lengths
    own = table.denominators[rows.coefficients]
    common = np.maximum(_segments(np.maximum, own, rows.indptr), 1)
    spread = np.repeat(common, lengths)
    scale = spread // np.maximum(own, 1)
    usable = scale * own == spread
    factors = table.numerators[rows.coefficients] * scale
    sizes = np.abs(terms.astype(np.float64)) * _along(np.abs(table.numerators[rows.coefficients] * 1.0) * scale, terms)
    exact = surely_below(_sums(sizes, rows.indptr), limit(numbers.modulus))
    sums, rest = np.divmod(_sums(terms * _along(factors, terms), rows.indptr), _along(common, terms))
    exact &= rest == 0
    every = exact.all(axis=tuple(range(1, exact.ndim)))
    return sums, every & _segments(np.logical_and, usable, rows.indptr, empty=True)


def _mixed_sums(rows: Rows, table: Table, numbers: Numbers) -> Numbers:
    """The sums of elements that are small, and on Python integers of those that are not."""
    wide = (numbers.small[rows.wires] == WIDE).any(axis=tuple(range(1, numbers.small.ndim)))
    small = combine(rows.keep(~wide), table, numbers).integers().astype(object)
    return Numbers.of(small + _on_integers(rows.keep(wide), table, numbers), numbers.modulus)


def _integer_sums(rows: Rows, table: Table, numbers: Numbers) -> Numbers:
    return Numbers.of(_on_integers(rows, table, numbers), numbers.modulus)


def _on_integers(rows: Rows, table: Table, numbers: Numbers) -> Values:
    """The sums as Python integers, not reduced."""
    terms = numbers.take(rows.wires).representatives()
    scaled = np.flatnonzero(((table.numerators != 1) | (table.denominators != 1))[rows.coefficients])
    if scaled.size:
        terms[scaled] = terms[scaled] * _along(table.values[rows.coefficients[scaled]], terms)
    return _sums(terms, rows.indptr)


def _along(factors: NDArray[Any], terms: NDArray[Any]) -> NDArray[Any]:
    """Factors of the terms, for all their instances."""
    return factors.reshape(-1, *(1,) * (terms.ndim - 1))


def _sums(terms: NDArray[Any], indptr: Pointers) -> NDArray[Any]:
    return _segments(np.add, terms, indptr)


def _segments(operation: np.ufunc, terms: NDArray[Any], indptr: Pointers, empty: int = 0) -> NDArray[Any]:
    """The operation over the terms of each row; `empty` for a row without any."""
    lengths = np.diff(indptr)
    if (lengths == 1).all():
        return terms
    out = np.full((lengths.size, *terms.shape[1:]), empty, dtype=terms.dtype)
    filled = np.flatnonzero(lengths)
    if filled.size:
        out[filled] = operation.reduceat(terms, indptr[filled], axis=0)
    return out
