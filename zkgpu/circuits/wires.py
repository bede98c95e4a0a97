"""Wires: a value of the circuit, or an array of them, with NumPy's shapes and arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.builder import Builder, Product, Shape
from zkgpu.circuits.coefficients import ONE, ZERO, Ids
from zkgpu.circuits.combinations import GrowingSum, LinearCombinations, add_lazily, compose, join_rows, of_matrix
from zkgpu.circuits.numbers import inverses_or_zeros, object_array
from zkgpu.circuits.refusals import NoValueYet
from zkgpu.errors import UsageError
from zkgpu.fields.field import batch_inverse
from zkgpu.fields.sparse import BLOCK

Operand: TypeAlias = Any  # Wires, an integer, or anything numpy reads as an array of integers


class Wires(NoValueYet):
    """An array of values inside a circuit; a single wire has shape ().

    Arithmetic is the field's. Sums, and products with integers, cost nothing; a product of two values that
    are not constant costs a constraint an entry. Shapes and broadcasting follow NumPy, except that assertions
    take equal shapes only. Each entry is a linear combination of wires, plus at most one product that has no
    wire yet. Wires are made by a Circuit, which Circuit.of finds again, and values of two circuits do not mix.
    """

    __array_ufunc__ = None  # numpy's arrays leave `array + wires` to __radd__
    __slots__ = ("_factor", "_product", "_sum", "builder", "shape")

    def __init__(
        self,
        builder: Builder,
        shape: Shape,
        lc: LinearCombinations | GrowingSum,
        product: Product | None = None,
        factor: int = 1,
    ) -> None:
        self.builder = builder
        self.shape = shape
        self._sum = lc
        self._product = product
        self._factor = factor

    # shape

    @property
    def size(self) -> int:
        """How many values there are."""
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        """How many axes there are."""
        return len(self.shape)

    @property
    def T(self) -> Wires:
        """The same values with axes reversed."""
        return self.transpose()

    def transpose(self, axes: Sequence[int] | None = None) -> Wires:
        """The same values with axes reversed, or in the order given."""
        return self._rearranged(self._positions().transpose(axes))

    def reshape(self, *shape: Any) -> Wires:
        """The same values in another shape; one length may be -1."""
        wanted = shape[0] if len(shape) == 1 and isinstance(shape[0], tuple | list) else shape
        try:
            positions = self._positions().reshape(wanted)
        except ValueError as error:
            raise UsageError(f"wires of shape {self.shape} do not fit shape {tuple(wanted)}") from error
        return Wires(self.builder, positions.shape, self.lc)

    def ravel(self) -> Wires:
        """The same values along one axis."""
        return self.reshape(-1)

    def broadcast_to(self, shape: Shape) -> Wires:
        """The values repeated along axes of length one or missing axes, as NumPy does."""
        return self if shape == self.shape else self._rearranged(np.broadcast_to(self._positions(), shape))

    def __getitem__(self, key: Any) -> Wires:
        if isinstance(key, Wires) or holds_wires(key):
            raise UsageError(
                "a wire has no value yet to be an index: use gadgets.select, or look it up in gadgets.Table"
            )
        try:
            return self._rearranged(self._positions()[key])
        except IndexError as error:
            raise IndexError(f"index {key!r} is out of range for wires of shape {self.shape}") from error

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a single wire has no length and no entries")
        return self.shape[0]

    def __iter__(self) -> Iterator[Wires]:
        return (self[i] for i in range(len(self)))

    def _positions(self) -> NDArray[np.int64]:
        return np.arange(self.size).reshape(self.shape)

    def _rearranged(self, positions: NDArray[np.int64]) -> Wires:
        positions = np.asarray(positions)
        return Wires(self.builder, positions.shape, self.lc.take(positions.ravel()))

    # values

    @property
    def _lc(self) -> LinearCombinations:
        """The entries without the product that may be pending."""
        if isinstance(self._sum, GrowingSum):
            self._sum = self._sum.value(self.builder.coefficients)
        return self._sum

    @property
    def lc(self) -> LinearCombinations:
        """The entries as linear combinations, row by row in C order; a pending product gets its wires now."""
        if self._product is not None:
            self._sum = self.builder.settle(self._product, self._factor, self._lc)
            self._product = None
        return self._lc

    @property
    def _pending(self) -> Product | None:
        """The product that has no wires yet, if there is one."""
        if self._product is not None and self._product.value is not None:
            self._sum = self.lc
        return self._product

    @property
    def is_constant(self) -> bool:
        """Whether no value depends on a wire."""
        return self._product is None and self._lc.is_constant

    # arithmetic

    def __add__(self, other: Operand) -> Wires:
        x, y = self.aligned(other)
        return _sum(x, y, 1)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> Wires:
        x, y = self.aligned(other)
        return _sum(x, y, -1)

    def __rsub__(self, other: Operand) -> Wires:
        x, y = self.aligned(other)
        return _sum(y, x, -1)

    def __neg__(self) -> Wires:
        return self._times(-1)

    def __pos__(self) -> Wires:
        return self

    def __mul__(self, other: Operand) -> Wires:
        if isinstance(other, int | np.integer):
            return self._times(int(other))
        x, y = self.aligned(other)
        if y.is_constant:
            return _scaled(x, y)
        return _scaled(y, x) if x.is_constant else x._product_with(y)

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Wires:
        """Repeated squaring: about log2(exponent) constraints and one more for each further one bit."""
        if not isinstance(exponent, int | np.integer) or exponent < 0:
            raise UsageError(f"the exponent of a wire must be an integer from 0 on, not {exponent!r}")
        power = constant(self.builder, np.ones(self.shape, dtype=np.int64))
        for bit in bin(int(exponent))[2:]:
            power = power * power
            power = power * self if bit == "1" else power
        return power

    def __truediv__(self, other: Operand) -> Wires:
        """Division in the field: x / y is the z with z * y = x. A divisor of 0 satisfies no witness."""
        x, y = self.aligned(other)
        return x * y.inverse()

    def __rtruediv__(self, other: Operand) -> Wires:
        quotient: Wires = self.inverse() * other
        return quotient

    def inverse(self) -> Wires:
        """1 / x entry by entry, one constraint each. No witness satisfies it where x is 0."""
        if self.is_constant:
            return self._inverse_of_constant()
        builder, lc, field = self.builder, self.lc, self.builder.field
        inverse = builder.hint(lambda x: inverses_or_zeros(field, x), [(lc, self.shape)], self.shape, label="inverse")
        one = constant(builder, np.ones(self.shape, dtype=np.int64))
        builder.constrain(lc, inverse, one.lc, builder.scope_name("inverse"))
        return Wires(builder, self.shape, inverse)

    def _inverse_of_constant(self) -> Wires:
        values = self.builder.constant_values(self.lc)
        if 0 in values:
            raise UsageError("a circuit divides by the constant 0")
        inverses = batch_inverse(self.builder.field, values)
        return constant(self.builder, object_array(inverses, self.shape))

    def __matmul__(self, other: Operand) -> Wires:
        """NumPy's matrix product for one and two axes; `self` may have more when `other` has at most two."""
        if isinstance(other, Wires) or holds_wires(other):
            factor: Wires | Ids = as_wires(self.builder, other)
        else:  # as ids alone: a combination for each constant would take several times as much
            factor = self.builder.coefficients.intern_array(other)
        if not self.shape or factor.ndim not in (1, 2) or self.shape[-1] != factor.shape[0]:
            raise UsageError(f"shapes {self.shape} and {factor.shape} do not fit a matrix product")
        rows, columns = self.reshape(-1, self.shape[-1]), factor.reshape(factor.shape[0], -1)
        return _matrix_product(rows, columns).reshape(self.shape[:-1] + factor.shape[1:])

    def __rmatmul__(self, other: Operand) -> Wires:
        return as_wires(self.builder, other) @ self

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise UsageError("wires do not change: put new ones together with zkgpu.circuits.stack or concatenate")

    def sum(self, axis: int | None = None, dtype: None = None, out: None = None) -> Wires:
        """The sum of all values, or along one axis. `numpy.sum` gives the other two, which mean nothing here."""
        if axis is None:
            return self.ravel()._sum_last()
        if not -self.ndim <= axis < self.ndim:
            raise UsageError(f"wires of shape {self.shape} have no axis {axis}")
        return self._rearranged(np.moveaxis(self._positions(), axis, -1))._sum_last()

    def _sum_last(self) -> Wires:
        lc, rows = self.lc, math.prod(self.shape[:-1])
        indptr = np.arange(rows + 1) * self.shape[-1]
        matrix = LinearCombinations(indptr, np.arange(lc.rows, dtype=np.int32), np.full(lc.rows, ONE, dtype=np.int32))
        return Wires(self.builder, self.shape[:-1], compose(matrix, lc, self.builder.coefficients))

    def _times(self, factor: int) -> Wires:
        table = self.builder.coefficients
        factors = np.full(self.size, table.intern(factor), dtype=np.int32)
        if table.intern(factor) == ZERO:
            return Wires(self.builder, self.shape, self._lc.scale(factors, table))
        scaled = self._factor * factor % table.modulus
        return Wires(self.builder, self.shape, self._lc.scale(factors, table), self._product, scaled)

    def _product_with(self, other: Wires) -> Wires:
        product = Product(self.lc, other.lc, self.builder.scope_name())
        zero = LinearCombinations.of_constants(np.zeros(self.size, dtype=np.int32))
        return Wires(self.builder, self.shape, zero, product)

    def aligned(self, other: Operand) -> tuple[Wires, Wires]:
        """self and other, broadcast to one shape as NumPy does."""
        other = as_wires(self.builder, other)
        if self.shape == other.shape:
            return self, other
        try:
            shape = np.broadcast_shapes(self.shape, other.shape)
        except ValueError as error:
            raise UsageError(f"shapes {self.shape} and {other.shape} do not broadcast together") from error
        return self.broadcast_to(shape), other.broadcast_to(shape)

    def __repr__(self) -> str:
        return f"Wires(shape={self.shape})"


