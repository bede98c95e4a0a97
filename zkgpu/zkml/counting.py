"""How large the circuit of an integer model will be, by formulas for each operation: nothing of it is built.

Each method says what the function of the same name in `layers` writes, and `zkml.tally` adds up; those of products are
in `zkml.counting_products`, those of roundings, lookups and rows in `zkml.counting_rows`. Constraints are exact but
where rows of sums of other sums decide whether a layer gets wires of its own; entries are counted twice where two sums
share wires that no row holds together.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zkgpu.circuits import Circuit
from zkgpu.circuits.committed import PublicArray
from zkgpu.circuits.gadgets.lookup import Table
from zkgpu.circuits.widths import UNKNOWN
from zkgpu.curves import DEFAULT
from zkgpu.records import dataclass
from zkgpu.zkml.counting_rows import RowTally
from zkgpu.zkml.layers.composition import is_worth_wires, reads_of
from zkgpu.zkml.layers.hashing import Ranged
from zkgpu.zkml.layers.network import Network
from zkgpu.zkml.layers.plan import plan_of
from zkgpu.zkml.layers.tables import table_key
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
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.tally import Size, Sums
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
    for operation in tally.plan.model.operations:
        tally.write(operation)
    tally.publish_weights()
    for tensor in model.outputs:
        tally.publish(tensor)
    tally.bind()
    return Account(tally.finished(), tuple(tally.layers))


class NetworkTally(RowTally):
    """The circuit of a model so far, as `layers.network.Network` writes it.

    Args:
        sketched: without what products with weights take, and outputs
        intervals: of the tensors, where they are known

    Attributes:
        layers: the products so far
    """

    def __init__(
        self,
        model: IntegerModel,
        visibilities: Visibilities,
        sketched: bool = False,
        intervals: Mapping[str, Interval] | None = None,
    ) -> None:
        super().__init__(plan_of(model, visibilities, sketched=sketched, intervals=intervals), visibilities, sketched)
        shown = [t.name for t in model.outputs if visibilities.of_output(t.name) != "private" and not sketched]
        self.read.update(shown, *(operation.inputs for operation in self.plan.model.operations))
        self.layers: list[LayerCount] = []

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
        x, (low, high) = self.sums[tensor.name], packed_interval(self.plan.intervals[tensor.name])
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
        if operation.output in self.plan.fused or operation.output in self.plan.unwritten:
            return
        is_weighted = operation.output in self.plan.mixtures or self._is_of_layers(operation.output)
        if not is_weighted:
            self._shorten(operation)
        before = self.constraints, self.entries
        inputs = [self.sums.get(name) for name in operation.inputs]
        intervals = [self.plan.intervals[name] for name in operation.inputs]
        rule = _RULES.get(type(operation), "built")
        self.sums[operation.output] = getattr(self, rule)(operation, inputs, intervals)
        if isinstance(operation, Linear | MatMul):
            way = "scores" if self._is_of_layers(operation.output) else "tensors"
            way = self.plan.products[operation.output].way if isinstance(operation, Linear) else way
            way = "mixture" if operation.output in self.plan.mixtures else way
            constraints, entries = self.constraints - before[0], self.entries - before[1]
            read = 0 if constraints else self.sums[operation.output].total()
            self.layers.append(LayerCount(operation.layer, way, constraints, entries + read))

    def _shorten(self, operation: Operation) -> None:
        if operation.output in self.plan.evaluated:
            return
        inputs = [self.sums[name] for name in operation.inputs if name not in self.plan.fused]
        reads = reads_of(operation, inputs, self.plan.products)
        for name, x, read in zip(operation.inputs, inputs, reads, strict=False):
            sources = [self.sums[source] for source in self._sources(name)]
            size = sum(source.size for source in sources)
            if is_worth_wires(x.terms.ravel(), read, sum(source.total() for source in sources), size):
                self._bind(name)

    def _sources(self, name: str) -> list[str]:
        arranged = self.plan.arranged.get(name)
        return [s for i in arranged.inputs for s in self._sources(i)] if arranged else [name]

    def _bind(self, name: str) -> None:
        arranged = self.plan.arranged.get(name)
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
        network = Network(circuit, self.plan.model, self.visibilities)
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
