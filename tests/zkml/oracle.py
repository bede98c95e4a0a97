"""What an integer model computes, once more: on Python integers alone, one entry at a time, from operations.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isqrt, prod
from typing import Any

import numpy as np

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
    TopK,
    Total,
)

Tensor = np.ndarray  # of Python integers


def evaluate(model: IntegerModel, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """All tensors of the model, by name."""
    values = {tensor.name: exact(inputs[tensor.name]) for tensor in model.inputs}
    for operation in model.operations:
        given = [values[name] for name in operation.inputs]
        values[operation.output] = RULES[type(operation)](operation, *given)
    return values


def exact(array: Any) -> Tensor:
    """The same entries as Python integers."""
    source = np.asarray(array)
    return tensor(source.shape, [int(v) for v in source.ravel().tolist()])


def tensor(shape: tuple[int, ...], entries: list[int]) -> Tensor:
    out = np.empty(prod(shape), dtype=object)
    out[:] = entries
    return out.reshape(shape)


def by_row(x: Tensor, function: Callable[[list[int]], Any]) -> Tensor:
    """function of each row along the last axis: an integer, or a row again."""
    results = [function(row) for row in rows(x)]
    if isinstance(results[0], list):
        return tensor(x.shape, [v for row in results for v in row])
    return tensor(x.shape[:-1], results)


def rows(x: Tensor) -> Iterator[list[int]]:
    yield from (row.tolist() for row in x.reshape(-1, x.shape[-1]))


def entrywise(x: Tensor, function: Callable[[int], int]) -> Tensor:
    return tensor(x.shape, [function(v) for v in x.ravel().tolist()])


def rounded(x: int, shift: int) -> int:
    """x / 2^shift to the nearest integer, upwards from the middle."""
    return (2 * x + (1 << shift)) // (2 << shift)


def arrange(operation: Arrange, *inputs: Tensor) -> Tensor:
    flat = [v for x in inputs for v in x.ravel().tolist()]
    return tensor(operation.positions.shape, [flat[p] if p >= 0 else 0 for p in operation.positions.ravel().tolist()])


def linear(operation: Linear, x: Tensor) -> Tensor:
    weight, multiplier, bias = (exact(a) for a in (operation.weight, operation.multiplier, operation.bias))
    groups, m, k = x.shape
    n = weight.shape[2]
    return tensor(
        (groups, m, n),
        [
            multiplier[g, j] * (sum(x[g, i, a] * weight[g, a, j] for a in range(k)) + bias[g, j])
            for g in range(groups)
            for i in range(m)
            for j in range(n)
        ],
    )


def combine(operation: Combine, *inputs: Tensor) -> Tensor:
    total = exact(operation.offset)
    for x, multiplier in zip(inputs, operation.multipliers, strict=True):
        total = total + x * exact(multiplier)
    return np.asarray(total, dtype=object)


def matmul(_: MatMul, x: Tensor, y: Tensor) -> Tensor:
    groups, m, k = x.shape
    n = y.shape[2]
    places = [(g, i, j) for g in range(groups) for i in range(m) for j in range(n)]
    return tensor((groups, m, n), [sum(x[g, i, a] * y[g, a, j] for a in range(k)) for g, i, j in places])


def requantize(operation: Requantize, x: Tensor) -> Tensor:
    def clamp(v: int) -> int:
        v = v if operation.low is None else max(v, operation.low)
        return v if operation.high is None else min(v, operation.high)

    return entrywise(x, lambda v: clamp(rounded(v, operation.shift)))


def rescale(operation: Rescale, x: Tensor) -> Tensor:
    return entrywise(x, lambda v: rounded(v, operation.shift))


def lookup(operation: Lookup, x: Tensor) -> Tensor:
    table = operation.table.tolist()
    return entrywise(x, lambda v: table[v - operation.first])


def table_rows(operation: Rows, x: Tensor) -> Tensor:
    table, (_, k) = operation.table.tolist(), operation.table.shape
    return tensor((*x.shape, k), [entry for v in x.ravel().tolist() for entry in table[v - operation.first]])


def steps(operation: Steps, x: Tensor) -> Tensor:
    tests = list(zip(operation.places.tolist(), operation.bounds.tolist(), strict=True))
    answers = [int(row[place] >= bound) for row in rows(x) for place, bound in tests]
    return tensor((*x.shape[:-1], len(tests)), answers)


def top_k(operation: TopK, x: Tensor) -> Tensor:
    found = []
    for row in rows(x):
        order = sorted(range(len(row)), key=lambda i: (-row[i], i))[: operation.count]
        found += [*(row[i] for i in order), *order]
    return tensor((*x.shape[:-1], 2 * operation.count), found)


def softmax(operation: Softmax, x: Tensor) -> Tensor:
    table = operation.table.tolist()

    def of_row(row: list[int]) -> list[int]:
        distances = [step_of_softmax(max(row) - v, operation.shift) for v in row]
        e = [table[d] if d < len(table) else 0 for d in distances]
        return [v * ((1 << operation.bits) // sum(e)) for v in e]

    return by_row(x, of_row)


def step_of_softmax(distance: int, shift: int) -> int:
    return distance >> shift


def normalize(operation: Normalize, x: Tensor) -> Tensor:
    def of_row(row: list[int]) -> list[int]:
        c = [len(row) * v - sum(row) for v in row]
        variance = sum(v * v for v in c) + operation.epsilon
        return [v * isqrt(4**operation.bits // variance) for v in c]

    return by_row(x, of_row)


def root_mean_square(operation: RootMeanSquare, x: Tensor) -> Tensor:
    def of_row(row: list[int]) -> list[int]:
        squares = sum(v * v for v in row) + operation.epsilon
        return [v * isqrt(4**operation.bits // squares) for v in row]

    return by_row(x, of_row)


def divide(operation: Divide, x: Tensor, y: Tensor) -> Tensor:
    found = [(int(a) << operation.shift) // int(b) for a, b in zip(x.ravel(), y.ravel(), strict=True)]
    return np.array(found, dtype=object).reshape(x.shape)


RULES: dict[type[Operation], Callable[..., Tensor]] = {
    Arrange: arrange,
    Linear: linear,
    Combine: combine,
    Total: lambda _, x: by_row(x, sum),
    Multiply: lambda _, x, y: np.asarray(x * y, dtype=object),
    MatMul: matmul,
    Requantize: requantize,
    Rescale: rescale,
    Lookup: lookup,
    Maximum: lambda _, x: by_row(x, max),
    ArgMax: lambda _, x: by_row(x, lambda row: row.index(max(row))),
    Rows: table_rows,
    TopK: top_k,
    Softmax: softmax,
    Steps: steps,
    Normalize: normalize,
    RootMeanSquare: root_mean_square,
    Divide: divide,
}
