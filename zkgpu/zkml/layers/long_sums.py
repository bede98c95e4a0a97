"""Sums of many terms that one rounding reads, and nothing else: they need no wires.

A layer with weights gives combinations of its inputs, and those of a long layer get wires, `combination * 1 = wire`,
as whatever reads them would hold their terms again. A rounding holds each of them once, in the range check of its
remainder (`layers.rounding`), whose single limb is looked up as it is: there the terms stand as well as they would in a
constraint of their own. What the wire was to have besides is the value, which machine integers give much sooner than
the terms do: the rounded value is computed of the layer's input.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from zkgpu.circuits import Wires
from zkgpu.zkml.layers.products import Product
from zkgpu.zkml.operations import Arrange, IntegerModel, Linear, Requantize, Rescale


class LongSums(Wires):
    """Combinations, and what they are computed of.

    Attributes:
        given: wires
        values: what makes their integers of those of `given`
    """

    __slots__ = ("given", "values")

    def __init__(self, sums: Wires, given: Wires, values: Callable[[Any], Any]) -> None:
        super().__init__(sums.builder, sums.shape, sums.lc)
        self.given, self.values = given, values

    def reshape(self, *shape: Any) -> LongSums:
        """The same in another shape; `values` keep theirs."""
        return LongSums(super().reshape(*shape), self.given, self.values)


def rounded_at_once(model: IntegerModel, products: Mapping[str, Product]) -> frozenset[str]:
    """The outputs of layers with weights that a rounding of a single limb reads, reshaped or not, and nothing else."""
    readers = Counter(name for operation in model.operations for name in operation.inputs)
    readers.update(tensor.name for tensor in model.outputs)
    made_by, found = {op.output: op for op in model.operations}, set[str]()
    for operation in model.operations:
        if isinstance(operation, Requantize | Rescale) and 0 < operation.shift <= model.limb:
            (name,) = operation.inputs
            while readers[name] == 1 and isinstance(made := made_by.get(name), Arrange) and is_reshape(made):
                (name,) = made.inputs
            made = made_by.get(name)
            if readers[name] == 1 and isinstance(made, Linear) and products[name].way == "exact":
                found.add(name)
    return frozenset(found)


def is_reshape(operation: Arrange) -> bool:
    """Whether it leaves the entries of its one input in their order."""
    positions = operation.positions.ravel()
    return len(operation.inputs) == 1 and bool((positions == np.arange(positions.size)).all())
