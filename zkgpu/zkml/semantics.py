"""The integer semantics: what each operation computes, exactly. This file is the definition; circuits prove it.

Everything is integer arithmetic in NumPy: int64 where no value can leave 62 bits, Python integers elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import InputError
from zkgpu.zkml.operations import (
    ArgMax,
    Arrange,
    Combine,
    Divide,
    IntegerModel,
    Linear,
    Lookup,
    MatMul,
    Maximum,
    Multiply,
    Normalize,
    Operation,
    Requantize,
    Rescale,
    RootMeanSquare,
    Rows,
    Softmax,
    Steps,
    Tensor,
    TopK,
    Total,
    largest_of,
)

Array = NDArray[Any]  # of int64, or of Python integers

_SAFE_BITS = 62
_FLOAT_BITS = 53  # up to 2^53 every integer is a float64
_MOST_DIGITS = 17
_BLOCK = 1 << 19  # entries of a matrix whose digits are made together
_isqrt = np.frompyfunc(isqrt, 1, 1)


class OutOfRange(InputError):
    """A value that left the range it was calibrated for, where values are not clamped."""


def run(model: IntegerModel, inputs: Mapping[str, object]) -> dict[str, Array]:
    """All tensors of the model, by name, for inputs within their ranges.

    Raises InputError naming the input and the index of the first entry that is out of range.
    """
    values = {tensor.name: checked_input(tensor, inputs) for tensor in model.inputs}
    for operation in model.operations:
        values[operation.output] = apply(operation, [values[name] for name in operation.inputs])
    return values


def apply(operation: Operation, inputs: Sequence[Array]) -> Array:
    """The operation's output for the values of its inputs."""
    return _RULES[type(operation)](operation, *inputs)


def checked_input(tensor: Tensor, inputs: Mapping[str, object]) -> Array:
    """The integers given for an input. Raises InputError when missing, misshapen or out of range."""
    if tensor.name not in inputs:
        raise InputError(f"missing input '{tensor.name}'")
    value = np.asarray(inputs[tensor.name])
    if value.dtype.kind not in "iu" or value.shape != tensor.shape:
        raise InputError(
            f"input '{tensor.name}' is {value.dtype} of shape {value.shape}, not integers of shape {tensor.shape}"
        )
    outside = np.argwhere((value < tensor.low) | (value > tensor.high))
    if outside.size:
        at = tuple(int(i) for i in outside[0])
        raise InputError(
            f"input '{tensor.name}' at index {list(at)} is outside of [{tensor.low}, {tensor.high}]",
            values=f"it is {value[at]}",
        )
    return value.astype(np.int64)


# arithmetic that does not overflow


def bits_of(*arrays: Array) -> int:
    """Bits that the largest magnitude needs, summed over the arrays."""
    return sum(largest_of(array).bit_length() for array in arrays)


def roomy(*arrays: Array, spare: int = 0) -> list[Array]:
    """The arrays as int64 when a product of one entry of each, times 2^spare, fits; else as Python integers."""
    fits = bits_of(*arrays) + spare <= _SAFE_BITS
    return [a.astype(np.int64 if fits else object, copy=False) for a in arrays]


def narrowed(array: Array) -> Array:
    """The same integers as int64 when they fit. A single Python integer counts as an array of no axes."""
    array = np.asarray(array)
    if array.dtype == object and bits_of(array) <= _SAFE_BITS:
        return array.astype(np.int64)
    return array


def added(*arrays: Array) -> Array:
    """The sum of arrays, broadcast together."""
    fits = max(map(bits_of, arrays)) + len(arrays).bit_length() <= _SAFE_BITS
    kind = np.int64 if fits else object
    return narrowed(sum((array.astype(kind) for array in arrays[1:]), arrays[0].astype(kind)))


def product(x: Array, y: Array) -> Array:
    x, y = roomy(x, y)
    return narrowed(x * y)


