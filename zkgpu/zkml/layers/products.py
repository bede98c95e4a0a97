"""Which way each layer with weights is written, chosen by what it costs in all.

exact: each output is a combination of inputs, at no constraint, and of as many entries as weights are not 0: m nnz of
them for (g, m, k) times (g, k, n). Beyond LONG of them outputs get wires of their own.

challenged (layers.challenged): outputs are wires, and their sums weighted by powers of a challenge are tested against
those of the inputs: each weight is one entry, and each input and output, but for those of the first row, one constraint
for all the layers that read these inputs.

A constraint takes as long in a proof as some forty entries, and with its wire as much memory as some fourteen or, where
weights are kept as structure, some sixty (bench/results/model_costs.jsonl, inference.costs): `CONSTRAINT` lies between.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass
from zkgpu.zkml.operations import Arrange, IntegerModel, Linear, Shape

LONG = 1 << 18  # entries of a layer from which its outputs get wires, or are tested: below, nothing is worth the while
CONSTRAINT = 24  # entries that cost as much as a constraint and its wire
WIRE = 8  # the same of a wire alone

Way: TypeAlias = Literal["exact", "challenged", "convolution", "private"]
Source: TypeAlias = tuple[Any, ...]  # what a tensor is, whatever it is called: equal for equal entries


@dataclass(frozen=True)
class Cost:
    """What something takes of a circuit; `total` in entries."""

    constraints: int = 0
    wires: int = 0
    entries: int = 0

    @property
    def total(self) -> int:
        return CONSTRAINT * self.constraints + WIRE * self.wires + self.entries


@dataclass(frozen=True)
class Product:
    """How one layer is written.

    Attributes:
        way: "exact" or "challenged", or "private" where the prover gives the weights (layers.matrices); "convolution"
            where patches share products, whoever gives the weights (layers.convolution)
        source: what its input is: layers that read the same entries share their sums
    """

    way: Way
    source: Source


def exact_cost(operation: Linear, m: int) -> Cost:
    """Of combinations, or of a wire for each output where these have many entries."""
    groups, _, n = operation.weight.shape
    entries = m * int(np.count_nonzero(operation.weight) + np.count_nonzero(operation.bias))
    sums = groups * m * n if entries > LONG else 0
    return Cost(sums, 0, entries + 2 * sums)


def evaluation_cost(size: int, m: int) -> Cost:
    """Of the weighted sums of `size` values in rows of m: a product for each but the first of a row."""
    products = size // m * (m - 1)
    return Cost(products, 0, 4 * products + size // m)


def challenged_cost(operation: Linear, m: int) -> Cost:
    """Of outputs that are tested, without the weighted sums of the inputs."""
    groups, _, n = operation.weight.shape
    outputs = evaluation_cost(groups * m * n, m)
    weights = int(np.count_nonzero(operation.weight) + np.count_nonzero(operation.bias))
    return Cost(outputs.constraints, groups * m * n, outputs.entries + weights)


def products_of(
    model: IntegerModel, shapes: Mapping[str, Shape], convolutions: Collection[str], *, public: bool
) -> dict[str, Product]:
    """How each layer with weights is written, by its output. Those that the prover gives are never challenged here.

    Args:
        shapes: of all tensors
        convolutions: the outputs of layers that are chosen already (layers.evaluated)
        public: whether weights are constants

    Layers that read the same entries are weighed together, as one evaluation of these serves all.
    """
    sources = Sources(model, shapes)
    layers = [op for op in model.operations if isinstance(op, Linear) and op.output not in convolutions]
    read: dict[Source, list[Linear]] = {}
    for layer in layers:
        read.setdefault(sources.of(layer.inputs[0]), []).append(layer)
    chosen: dict[str, Product] = {output: Product("convolution", ()) for output in convolutions}
    for source, readers in read.items():
        tested = _challenged(readers, shapes[readers[0].inputs[0]]) if public else set()
        other: Way = "exact" if public else "private"
        chosen |= {r.output: Product("challenged" if r.output in tested else other, source) for r in readers}
    return chosen


def _challenged(readers: list[Linear], shape: Shape) -> set[str]:
    """The outputs of those layers that read one tensor for which the test pays."""
    m = shape[1]
    if m < 2:
        return set()
    exact = {r.output: exact_cost(r, m) for r in readers}
    spared = {r.output: exact[r.output].total - challenged_cost(r, m).total for r in readers}
    found = {output for output, gain in spared.items() if gain > 0 and exact[output].entries > LONG}
    return found if sum(spared[output] for output in found) > evaluation_cost(math.prod(shape), m).total else set()


class Sources:
    """What tensors are, whatever they are called: arrangements of the same entries in the same order are the same."""

    def __init__(self, model: IntegerModel, shapes: Mapping[str, Shape]) -> None:
        self._shapes = shapes
        self._arranged = {op.output: op for op in model.operations if isinstance(op, Arrange)}

    def of(self, name: str) -> Source:
        """Equal for tensors of one shape with the same entries."""
        origin, positions = self.origin(name)
        return (origin, self._shapes[name], None if positions is None else positions.tobytes())

    def origin(self, name: str) -> tuple[str, NDArray[np.int64] | None]:
        """The tensor that one is arranged of, through all arrangements of one input, and at which places.

        No places where its entries are all those of the origin, in order.
        """
        positions: NDArray[np.int64] | None = None
        while (arranged := self._arranged.get(name)) is not None and len(arranged.inputs) == 1:
            own = arranged.positions.ravel()
            positions = own if positions is None else np.where(positions < 0, -1, own[positions])
            (name,) = arranged.inputs
        if positions is not None and np.array_equal(positions, np.arange(math.prod(self._shapes[name]))):
            positions = None
        return name, positions
