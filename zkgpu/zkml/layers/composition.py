"""Linear operations in a row: their matrices are multiplied, or a wire lies between them, whichever is less work.

Nothing binds the values that a linear operation gives: they are combinations of what it reads, and what reads them is a
combination of combinations, at no constraint. Where these have many terms, and are read often, the product has far more
of them than both matrices. A wire for each value between, with a constraint

    combination * 1 = wire                                      Circuit.materialize

says the same, and leaves what follows one term for each value that it reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Wires
from zkgpu.zkml.layers.matrices import reads_of_private
from zkgpu.zkml.layers.products import Product
from zkgpu.zkml.operations import Combine, Linear, Operation, Shape, Total

Counts = NDArray[np.int64]


class Shaped(Protocol):
    """What has the shape of a tensor."""

    @property
    def shape(self) -> Shape: ...

    @property
    def size(self) -> int: ...


FREE = 1 << 16  # terms of a product that are soon made: below, only constraints count
_WIRE = 16  # terms that take as long to prove as a wire and its constraint


def reads_of(operation: Operation, inputs: Sequence[Shaped], products: Mapping[str, Product]) -> list[Counts | int]:
    """By input, how many combinations its entries, or each of its entries, go into; none where that is not counted.

    Args:
        products: how layers with weights are written, by output
    """
    if isinstance(operation, Linear):
        return [_reads_of_layer(operation, inputs[0].shape, products[operation.output])]
    if isinstance(operation, Combine):
        shape = np.broadcast_shapes(*(x.shape for x in inputs), operation.offset.shape)
        return [math.prod(shape) // max(1, x.size) for x in inputs]
    return [1] if isinstance(operation, Total) else []


def _reads_of_layer(operation: Linear, shape: Shape, product: Product) -> Counts | int:
    """Weights that are constants, and 0, read nothing; a test at a challenge reads each entry once."""
    if product.way == "exact":
        return np.broadcast_to((operation.weight != 0).sum(axis=2)[:, None, :], shape)
    return 1 if product.way == "challenged" else reads_of_private(shape[1], *operation.weight.shape[1:])


def is_worth_wires(terms: Counts, reads: Counts | int, source_terms: int, source_size: int) -> bool:
    """Whether combinations of an input would have more terms than with a wire for each value that it is arranged of.

    Args:
        terms: of each entry that is read, arranged in any order, some of them often
        source_terms, source_size: of the values that the entries are
    """
    if not (terms > 1).any():
        return False
    read = np.broadcast_to(np.ravel(reads), terms.shape)
    bound = source_terms + (2 + _WIRE) * source_size + int((terms > 0) @ read)
    return int(terms @ read) > max(FREE, bound)


def terms_of(x: Wires) -> Counts:
    """How many wires each entry is a combination of, the constant one left out."""
    lc = x.lc
    constants = np.concatenate([[0], np.cumsum(lc.wires == 0)])
    found: Counts = lc.lengths - (constants[lc.indptr[1:]] - constants[lc.indptr[:-1]])
    return found
