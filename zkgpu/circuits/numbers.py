"""Arrays of field elements, most of them small integers: those in machine words, the others as Python integers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.fields.field import Field, Limbs, batch_inverse
from zkgpu.jit.threads import parallel

Machine = NDArray[np.int64]
Values = NDArray[np.object_]  # of Python integers, as hints and inputs hand them around

PIECE = 1 << 16  # Python integers that become limbs together
NARROW = (np.int8, np.int16, np.int32)
WIDE = np.iinfo(np.int64).min  # stands where an element is not small; its magnitude is beyond every limit


def limit(modulus: int) -> int:
    """Small are the integers whose magnitude is below: no two of them are the same element."""
    return min(1 << 62, modulus // 2)


class Numbers:
    """An array of elements. Each is small or not, and looks the same wherever it occurs.

    Args:
        small: int64: the integer nearest zero, or WIDE
        wide: Python integers in [0, modulus), of that shape: the elements that are not small; None when there are none
    """

    __slots__ = ("modulus", "small", "wide")

    def __init__(self, modulus: int, small: Machine, wide: Values | None = None) -> None:
        self.modulus, self.small, self.wide = modulus, small, wide

    @classmethod
    def of(cls, values: NDArray[Any], modulus: int) -> Numbers:
        """Integers of any dtype and size, reduced."""
        if values.dtype != object and _is_below(values, limit(modulus)):
            return cls(modulus, values.astype(np.int64))
        return cls.of_elements(_reduced(values.astype(object, copy=False), modulus), modulus)

    @classmethod
    def of_elements(cls, elements: Values, modulus: int) -> Numbers:
        """Python integers in [0, modulus)."""
        bound, small = limit(modulus), np.full(elements.shape, WIDE, dtype=np.int64)
        low, high = ((elements < bound).astype(bool), (elements > modulus - bound).astype(bool))
        small[low] = elements[low].astype(np.int64)
        small[high] = (elements[high] - modulus).astype(np.int64)
        return cls(modulus, small, None if (low | high).all() else elements)

    @classmethod
    def from_limbs(cls, limbs: Limbs, field: Field) -> Numbers:
        """The elements of (n, limbs) uint64 canonical rows."""
        bound, small = limit(field.modulus), np.full(len(limbs), WIDE, dtype=np.int64)
        low = _is_word_below(limbs, bound)
        small[low] = limbs[low, 0].astype(np.int64)
        rest = np.flatnonzero(~low)
        negated = difference(_limbs_of(field.modulus, field), limbs[rest])
        high = _is_word_below(negated, bound)
        small[rest[high]] = -negated[high, 0].astype(np.int64)
        rest = rest[~high]
        if not rest.size:
            return cls(field.modulus, small)
        wide = np.empty(len(limbs), dtype=object)
        wide[rest] = object_array(field.from_limbs(limbs[rest]))
        return cls(field.modulus, small, wide)

    def limbs(self, field: Field, order: NDArray[np.integer[Any]] | None = None) -> Limbs:
        """(n, limbs) uint64, canonical, of elements along one axis; made by pieces, so that they take little beside it.

        Args:
            order: the places of those that are wanted, in order; all by default
        """
        n = len(self.small) if order is None else len(order)
        out = np.zeros((n, field.limbs), dtype=np.uint64)

        def write(begin: int) -> None:
            within = slice(begin, begin + PIECE)
            self.take(within if order is None else order[within])._write_limbs(field, out[within])

        parallel(partial(write, begin) for begin in range(0, n, PIECE))
        return out

    def _write_limbs(self, field: Field, out: Limbs) -> None:
        """Into zeros."""
        out[:, 0] = self.small.view(np.uint64)
        negative = np.flatnonzero((self.small < 0) & (self.small != WIDE))
        magnitudes = np.zeros((negative.size, field.limbs), dtype=np.uint64)
        magnitudes[:, 0] = (-self.small[negative]).view(np.uint64)
        out[negative] = difference(_limbs_of(field.modulus, field), magnitudes)
        if self.wide is not None:
            others = np.flatnonzero(self.small == WIDE)
            out[others] = field.limbs_of_elements(self.wide[others].tolist())

    # parts

    def take(self, index: Any) -> Numbers:
        """The entries at an index, as NumPy understands it."""
        small = self.small[index]
        if self.wide is None or not (small == WIDE).any():
            return Numbers(self.modulus, small)
        return Numbers(self.modulus, small, self.wide[index])

    def put(self, index: Any, values: Numbers) -> None:
        """Sets the entries at an index."""
        self.small[index] = values.small
        if values.wide is not None:
            if self.wide is None:
                self.wide = np.empty(self.small.shape, dtype=object)
            self.wide[index] = values.wide

    def reshape(self, *shape: int) -> Numbers:
        wide = None if self.wide is None else self.wide.reshape(shape)
        return Numbers(self.modulus, self.small.reshape(shape), wide)

    def swapaxes(self, first: int, second: int) -> Numbers:
        wide = None if self.wide is None else self.wide.swapaxes(first, second)
        return Numbers(self.modulus, self.small.swapaxes(first, second), wide)

    # other forms

    def integers(self) -> Machine | Values:
        """The integers nearest zero: int64 when all are small, else Python integers."""
        if self.wide is None:
            return self.small
        out, others = self.small.astype(object), self.small == WIDE
        wide = self.wide[others]
        out[others] = np.where(2 * wide > self.modulus, wide - self.modulus, wide)
        return out

    def representatives(self) -> Values:
        """Python integers that are the elements modulo the modulus: the small ones nearest zero, the others as kept."""
        out = self.small.astype(object)
        return out if self.wide is None else np.where(self.small == WIDE, self.wide, out)

    def elements(self) -> Values:
        """Python integers in [0, modulus)."""
        out = self.representatives()
        out[(self.small < 0) & (self.small != WIDE)] += self.modulus
        return out

    # arithmetic

    def times_plus(self, factor: Numbers, plus: Numbers) -> Numbers:
        """self * factor + plus, entry by entry."""
        out = Numbers(self.modulus, self.small * factor.small + plus.small)
        others = np.nonzero(~_product_fits(self, factor, plus))
        if others[0].size:
            x, y, z = (v.take(others).representatives() for v in (self, factor, plus))
            out.put(others, Numbers.of_elements((x * y + z) % self.modulus, self.modulus))
        return out

    def wrong_products(self, factor: Numbers, product: Numbers) -> NDArray[np.bool_]:
        """Where self * factor is not `product`."""
        wrong: NDArray[np.bool_] = self.small * factor.small != product.small
        others = np.nonzero(~_product_fits(self, factor, product))
        if others[0].size:
            x, y, z = (v.take(others).representatives() for v in (self, factor, product))
            wrong[others] = ((x * y - z) % self.modulus).astype(bool)
        return wrong


def object_array(values: Iterable[object], shape: tuple[int, ...] | None = None) -> Values:
    """An array of Python objects, never guessed into another dtype or nested deeper than one axis."""
    items = list(values)
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out if shape is None else out.reshape(shape)


def inverses_or_zeros(field: Field, x: NDArray[np.object_]) -> NDArray[np.object_]:
    """1 / x, and 0 where x is 0: a constraint that the product is 1 then fails, by name."""
    inverses = iter(batch_inverse(field, [v for v in x.ravel() if v]))
    return object_array([next(inverses) if v else 0 for v in x.ravel()], x.shape)


def ones(shape: tuple[int, ...], modulus: int) -> Numbers:
    return Numbers(modulus, np.ones(shape, dtype=np.int64))


def nearest_zero(value: int, modulus: int) -> int:
    """The integer of least magnitude that equals `value` modulo the modulus."""
    value %= modulus
    return value - modulus if 2 * value > modulus else value


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """(m,): the integers of an array in ascending order, each once. np.unique alone would import numpy.ma for that."""
    ordered = np.sort(values, axis=None)
    is_new = np.ones(ordered.size, np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_new]


def narrowest(values: NDArray[Any]) -> NDArray[Any]:
    """The same integers in the narrowest type that holds them, and what is as far on the other side of 0."""
    most = max(int(values.max()), -int(values.min())) if values.size else 0
    return values.astype(next((kind for kind in (*NARROW, np.int64) if most <= np.iinfo(kind).max), object), copy=False)


def magnitude(values: Machine) -> int:
    """The largest magnitude, 0 for no values; 2^63 when one is WIDE."""
    return max(int(values.max(initial=0)), -int(values.min(initial=0)))


def surely_below(magnitudes: NDArray[np.float64], bound: int) -> NDArray[np.bool_]:
    """Where integers are below the bound, whose magnitudes were computed in floating point, in a few roundings."""
    return magnitudes < float(bound) * (1 - 1e-6)


def _reduced(values: Values, modulus: int) -> Values:
    """Modulo the modulus; those that are so already as they were: equal ones often are one Python integer."""
    others = np.nonzero(~((values >= 0) & (values < modulus)).astype(bool))
    if not others[0].size:
        return values
    out: Values = values.copy()
    out[others] = values[others] % modulus
    return out


def _is_below(values: NDArray[Any], bound: int) -> bool:
    return not values.size or (int(values.max()) < bound and int(values.min()) > -bound)


def _product_fits(x: Numbers, y: Numbers, plus: Numbers) -> NDArray[np.bool_]:
    """Where x * y + plus can be computed in machine words: a WIDE factor only where the other one is 0."""
    bound = limit(x.modulus)
    if magnitude(x.small) * magnitude(y.small) + magnitude(plus.small) < bound:
        return np.ones(x.small.shape, dtype=bool)
    first, second, third = (np.abs(v.small.astype(np.float64)) for v in (x, y, plus))
    return surely_below(first * second + third, bound)


def _is_word_below(limbs: Limbs, bound: int) -> NDArray[np.bool_]:
    return (limbs[:, 0] < bound) & ~limbs[:, 1:].any(axis=1)


def _limbs_of(value: int, field: Field) -> Limbs:
    """(limbs,): a number up to the modulus."""
    return np.array([value >> 64 * j & (1 << 64) - 1 for j in range(field.limbs)], dtype=np.uint64)


def difference(x: Limbs, y: Limbs) -> Limbs:
    """x - y, limb by limb with borrows, for one row x and rows y that are not above it."""
    out, borrow = np.empty_like(y), np.zeros(len(y), dtype=np.uint64)
    for j, word in enumerate(x):
        out[:, j] = word - y[:, j] - borrow
        borrow = ((y[:, j] > word) | ((y[:, j] == word) & (borrow == 1))).astype(np.uint64)
    return out
