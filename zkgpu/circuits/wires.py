"""Wires: a value of the circuit, or an array of them, with NumPy's shapes and arithmetic."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.coefficients import ONE, ZERO
from zkgpu.circuits.combinations import GrowingSum, LinearCombinations, add_lazily, compose, join_rows
from zkgpu.circuits.numbers import object_array
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field, batch_inverse

if TYPE_CHECKING:
    from zkgpu.circuits.circuit import Circuit

Shape: TypeAlias = tuple[int, ...]
Operand: TypeAlias = Any  # Wires, an integer, or anything numpy reads as an array of integers


class Product:
    """a * b entry by entry, of which wires are made only when a use needs them: an assertion needs none."""

    def __init__(self, a: LinearCombinations, b: LinearCombinations, label: str) -> None:
        self.a, self.b, self.label = a, b, label
        self.value: LinearCombinations | None = None


class Wires:
    """An array of values inside a circuit; a single wire has shape ().

    Arithmetic is the field's. Sums, and products with integers, cost nothing; a product of two values that
    are not constant costs a constraint an entry. Shapes and broadcasting follow NumPy, except that assertions
    take equal shapes only. Each entry is a linear combination of wires, plus at most one product that has no
    wire yet. Wires are made by a Circuit, and values of two circuits do not mix.
    """

    __array_ufunc__ = None  # numpy's arrays leave `array + wires` to __radd__
    __slots__ = ("_factor", "_product", "_sum", "circuit", "shape")

    def __init__(
        self,
        circuit: Circuit,
        shape: Shape,
        lc: LinearCombinations | GrowingSum,
        product: Product | None = None,
        factor: int = 1,
    ) -> None:
        self.circuit = circuit
        self.shape = shape
        self._sum = lc
        self._product = product
        self._factor = factor

    # shape

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def T(self) -> Wires:
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
        return Wires(self.circuit, positions.shape, self.lc)

    def ravel(self) -> Wires:
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
        return Wires(self.circuit, positions.shape, self.lc.take(positions.ravel()))

    # values

    @property
    def _lc(self) -> LinearCombinations:
        """The entries without the product that may be pending."""
        if isinstance(self._sum, GrowingSum):
            self._sum = self._sum.value(self.circuit.coefficients)
        return self._sum

    @property
    def lc(self) -> LinearCombinations:
        """The entries as linear combinations, row by row in C order; a pending product gets its wires now."""
        if self._product is not None:
            self._sum = self.circuit.settle(self._product, self._factor, self._lc)
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
        power = self.circuit.constant(np.ones(self.shape, dtype=np.int64))
        for bit in bin(int(exponent))[2:]:
            power = power * power
            power = power * self if bit == "1" else power
        return power

    def __truediv__(self, other: Operand) -> Wires:
        """Division in the field: x / y is the z with z * y = x. A divisor of 0 satisfies no witness."""
        x, y = self.aligned(other)
        return x * y.inverse()

    def __rtruediv__(self, other: Operand) -> Wires:
        return self.inverse() * other

    def inverse(self) -> Wires:
        """1 / x entry by entry, one constraint each. No witness satisfies it where x is 0."""
        if self.is_constant:
            return self._inverse_of_constant()
        inverse = self.circuit.hint(
            lambda x: inverses_or_zeros(self.circuit.field, x), [self], shape=self.shape, label="inverse"
        )
        self.circuit.assert_product(self, inverse, np.ones(self.shape, dtype=np.int64), label="inverse")
        return inverse

    def _inverse_of_constant(self) -> Wires:
        values = self.circuit.constant_values(self)
        if 0 in values:
            raise UsageError("a circuit divides by the constant 0")
        inverses = batch_inverse(self.circuit.field, values)
        return self.circuit.constant(object_array(inverses, self.shape))

    def __matmul__(self, other: Operand) -> Wires:
        """NumPy's matrix product for one and two axes; `self` may have more when `other` has at most two."""
        other = self.circuit.wires(other)
        if not self.shape or other.ndim not in (1, 2) or self.shape[-1] != other.shape[0]:
            raise UsageError(f"shapes {self.shape} and {other.shape} do not fit a matrix product")
        rows = self.reshape(-1, self.shape[-1])
        columns = other.reshape(other.shape[0], -1)
        if other.is_constant:
            product = _times_constant_matrix(rows, columns)
        elif self.is_constant:
            product = _times_constant_matrix(columns.T, rows.T).T
        else:
            product = (rows.reshape(rows.shape[0], 1, rows.shape[1]) * columns.T).sum(axis=-1)
        return product.reshape(self.shape[:-1] + other.shape[1:])

    def __rmatmul__(self, other: Operand) -> Wires:
        return self.circuit.wires(other) @ self

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
        return Wires(self.circuit, self.shape[:-1], compose(matrix, lc, self.circuit.coefficients))

    def _times(self, factor: int) -> Wires:
        table = self.circuit.coefficients
        factors = np.full(self.size, table.intern(factor), dtype=np.int32)
        if table.intern(factor) == ZERO:
            return Wires(self.circuit, self.shape, self._lc.scale(factors, table))
        scaled = self._factor * factor % table.modulus
        return Wires(self.circuit, self.shape, self._lc.scale(factors, table), self._product, scaled)

    def _product_with(self, other: Wires) -> Wires:
        product = Product(self.lc, other.lc, self.circuit.path())
        zero = LinearCombinations.of_constants(np.zeros(self.size, dtype=np.int32))
        return Wires(self.circuit, self.shape, zero, product)

    def aligned(self, other: Operand) -> tuple[Wires, Wires]:
        """self and other, broadcast to one shape as NumPy does."""
        other = self.circuit.wires(other)
        if self.shape == other.shape:
            return self, other
        try:
            shape = np.broadcast_shapes(self.shape, other.shape)
        except ValueError as error:
            raise UsageError(f"shapes {self.shape} and {other.shape} do not broadcast together") from error
        return self.broadcast_to(shape), other.broadcast_to(shape)

    # what a wire cannot do while its value is unknown

    def __eq__(self, other: object) -> bool:
        raise UsageError("a wire has no value yet to compare: use circuit.assert_equal or gadgets.is_equal")

    __hash__ = object.__hash__

    def __lt__(self, other: object) -> bool:
        raise UsageError("a wire has no value yet to compare: use gadgets.less_than, less_equal or assert_less_than")

    __le__ = __gt__ = __ge__ = __lt__

    def _is_no_integer(self, *_: object) -> NoReturn:
        raise UsageError("a wire has no value yet to be a number: compute it in a hint, or with gadgets")

    __int__ = __float__ = __index__ = __complex__ = __round__ = _is_no_integer

    def _has_no_bits(self, *_: object) -> NoReturn:
        raise UsageError(
            "a wire is an element of a field, which has no bits: use gadgets.to_bits, or logical_and, logical_or, "
            "logical_xor and logical_not for booleans"
        )

    __and__ = __or__ = __xor__ = __lshift__ = __rshift__ = _has_no_bits
    __rand__ = __ror__ = __rxor__ = __rlshift__ = __rrshift__ = __invert__ = _has_no_bits

    def _has_no_remainder(self, *_: object) -> NoReturn:
        raise UsageError("a field has no remainders: use gadgets.integer_divide, which gives quotient and remainder")

    __mod__ = __floordiv__ = __divmod__ = __rmod__ = __rfloordiv__ = __rdivmod__ = _has_no_remainder

    def _has_no_sign(self) -> NoReturn:
        raise UsageError("a field has no sign: take gadgets.to_bits of x + 2^(bits - 1), and select by the uppermost")

    __abs__ = _has_no_sign

    def __rpow__(self, base: object) -> NoReturn:
        raise UsageError("a wire cannot be an exponent: multiply selected powers by its bits, gadgets.to_bits")

    def __bool__(self) -> bool:
        raise UsageError("a wire has no value yet to branch on: use gadgets.select")

    def __repr__(self) -> str:
        return f"Wires(shape={self.shape})"


