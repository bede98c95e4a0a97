"""Interval analysis: what integers each entry of each tensor can hold, for every input in range.

A sum that could leave (-r/2, r/2), or an index its table, is refused here, when a model is compiled, by its layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError
from zkgpu.zkml import semantics
from zkgpu.zkml.operations import (
    ArgMax,
    Arrange,
    Combine,
    IntegerModel,
    Linear,
    Lookup,
    MatMul,
    Maximum,
    Multiply,
    Normalise,
    Operation,
    Requantise,
    Shape,
    Softmax,
    Tensor,
    Total,
)

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Interval:
    """low <= value <= high, entry by entry: int64 arrays, or of Python integers when wider, of the tensor's shape."""

    low: Array = field(repr=False)
    high: Array = field(repr=False)

    @property
    def shape(self) -> Shape:
        return self.low.shape

    @property
    def least(self) -> int:
        return int(self.low.min(initial=0)) if self.low.size == 0 else int(self.low.min())

    @property
    def greatest(self) -> int:
        return int(self.high.max(initial=0)) if self.high.size == 0 else int(self.high.max())

    @property
    def magnitude(self) -> int:
        return max(abs(self.least), abs(self.greatest))

    @property
    def bits(self) -> int:
        """Bits of the largest magnitude."""
        return self.magnitude.bit_length()

    def map(self, function: Callable[[Array], Array]) -> Interval:
        """The image under a function that preserves order."""
        return Interval(function(self.low), function(self.high))


def analyse(model: IntegerModel, *, margin: bool = False) -> dict[str, Interval]:
    """The interval of every tensor. Raises UsageError naming the layer whose values could leave their bounds.

    margin   widen what layers with weights give to a power of two and a bit more, so that other weights will fit
    """
    found = {tensor.name: of_input(tensor) for tensor in model.inputs}
    for operation in model.operations:
        interval = after(operation, [found[name] for name in operation.inputs])
        found[operation.output] = _widened(interval) if margin and isinstance(operation, Linear) else interval
    return found


def require_no_wrap(
    model: IntegerModel, enforced: Mapping[str, Interval], largest: Callable[[Linear, Interval], int]
) -> None:
    """Raises UsageError naming a layer whose values could wrap around the field for other weights than the model's.

    enforced   the intervals that the circuit keeps rounded and looked-up values to, up to whole limbs
    largest    the magnitude that no output of a layer with weights exceeds, for inputs in an interval
    """
    found = {tensor.name: of_input(tensor) for tensor in model.inputs}
    for operation in model.operations:
        inputs = [found[name] for name in operation.inputs]
        _require_room_inside(operation, inputs[0], model.limb)
        if isinstance(operation, (Requantise, Lookup, Softmax, Normalise)):
            bound = enforced[operation.output].magnitude << model.limb + 1
        elif isinstance(operation, Linear):
            bound = largest(operation, *inputs)
        else:
            found[operation.output] = after(operation, inputs)
            continue
        found[operation.output] = _within_field(operation, _symmetric(enforced[operation.output].shape, bound))


def _require_room_inside(operation: Operation, x: Interval, limb: int) -> None:
    """Raises UsageError where a number that only an operation's constraints hold could wrap."""
    n, bits = x.shape[-1] if x.shape else 1, x.bits
    if isinstance(operation, ArgMax):
        bits += n.bit_length() + 1  # n x_i + n - 1 - i
    if isinstance(operation, Normalise):
        # R^2 V, of R checked up to whole limbs, V = sum of (n x_i - sum of all x)^2
        bits = 2 * (operation.bits + limb + 1) + 2 * (bits + n.bit_length() + 1) + n.bit_length()
    if bits + 1 >= Fr.bits:
        raise UsageError(f"layer '{operation.layer}': with other weights a value could need {bits} bits")


def _widened(interval: Interval) -> Interval:
    return _symmetric(interval.shape, (1 << interval.bits + 1) - 1)


def _symmetric(shape: Shape, bound: int) -> Interval:
    high = semantics.narrowed(np.full(shape, bound, dtype=object))
    return Interval(-high - 1, high)


def of_input(tensor: Tensor) -> Interval:
    return Interval(np.full(tensor.shape, tensor.low), np.full(tensor.shape, tensor.high))


