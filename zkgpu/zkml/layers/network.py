"""A whole integer model as one circuit, with the visibility of each input, output and weight that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from zkgpu.circuits import Circuit, Wires, concatenate
from zkgpu.zkml.layers.challenged import Evaluations, challenged_linear, tested_linear
from zkgpu.zkml.layers.composition import is_worth_wires, reads_of, terms_of
from zkgpu.zkml.layers.convolution import Patches, evaluated_linear
from zkgpu.zkml.layers.division import divide
from zkgpu.zkml.layers.hashing import Ranged, hash_of_wires
from zkgpu.zkml.layers.long_sums import is_reshape
from zkgpu.zkml.layers.matrices import constant_linear, declare_weights, matmul, private_linear
from zkgpu.zkml.layers.maximum import argmax, maximum
from zkgpu.zkml.layers.mixtures import Mixture, mixed_values, weighted_mixture
from zkgpu.zkml.layers.normalize import normalize, root_mean_square
from zkgpu.zkml.layers.plan import plan_of
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.layers.rounding import requantize, rescale, rounded_unchecked
from zkgpu.zkml.layers.scores import challenged_scores
from zkgpu.zkml.layers.softmax import softmax
from zkgpu.zkml.layers.sorting import top_k
from zkgpu.zkml.layers.steps import steps
from zkgpu.zkml.layers.tables import Tables, look_up, look_up_rounded, look_up_rows, rounded_look_up
from zkgpu.zkml.layers.turned import challenged_turned
from zkgpu.zkml.layers.weighted_lookups import WeightedTables
from zkgpu.zkml.layers.weights import declare_hashed, hashed_linear
from zkgpu.zkml.operations import (
    ArgMax,
    Arrange,
    Combine,
    Divide,
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
    in_layer,
)
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.visibility import (
    BINDING,
    WEIGHTS_HASH,
    Visibilities,
    hash_name,
    packed_interval,
    require_names,
)


def build_circuit(model: IntegerModel, visibilities: Visibilities) -> Circuit:
    """The circuit that proves `semantics.run(model, inputs)`.

    Inputs are signals of the tensors' names; private weights are signals NAME.weight and NAME.bias, and when they are
    hashed NAME.multiplier. The public inputs are hashes, in the order of `hash_names`. Public tensors are packed,
    inputs before outputs, and the binding last.
    """
    require_names(model, visibilities)
    circuit = Circuit()
    network = Network(circuit, model, visibilities)
    for tensor in model.inputs:
        network.declare(tensor)
    for operation in network.operations:
        network.write(operation)
    network.publish_weights()
    for tensor in model.outputs:
        network.publish(tensor)
    if visibilities.binding:
        circuit.public_array(BINDING, visibilities.binding, bits=8)
    return circuit


class Network:
    """The circuit being written, with the wires of its tensors so far.

    Attributes:
        plan: which operations are written, and how
    """

    def __init__(self, circuit: Circuit, model: IntegerModel, visibilities: Visibilities) -> None:
        self.circuit, self.visibilities, self.plan = circuit, visibilities, plan_of(model, visibilities)
        self.tables, self.checks = Tables(), Checks(model.limb, visibilities.weights_are_given)
        self.values: dict[str, Wires] = {}
        self._evaluations = Evaluations(circuit, self.plan.kept, self.plan.weighings)
        self._hashed_weights: list[Ranged[Wires]] = []

    @property
    def operations(self) -> Sequence[Operation]:
        """Those to write, in order."""
        return self.plan.model.operations

    @property
    def intervals(self) -> Mapping[str, Interval]:
        """What each tensor can hold."""
        return self.plan.intervals

    def declare(self, tensor: Tensor) -> None:
        visibility = self.visibilities.of_input(tensor.name)
        if visibility == "public":
            wires = self.circuit.public_array(tensor.name, tensor.shape, interval=(tensor.low, tensor.high))
        else:
            wires = self.circuit.private(tensor.name, tensor.shape)
            with self.circuit.scope(tensor.name):
                self.checks.within(wires, tensor.low, tensor.high)
                if visibility == "hashed":
                    self._publish_hash(hash_name(tensor.name), [Ranged(wires, tensor.low, tensor.high)])
        self.values[tensor.name] = wires

    def publish(self, tensor: Tensor) -> None:
        visibility = self.visibilities.of_output(tensor.name)
        wires, (low, high) = self.values[tensor.name], packed_interval(self.intervals[tensor.name])
        if visibility == "public":
            self.circuit.output_array(tensor.name, wires, interval=(low, high))
        elif visibility == "hashed":
            with self.circuit.scope(tensor.name):
                self.checks.within(wires, low, high)
                self._publish_hash(hash_name(tensor.name), [Ranged(wires, low, high)])

    def publish_weights(self) -> None:
        """Their hash, where that names them."""
        if self.visibilities.weights == "hashed":
            self._publish_hash(WEIGHTS_HASH, self._hashed_weights)

    def _publish_hash(self, name: str, tensors: list[Ranged[Wires]]) -> None:
        self.circuit.output(name, hash_of_wires(tensors))

    def write(self, operation: Operation) -> None:
        if operation.output in self.plan.fused or operation.output in self.plan.unwritten:
            return
        with self.circuit.scope(operation.layer), in_layer(operation.layer):
            self.values[operation.output] = self._written(operation)

    def _written(self, operation: Operation) -> Wires:
        scores = self.plan.scores.get(operation.output)
        if scores is not None:
            given = (self.values[side.layer.inputs[0]] for side in (scores.left, scores.right))
            return challenged_scores(self._evaluations, scores, *given)
        turned = self.plan.turned.get(operation.output)
        if turned is not None and set(turned.layers) <= set(self._evaluations.sums):
            return challenged_turned(self._evaluations, turned)
        mixture = self.plan.mixtures.get(operation.output)
        if mixture is not None and isinstance(operation, Linear):
            return self._mixed(operation, mixture)
        self._shorten(operation)
        if isinstance(operation, Lookup):
            return self._table(operation)
        if isinstance(operation, Linear):
            return self._linear(operation)
        inputs = [self.values[name] for name in operation.inputs]
        intervals = [self.intervals[name] for name in operation.inputs]
        return _RULES[type(operation)](self, operation, inputs, intervals)

    def _shorten(self, operation: Operation) -> None:
        """Wires for the values that a linear operation reads, where combinations of them would be long."""
        if operation.output in self.plan.evaluated:  # which reads each value once
            return
        inputs = [self.values[name] for name in operation.inputs if name not in self.plan.fused]
        reads = reads_of(operation, inputs, self.plan.products)
        for name, x, read in zip(operation.inputs, inputs, reads, strict=False):
            sources = [self.values[source] for source in self._sources(name)]
            terms = sum(int(terms_of(source).sum()) for source in sources)
            if is_worth_wires(terms_of(x), read, terms, sum(source.size for source in sources)):
                self._bind(name)

    def _sources(self, name: str) -> list[str]:
        """The tensors whose entries a tensor is arranged of: itself, unless it is arranged."""
        arranged = self.plan.arranged.get(name)
        return [s for i in arranged.inputs for s in self._sources(i)] if arranged else [name]

    def _bind(self, name: str) -> None:
        """Gives each value that a tensor is arranged of a wire of its own."""
        arranged = self.plan.arranged.get(name)
        if arranged is None:
            self.values[name] = self.circuit.materialize(self.values[name])
            return
        for source in arranged.inputs:
            self._bind(source)
        self.values[name] = _arrange(self, arranged, [self.values[source] for source in arranged.inputs], [])

    def _mixed(self, operation: Linear, mixture: Mixture) -> Wires:
        p, v = (self.values[name] for name in mixture.product.inputs)
        weighted = weighted_mixture(self._evaluations, mixture, self._evaluations.weighing(operation), p, v)
        return tested_linear(self._evaluations, operation, weighted, p.shape[1], [p, v], mixed_values(mixture))

    def _linear(self, operation: Linear) -> Wires:
        x, patches = self._read_by(operation)
        product = self.plan.products[operation.output]
        if product.way == "challenged" and not x.is_constant:
            return challenged_linear(self._evaluations, operation, x, product.source)
        if self.visibilities.weights == "public":
            if patches is not None:
                return evaluated_linear(operation, x, patches)
            return constant_linear(operation, x, is_rounded_at_once=operation.output in self.plan.rounded_at_once)
        if self.visibilities.weights == "private":
            return private_linear(operation, x, *declare_weights(self.circuit, operation), patches)
        parts = declare_hashed(self.circuit, self.checks, operation, (patches or x).shape[1])
        self._hashed_weights += parts.values()
        return hashed_linear(operation, x, parts, patches)

    def _read_by(self, operation: Linear) -> tuple[Wires, Patches | None]:
        """Rows that a layer with weights reads, or cells of patches and which these are, unless they are constant."""
        (name,), patches = operation.inputs, self.plan.evaluated.get(operation.output)
        if patches is None:
            return self.values[name], None
        arranged = replace(self.plan.arranged[name], positions=patches.sources)
        cells = _arrange(self, arranged, [self.values[source] for source in arranged.inputs], [])
        if not cells.is_constant:
            return cells, patches
        return concatenate([cells, self.circuit.constant(np.zeros(1, dtype=np.int64))])[patches.rows], None

    def _requantize(self, operation: Requantize, x: Wires, interval: Interval) -> Wires:
        clamp = self.plan.clamps.get(operation.output)
        if clamp is None:
            return requantize(self.checks, operation, x, interval)
        return look_up_rounded(self.checks, self.tables, clamp.values, clamp.first, x, interval, operation.shift)

    def _table(self, operation: Lookup) -> Wires:
        lookup, tables = self.plan.weighted_lookups.get(operation.output), self.tables
        if lookup is not None:
            tables = WeightedTables(tables, self._evaluations, lookup)
        rounding, (name,) = self.plan.fused.get(operation.inputs[0]), operation.inputs
        if rounding is None:
            return look_up(tables, operation.table, operation.first, self.values[name])
        (name,) = rounding.inputs
        x, interval, shift = self.values[name], self.intervals[name], rounding.shift
        if isinstance(rounding, Rescale):
            index = rounded_unchecked(self.checks, x, shift, interval, (rounding.low, rounding.high))
            return look_up(tables, operation.table, operation.first, index)
        return rounded_look_up(self.checks, tables, operation.table, operation.first, x, interval, shift)


def _arrange(network: Network, operation: Arrange, inputs: list[Wires], _: list[Interval]) -> Wires:
    if is_reshape(operation) and inputs[0].size == operation.positions.size:
        return inputs[0].reshape(*operation.positions.shape)
    parts = [x.ravel() for x in inputs]
    if (operation.positions < 0).any():
        parts.append(network.circuit.constant(np.zeros(1, dtype=np.int64)))
    flat = parts[0] if len(parts) == 1 else concatenate(parts)
    return flat[np.where(operation.positions < 0, flat.size - 1, operation.positions)]


def _combine(network: Network, operation: Combine, inputs: list[Wires], _: list[Interval]) -> Wires:
    total = network.circuit.constant(operation.offset)
    for x, multiplier in zip(inputs, operation.multipliers, strict=True):
        total = x * network.circuit.constant(multiplier) + total
    return total


_RULES: dict[type[Operation], Callable[..., Wires]] = {
    Arrange: _arrange,
    Combine: _combine,
    Total: lambda network, op, x, intervals: x[0].sum(axis=-1),
    Multiply: lambda network, op, x, intervals: x[0] * x[1],
    MatMul: lambda network, op, x, intervals: matmul(x[0], x[1]),
    Requantize: lambda network, op, x, intervals: network._requantize(op, x[0], intervals[0]),
    Rescale: lambda network, op, x, intervals: rescale(network.checks, op, x[0], intervals[0]),
    Steps: lambda network, op, x, intervals: steps(network.checks, op, x[0], intervals[0]),
    Rows: lambda network, op, x, intervals: look_up_rows(network.tables, op.table, op.first, x[0]),
    Maximum: lambda network, op, x, intervals: maximum(network.checks, x[0], intervals[0]),
    ArgMax: lambda network, op, x, intervals: argmax(network.checks, x[0], intervals[0]),
    TopK: lambda network, op, x, intervals: top_k(network.checks, op, x[0], intervals[0]),
    Softmax: lambda network, op, x, intervals: softmax(network.checks, op, network.tables, x[0], intervals[0]),
    Normalize: lambda network, op, x, intervals: normalize(network.checks, op, x[0], intervals[0]),
    RootMeanSquare: lambda network, op, x, intervals: root_mean_square(network.checks, op, x[0], intervals[0]),
    Divide: lambda network, op, x, intervals: divide(
        network.checks, op, x[0], x[1], (*intervals, network.intervals[op.output])
    ),
}