def constant(builder: Builder, values: Operand) -> Wires:
    """Integers as wires: no wire and no constraint is made."""
    ids = builder.coefficients.intern_array(values)
    return Wires(builder, ids.shape, LinearCombinations.of_constants(ids))


def as_wires(builder: Builder, value: Operand) -> Wires:
    """See Circuit.wires."""
    if holds_wires(value):
        return stack([as_wires(builder, part) for part in value])
    if not isinstance(value, Wires):
        return constant(builder, value)
    if value.builder is not builder:
        raise UsageError("a wire of one circuit cannot be used in another")
    return value


def holds_wires(values: object) -> bool:
    """Whether a list, a tuple or an array of objects has wires among its entries."""
    if isinstance(values, np.ndarray):
        return values.dtype == object and any(isinstance(value, Wires) for value in values.flat)
    return isinstance(values, list | tuple) and any(isinstance(v, Wires) or holds_wires(v) for v in values)


def stack(parts: Sequence[Wires], axis: int = 0) -> Wires:
    """Arrays of one shape joined along a new axis, as numpy.stack."""
    return _joined(parts, lambda positions: np.stack(positions, axis))


def concatenate(parts: Sequence[Wires], axis: int = 0) -> Wires:
    """Arrays joined along an axis they have, as numpy.concatenate."""
    return _joined(parts, lambda positions: np.concatenate(positions, axis))