def holds_wires(values: object) -> bool:
    """Whether a list, a tuple or an array of objects has wires among its entries."""
    if isinstance(values, np.ndarray):
        return values.dtype == object and any(isinstance(value, Wires) for value in values.flat)
    return isinstance(values, list | tuple) and any(isinstance(v, Wires) or holds_wires(v) for v in values)


F = TypeVar("F", bound=Callable[..., Any])


def on_wires(*names: str) -> Callable[[F], F]:
    """A gadget whose operands of these names come as wires of one circuit, whatever numbers and lists were given.

    It raises UsageError when none of them is a wire.
    """

    def decorate(gadget: F) -> F:
        signature = inspect.signature(gadget)

        @functools.wraps(gadget)
        def run(*arguments: Any, **named: Any) -> Any:
            given = signature.bind(*arguments, **named).arguments
            operands = [given[name] for name in names]
            circuit = next((x.circuit for x in operands if isinstance(x, Wires)), None)
            if circuit is None:
                raise UsageError(
                    f"{gadget.__name__} works on wires, and {' and '.join(names)} "
                    f"{'are' if len(names) > 1 else 'is'} {' and '.join(type(x).__name__ for x in operands)}: "
                    "compute with what is known now in Python, or make it a wire with circuit.constant"
                )
            return gadget(**(given | {name: circuit.wires(given[name]) for name in names}))

        return cast(F, run)

    return decorate


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
    return Wires(parts[0].circuit, positions.shape, together)


def _sum(x: Wires, y: Wires, sign: int) -> Wires:
    """x + sign * y, keeping the one product that may be pending."""
    circuit = x.circuit
    if x._product is not None and y._product is not None:
        y = Wires(circuit, y.shape, y.lc)
    lc = add_lazily(x._sum, y._lc, circuit.coefficients, sign)
    if y._product is not None:
        return Wires(circuit, x.shape, lc, y._product, sign * y._factor % circuit.coefficients.modulus)
    return Wires(circuit, x.shape, lc, x._product, x._factor)


def _scaled(x: Wires, constant: Wires) -> Wires:
    factors = x.circuit.constant_ids(constant)
    return Wires(x.circuit, x.shape, x.lc.scale(factors, x.circuit.coefficients))


def _times_constant_matrix(x: Wires, matrix: Wires) -> Wires:
    """(m, k) values times a (k, n) constant: linear combinations only, no constraint."""
    (m, k), n = x.shape, matrix.shape[1]
    transposed = x.circuit.constant_ids(matrix).reshape(k, n).T
    row, column = np.nonzero(transposed != ZERO)
    entries = np.tile(np.bincount(row, minlength=n), m)
    indptr = np.concatenate([[0], np.cumsum(entries)])
    wires = (np.arange(m)[:, None] * k + column).ravel().astype(np.int32)
    weights = LinearCombinations(indptr, wires, np.tile(transposed[row, column], m))
    return Wires(x.circuit, (m, n), compose(weights, x.lc, x.circuit.coefficients))


def inverses_or_zeros(field: Field, x: NDArray[np.object_]) -> NDArray[np.object_]:
    """1 / x, and 0 where x is 0: a constraint that the product is 1 then fails, by name."""
    inverses = iter(batch_inverse(field, [v for v in x.ravel() if v]))
    return object_array([next(inverses) if v else 0 for v in x.ravel()], x.shape)
