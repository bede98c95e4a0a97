"""Products of two layers' outputs that are turned before, as attention's scores with rotary embeddings.

Let Q and K of shapes (m, c) and (n, d) be the outputs of two challenged layers, as wires, and let the factors of S be

    F[h][t, i] = sum_p a_p[h][t, i] Q[t, ..]        G[h][i, j] = sum_p b_p[h][i, j] K[j, ..]

sums of multiples of entries of their own row: constants that may be others for each row, as the cosines and sines of a
rotary embedding are (Su et al., "RoFormer", arXiv 2104.09864), and entries that several heads share. Q, K and S are
fixed before the challenge r; u_t = r^t and v_j = r^(m j). With wires for the products

    u_t Q[t, p], which the test of Q sums up too         "weighted entries", one for each entry of Q but the first row's
    v_j K[j, q]                                          the same of K

the weighted sums of F and G are combinations of these wires, and the constraint, one for each head h,

    sum_i (sum_t u_t F[h][t, i]) (sum_j v_j G[h][i, j]) = sum_(t, j) u_t v_j S[h][t, j]                       "scores"

compares two polynomials in r of degree m n - 1, whose coefficients are those of S and of the true products: r^(t + m j)
is another power for each (t, j). A wrong S passes with probability at most (m n - 1) / |Fr|.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Wires
from zkgpu.circuits.gadgets.evaluations import powers, weighted_sum
from zkgpu.records import dataclass
from zkgpu.zkml import semantics
from zkgpu.zkml.layers.challenged import Evaluations
from zkgpu.zkml.layers.products import Product
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Linear, MatMul, Operation, Shape

Integers = NDArray[Any]

_MOST_TERMS = 8  # of an entry of a factor


@dataclass(frozen=True)
class Factor:
    """Entries that are sums of multiples of a layer's sums, these taken before the layer's multipliers.

    Attributes:
        layer: with one group
        positions, multipliers: (terms, ...) of an entry each: which of the layer's (m, n) sums, and times what
    """

    layer: Linear
    positions: Integers
    multipliers: Integers

    @property
    def width(self) -> int:
        return int(self.layer.weight.shape[2])

    @property
    def distinct(self) -> tuple[Integers, Integers]:
        """Along the first axis of entries, which are unlike all others before them, and which of these each one is."""
        parts = np.concatenate([self.positions, self.multipliers]).swapaxes(0, 1)
        _, first, which = np.unique(parts.reshape(len(parts), -1), axis=0, return_index=True, return_inverse=True)
        return first, which.ravel()


@dataclass(frozen=True)
class Turned:
    """A product of two such factors; (g, m, n) are its lengths.

    Attributes:
        left: entries of shape (g, m, k)
        right: of shape (g, n, k)
    """

    left: Factor
    right: Factor
    lengths: Shape

    @property
    def layers(self) -> tuple[str, str]:
        """The outputs of the layers."""
        return self.left.layer.output, self.right.layer.output

    @property
    def constraints(self) -> int:
        """With the tests of the left layer's sums, which else have a constraint each less."""
        (g, m, n), k = self.lengths, int(self.left.positions.shape[3])
        right = (n - 1) * self.right.width + self.right.distinct[0].size * k
        return int(self.left.width) + right + g * (k + m * n - 1)

    @property
    def constraints_otherwise(self) -> int:
        """Of Freivalds' test."""
        (g, m, n), k = self.lengths, int(self.left.positions.shape[3])
        return int(g * min(m * k + (m + k) * (n - 1), k * n + (k + n) * (m - 1)))


def turned_of(
    model: IntegerModel, shapes: Mapping[str, Shape], products: Mapping[str, Product], others: Collection[str]
) -> dict[str, Turned]:
    """Those products of two tensors that take fewer constraints so, by their outputs.

    Args:
        others: tensors that are written in another way, or not at all (layers.scores)
    """
    factors, found = _Factors(model, shapes, products), {}
    for operation in model.operations:
        if isinstance(operation, MatMul) and not {operation.output, *operation.inputs} & set(others):
            left = factors.of(operation.inputs[0], rows=-2)
            right = factors.of(operation.inputs[1], rows=-1)
            if left is not None and right is not None and left.layer is not right.layer:
                turned = Turned(left, right, shapes[operation.output])
                found.update({operation.output: turned} if turned.constraints < turned.constraints_otherwise else {})
    return found


def kept_for(found: Mapping[str, Turned]) -> frozenset[str]:
    """The outputs of the layers whose test shares its products with such products (challenged.Evaluations)."""
    return frozenset(turned.left.layer.output for turned in found.values())