def _joined(parts: Sequence[Wires], join: Callable[[list[NDArray[np.int64]]], NDArray[np.int64]]) -> Wires:
    starts = np.cumsum([0, *(part.size for part in parts)])
    try:
        positions = join([part._positions() + start for part, start in zip(parts, starts, strict=False)])
    except ValueError as error:
        raise UsageError(f"wires of shapes {[part.shape for part in parts]} cannot be joined: {error}") from error
    together = join_rows([part.lc for part in parts]).take(positions.ravel())
    return Wires(parts[0].builder, positions.shape, together)


def _sum(x: Wires, y: Wires, sign: int) -> Wires:
    """x + sign * y, keeping the one product that may be pending."""
    builder = x.builder
    if x._product is not None and y._product is not None:
        y = Wires(builder, y.shape, y.lc)
    lc = add_lazily(x._sum, y._lc, builder.coefficients, sign)
    if y._product is not None:
        return Wires(builder, x.shape, lc, y._product, sign * y._factor % builder.coefficients.modulus)
    return Wires(builder, x.shape, lc, x._product, x._factor)


def _scaled(x: Wires, constant: Wires) -> Wires:
    factors = x.builder.constant_ids(constant.lc)
    return Wires(x.builder, x.shape, x.lc.scale(factors, x.builder.coefficients))


def _matrix_product(x: Wires, y: Wires | Ids) -> Wires:
    """(m, n), for (m, k) and (k, n)."""
    if not isinstance(y, Wires):
        return _times_constant_matrix(x, y)
    if y.is_constant:
        return _times_constant_matrix(x, _ids_of(y))
    if x.is_constant:
        return _times_constant_matrix(y.T, _ids_of(x).T).T
    return (x.reshape(x.shape[0], 1, x.shape[1]) * y.T).sum(axis=-1)


def _ids_of(constant: Wires) -> Ids:
    return constant.builder.constant_ids(constant.lc).reshape(constant.shape)


def _times_constant_matrix(x: Wires, ids: Ids) -> Wires:
    """(m, k) values times a (k, n) constant, by its ids: linear combinations only, no constraint."""
    (m, k), n, table = x.shape, ids.shape[1], x.builder.coefficients
    columns = of_matrix(ids.T)
    step = max(1, BLOCK // max(1, columns.wires.size))  # rows of values that go through at once
    spans = [(i, min(i + step, m)) for i in range(0, m, step)]
    products = (compose(columns.diagonal(j - i, k), x.lc.part(i * k, j * k), table) for i, j in spans)
    return Wires(x.builder, (m, n), join_rows(list(products)))
