"""Values of linear combinations: sparse rows times a vector of Python integers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.object_]


def object_array(values: Iterable[object], shape: tuple[int, ...] | None = None) -> Values:
    """An array of Python objects, never guessed into another dtype or nested deeper than one axis."""
    items = list(values)
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out if shape is None else out.reshape(shape)


@dataclass(frozen=True)
class Table:
    """The integers that coefficients point into: by their representatives nearest zero, which multiply faster.

    values   the integers
    scales   which of them are not one
    """

    values: Values
    scales: NDArray[np.bool_]

    @classmethod
    def of(cls, values: Iterable[int], modulus: int) -> Table:
        signed = object_array(v - modulus if 2 * v > modulus else v for v in values)
        return cls(signed, (signed != 1).astype(bool))


def evaluate(
    indptr: NDArray[np.int64],
    wires: NDArray[np.int32],
    coefficients: NDArray[np.int32],
    table: Table,
    values: Values,
) -> Values:
    """(rows, ...) Python integers: each row's combination of `values`, not reduced by the modulus.

    values   (n_wires, ...): further axes are independent instances
    """
    terms = values[wires]
    scaled = np.flatnonzero(table.scales[coefficients])
    if scaled.size:
        factors = table.values[coefficients[scaled]]
        terms[scaled] = terms[scaled] * factors.reshape(-1, *(1,) * (terms.ndim - 1))
    return _segment_sums(terms, indptr)


def _segment_sums(terms: Values, indptr: NDArray[np.int64]) -> Values:
    lengths = indptr[1:] - indptr[:-1]
    if (lengths == 1).all():
        return terms
    out = np.zeros((lengths.size, *terms.shape[1:]), dtype=object)
    filled = np.flatnonzero(lengths)
    if filled.size:
        out[filled] = np.add.reduceat(terms, indptr[filled], axis=0)
    return out
