"""The table of field values a circuit's coefficients point into, and arithmetic on whole arrays of pointers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import UsageError
from zkgpu.fields.sparse import BLOCK

Ids = NDArray[np.int32]

ZERO = 0
ONE = 1

_NARROW, _WIDE = 1 << 12, 1 << 26  # keys of a range up to the one are told apart by a table of it, of many to the other
_SMALL = 16  # below this many pairs a loop beats sorting them


class Coefficients:
    """Interned values of a prime field: equal values have equal ids, numbered in order of first use.

    Ids 0 and 1 stand for the values 0 and 1. Arithmetic costs one operation on integers for each distinct
    pair of ids, and numpy's speed for the rest.
    """

    def __init__(self, modulus: int) -> None:
        self.modulus = modulus
        self.values = [0, 1]
        self._ids = {0: ZERO, 1: ONE}

    def intern(self, value: int) -> int:
        """The id of value mod modulus."""
        value %= self.modulus
        found = self._ids.setdefault(value, len(self.values))
        if found == len(self.values):
            self.values.append(value)
        return found

    def intern_array(self, values: object) -> Ids:
        """Ids, of the shape of `values`: an integer, nested lists or an array of integers."""
        array = integer_array(values)
        if array.dtype == object:
            return np.array([self.intern(int(v)) for v in array.ravel()], dtype=np.int32).reshape(array.shape)
        found, where = distinct(array.ravel().astype(np.int64, copy=False))
        ids: Ids = np.array([self.intern(int(v)) for v in found], dtype=np.int32)[where]
        return ids.reshape(array.shape)

    def multiply(self, a: Ids, b: Ids) -> Ids:
        """Ids of the entrywise products of two arrays of one length."""
        if (a == ONE).all():
            return b
        if (b == ONE).all():
            return a
        return self._pairwise(lambda x, y: x * y, a, b)

    def add(self, a: Ids, b: Ids) -> Ids:
        """Ids of the entrywise sums of two arrays of one length."""
        return self._pairwise(lambda x, y: x + y, a, b)

    def _pairwise(self, operation: Callable[[int, int], int], a: Ids, b: Ids) -> Ids:
        if a.size <= _SMALL:
            return np.array([self._apply(operation, x, y) for x, y in zip(a, b, strict=True)], dtype=np.int32)
        pairs, where = distinct(a.astype(np.int64) * (int(b.max()) + 1) + b)
        firsts, seconds = np.divmod(pairs, int(b.max()) + 1)
        ids = [self._apply(operation, x, y) for x, y in zip(firsts.tolist(), seconds.tolist(), strict=True)]
        of_entries: Ids = np.array(ids, dtype=np.int32)[where]
        return of_entries

    def _apply(self, operation: Callable[[int, int], int], x: int, y: int) -> int:
        return self.intern(operation(self.values[x], self.values[y]))


def distinct(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.integer[Any]]]:
    """(values, where): the distinct keys, ascending, and values[where] = keys; a narrow range is not sorted."""
    if not keys.size:
        return keys, keys
    low, high = int(keys.min()), int(keys.max())
    if high - low >= max(_NARROW, min(4 * keys.size, _WIDE)):
        values, where = np.unique(keys, return_inverse=True)
        return values, where.ravel()
    used, parts = np.zeros(high - low + 1, dtype=bool), range(0, keys.size, BLOCK)
    for at in parts:
        used[keys[at : at + BLOCK] - low] = True
    places, where = np.cumsum(used, dtype=np.int32) - np.int32(1), np.empty(keys.size, dtype=np.int32)
    for at in parts:
        where[at : at + BLOCK] = places[keys[at : at + BLOCK] - low]
    return np.flatnonzero(used) + low, where


def integer_array(values: object) -> NDArray[np.int64] | NDArray[np.object_]:
    """`values` as an array of machine integers, or of Python integers when one is too large.

    Raises UsageError for anything that is not an integer, and for ragged lists.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise UsageError("a constant has rows of different lengths: give it a rectangular shape") from error
    if array.dtype == bool:
        return array.astype(np.int64)
    if array.size == 0 or array.dtype.kind in "iu":
        return array.astype(object) if array.dtype == np.uint64 else array.astype(np.int64)
    if array.dtype.kind != "O":
        array = np.asarray(values, dtype=object)  # numpy turns a mix of int64 and uint64 into floats
    if not all(isinstance(v, (int, np.integer)) for v in array.ravel()):
        raise UsageError("a constant in a circuit must be an integer: round or quantize other numbers first")
    return np.frompyfunc(int, 1, 1)(array) if array.ndim else np.array(int(array.item()), dtype=object)