class _Factors:
    """What factors of products are made of."""

    def __init__(self, model: IntegerModel, shapes: Mapping[str, Shape], products: Mapping[str, Product]) -> None:
        self._shapes, self._products = shapes, products
        self._made_by = {op.output: op for op in model.operations}

    def of(self, name: str, rows: int) -> Factor | None:
        """The factor that a tensor of three axes is, if its entries are of the layer's rows along one of the axes.

        Its second axis is that of the rows.
        """
        found = self._made(name)
        if found is None:
            return None
        positions, multipliers = (np.moveaxis(part, rows, 2) for part in (found.positions, found.multipliers))
        own = np.arange(positions.shape[2])[:, None]
        is_of_rows = ((positions // found.width == own) | (multipliers == 0)).all()
        is_whole = positions.shape[2] == self._shapes[found.layer.output][1]
        return Factor(found.layer, positions, multipliers) if is_of_rows and is_whole else None

    def _made(self, name: str) -> Factor | None:
        made = self._made_by.get(name)
        if isinstance(made, Linear):
            return self._whole(made)
        if not isinstance(made, Arrange | Combine) or (isinstance(made, Combine) and made.offset.any()):
            return None
        parts = [self._made(source) for source in made.inputs]
        if any(part is None or part.layer is not parts[0].layer for part in parts):  # type: ignore[union-attr]
            return None
        join = _arranged if isinstance(made, Arrange) else _combined
        found = join(made, [part for part in parts if part is not None], self._shapes[name])
        is_small = len(found.positions) <= _MOST_TERMS and found.multipliers.dtype != object
        return found if is_small else None

    def _whole(self, layer: Linear) -> Factor | None:
        if self._products[layer.output].way != "challenged" or len(layer.weight) != 1:
            return None
        shape = self._shapes[layer.output]
        positions = np.arange(shape[1] * shape[2]).reshape(1, *shape)
        return Factor(layer, positions, np.broadcast_to(layer.multiplier[0], positions.shape))


def _arranged(operation: Operation, parts: Sequence[Factor], _: Shape) -> Factor:
    """Entries laid end to end and picked; those of fewer terms have some that are 0."""
    assert isinstance(operation, Arrange)
    terms, where = max(len(part.positions) for part in parts), operation.positions

    def picked(arrays: list[Integers]) -> Integers:
        flat = [array.reshape(len(array), -1) for array in arrays]
        padded = [np.pad(array, ((0, terms - len(array)), (0, 0))) for array in flat]
        return np.concatenate([*padded, np.zeros((terms, 1), dtype=np.int64)], axis=1)[:, where]

    return Factor(parts[0].layer, picked([p.positions for p in parts]), picked([p.multipliers for p in parts]))


def _combined(operation: Operation, parts: Sequence[Factor], shape: Shape) -> Factor:
    assert isinstance(operation, Combine)
    given = list(zip(parts, operation.multipliers, strict=True))
    positions = [_to(part.positions, shape) for part, _ in given]
    multipliers = [semantics.product(_to(part.multipliers, shape), np.asarray(times)) for part, times in given]
    return Factor(parts[0].layer, np.concatenate(positions), np.concatenate(multipliers))


def _to(array: Integers, shape: Shape) -> Integers:
    """(terms, ...) broadcast to (terms, *shape)."""
    terms, *own = array.shape
    return np.broadcast_to(array.reshape(terms, *[1] * (len(shape) - len(own)), *own), (terms, *shape))


def challenged_turned(evaluations: Evaluations, turned: Turned) -> Wires:
    """(g, m, n): the products, as wires that are tested as the module says. The layers' sums are tested elsewhere."""
    circuit, (_, m, n) = evaluations.circuit, turned.lengths
    left, right = turned.left, turned.right
    given = [evaluations.sums[output] for output in turned.layers]
    out = circuit.hint(_products(left, right), given, turned.lengths, "scores", signed=True)
    circuit.commit(out, "scores")
    of_rows = _weighted(evaluations, left, 1)
    distinct, which = right.distinct
    with circuit.scope("right"):
        of_columns = circuit.materialize(_weighted(evaluations, right, m)[distinct])[which]
    with circuit.scope("scores"):
        weighted = circuit.materialize(weighted_sum(out.transpose((0, 2, 1)), powers(circuit, m)))
        wanted = (of_rows * of_columns).sum(axis=-1)
        circuit.assert_equal(weighted_sum(weighted, powers(circuit, n, m)), wanted)
    return out


def _products(left: Factor, right: Factor) -> Callable[..., Integers]:
    """What makes the integers of the semantics of the layers' sums."""
    sides = tuple((factor.positions, factor.multipliers) for factor in (left, right))  # as a stored circuit keeps them

    def products(*given: Integers) -> Integers:
        q, k = (_values(sums, *side) for sums, side in zip(given, sides, strict=True))
        return semantics.matrix_product(q, k.swapaxes(1, 2))

    return products


def _values(sums: Integers, positions: Integers, multipliers: Integers) -> Integers:
    return semantics.added(*semantics.product(sums.ravel()[positions], multipliers))


def _weighted(evaluations: Evaluations, factor: Factor, step: int) -> Wires:
    """(g, k): the sums over the rows of entries (g, rows, k), weighted by powers of r^step: combinations."""
    entries = evaluations.entries(factor.layer.output, step).ravel()[factor.positions]
    terms = entries * evaluations.circuit.constant(factor.multipliers)
    return terms.sum(axis=0).sum(axis=1)
