"""Layers that read a product of two tensors, as attention's output, where the product itself has no wires.

Let O[t, c] = f sum_j P[h_c][t, j] V[h_c][j, i_c] be products of two tensors, arranged in columns c, and Y = O W + b of
shape (m, n) what a layer with public weights makes of them. P, V and Y are fixed before the challenge r. With u_t = r^t

    P'[h, j] = sum_t u_t P[h][t, j]                                      "weighted inputs"
    O'[c] = f sum_j P'[h_c, j] V[h_c][j, i_c] = sum_t u_t O[t, c]        "mixed", a constraint for each j
    sum_t u_t Y[t, o] = sum_c O'[c] W[c, o] + b[o] sum_t u_t             "challenged product", as in layers.challenged

a wrong Y passes with probability at most (m - 1) / |Fr|: the last line compares two polynomials in r whose coefficients
are those of Y and of O W + b. O takes no test of its own, and no second evaluation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Wires
from zkgpu.records import dataclass
from zkgpu.zkml import semantics
from zkgpu.zkml.layers.challenged import Evaluations
from zkgpu.zkml.layers.products import Product, Source, Sources
from zkgpu.zkml.layers.weighing import Weighing
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Linear, MatMul, Operation, Shape

Integers = NDArray[Any]


@dataclass(frozen=True)
class Mixture:
    """A layer's input that is columns of a product, and is not written.

    Attributes:
        product: whose factors are P and V
        source: what P is
        heads, entries: (c,) h_c and i_c of each column of the layer's input
        factor: f
        unwritten: the product, and what lies between it and the layer
    """

    product: MatMul
    source: Source
    heads: NDArray[np.int64]
    entries: NDArray[np.int64]
    factor: int
    unwritten: frozenset[str]


def mixtures_of(
    model: IntegerModel, shapes: Mapping[str, Shape], products: Mapping[str, Product], others: Collection[str]
) -> dict[str, Mixture]:
    """What challenged layers read that can be left unwritten, by the layers' outputs.

    Args:
        others: products of two tensors that are written in another way (layers.scores)
    """
    readers = Counter(name for operation in model.operations for name in operation.inputs)
    readers.update(tensor.name for tensor in model.outputs)
    sources, made_by, found = Sources(model, shapes), {op.output: op for op in model.operations}, {}
    for layer in model.operations:
        if isinstance(layer, Linear) and products[layer.output].way == "challenged" and len(layer.weight) == 1:
            mixture = _mixture(layer.inputs[0], made_by, shapes, sources)
            if mixture is None or mixture.product.output in others or any(readers[n] > 1 for n in mixture.unwritten):
                continue
            found[layer.output] = mixture
    return found


def _mixture(
    name: str, made_by: Mapping[str, Operation], shapes: Mapping[str, Shape], sources: Sources
) -> Mixture | None:
    """The tensor as whole columns of a product, all of their rows in order, but for one factor."""
    _, m, c = shapes[name]
    places, factor, unwritten = np.arange(m * c).reshape(m, c), 1, [name]
    while isinstance(made := made_by.get(name), Arrange | Combine) and len(made.inputs) == 1:
        (name,) = made.inputs
        if isinstance(made, Arrange):
            places = np.where(places < 0, -1, made.positions.ravel()[places])
        elif _is_scale(made) and shapes[name] == shapes[made.output]:
            factor *= int(made.multipliers[0].ravel()[0])
        else:
            return None
        unwritten.append(name)
    if not isinstance(made, MatMul) or shapes[name][1] != m:
        return None
    width = shapes[name][2]
    heads, entries = places[0] // (m * width), places[0] % width
    wanted = (heads * m + np.arange(m)[:, None]) * width + entries
    if not np.array_equal(places, wanted):
        return None
    return Mixture(made, sources.of(made.inputs[0]), heads, entries, factor, frozenset(unwritten))


def _is_scale(operation: Combine) -> bool:
    """Whether it multiplies all entries by one number, and adds nothing."""
    return operation.multipliers[0].size == 1 and not operation.offset.any()


def weighted_mixture(evaluations: Evaluations, mixture: Mixture, weighing: Weighing, p: Wires, v: Wires) -> Wires:
    """(1, c): O'. The last product of a column needs no wire of its own.

    Args:
        weighing: of the layer
        p, v: (g, m, k) and (g, k, n), both committed
    """
    circuit = evaluations.circuit
    circuit.commit(v, "mixed")
    weights = evaluations.weighted(mixture.source, p, weighing)[mixture.heads]
    values = v.transpose((0, 2, 1))[mixture.heads, mixture.entries]
    total = weights[:, -1] * values[:, -1]
    if weights.shape[1] > 1:
        total = (weights[:, :-1] * values[:, :-1]).sum(axis=-1) + total
    with circuit.scope("mixed"):
        mixed = circuit.materialize(total)
    return (mixed * mixture.factor).reshape(1, -1)


def mixed_values(mixture: Mixture) -> Callable[[Integers, Integers], Integers]:
    """What makes O, of shape (1, m, c), of P and V: the integers of the semantics."""
    product, heads, entries, factor = mixture.product, mixture.heads, mixture.entries, mixture.factor  # as files keep

    def values(p: Integers, v: Integers) -> Integers:
        columns = semantics.apply(product, [p, v]).swapaxes(1, 2)[heads, entries].T[None]
        return semantics.product(columns, np.array(factor))

    return values
