"""Products of two layers' outputs, as attention's scores, without the outputs: only the layers' inputs are wires.

Let Q = X A + a of shape (m, c) and K = Z B + b of shape (n, d) be the outputs of two layers with public weights, and S
the products S[t, j] = sum_i Q[t, p_i] K[j, q_i] of columns p of the one and q of the other. X, Z and S are fixed before
the challenge r, u_t = r^t and v_j = r^(m j). With

    Q'_p = sum_t u_t Q[t, p] = sum_l (sum_t u_t X[t, l]) A[l, p] + a[p] sum_t u_t            "left", a constraint each
    K'_q = sum_j v_j K[j, q] = sum_l (sum_j v_j Z[j, l]) B[l, q] + b[q] sum_j v_j            "right"

the constraint, one for each pair of columns' lists (a head of attention),

    sum_i Q'_(p_i) K'_(q_i) = sum_(t, j) u_t v_j S[t, j]                                     "scores"

compares two polynomials in r of degree m n - 1, whose coefficients are those of S and of the true products: r^(t + m j)
is another power for each (t, j). A wrong S passes with probability at most (m n - 1) / |Fr|.

Q and K have no wires, no tests and no range checks. What else reads a layer's output keeps it from being written so.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Wires
from zkgpu.circuits.gadgets.evaluations import powers, weighted_sum
from zkgpu.circuits.numbers import distinct
from zkgpu.records import dataclass
from zkgpu.zkml import semantics
from zkgpu.zkml.layers.challenged import Evaluations
from zkgpu.zkml.layers.products import Product, Source, Sources
from zkgpu.zkml.layers.weighing import Weighing
from zkgpu.zkml.operations import Arrange, IntegerModel, Linear, MatMul, Shape

Places = NDArray[np.int64]
Integers = NDArray[Any]


@dataclass(frozen=True)
class Side:
    """One factor of the scores.

    Attributes:
        layer: whose output it is columns of
        source: what the layer reads
        columns: (g, k) those of the layer that the columns of each matrix are
    """

    layer: Linear
    source: Source
    columns: Places

    @property
    def distinct(self) -> Places:
        return distinct(self.columns)


@dataclass(frozen=True)
class Scores:
    """A product of two layers' outputs that is written without them; (g, m, n) are its lengths.

    Attributes:
        unwritten: the tensors that so are not: the layers' outputs, and their arrangements
    """

    left: Side
    right: Side
    lengths: Shape
    unwritten: frozenset[str]

    @property
    def constraints(self) -> int:
        """With the weighted sums of the right input: those of the left are there where its layers are tested."""
        (g, m, n), (left, right) = self.lengths, (self.left, self.right)
        wires = left.distinct.size + right.distinct.size + (n - 1) * right.layer.weight.shape[1]
        return int(wires) + g * (int(left.columns.shape[1]) + m * n - 1)

    @property
    def constraints_otherwise(self) -> int:
        """Of the two layers' outputs, tested, and of Freivalds' test of their products."""
        (g, m, n), k = self.lengths, int(self.left.columns.shape[1])
        outputs = (m - 1) * self.left.layer.weight.shape[2] + (n - 1) * self.right.layer.weight.shape[2]
        return int(outputs) + g * min(m * k + (m + k) * (n - 1), k * n + (k + n) * (m - 1))


def scores_of(model: IntegerModel, shapes: Mapping[str, Shape], products: Mapping[str, Product]) -> dict[str, Scores]:
    """Those products of two tensors that take fewer constraints so, by their outputs.

    Args:
        products: how layers are written else; those that are not challenged are left as they are
    """
    readers = Counter(name for operation in model.operations for name in operation.inputs)
    readers.update(tensor.name for tensor in model.outputs)
    factors, found = _Factors(model, shapes, products), {}
    for operation in model.operations:
        if not isinstance(operation, MatMul):
            continue
        unwritten = frozenset(name for factor in operation.inputs for name in factors.chain(factor))
        left, right = factors.side(operation.inputs[0]), factors.side(operation.inputs[1], is_right=True)
        if left is None or right is None or any(readers[name] > 1 for name in unwritten):
            continue
        scores = Scores(left, right, shapes[operation.output], unwritten)
        if scores.constraints < scores.constraints_otherwise:
            found[operation.output] = scores
    return found


class _Factors:
    """What factors of products are arranged of."""

    def __init__(self, model: IntegerModel, shapes: Mapping[str, Shape], products: Mapping[str, Product]) -> None:
        self._shapes, self._products, self._sources = shapes, products, Sources(model, shapes)
        self._made_by = {op.output: op for op in model.operations}

    def chain(self, name: str) -> list[str]:
        """A tensor, and those that it is arranged of up to the first that is none."""
        names = [name]
        while isinstance(made := self._made_by.get(names[-1]), Arrange) and len(made.inputs) == 1:
            names.append(made.inputs[0])
        return names

    def side(self, name: str, *, is_right: bool = False) -> Side | None:
        """The factor that a tensor is, if it is whole columns of a challenged layer, all of their rows in order."""
        origin, positions = self._sources.origin(name)
        layer, shape = self._made_by.get(origin), self._shapes[name]
        if not isinstance(layer, Linear) or self._products[origin].way != "challenged" or len(layer.weight) != 1:
            return None
        places = (np.arange(math.prod(shape)) if positions is None else positions).reshape(shape)
        places = places.swapaxes(1, 2) if is_right else places  # (g, rows, k)
        (m, n), columns = self._shapes[origin][1:], places[:, 0] % layer.weight.shape[2]
        rows = np.arange(m)[:, None] * n + columns[:, None, :]
        return Side(layer, self._products[origin].source, columns) if np.array_equal(places, rows) else None


def challenged_scores(evaluations: Evaluations, scores: Scores, x: Wires, z: Wires) -> Wires:
    """(g, m, n): the products, as wires that are tested as the module says.

    Args:
        x, z: what the layers of the left and the right factor read: (1, m, k) and (1, n, l)
    """
    circuit, (_, m, n) = evaluations.circuit, scores.lengths
    sides = tuple((side.layer, side.columns) for side in (scores.left, scores.right))  # as a stored circuit keeps them
    out = circuit.hint(lambda *given: _products(sides, given), [x, z], scores.lengths, "scores", signed=True)
    circuit.commit(out, "scores")
    left = _weighted(evaluations, scores.left, x, 1, "left")
    right = _weighted(evaluations, scores.right, z, m, "right")
    with circuit.scope("scores"):
        of_columns = circuit.materialize(weighted_sum(out.transpose((0, 2, 1)), powers(circuit, m)))
        wanted = (left * right).sum(axis=-1)
        circuit.assert_equal(weighted_sum(of_columns, powers(circuit, n, m)), wanted)
    return out


def _products(sides: Sequence[tuple[Linear, Integers]], given: Sequence[Integers]) -> Integers:
    """The integers of the semantics."""
    q, k = (semantics.apply(layer, [v])[0][:, columns] for (layer, columns), v in zip(sides, given, strict=True))
    return semantics.matrix_product(q.swapaxes(0, 1), k.transpose(1, 2, 0))


def _weighted(evaluations: Evaluations, side: Side, x: Wires, step: int, label: str) -> Wires:
    """(g, k): the columns' sums, weighted by powers of r^step, each column once a wire of its own."""
    circuit, layer, chosen = evaluations.circuit, side.layer, side.distinct
    weight, bias, modulus = layer.weight[0][:, chosen], layer.bias[0][chosen], circuit.field.modulus
    weighing = Weighing(step)
    given = evaluations.weighted(side.source, x, weighing)[0]
    one = evaluations.sum_of_weights(x.shape[1], weighing) if bias.any() else circuit.constant(0)
    sums = circuit.hint(
        lambda x, one: field_products(x, weight, modulus) + one * bias, [given, one], chosen.size, label
    )
    circuit.assert_equal(sums, given @ weight + one * bias, label=label)
    scaled = sums * circuit.constant(layer.multiplier[0][chosen])
    return scaled[np.searchsorted(chosen, side.columns)]


def field_products(x: Integers, weight: Integers, modulus: int) -> Integers:
    """x @ weight, not reduced, for elements x in [0, modulus) as Python integers and weights of machine integers.

    By digits of x that are small enough for sums of floats to be exact.
    """
    bits = 52 - semantics.bits_of(weight) - len(x).bit_length()
    if bits < 8:
        wide: Integers = x @ weight.astype(object)
        return wide
    count, floats = -(-modulus.bit_length() // bits), weight.astype(np.float64)
    digits = np.array([(x >> bits * i) & ((1 << bits) - 1) for i in range(count)], dtype=np.float64)
    sums = (digits @ floats).astype(np.int64).astype(object)
    total: Integers = sum(row << bits * i for i, row in enumerate(sums))
    return total
