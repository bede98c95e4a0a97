"""Layers whose output is only ever read in parts, as the packed queries, keys and values of attention, as one for each.

Each part is then written in its own way (layers.products, layers.scores). The model says the same as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass
from zkgpu.zkml.operations import Arrange, IntegerModel, Linear, Operation

Places = NDArray[np.int64]


@dataclass(frozen=True)
class _Part:
    """Columns of a layer's output, as a mask, and by name the places of what is arranged of these alone."""

    columns: NDArray[np.bool_]
    reads: Mapping[str, Places]


def unpacked(model: IntegerModel) -> IntegerModel:
    """The model with a layer for each set of columns that nothing reads together with others."""
    arranged = {op.output: op for op in model.operations if isinstance(op, Arrange) and len(op.inputs) == 1}
    read = {name for op in model.operations if op.output not in arranged for name in op.inputs}
    read |= {tensor.name for tensor in model.outputs}
    origins = {name: _origin(name, arranged) for name in [*arranged, *sorted(read - set(arranged))]}
    layers = {op.output: op for op in model.operations if isinstance(op, Linear) and len(op.weight) == 1}
    packed = {}
    for output, layer in layers.items():
        reads = {name: places for name, (origin, places) in origins.items() if origin == output and name in read}
        parts = [] if output in read else _parts(layer, reads)
        if len(parts) > 1:
            packed[output] = {f"{output} part {i}": part for i, part in enumerate(parts)}
    if not packed:
        return model
    operations: list[Operation] = []
    for op in model.operations:
        origin, _ = origins.get(op.output, ("", None))
        if op.output in packed:
            operations += [_of_columns(layers[op.output], name, p.columns) for name, p in packed[op.output].items()]
        elif origin in packed:
            operations += _of_part(op, packed[origin])
        else:
            operations.append(op)
    return replace(model, operations=tuple(operations))


def _origin(name: str, arranged: Mapping[str, Arrange]) -> tuple[str, Places]:
    """What a tensor is arranged of, through all arrangements of one input, and at which places."""
    places = arranged[name].positions if name in arranged else np.zeros(0, dtype=np.int64)
    while name in arranged:
        (name,) = arranged[name].inputs
        if name in arranged:
            places = np.where(places < 0, -1, arranged[name].positions.ravel()[places])
    return name, places


def _parts(layer: Linear, reads: Mapping[str, Places]) -> list[_Part]:
    """The columns that are read together, from set to set; none where something reads no column."""
    n, parts = layer.weight.shape[2], list[_Part]()
    for name, places in reads.items():
        columns = np.zeros(n, dtype=bool)
        columns[places[places >= 0] % n] = True
        if not columns.any():
            return []
        met = [part for part in parts if (part.columns & columns).any()]
        joined = _joined([_Part(columns, {name: places}), *met])
        parts = [*(part for part in parts if not (part.columns & columns).any()), joined]
    return parts


def _joined(parts: Iterable[_Part]) -> _Part:
    columns = np.any([part.columns for part in parts], axis=0)
    return _Part(columns, {name: places for part in parts for name, places in part.reads.items()})


def _of_columns(layer: Linear, output: str, columns: NDArray[np.bool_]) -> Linear:
    weight, multiplier, bias = layer.weight[:, :, columns], layer.multiplier[:, columns], layer.bias[:, columns]
    return replace(layer, output=output, weight=weight, multiplier=multiplier, bias=bias)


def _of_part(operation: Operation, parts: Mapping[str, _Part]) -> list[Operation]:
    """An arrangement of the layer's output as one of a part's; nothing for one that only others were arranged of."""
    for output, part in parts.items():
        if operation.output in part.reads:
            places, n = part.reads[operation.output], part.columns.size
            column = (np.cumsum(part.columns) - 1)[places % n]
            moved = np.where(places < 0, -1, places // n * int(part.columns.sum()) + column)
            return [Arrange(operation.layer, (output,), operation.output, moved)]
    return []