def after(operation: Operation, inputs: Sequence[Interval]) -> Interval:
    """The interval of an operation's output. Raises UsageError when it is too wide for the field."""
    return _within_field(operation, _RULES[type(operation)](operation, *inputs))


def _within_field(operation: Operation, found: Interval) -> Interval:
    if 2 * found.magnitude >= Fr.modulus:
        raise UsageError(
            f"layer '{operation.layer}': a value could need {found.bits} bits and wrap around the field: "
            "calibrate with data of the right size, or quantise to fewer bits"
        )
    return found


def _arrange(operation: Arrange, *inputs: Interval) -> Interval:
    low = semantics.apply(operation, [x.low for x in inputs])
    high = semantics.apply(operation, [x.high for x in inputs])
    return Interval(low, high)


def _linear(operation: Linear, x: Interval) -> Interval:
    up, down = np.maximum(operation.weight, 0), np.minimum(operation.weight, 0)
    bias = operation.bias[:, None, :]
    low = semantics.matrix_product(x.low, up) + semantics.matrix_product(x.high, down) + bias
    high = semantics.matrix_product(x.high, up) + semantics.matrix_product(x.low, down) + bias
    return Interval(low, high).map(lambda v: semantics.product(v, operation.multiplier[:, None, :]))


def _combine(operation: Combine, *inputs: Interval) -> Interval:
    ends = [_times(x, Interval(m, m)) for x, m in zip(inputs, operation.multipliers, strict=True)]
    low = sum((e.low.astype(object) for e in ends), operation.offset.astype(object))
    high = sum((e.high.astype(object) for e in ends), operation.offset.astype(object))
    return Interval(semantics.narrowed(np.asarray(low)), semantics.narrowed(np.asarray(high)))


def _times(x: Interval, y: Interval) -> Interval:
    """The entrywise product, broadcast: its extremes lie at ends of the factors."""
    corners = np.stack(np.broadcast_arrays(*(semantics.product(a, b) for a in _ends(x) for b in _ends(y))))
    return Interval(corners.min(axis=0), corners.max(axis=0))


def _ends(x: Interval) -> tuple[Array, Array]:
    return x.low, x.high


def _matmul(operation: MatMul, x: Interval, y: Interval) -> Interval:
    terms = _times(
        Interval(x.low[..., :, None], x.high[..., :, None]), Interval(y.low[..., None, :, :], y.high[..., None, :, :])
    )
    return Interval(*(semantics.total(np.moveaxis(end, -2, -1)) for end in _ends(terms)))


def _requantise(operation: Requantise, x: Interval) -> Interval:
    return x.map(lambda v: semantics.apply(operation, [v]))


def _lookup(operation: Lookup, x: Interval) -> Interval:
    last = operation.first + len(operation.table) - 1
    if x.least < operation.first or x.greatest > last:
        raise UsageError(
            f"layer '{operation.layer}': a value could leave the table of [{operation.first}, {last}]",
            values=f"they are from {x.least} to {x.greatest}",
        )
    least, greatest = int(operation.table.min()), int(operation.table.max())
    return Interval(np.full(x.shape, least), np.full(x.shape, greatest))


def _argmax(operation: ArgMax, x: Interval) -> Interval:
    shape = x.shape[:-1]
    return Interval(np.zeros(shape, dtype=np.int64), np.full(shape, x.shape[-1] - 1))


def _softmax(operation: Softmax, x: Interval) -> Interval:
    # R <= 2^bits / e, since the sum holds e itself
    return Interval(np.zeros(x.shape, dtype=np.int64), np.full(x.shape, 1 << operation.bits))


def _normalise(operation: Normalise, x: Interval) -> Interval:
    # |c| <= sqrt(V) and R <= 2^bits / sqrt(V)
    bound = np.full(x.shape, 1 << operation.bits)
    return Interval(-bound, bound)


_RULES: dict[type[Operation], Callable[..., Interval]] = {
    Arrange: _arrange,
    Linear: _linear,
    Combine: _combine,
    Total: lambda _, x: x.map(semantics.total),
    Multiply: lambda _, x, y: _times(x, y),
    MatMul: _matmul,
    Requantise: _requantise,
    Lookup: _lookup,
    Maximum: lambda _, x: x.map(lambda v: v.max(axis=-1)),
    ArgMax: _argmax,
    Softmax: _softmax,
    Normalise: _normalise,
}
