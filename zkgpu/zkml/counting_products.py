"""What arrangements, sums and products take: the part of `zkml.counting` that follows layers with weights."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.zkml.layers import products
from zkgpu.zkml.layers.challenged import PLAIN
from zkgpu.zkml.layers.convolution import Patches
from zkgpu.zkml.layers.hashing import Ranged
from zkgpu.zkml.layers.matrices import works_in_pairs
from zkgpu.zkml.layers.mixtures import Mixture
from zkgpu.zkml.layers.plan import Plan
from zkgpu.zkml.layers.scores import Scores
from zkgpu.zkml.layers.tables import table_key
from zkgpu.zkml.layers.turned import Factor, Turned
from zkgpu.zkml.layers.weighing import Weighing
from zkgpu.zkml.layers.weighted_lookups import WeightedLookup
from zkgpu.zkml.layers.weights import hashed_parts
from zkgpu.zkml.operations import Arrange, Combine, Linear, MatMul, Multiply
from zkgpu.zkml.tally import Integers, Sums, Tally
from zkgpu.zkml.visibility import Visibilities


class ProductTally(Tally):
    """Counts of linear operations and of products, and of what layers share: sums at a challenge.

    Args:
        sketched: without what products with weights take

    Attributes:
        plan: how the model is written
        sums: what is known of the tensors that are written
    """

    def __init__(self, plan: Plan, visibilities: Visibilities, sketched: bool) -> None:
        super().__init__(plan.model.limb)
        self.plan, self.visibilities, self.sketched = plan, visibilities, sketched
        self.sums: dict[str, Sums] = {}
        self._tested: set[str] = set()
        self._weighted: set[tuple[products.Source, Weighing]] = set()
        self._weighted_entries: set[tuple[str, int]] = set()
        self._sums_of_weights: set[tuple[int, Weighing]] = set()
        self._hashed: list[Ranged[Any]] = []

    def arrange(self, operation: Arrange, inputs: list[Sums], _: Any) -> Sums:
        """An arrangement takes nothing."""

        def picked(parts: list[Integers], outside: int) -> Integers:
            return np.concatenate([*(part.ravel() for part in parts), np.full(1, outside)])[operation.positions]

        return Sums(
            picked([x.terms for x in inputs], 0),
            picked([x.ids for x in inputs], -1),
            picked([x.groups for x in inputs], -1),
            picked([x.own for x in inputs], 0),
            sum(x.support for x in inputs),
        )

    def combine(self, operation: Combine, inputs: list[Sums], _: Any) -> Sums:
        shape = np.broadcast_shapes(
            operation.offset.shape,
            *(np.broadcast_shapes(x.shape, m.shape) for x, m in zip(inputs, operation.multipliers, strict=True)),
        )
        factors = [np.broadcast_to(m, shape) for m in operation.multipliers]
        parts = [x.to(shape) for x in inputs]
        terms = np.sum([np.where(m != 0, x.terms, 0) for x, m in zip(parts, factors, strict=True)], axis=0)
        ids = np.max([np.where(m == 1, x.ids, -1) for x, m in zip(parts, factors, strict=True)], axis=0)
        ids = np.where((terms == 1) & (np.broadcast_to(operation.offset, shape) == 0), ids, -1)
        inside = np.array([x.terms - x.own for x in parts])
        largest = inside.argmax(axis=0)  # the group of most terms stays one, those of others are taken for their own
        groups = np.take_along_axis(np.array([x.groups for x in parts]), largest[None], axis=0)[0]
        own = np.maximum(terms - inside.max(axis=0), 0)
        return Sums(terms, ids, groups, own, sum(x.support for x in inputs))

    def multiply(self, operation: Multiply, inputs: list[Sums], _: Any) -> Sums:
        return self.product(inputs[0], inputs[1], operation.output)

    def linear(self, operation: Linear, _: Any, __: Any) -> Sums:
        if self.sketched:
            return self.fresh(self.plan.intervals[operation.output].shape)
        if operation.output in self.plan.mixtures:
            return self._mixed(operation, self.plan.mixtures[operation.output])
        x, patches = self._read_by(operation)
        _, m, k = (patches or x).shape
        product = self.plan.products[operation.output]
        if product.way == "challenged" and not x.is_constant:
            return self._challenged_linear(operation, x, product.source)
        if self.visibilities.weights == "public":
            return self._public_linear(operation, x, patches)
        if self.visibilities.weights == "private":
            weight, bias = self.fresh(operation.weight.shape), self.fresh(operation.bias.shape)
            return self._private_linear(x, weight, bias, patches)
        parts = {}
        for name, part in hashed_parts(operation, m).items():
            parts[name] = self.fresh(part.values.shape)
            self.within(parts[name], part.low, part.high)
            self._hashed.append(part)
        weight, multiplier, bias = (parts[name] for name in ("weight", "multiplier", "bias"))
        if patches is not None:
            return self._convolution(x, patches, weight.shape[2], None, bias.size, multiplier.size)
        factors = multiplier.take((slice(None), None))
        if m > k and not works_in_pairs(m, k, operation.weight.shape[2]):
            scaled = self.product(weight, factors)
            return self._private_linear(x, scaled, self.product(multiplier, bias))
        return self.product(self._private_linear(x, weight, bias), factors, operation.output)

    def _read_by(self, operation: Linear) -> tuple[Sums, Patches | None]:
        (name,), patches = operation.inputs, self.plan.evaluated.get(operation.output)
        if patches is None:
            return self.sums[name], None
        arranged = self.plan.arranged[name]
        inputs = [self.sums[source] for source in arranged.inputs]
        cells = self.arrange(replace(arranged, positions=patches.sources), inputs, None)
        return (self.arrange(arranged, inputs, None), None) if cells.is_constant else (cells, patches)

    def _public_linear(self, operation: Linear, x: Sums, patches: Patches | None) -> Sums:
        if patches is None:
            return self._constant_linear(operation, x)
        weight, biases = operation.weight, int(np.count_nonzero(operation.bias))
        return self._times_multiplier(self._convolution(x, patches, weight.shape[2], weight, biases), operation)

    def _times_multiplier(self, y: Sums, operation: Linear) -> Sums:
        scaled = np.broadcast_to(operation.multiplier[:, None, :] != 1, y.shape)
        return Sums(y.terms, np.where(scaled, -1, y.ids), y.groups, y.own, y.support)

    def _constant_linear(self, operation: Linear, x: Sums) -> Sums:
        """Sums of many terms get wires of their own."""
        reach = self.united(x)
        terms = np.minimum(x.terms @ (operation.weight != 0).astype(np.int64), reach[..., None])
        constants = int((operation.bias != 0).sum()) * x.shape[1]
        if int(terms.sum()) + constants <= products.LONG or operation.output in self.plan.rounded_at_once:
            return self.grouped(reach, terms.shape, terms, x.support)
        self.constrain(terms.size, int(terms.sum()) + constants + 2 * terms.size)
        return self.fresh(terms.shape)

    def _challenged_linear(self, operation: Linear, x: Sums, source: products.Source) -> Sums:
        """`challenged.challenged_linear`."""
        self._weigh(source, x, self.plan.weighings.get(operation.output, PLAIN))
        return self._tested_linear(operation, x.shape[1])

    def _mixed(self, operation: Linear, mixture: Mixture) -> Sums:
        """`mixtures.weighted_mixture`, which takes a product for each entry of V, and the layer's test."""
        p, v = (self.sums[name] for name in mixture.product.inputs)
        self._weigh(mixture.source, p, self.plan.weighings.get(operation.output, PLAIN))
        columns, k = mixture.heads.size, p.shape[2]
        read = v.terms.swapaxes(1, 2)[mixture.heads, mixture.entries]
        self.constrain(columns * k, int(read.sum()) + columns * (3 * k - 1))
        self.wires += columns * k
        return self._tested_linear(operation, p.shape[1])

    def _tested_linear(self, operation: Linear, m: int) -> Sums:
        """Each channel's last product is its test. That of the first power is none where this is 1."""
        groups, _, n = operation.weight.shape
        weighing = self.plan.weighings.get(operation.output, PLAIN)
        powers, first = weighing.groups(m), weighing.first
        self.degree += powers - 1 + first
        self.powers_of(powers + first, weighing.step)
        y = self.fresh((groups, m, n))
        self._tested.add(operation.output)
        is_kept, biases = operation.output in self.plan.kept, int(np.count_nonzero(operation.bias))
        more = first if powers > 1 else 0
        inner = groups * n * (m - 1 if is_kept else max(0, powers - 2) + more)
        self._weighted_entries.update({(operation.output, 1)} if is_kept else ())
        self.constrain(inner, 3 * inner + groups * n * (m - powers))
        self.wires += inner
        weights = int(np.count_nonzero(operation.weight))
        self.constrain(groups * n, inner + (3 - more) * groups * n + weights + biases)
        if operation.bias.any():
            self._sum_weights(m, weighing)
        return self._times_multiplier(y, operation)

    def _sum_weights(self, rows: int, weighing: Weighing) -> None:
        """`Evaluations.sum_of_weights`."""
        if (rows, weighing) not in self._sums_of_weights:
            self._sums_of_weights.add((rows, weighing))
            self.constrain(1, weighing.groups(rows) + 2)
            self.wires += 1

    def _challenged_scores(self, scores: Scores) -> Sums:
        """`scores.challenged_scores`, whose last product of each matrix is its test."""
        g, m, n = scores.lengths
        self.degree += m * n - 1
        out = self.fresh(scores.lengths)
        for side, step in ((scores.left, 1), (scores.right, m)):
            weighing = Weighing(step)
            self._weigh(side.source, self.sums[side.layer.inputs[0]], weighing)
            chosen = side.distinct
            bias = int(np.count_nonzero(side.layer.bias[0][chosen]))
            if bias:
                self._sum_weights(self.sums[side.layer.inputs[0]].shape[1], weighing)
            weights = int(np.count_nonzero(side.layer.weight[0][:, chosen]))
            self.constrain(chosen.size, weights + bias + 2 * chosen.size)
            self.wires += chosen.size
        inner = g * (scores.left.columns.shape[1] + m * n - 2)
        self.constrain(inner + g, 4 * inner + 3 * g)
        self.wires += inner
        return out

    def _is_of_layers(self, output: str) -> bool:
        return output in self.plan.scores or self._is_turned(output)

    def _is_turned(self, output: str) -> bool:
        """Whether both layers of such a product have inputs that are not constant, and are tested."""
        return output in self.plan.turned and self._tested.issuperset(self.plan.turned[output].layers)

    def _challenged_turned(self, turned: Turned) -> Sums:
        """`turned.challenged_turned`, whose last product of each matrix is its test."""
        (g, m, n), sides = turned.lengths, (turned.left, turned.right)
        self.degree += m * n - 1
        out = self.fresh(turned.lengths)
        for side, step in zip(sides, (1, m), strict=True):
            self._weigh_entries(side, step)
        terms = [int(np.count_nonzero(side.multipliers)) for side in sides]
        distinct, k = turned.right.distinct[0], turned.left.positions.shape[3]
        columns, own = distinct.size * k, int(np.count_nonzero(turned.right.multipliers[:, distinct]))
        self.constrain(columns, own + 2 * columns)
        self.wires += columns
        inner = g * (k + m * n - 2)
        self.constrain(inner + g, terms[0] + 2 * g * k + 4 * g * (m * n - 2) + 3 * g)
        self.wires += inner
        return out

    def _weigh_entries(self, factor: Factor, step: int) -> None:
        """`Evaluations.entries`, of a layer that is tested already."""
        (_, m, n) = self.plan.intervals[factor.layer.output].shape
        self.powers_of(m, step)
        if (factor.layer.output, step) not in self._weighted_entries:
            self._weighted_entries.add((factor.layer.output, step))
            self.constrain((m - 1) * n, 3 * (m - 1) * n)
            self.wires += (m - 1) * n

    def _weigh(self, source: products.Source, x: Sums, weighing: Weighing) -> None:
        """`Evaluations.weighted`: a product for each entry of each power but the first, and a wire at least."""
        groups, m, k = x.shape
        powers = weighing.groups(m)
        self.powers_of(powers + weighing.first, weighing.step)
        if (source, weighing) in self._weighted:
            return
        self._weighted.add((source, weighing))
        count = groups * max(1, powers - 1) * k
        self.constrain(count, x.total() + 3 * count)
        self.wires += count

    def _look_up_weighted(self, table: Integers, first: int, x: Sums, lookup: WeightedLookup) -> None:
        """`weighted_lookups.WeightedTables.hold`."""
        blocks, terms = lookup.blocks, x.terms.reshape(lookup.shape)
        for j in range(lookup.tables):
            rows = Sums.of(terms[:, lookup.rows_of(j)], x.support)
            self.look_up(table_key(table, first, j + 1), len(table), 2, rows, j + 1)
        self.powers_of(blocks, lookup.period)
        count = lookup.size * max(1, blocks - 1)
        self.constrain(count, lookup.size * (lookup.shape[1] + (3 * blocks - 4 if blocks > 1 else 2)))
        self.wires += count
        self._weighted.add((lookup.source, lookup.later))

    def _convolution(
        self, cells: Sums, patches: Patches, n: int, weight: Integers | None, biases: int, scaled: int = 0
    ) -> Sums:
        """`convolution` with n output channels a group.

        Args:
            weight: where it is public
            biases: those that are not 0
            scaled: channels with multipliers that are wires
        """
        groups, m, k = patches.shape
        ends, inner = groups * n, 0 if weight is not None else groups * (k + 1) * n
        self.powers_of(patches.degree + 1, 1)
        self.degree += patches.degree
        self.constrain(patches.constraints, cells.total() + patches.terms_of_sums)
        self.wires += patches.constraints
        if biases:
            self.constrain(1, m + 2)
            self.wires += 1
        read = (patches.sizes > 0).reshape(groups, k)
        terms = 4 * inner - 2 * int((~read).sum()) * n if weight is None else int((weight[read] != 0).sum()) + biases
        self.constrain(inner + ends * m + scaled, terms + ends * (3 * (m - 1) + 2 + m - 1) + 3 * scaled)
        self.wires += inner + ends * (m - 1) + scaled
        return self.fresh((groups, m, n))

    def _private_linear(self, x: Sums, weight: Sums, bias: Sums, patches: Patches | None = None) -> Sums:
        n = weight.shape[2]
        if patches is not None:
            return self._convolution(x, patches, n, None, bias.size)
        groups, m, k = x.shape
        if works_in_pairs(m, k, n):
            pairs = m * n * (k - k // 2)
            entries = (n + 1) * x.total() + groups * (3 * pairs + m * n * (k + 1) + m * (k // 2))
            self.constrain(groups * (pairs + m * (k // 2)), entries)
            self.wires += groups * (pairs - m * n + m * (k // 2))
            return self.fresh((groups, m, n))
        return self._matmul(x, weight, bias)

    def _matmul(self, x: Sums, y: Sums, bias: Sums | None = None) -> Sums:
        """`gadgets.matmul` group by group."""
        if x.size == 0 or y.size == 0:
            return self.fresh((*x.shape[:2], y.shape[2]))
        found = [self._product_of_matrices(x.take(g), y.take(g)) for g in range(x.shape[0])]
        parts = (np.stack(part) for part in zip(*((s.terms, s.ids) for s in found), strict=True))
        terms, ids = parts
        joined = Sums.of(terms, sum(s.support for s in found), ids)
        return joined if bias is None else joined.plus(1)

    def _product_of_matrices(self, x: Sums, y: Sums) -> Sums:
        (m, k), n = x.shape, y.shape[1]
        plain = 0 if x.is_constant or y.is_constant else m * k * n
        right, left = m * k + (m + k) * (n - 1), k * n + (k + n) * (m - 1)
        if plain <= min(right, left):
            terms = np.full((m, n), k) if plain else np.minimum(x.terms.sum(), y.terms.sum()) * np.ones((m, n), int)
            self.constrain(plain, plain + n * x.total() + m * y.total() if plain else 0)
            self.wires += plain
            return Sums.of(terms, m * n * k)
        first, rows, columns = (x, m, n) if right <= left else (y, n, m)
        self.challenges.add(DIGEST_POINT)
        self.degree += columns - 1
        self.constrain(min(right, left), first.total() + 2 * m * k * n // columns + 4 * (rows + k) * (columns - 1))
        self.wires += min(right, left) - rows
        return self.fresh((m, n))

    def matmul(self, operation: MatMul, inputs: list[Sums], _: Any) -> Sums:
        if self._is_turned(operation.output):
            return self._challenged_turned(self.plan.turned[operation.output])
        scores = self.plan.scores.get(operation.output)
        return self._matmul(*inputs) if scores is None else self._challenged_scores(scores)
