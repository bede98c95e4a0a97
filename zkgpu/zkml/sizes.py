"""How large the tensors of an integer model are, from shapes alone, before any of them is made."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from zkgpu.errors import ResourceError
from zkgpu.zkml.operations import (
    ArgMax,
    Arrange,
    Combine,
    Divide,
    IntegerModel,
    Linear,
    MatMul,
    Maximum,
    Multiply,
    Operation,
    Rows,
    Shape,
    Steps,
    TopK,
    Total,
)

MEMORY = 2 << 30
_ENTRY_BYTES = 64  # of the two ends of an entry's interval, and of what they are computed by


def require_room(model: IntegerModel, memory: int | None = None) -> None:
    """Raises ResourceError, by the layer, unless the intervals of all tensors fit, ValueError for shapes that do not.

    Args:
        memory: bytes that they may take; MEMORY by default
    """
    left = (memory or MEMORY) // _ENTRY_BYTES
    shapes = {tensor.name: tensor.shape for tensor in model.inputs}
    left -= sum(map(math.prod, shapes.values()))
    _require(left, "its inputs")
    for operation in model.operations:
        inputs = [shapes[name] for name in operation.inputs]
        shapes[operation.output] = shape = shape_after(operation, inputs)
        left -= math.prod(shape) * (inputs[0][-1] if isinstance(operation, MatMul) else 1)
        _require(left, f"layer '{operation.layer}'")


def _require(left: int, what: str) -> None:
    if left < 0:
        raise ResourceError(
            f"{what}: the tensors up to here take {-left * _ENTRY_BYTES:,} bytes more than this model may: give it "
            "more with --memory if you trust it"
        )


def shape_after(operation: Operation, inputs: list[Shape]) -> Shape:
    """The shape of an operation's output. Raises ValueError or IndexError for inputs that do not fit."""
    after: Callable[..., Shape] = _SHAPES.get(type(operation), lambda _, x: x)
    return after(operation, *inputs)


def _product(_: Operation, x: Shape, y: Shape) -> Shape:
    (groups, rows, inner), (others, depth, columns) = x, y
    if (groups, inner) != (others, depth):
        raise ValueError(f"a product of {x} and {y}")
    return groups, rows, columns


def _alike(_: Operation, x: Shape, y: Shape) -> Shape:
    if x != y:
        raise ValueError(f"{x} over {y}")
    return x


def _without_last(_: Operation, x: Shape) -> Shape:
    (*others, _last) = x
    return tuple(others)


_SHAPES: dict[type[Operation], Callable[..., Any]] = {
    Arrange: lambda operation, *_: operation.positions.shape,
    Linear: lambda operation, x: _product(operation, x, operation.weight.shape),
    Combine: lambda operation, *inputs: np.broadcast_shapes(
        operation.offset.shape,
        *(np.broadcast_shapes(x, m.shape) for x, m in zip(inputs, operation.multipliers, strict=True)),
    ),
    Total: _without_last,
    Multiply: lambda _, x, y: np.broadcast_shapes(x, y),
    MatMul: _product,
    Divide: _alike,
    Maximum: _without_last,
    Steps: lambda operation, x: (*x[:-1], operation.places.size),
    Rows: lambda operation, x: (*x, operation.table.shape[1]),
    ArgMax: _without_last,
    TopK: lambda operation, x: (*x[:-1], 2 * operation.count),
}
