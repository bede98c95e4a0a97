"""How large the circuit of an integer model will be, by formulas for each operation: nothing of it is built.

Each method says what the function of the same name in `layers` writes, and `zkml.tally` adds up; those of roundings,
lookups and rows are in `zkml.counting_rows`. Constraints are exact but where rows of sums of other sums decide whether
a layer gets wires of its own; entries are counted twice where two sums share wires that no row holds together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from zkgpu.circuits import Circuit
from zkgpu.circuits.committed import PublicArray
from zkgpu.circuits.gadgets.lookup import Table
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.widths import UNKNOWN
from zkgpu.curves import DEFAULT
from zkgpu.records import dataclass
from zkgpu.zkml.counting_rows import RowTally
from zkgpu.zkml.layers import products
from zkgpu.zkml.layers.challenged import PLAIN
from zkgpu.zkml.layers.clamp_tables import clamp_tables
from zkgpu.zkml.layers.composition import is_worth_wires, reads_of
from zkgpu.zkml.layers.convolution import Patches
from zkgpu.zkml.layers.evaluated import evaluated, read_by_them_only
from zkgpu.zkml.layers.hashing import Ranged
from zkgpu.zkml.layers.long_sums import rounded_at_once
from zkgpu.zkml.layers.matrices import works_in_pairs
from zkgpu.zkml.layers.mixtures import Mixture, mixtures_of
from zkgpu.zkml.layers.network import Network, rounded_only_for_tables
from zkgpu.zkml.layers.packing import weighings_of
from zkgpu.zkml.layers.scores import Scores, scores_of
from zkgpu.zkml.layers.tables import table_key
from zkgpu.zkml.layers.turned import Factor, Turned, kept_for, turned_of
from zkgpu.zkml.layers.unpacking import unpacked
from zkgpu.zkml.layers.weighing import Weighing
from zkgpu.zkml.layers.weighted_lookups import WeightedLookup, later_of, weighed_otherwise, weighted_lookups
from zkgpu.zkml.layers.weights import hashed_parts, largest_sum
from zkgpu.zkml.operations import (
    ArgMax,
    Arrange,
    Combine,
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
    Tensor,
    TopK,
    Total,
)
from zkgpu.zkml.ranges import Interval, analyze, with_reach
from zkgpu.zkml.tally import Integers, Size, Sums
from zkgpu.zkml.visibility import BINDING, Visibilities, packed_interval

_WAYS = {
    "exact": "weights in exact rows",
    "challenged": "weights tested at a challenge",
    "convolution": "weights of convolutions, tested at a challenge",
    "private": "weights that the prover gives",
    "mixture": "products of two tensors in them, tested at a challenge",
    "scores": "products of two of them, tested at a challenge",
    "tensors": "no weights, products of two tensors",
}


@dataclass(frozen=True)
class LayerCount:
    """What one product takes, without the range checks of what becomes of it.

    Attributes:
        way: "exact", "challenged", "convolution" or "private" for a product with weights (layers.products), "tensors"
            for one of two tensors, "scores" for one of two products with weights that are not written (layers.scores),
            "mixture" for a layer with the product of two tensors that it reads (layers.mixtures)
        constraints: with those that layers share, sums of one input or powers of a challenge, at the first of them
        entries: of combinations that get no wires, where they are read once
    """

    layer: str
    way: str
    constraints: int
    entries: int


@dataclass(frozen=True)
class Account:
    """The size of a circuit, and what its products take."""

    size: Size
    layers: tuple[LayerCount, ...]

    @property
    def error_bits(self) -> int:
        """b, where all that is tested at challenges holds but with probability below 2^-b."""
        return (DEFAULT.scalar_field.modulus // max(1, self.size.degree)).bit_length() - 1

    @property
    def lines(self) -> list[str]:
        """The products by the way that they are written, and the error of the challenges."""
        lines = []
        for way in dict.fromkeys(layer.way for layer in self.layers):
            chosen = [layer for layer in self.layers if layer.way == way]
            constraints, entries = (sum(getattr(c, name) for c in chosen) for name in ("constraints", "entries"))
            lines.append(f"layers with {_WAYS[way]}: {len(chosen)}, {constraints:,} constraints, {entries:,} entries")
        tested = f"tests at challenges of degree {self.size.degree:,} in all: error below 2^-{self.error_bits}"
        return [*lines, tested] if self.size.degree else lines


def size_of(model: IntegerModel, visibilities: Visibilities | None = None) -> Size:
    """The size of `build_circuit(model, visibilities)`."""
    return account_of(model, visibilities).size


def account_of(model: IntegerModel, visibilities: Visibilities | None = None) -> Account:
    """As `size_of`, with its products one by one."""
    tally = NetworkTally(model, visibilities or Visibilities())
    for tensor in model.inputs:
        tally.declare(tensor)
    for operation in tally.model.operations:
        tally.write(operation)
    tally.publish_weights()
    for tensor in model.outputs:
        tally.publish(tensor)
    tally.bind()
    return Account(tally.finished(), tuple(tally.layers))


class NetworkTally(RowTally):
    """The circuit of a model so far, as `layers.network.Network` writes it, and what is known of each tensor.

    Args:
        sketched: without what products with weights take, and outputs
        intervals: of the tensors, where they are known
    """

    def __init__(
        self,
        model: IntegerModel,
        visibilities: Visibilities,
        sketched: bool = False,
        intervals: Mapping[str, Interval] | None = None,
    ) -> None:
        super().__init__(model.limb)
        taken_apart = model if visibilities.weights_are_given else unpacked(model)
        intervals, model = intervals if taken_apart is model else None, taken_apart
        self.model, self.visibilities, self.sketched = model, visibilities, sketched
        self.intervals = analyze(model, margin=visibilities.weights_are_given) if intervals is None else intervals
        if visibilities.weights == "hashed":
            self.intervals = with_reach(model, self.intervals, largest_sum)
        shapes = {name: interval.shape for name, interval in self.intervals.items()}
        public = not visibilities.weights_are_given
        self.evaluated: Mapping[str, Patches] = {} if sketched else evaluated(model, public=public)
        self.products = products.products_of(model, shapes, self.evaluated, public=public)
        self.scores = scores_of(model, shapes, self.products)
        self.mixtures = mixtures_of(model, shapes, self.products, self.scores)
        self._unwritten = {name for scores in self.scores.values() for name in scores.unwritten}
        self._unwritten |= {name for mixture in self.mixtures.values() for name in mixture.unwritten}
        self.turned = turned_of(model, shapes, self.products, {*self.scores, *self._unwritten})
        self._kept, self._tested = kept_for(self.turned), set[str]()
        self._weighted_entries: set[tuple[str, int]] = set()
        self.fused = rounded_only_for_tables(model)
        self.weighings: Mapping[str, Weighing] = {}
        if not sketched:
            self.weighings = weighings_of(model, self.intervals, self.products, self.mixtures, self._kept, self.fused)
        self._unwritten |= read_by_them_only(model, self.evaluated)
        self._rounded_at_once = rounded_at_once(model, self.products)
        self.layers: list[LayerCount] = []
        self._weighted: set[tuple[products.Source, Weighing]] = set()
        self._sums_of_weights: set[tuple[int, Weighing]] = set()
        self.sums: dict[str, Sums] = {}
        self.weighted_lookups: Mapping[str, WeightedLookup] = {}
        if not sketched:
            others = weighed_otherwise(model, self.products, self.scores, self.mixtures, self._kept)
            self.weighted_lookups = weighted_lookups(
                model, self.intervals, self.products, self.weighings, self.fused, others
            )
            self.weighings = {**self.weighings, **later_of(self.weighted_lookups)}
        self.clamps = clamp_tables(model, self.intervals, self.fused, visibilities.weights_are_given)
        self.arranged = {op.output: op for op in model.operations if isinstance(op, Arrange)}
        shown = [t.name for t in model.outputs if visibilities.of_output(t.name) != "private"]
        self.read = set() if sketched else set(shown)
        self.read.update(name for operation in model.operations for name in operation.inputs)
        self._hashed: list[Ranged[Any]] = []

    def declare(self, tensor: Tensor) -> None:
        visibility = self.visibilities.of_input(tensor.name)
        unsigned = visibility == "public" and tensor.low >= 0
        x = self.fresh(tensor.shape, tensor.high.bit_length() if unsigned else UNKNOWN)
        if visibility == "public":
            self.arrays.append(PublicArray(tensor.name, x.shape, tensor.low, tensor.high))
        else:
            self.within(x, tensor.low, tensor.high)
        if visibility == "hashed":
            self.publish_hash([Ranged(np.zeros(tensor.shape), tensor.low, tensor.high)])
        self.sums[tensor.name] = x

    def publish(self, tensor: Tensor) -> None:
        visibility = self.visibilities.of_output(tensor.name)
        x, (low, high) = self.sums[tensor.name], packed_interval(self.intervals[tensor.name])
        if visibility == "public":
            self.arrays.append(PublicArray(tensor.name, x.shape, low, high))
            self.constrain(0, x.total())
        elif visibility == "hashed":
            self.within(x, low, high)
            self.publish_hash([Ranged(np.zeros(x.shape), low, high)])

    def publish_weights(self) -> None:
        if self.visibilities.weights == "hashed":
            self.publish_hash(self._hashed)

    def bind(self) -> None:
        """The bytes that a proof is for."""
        if self.visibilities.binding:
            self.arrays.append(PublicArray(BINDING, (self.visibilities.binding,), 0, 255))
        self.wires += self.visibilities.binding

    def write(self, operation: Operation) -> None:
        if operation.output in self.fused or operation.output in self._unwritten:
            return
        is_weighted = operation.output in self.mixtures or self._is_of_layers(operation.output)
        if not is_weighted:
            self._shorten(operation)
        before = self.constraints, self.entries
        inputs = [self.sums.get(name) for name in operation.inputs]
        intervals = [self.intervals[name] for name in operation.inputs]
        rule = _RULES.get(type(operation), "built")
        self.sums[operation.output] = getattr(self, rule)(operation, inputs, intervals)
        if isinstance(operation, Linear | MatMul):
            way = "scores" if self._is_of_layers(operation.output) else "tensors"
            way = self.products[operation.output].way if isinstance(operation, Linear) else way
            way = "mixture" if operation.output in self.mixtures else way
            constraints, entries = self.constraints - before[0], self.entries - before[1]
            read = 0 if constraints else self.sums[operation.output].total()
            self.layers.append(LayerCount(operation.layer, way, constraints, entries + read))

    def _shorten(self, operation: Operation) -> None:
        if operation.output in self.evaluated:
            return
        inputs = [self.sums[name] for name in operation.inputs if name not in self.fused]
        reads = reads_of(operation, inputs, self.products)
        for name, x, read in zip(operation.inputs, inputs, reads, strict=False):
            sources = [self.sums[source] for source in self._sources(name)]
            size = sum(source.size for source in sources)
            if is_worth_wires(x.terms.ravel(), read, sum(source.total() for source in sources), size):
                self._bind(name)

    def _sources(self, name: str) -> list[str]:
        arranged = self.arranged.get(name)
        return [s for i in arranged.inputs for s in self._sources(i)] if arranged else [name]

    def _bind(self, name: str) -> None:
        arranged = self.arranged.get(name)
        if arranged is None:
            x = self.sums[name]
            if (x.ids < 0).any():
                self.constrain(x.size, x.total() + 2 * x.size)
                self.sums[name] = self.fresh(x.shape)
            return
        for source in arranged.inputs:
            self._bind(source)
        self.sums[name] = self.arrange(arranged, [self.sums[source] for source in arranged.inputs], None)

    def built(self, operation: Operation, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        """An operation that has no formula yet: written on its own, of wires that nothing is known of."""
        circuit = Circuit()
        network = Network(circuit, self.model, self.visibilities)
        for name, x in zip(operation.inputs, inputs, strict=True):
            network.values[name] = circuit.private(name, x.shape)
        network.write(operation)
        for key, items in circuit.builder.rounds.collected().items():
            if isinstance(key, Table):
                count = sum(item.columns[0].size for item in items)
                table = [key.size, len(key.columns), 0]
                self.tables.setdefault(table_key(key.columns, 0), table)[2] += count
                continue
            for check in items:
                self.checks[check.bits] += check.entries.size
                self.check_terms[check.bits] += 2 * check.entries.size
        builder, y = circuit.builder, network.values[operation.output]
        self.challenges |= set(builder.rounds.challenges)
        self.constrain(builder.n_constraints, 3 * builder.n_constraints)
        self.wires += builder.n_wires - 1 - sum(x.size for x in inputs) - y.size - len(builder.rounds.challenges)
        return self.fresh(y.shape)

    # layers

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
            return self.fresh(self.intervals[operation.output].shape)
        if operation.output in self.mixtures:
            return self._mixed(operation, self.mixtures[operation.output])
        x, patches = self._read_by(operation)
        _, m, k = (patches or x).shape
        product = self.products[operation.output]
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
        (name,), patches = operation.inputs, self.evaluated.get(operation.output)
        if patches is None:
            return self.sums[name], None
        arranged = self.arranged[name]
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
        if int(terms.sum()) + constants <= products.LONG or operation.output in self._rounded_at_once:
            return self.grouped(reach, terms.shape, terms, x.support)
        self.constrain(terms.size, int(terms.sum()) + constants + 2 * terms.size)
        return self.fresh(terms.shape)

    def _challenged_linear(self, operation: Linear, x: Sums, source: products.Source) -> Sums:
        """`challenged.challenged_linear`."""
        self._weigh(source, x, self.weighings.get(operation.output, PLAIN))
        return self._tested_linear(operation, x.shape[1])

    def _mixed(self, operation: Linear, mixture: Mixture) -> Sums:
        """`mixtures.weighted_mixture`, which takes a product for each entry of V, and the layer's test."""
        p, v = (self.sums[name] for name in mixture.product.inputs)
        self._weigh(mixture.source, p, self.weighings.get(operation.output, PLAIN))
        columns, k = mixture.heads.size, p.shape[2]
        read = v.terms.swapaxes(1, 2)[mixture.heads, mixture.entries]
        self.constrain(columns * k, int(read.sum()) + columns * (3 * k - 1))
        self.wires += columns * k
        return self._tested_linear(operation, p.shape[1])

    def _tested_linear(self, operation: Linear, m: int) -> Sums:
        """Each channel's last product is its test. That of the first power is none where this is 1."""
        groups, _, n = operation.weight.shape
        weighing = self.weighings.get(operation.output, PLAIN)
        powers, first = weighing.groups(m), weighing.first
        self.degree += powers - 1 + first
        self.powers_of(powers + first, weighing.step)
        y = self.fresh((groups, m, n))
        self._tested.add(operation.output)
        is_kept, biases = operation.output in self._kept, int(np.count_nonzero(operation.bias))
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
        return output in self.scores or self._is_turned(output)

    def _is_turned(self, output: str) -> bool:
        """Whether both layers of such a product have inputs that are not constant, and are tested."""
        return output in self.turned and self._tested.issuperset(self.turned[output].layers)

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
        (_, m, n) = self.intervals[factor.layer.output].shape
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
        products = lookup.size * max(1, blocks - 1)
        self.constrain(products, lookup.size * (lookup.shape[1] + (3 * blocks - 4 if blocks > 1 else 2)))
        self.wires += products
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
        ends, products = groups * n, 0 if weight is not None else groups * (k + 1) * n
        self.powers_of(patches.degree + 1, 1)
        self.degree += patches.degree
        self.constrain(patches.constraints, cells.total() + patches.terms_of_sums)
        self.wires += patches.constraints
        if biases:
            self.constrain(1, m + 2)
            self.wires += 1
        read = (patches.sizes > 0).reshape(groups, k)
        terms = 4 * products - 2 * int((~read).sum()) * n if weight is None else int((weight[read] != 0).sum()) + biases
        self.constrain(products + ends * m + scaled, terms + ends * (3 * (m - 1) + 2 + m - 1) + 3 * scaled)
        self.wires += products + ends * (m - 1) + scaled
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
            return self._challenged_turned(self.turned[operation.output])
        scores = self.scores.get(operation.output)
        return self._matmul(*inputs) if scores is None else self._challenged_scores(scores)


_RULES: Mapping[type[Operation], str] = {
    Arrange: "arrange",
    Linear: "linear",
    Combine: "combine",
    Total: "total",
    Multiply: "multiply",
    MatMul: "matmul",
    Requantize: "requantize",
    Rescale: "rescale",
    Lookup: "lookup",
    Rows: "rows",
    Steps: "steps",
    Maximum: "maximum",
    ArgMax: "argmax",
    TopK: "top_k",
    Softmax: "softmax",
    Normalize: "normalize",
    RootMeanSquare: "root_mean_square",
}
