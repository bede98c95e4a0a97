"""How large the circuit of an integer model will be, by formulas for each operation: nothing of it is built.

Each method says what the function of the same name in `layers` writes, and `zkml.tally` adds up. Constraints are exact
but where rows of sums of other sums decide whether a layer gets wires of its own; entries are counted twice where two
sums share wires that no row holds together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from zkgpu.circuits import Circuit
from zkgpu.circuits.gadgets.lookup import LOOKUP_POINT, Table
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.widths import UNKNOWN
from zkgpu.curves import DEFAULT
from zkgpu.records import dataclass
from zkgpu.zkml.layers import products
from zkgpu.zkml.layers.clamp_tables import clamp_tables
from zkgpu.zkml.layers.composition import is_worth_wires, reads_of
from zkgpu.zkml.layers.convolution import Patches
from zkgpu.zkml.layers.evaluated import evaluated, read_by_them_only
from zkgpu.zkml.layers.hashing import Ranged
from zkgpu.zkml.layers.matrices import works_in_pairs
from zkgpu.zkml.layers.maximum import spread
from zkgpu.zkml.layers.mixtures import Mixture, mixtures_of
from zkgpu.zkml.layers.network import Network, rounded_only_for_tables
from zkgpu.zkml.layers.normalize import has_wire_of_sum
from zkgpu.zkml.layers.rounding import clipped, rounded_ends
from zkgpu.zkml.layers.scores import Scores, scores_of
from zkgpu.zkml.layers.tables import table_for_all, table_key
from zkgpu.zkml.layers.unpacking import unpacked
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
from zkgpu.zkml.semantics import inverse_root
from zkgpu.zkml.tally import Integers, Size, Sums, Tally
from zkgpu.zkml.visibility import Visibilities, packed_interval

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


class NetworkTally(Tally):
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
        self._unwritten |= read_by_them_only(model, self.evaluated)
        self.layers: list[LayerCount] = []
        self._weighted: set[tuple[products.Source, int]] = set()
        self._sums_of_powers: set[tuple[int, int]] = set()
        self.sums: dict[str, Sums] = {}
        self.fused = rounded_only_for_tables(model)
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
            self.values += x.size
        else:
            self.within(x, tensor.low, tensor.high)
        if visibility == "hashed":
            self.publish_hash([Ranged(np.zeros(tensor.shape), tensor.low, tensor.high)])
        self.sums[tensor.name] = x

    def publish(self, tensor: Tensor) -> None:
        visibility = self.visibilities.of_output(tensor.name)
        x, (low, high) = self.sums[tensor.name], packed_interval(self.intervals[tensor.name])
        if visibility == "public":
            self.values += x.size
            self.constrain(0, x.total())
        elif visibility == "hashed":
            self.within(x, low, high)
            self.publish_hash([Ranged(np.zeros(x.shape), low, high)])

    def publish_weights(self) -> None:
        if self.visibilities.weights == "hashed":
            self.publish_hash(self._hashed)

    def bind(self) -> None:
        """The bytes that a proof is for."""
        self.values += self.visibilities.binding
        self.wires += self.visibilities.binding

    def write(self, operation: Operation) -> None:
        if operation.output in self.fused or operation.output in self._unwritten:
            return
        if operation.output not in self.scores and operation.output not in self.mixtures:
            self._shorten(operation)
        before = self.constraints, self.entries
        inputs = [self.sums.get(name) for name in operation.inputs]
        intervals = [self.intervals[name] for name in operation.inputs]
        rule = _RULES.get(type(operation), "built")
        self.sums[operation.output] = getattr(self, rule)(operation, inputs, intervals)
        if isinstance(operation, Linear | MatMul):
            way = "scores" if operation.output in self.scores else "tensors"
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

    def total(self, _: Total, inputs: list[Sums], __: Any) -> Sums:
        (x,) = inputs
        if x.shape[-1] == 1:
            return x.take((..., 0))
        return Sums.of(self.united(x), x.support)

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
        factors = multiplier.take((slice(None), None))
        if m > k and not works_in_pairs(m, k, operation.weight.shape[2]):
            scaled = self.product(weight, factors)
            return self._private_linear(x, scaled, self.product(multiplier, bias), patches)
        return self.product(self._private_linear(x, weight, bias, patches), factors, operation.output)

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
        if int(terms.sum()) + constants <= products.LONG:
            return self.grouped(reach, terms.shape, terms, x.support)
        self.constrain(terms.size, int(terms.sum()) + constants + 2 * terms.size)
        return self.fresh(terms.shape)

    def _challenged_linear(self, operation: Linear, x: Sums, source: products.Source) -> Sums:
        """`challenged.challenged_linear`."""
        self._weigh(source, x, 1)
        return self._tested_linear(operation, x.shape[1])

    def _mixed(self, operation: Linear, mixture: Mixture) -> Sums:
        """`mixtures.weighted_mixture`, which takes a product for each entry of V, and the layer's test."""
        p, v = (self.sums[name] for name in mixture.product.inputs)
        self._weigh(mixture.source, p, 1)
        columns, k = mixture.heads.size, p.shape[2]
        read = v.terms.swapaxes(1, 2)[mixture.heads, mixture.entries]
        self.constrain(columns * k, int(read.sum()) + columns * (3 * k - 1))
        self.wires += columns * k
        return self._tested_linear(operation, p.shape[1])

    def _tested_linear(self, operation: Linear, m: int) -> Sums:
        """Each channel's last product is its test."""
        groups, _, n = operation.weight.shape
        self.degree += m - 1
        y = self.fresh((groups, m, n))
        inner, biases = groups * n * (m - 2), int(np.count_nonzero(operation.bias))
        self.constrain(inner, 3 * inner)
        self.wires += inner
        weights = int(np.count_nonzero(operation.weight))
        self.constrain(groups * n, inner + 3 * groups * n + weights + biases)
        if operation.bias.any():
            self._sum_powers(m, 1)
        return self._times_multiplier(y, operation)

    def _sum_powers(self, count: int, step: int) -> None:
        """`Evaluations.sum_of_powers`."""
        if (count, step) not in self._sums_of_powers:
            self._sums_of_powers.add((count, step))
            self.constrain(1, count + 2)
            self.wires += 1

    def _challenged_scores(self, scores: Scores) -> Sums:
        """`scores.challenged_scores`, whose last product of each matrix is its test."""
        g, m, n = scores.lengths
        self.degree += m * n - 1
        out = self.fresh(scores.lengths)
        for side, step in ((scores.left, 1), (scores.right, m)):
            self._weigh(side.source, self.sums[side.layer.inputs[0]], step)
            chosen = side.distinct
            bias = int(np.count_nonzero(side.layer.bias[0][chosen]))
            if bias:
                self._sum_powers(self.sums[side.layer.inputs[0]].shape[1], step)
            weights = int(np.count_nonzero(side.layer.weight[0][:, chosen]))
            self.constrain(chosen.size, weights + bias + 2 * chosen.size)
            self.wires += chosen.size
        inner = g * (scores.left.columns.shape[1] + m * n - 2)
        self.constrain(inner + g, 4 * inner + 3 * g)
        self.wires += inner
        return out

    def _weigh(self, source: products.Source, x: Sums, step: int) -> None:
        """`Evaluations.weighted`: a product for each entry but those of the first row of each group."""
        groups, m, k = x.shape
        self.powers_of(m, step)
        if (source, step) in self._weighted:
            return
        self._weighted.add((source, step))
        count = groups * (m - 1) * k
        self.constrain(count, x.total() + 3 * count)
        self.wires += count

    def _convolution(self, cells: Sums, patches: Patches, n: int, weight: Integers | None, biases: int) -> Sums:
        """`convolution` with n output channels a group.

        Args:
            weight: where it is public
            biases: those that are not 0
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
        self.constrain(products + ends * m, terms + ends * (3 * (m - 1) + 2 + m - 1))
        self.wires += products + ends * (m - 1)
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
        scores = self.scores.get(operation.output)
        return self._matmul(*inputs) if scores is None else self._challenged_scores(scores)

    # roundings

    def requantize(self, operation: Requantize, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        if (clamp := self.clamps.get(operation.output)) is not None:
            return self._looked_up(
                clamp.values, clamp.first, self._rounded(x, operation.shift, interval, checked=False)
            )
        given = self.visibilities.weights_are_given
        least, greatest = rounded_ends(interval, operation.shift)
        low = operation.low if operation.low is not None and operation.low > least else None
        high = operation.high if operation.high is not None and operation.high < greatest else None
        ends = tuple(clipped(end, operation) for end in (least, greatest))
        if ends[0] == ends[1] != least and not given:
            return Sums.of(np.zeros(x.shape, dtype=np.int64), 0)
        if high is not None:
            y = self._clamped(x, operation.shift, low, high, interval)
            self.within(y, *ends)
            return y
        y = (
            self._rounded(x, operation.shift, interval)
            if low is None
            else self._at_least(x, operation.shift, low, interval)
        )
        if given and (low, high) != (operation.low, operation.high):
            self.within(y, *ends)
        return y

    def rescale(self, operation: Rescale, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        y = self._rounded(inputs[0], operation.shift, intervals[0], checked=False)
        self.within(y, operation.low, operation.high)
        return y

    def _rounded(self, x: Sums, shift: int, interval: Interval, checked: bool = True) -> Sums:
        if shift == 0:
            return x
        y = self.fresh(x.shape)
        if checked:
            self.within(y, *rounded_ends(interval, shift), exactly=False)
        self._bind_remainder(x, shift, 1)
        return y

    def _bind_remainder(self, x: Sums, shift: int, others: int) -> None:
        if shift == 0:
            self.constrain(x.size, x.total() + (others + 1) * x.size)
            return
        self.within(x.plus(others), 0, (1 << shift) - 1)

    def _at_least(self, x: Sums, shift: int, low: int, interval: Interval) -> Sums:
        least, greatest = rounded_ends(interval, shift)
        bits = max(greatest - low, low - 1 - least, 1).bit_length()
        self.constrain(x.size, 3 * x.size)
        self.fresh(x.shape, 1)  # the sign
        upper = x.plus(1)
        if shift:
            lower = self.fresh(x.shape)
            self.within(lower, 0, (1 << shift) - 1)
            upper = x.plus(2)
        self.within(upper, 0, (1 << bits) - 1)
        self.constrain(x.size, upper.total() + 3 * x.size)
        y = self.fresh(x.shape)
        return y if low == 0 else y.plus()

    def _clamped(self, x: Sums, shift: int, low: int | None, high: int | None, interval: Interval) -> Sums:
        least, greatest = rounded_ends(interval, shift)
        y = self.fresh(x.shape)
        for bound, reach in ((high, greatest - (high or 0)), (low, (low or 0) - least)):
            if bound is not None:
                excess = self.fresh(x.shape)
                self.within(excess, 0, reach, exactly=False)
                self.constrain(x.size, 3 * x.size)
        self._bind_remainder(x, shift, 1 + (high is not None) + (low is not None))
        return y

    # tables

    def lookup(self, operation: Lookup, inputs: list[Sums], _: Any) -> Sums:
        rounding = self.fused.get(operation.inputs[0])
        if rounding is None:
            return self._looked_up(operation.table, operation.first, inputs[0])
        (name,) = rounding.inputs
        if isinstance(rounding, Rescale):
            index = self._rounded(self.sums[name], rounding.shift, self.intervals[name], checked=False)
            return self._looked_up(operation.table, operation.first, index)
        return self._rounded_look_up(
            operation.table, operation.first, self.sums[name], self.intervals[name], rounding.shift
        )

    def _looked_up(self, table: Integers, first: int, x: Sums) -> Sums:
        y = self.fresh(x.shape)
        self.look_up(table_key(table, first), len(table), 2, x)
        return y

    def _rounded_look_up(self, table: Integers, first: int, x: Sums, interval: Interval, shift: int) -> Sums:
        least, greatest = rounded_ends(interval, shift)
        found = table_for_all(table, first, x.size, least, greatest)
        if found is not None:
            return self._looked_up(*found, self._rounded(x, shift, interval, checked=False))
        last = first + len(table) - 1
        low, high = first if first > least else None, last if last < greatest else None
        return self._looked_up(table, first, self._clamped(x, shift, low, high, interval))

    def rows(self, operation: Rows, inputs: list[Sums], _: Any) -> Sums:
        (x,), width = inputs, operation.table.shape[1]
        y = self.fresh((*x.shape, width))
        self.look_up(table_key(operation.table, operation.first), len(operation.table), 1 + width, x)
        return y

    # rows

    def _top_of(self, x: Sums) -> tuple[Sums, Sums]:
        """(maximum, maximum - x)."""
        n = x.shape[-1]
        top = self.fresh(x.shape[:-1])
        distance = x.plus(1)
        self.constrain(top.size * max(1, n - 1), distance.total() + 2 * x.size)
        self.wires += top.size * max(0, n - 2)
        return top, distance

    def maximum(self, _: Maximum, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        if x.shape[-1] == 1:
            return x.take((..., 0))
        top, distance = self._top_of(x)
        self.within(distance, 0, spread(interval), exactly=False)
        return top

    def argmax(self, _: ArgMax, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        n = x.shape[-1]
        if n == 1:
            return Sums.of(np.zeros(x.shape[:-1], dtype=np.int64), 0)
        top, distance = self._top_of(x)
        self.within(distance, 0, n * spread(interval) + n - 1, exactly=False)
        rest = self.fresh(top.shape)
        self.within(rest, 0, n - 1)
        self.within(top.plus(1), interval.least, interval.greatest, exactly=False)
        return rest.plus()

    def top_k(self, operation: TopK, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        n, count = x.shape[-1], operation.count
        if n == 1:
            return self._beside(x, Sums.of(np.zeros(x.shape, dtype=np.int64), 0))
        values, places, rows = self.fresh(x.shape), self.fresh(x.shape), x.size // n
        self.challenges |= {LOOKUP_POINT, DIGEST_POINT}
        self.degree += x.size  # of the products of a permutation's two sides
        self.constrain(x.size + rows * (2 * n - 2), 12 * x.size + x.total())
        self.wires += x.size + rows * (2 * n - 3)
        self.within(values.take((..., slice(1, None))).plus(3), 0, n * (spread(interval) + 1), exactly=False)
        return self._beside(values.take((..., slice(count))), places.take((..., slice(count))))

    def _beside(self, x: Sums, y: Sums) -> Sums:
        """Two tensors joined along the last axis."""
        parts = ((x.terms, y.terms), (x.ids, y.ids), (x.groups, y.groups), (x.own, y.own))
        terms, ids, groups, own = (np.concatenate(pair, axis=-1) for pair in parts)
        return Sums(terms, ids, groups, own, x.support + y.support)

    def softmax(self, operation: Softmax, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        _, distance = self._top_of(x)
        half = 1 << operation.shift - 1 if operation.shift else 0
        reach = Interval(np.array([-half]), np.array([spread(interval) - half]), 2 * interval.reach + half)
        e = self._rounded_look_up(np.append(operation.table, 0), 0, distance, reach, operation.shift)
        most = int(operation.table[0])
        greatest = most * x.shape[-1]
        sums = self.total(Total("", (), ""), [e], None)
        inverse = self.fresh(sums.shape)
        self.within(inverse, 0, (1 << operation.bits) // most, exactly=False)
        rest = self.product(inverse, sums)
        self.within(rest, 0, greatest - 1, exactly=False)
        self.within(sums.plus(1), 0, greatest - 1, exactly=False)
        return self.product(e, inverse.take((..., None)), operation.output)

    def normalize(self, operation: Normalize, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        n = x.shape[-1]
        return self._divided_by_root(self._less_mean(x), operation, n * (n * spread(interval)) ** 2 + operation.epsilon)

    def root_mean_square(self, operation: RootMeanSquare, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        return self._divided_by_root(x, operation, x.shape[-1] * interval.magnitude**2 + operation.epsilon)

    def _less_mean(self, x: Sums) -> Sums:
        """Entries n x less the sum of their row: constant where all entries of it are one wire, or constant."""
        row = self.united(x)
        if has_wire_of_sum(x.size, x.shape[-1]) and not x.is_constant:
            self.constrain(row.size, int(row.sum()) + 2 * row.size)
            self.fresh(row.shape)
            return x.plus(1)
        same = (x.ids == x.ids[..., :1]).all(axis=-1) & (x.ids[..., 0] >= 0)
        reach = np.where(same | (row == 0) | (x.shape[-1] == 1), 0, row)
        return self.grouped(reach, x.shape, np.broadcast_to(reach[..., None], x.shape).copy(), x.support)

    def _divided_by_root(self, c: Sums, operation: Normalize | RootMeanSquare, most: int) -> Sums:
        """Entries by the root of the sum of their squares, and epsilon."""
        bits = operation.bits
        variance = self.total(Total("", (), ""), [self.product(c, c)], None).plus()
        root = self.fresh(variance.shape)
        top = int(inverse_root(np.array([operation.epsilon]), bits)[0])
        self.within(root, 0, top, exactly=False)
        square = self.product(root, root)
        below, above = self.materialized(square, variance), self.materialized(root, variance)
        slack = (2 << bits) * (1 << (most.bit_length() + 1) // 2) + most
        self.within(below.plus(), 0, slack, exactly=False)
        self.within(above.plus(1), 0, slack, exactly=False)
        if c.is_constant:
            return c
        return self.product(c, root.take((..., None)), operation.output)

    def steps(self, operation: Steps, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        count, places = x.size // x.shape[-1], operation.places
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        answers = self.fresh((*x.shape[:-1], places.size), 1)
        self.constrain(count * (places.size + len(starts)), 5 * count * (places.size + len(starts)))
        low = min(interval.least, int(operation.bounds.min()) - 1)
        end = max(interval.greatest, int(operation.bounds.max())) + 1
        compared = x.take((..., places[starts])).plus(places.size // len(starts))
        for _ in range(2):
            self.within(compared, 0, end - low, exactly=False)
        return answers


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