def matrix_product(x: Array, y: Array, largest_of_y: int | None = None) -> Array:
    """x @ y, exactly, by products of floating-point matrices whose sums stay below 2^53.

    Where entries are too wide for that, they are cut into digits as many as needed. The products of digits are added up
    modulo 2^64, which is exact where the sum in floating point says that nothing leaves int64; elsewhere as Python
    integers, of which there are as many as entries of the result. A large y is gone through by columns, so that its
    digits take little memory.

    Args:
        largest_of_y: the largest magnitude in y, where it is known
    """
    most = largest_of(y) if largest_of_y is None else largest_of_y
    pieces_of_x, pieces_of_y = _pieces(largest_of(x).bit_length(), most.bit_length(), x.shape[-1])
    digits = list(_digits(x, *pieces_of_x))
    columns = max(1, _BLOCK * y.shape[-1] // max(1, y.size))
    if columns >= y.shape[-1]:
        return _product_of_digits(digits, y, pieces_of_y)
    blocks = (y[..., at : at + columns] for at in range(0, y.shape[-1], columns))
    return np.concatenate([_product_of_digits(digits, block, pieces_of_y) for block in blocks], axis=-1)


def _product_of_digits(digits: Sequence[tuple[int, Array]], y: Array, pieces_of_y: tuple[int, int]) -> Array:
    """The product of a matrix of these digits and y."""
    products = [(i + j, np.rint(a @ b).astype(np.int64)) for j, b in _digits(y, *pieces_of_y) for i, a in digits]
    if len(products) == 1:
        return products[0][1]
    about = sum(part * 2.0**shift for shift, part in products)
    if np.abs(about).max(initial=0) < 2.0 ** (_SAFE_BITS - 1):
        return _sum_of(part << shift for shift, part in products if shift < 64)
    return narrowed(_sum_of(part.astype(object) << shift for shift, part in products))


def _sum_of(parts: Iterable[Array]) -> Array:
    return reduce(np.add, parts)


def _pieces(bits_of_x: int, bits_of_y: int, terms: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(digits, bits of one) for both factors: the fewest products of digits of which `terms` sum up below 2^53."""
    room = _FLOAT_BITS - (terms - 1).bit_length()
    counts = [(i, j) for i in range(1, _MOST_DIGITS) for j in range(1, _MOST_DIGITS)]
    widths = {(i, j): (-(-bits_of_x // i), -(-bits_of_y // j)) for i, j in counts}
    i, j = min((c for c in counts if sum(widths[c]) <= room), key=lambda c: c[0] * c[1])
    return (i, widths[i, j][0]), (j, widths[i, j][1])


def _digits(x: Array, count: int, bits: int) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """(place, digit) with x = the sum of digit 2^place; the highest one has the sign."""
    for i in range(count):
        digit = x >> (i * bits) if i else x
        yield i * bits, (digit if i == count - 1 else digit & ((1 << bits) - 1)).astype(np.float64)


def total(x: Array) -> Array:
    (x,) = roomy(x, spare=x.shape[-1].bit_length())
    return narrowed(x.sum(axis=-1))


def round_half_up(x: Array, shift: int) -> Array:
    """floor(x / 2^shift + 1/2)."""
    if shift == 0:
        return x
    (x,) = roomy(x, np.array(1), spare=1)[:1] if shift < _SAFE_BITS else (x.astype(object),)
    return narrowed((x + (1 << (shift - 1))) >> shift)


# operations


def _arrange(operation: Arrange, *inputs: Array) -> Array:
    flat = np.concatenate([np.zeros(1, dtype=np.int64), *(x.ravel() for x in inputs)])
    return narrowed(flat[operation.positions + 1])


def _linear(operation: Linear, x: Array) -> Array:
    products = matrix_product(x, operation.weight, operation.magnitudes["weight"])
    sums = added(products, operation.bias[:, None, :])
    return product(sums, operation.multiplier[:, None, :])


def _combine(operation: Combine, *inputs: Array) -> Array:
    terms = [product(x, m) for x, m in zip(inputs, operation.multipliers, strict=True)]
    return added(operation.offset, *terms)


def _requantize(operation: Requantize, x: Array) -> Array:
    rounded = round_half_up(x, operation.shift)
    if operation.low is None and operation.high is None:
        return rounded
    return narrowed(np.clip(rounded, operation.low, operation.high))


def _rescale(operation: Rescale, x: Array) -> Array:
    rounded = round_half_up(x, operation.shift)
    for at in np.argwhere((rounded < operation.low) | (rounded > operation.high))[:1]:
        raise OutOfRange(
            f"layer '{operation.layer}': the value at index {at.tolist()} lies outside of [{operation.low}, "
            f"{operation.high}], the range that it was calibrated for, and is not clamped: calibrate with inputs like "
            "this one",
            values=f"it is {rounded[tuple(at)]}",
        )
    return rounded


def _lookup(operation: Lookup, x: Array) -> Array:
    return operation.table[(x - operation.first).astype(np.int64)]


def _rows(operation: Rows, x: Array) -> Array:
    last = operation.first + len(operation.table) - 1
    for at in np.argwhere((x < operation.first) | (x > last))[:1]:
        raise InputError(
            f"layer '{operation.layer}': the place at index {at.tolist()} is no row of its table, which has "
            f"{operation.first} to {last}",
            values=f"it is {x[tuple(at)]}",
        )
    return operation.table[(x - operation.first).astype(np.int64)].astype(np.int64)


def _top_k(operation: TopK, x: Array) -> Array:
    places = falling_order(x)[..., : operation.count]
    return np.concatenate([np.take_along_axis(x, places, axis=-1), places], axis=-1)


def falling_order(x: Array) -> NDArray[np.int64]:
    """The places along the last axis from the largest entry to the least; of equal ones the lowest first."""
    return np.argsort(-x, axis=-1, kind="stable")


def _softmax(operation: Softmax, x: Array) -> Array:
    e = exponentials(operation, x)
    return product(e, reciprocal(total(e)[..., None], operation.bits))


def exponentials(operation: Softmax, x: Array) -> Array:
    """The unscaled numerators of a softmax."""
    distance = added(x.max(axis=-1, keepdims=True), -x) >> operation.shift
    padded = np.append(operation.table, 0)
    found: Array = padded[np.minimum(distance, len(operation.table)).astype(np.int64)]
    return found


def reciprocal(x: Array, bits: int) -> Array:
    """floor(2^bits / x) for x > 0."""
    return narrowed((1 << bits) // x.astype(object))


def _normalize(operation: Normalize, x: Array) -> Array:
    c, variance = centered(operation, x)
    return product(c, inverse_root(variance, operation.bits))


def centered(operation: Normalize, x: Array) -> tuple[Array, Array]:
    """n * x - sum(x), and the sum of its squares plus epsilon, which keeps an axis of length one."""
    n = x.shape[-1]
    c = added(product(x, np.array(n)), -total(x)[..., None])
    return c, _sum_of_squares(c, operation.epsilon)


def _root_mean_square(operation: RootMeanSquare, x: Array) -> Array:
    return product(x, inverse_root(_sum_of_squares(x, operation.epsilon), operation.bits))


def _sum_of_squares(x: Array, epsilon: int) -> Array:
    """Along the last axis, which is kept, plus epsilon."""
    return narrowed(total(product(x, x)).astype(object)[..., None] + epsilon)


def inverse_root(x: Array, bits: int) -> Array:
    """floor(2^bits / sqrt(x)) for x > 0: the R with R^2 x <= 4^bits < (R + 1)^2 x."""
    return narrowed(np.asarray(_isqrt((1 << 2 * bits) // x.astype(object)), dtype=object).reshape(x.shape))


def _divide(operation: Divide, x: Array, y: Array) -> Array:
    found = quotient(x, np.maximum(y, 1), operation.shift)
    for at in np.argwhere((y < operation.least) | (found < -operation.most) | (found > operation.most))[:1]:
        raise InputError(
            f"layer '{operation.layer}': at index {at.tolist()} it divides by a number that is not above 0, or far "
            "smaller than any that it was calibrated with",
            values=f"{x[tuple(at)]} by {y[tuple(at)]}",
        )
    return found


def quotient(x: Array, y: Array, shift: int) -> Array:
    """floor(2^shift x / y) for y > 0."""
    return narrowed((x.astype(object) << shift) // y.astype(object))


_RULES: dict[type[Operation], Callable[..., Array]] = {
    Arrange: _arrange,
    Linear: _linear,
    Combine: _combine,
    Total: lambda _, x: total(x),
    Multiply: lambda _, x, y: product(x, y),
    MatMul: lambda _, x, y: matrix_product(x, y),
    Requantize: _requantize,
    Rescale: _rescale,
    Lookup: _lookup,
    Rows: _rows,
    Steps: lambda op, x: (x[..., op.places] >= op.bounds).astype(np.int64),
    Maximum: lambda _, x: x.max(axis=-1),
    ArgMax: lambda _, x: np.argmax(x, axis=-1),
    TopK: _top_k,
    Softmax: _softmax,
    Normalize: _normalize,
    RootMeanSquare: _root_mean_square,
    Divide: _divide,
}
