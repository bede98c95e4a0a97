"""Layers with public weights whose outputs are tested at a challenge, so that each weight is one entry.

Let X be the inputs of a layer, of shape (m, k), W and b its weights and biases, and Y its outputs, all of them fixed
before the challenge r (Circuit.commit). With u_t = r^t the constraints, one for each output channel o, say

    sum_t u_t Y[t, o] = sum_i (sum_t u_t X[t, i]) W[i, o] + b[o] sum_t u_t            "challenged product"

Both sides are polynomials in r with integer coefficients, and what they differ by has the coefficients

    Y[t, o] - sum_i X[t, i] W[i, o] - b[o]

Where one of these is not 0 modulo the order of Fr, no more than m - 1 of its elements r satisfy the constraint of that
channel: a wrong Y passes with probability at most (m - 1) / |Fr|. This fixes Y in the field, without a range check.

Where a rounding keeps Y small, u_t weighs several rows by one power (layers.packing).

The sums over t are products of a value and a power of r, a constraint each but for t = 0 ("weighted inputs", and those
of the outputs), and the last product of a channel's outputs is its test. Freivalds, "Probabilistic machines can use
less running time", IFIP Congress 1977; from the left, so that inputs and outputs are weighted and weights are not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from zkgpu.circuits import Circuit, Wires, concatenate, stack
from zkgpu.circuits.gadgets.evaluations import powers
from zkgpu.records import dataclass
from zkgpu.zkml.layers.products import Source
from zkgpu.zkml.layers.weighing import Weighing, side_by_side, weighed
from zkgpu.zkml.operations import Linear
from zkgpu.zkml.semantics import added, matrix_product

PLAIN = Weighing()  # u_t = r^t


@dataclass
class Evaluations:
    """The weighted sums that a circuit has of tensors so far: layers that read the same tensor share them.

    Attributes:
        of: (g, k) wires, by what the tensor is and what weighs it
        sums_of_weights: by number of rows
        weighings: of layers that are not weighed by a power of r a row, by output (layers.packing)
        kept: the outputs of layers of one group whose sums are tested by their `entries`, which others read too
        sums: of layers, (g, m, n), tested
    """

    circuit: Circuit
    kept: Collection[str] = ()
    weighings: Mapping[str, Weighing] = field(default_factory=dict)
    of: dict[tuple[Source, Weighing], Wires] = field(default_factory=dict)
    sums_of_weights: dict[tuple[int, Weighing], Wires] = field(default_factory=dict)
    sums: dict[str, Wires] = field(default_factory=dict)
    _entries: dict[tuple[str, int], Wires] = field(default_factory=dict)

    def weighing(self, operation: Linear) -> Weighing:
        """Of a layer's inputs and outputs."""
        return self.weighings.get(operation.output, PLAIN)

    def weighted(self, source: Source, x: Wires, weighing: Weighing) -> Wires:
        """(g, k): sum_t w_t x[:, t, :] for x of shape (g, m, k), which is committed; wires of their own."""
        key = source, weighing
        if key not in self.of:
            self.circuit.commit(x, "inputs")
            with self.circuit.scope("weighted inputs"):
                self.of[key] = self.circuit.materialize(weighed(x.transpose((0, 2, 1)), weighing))
        return self.of[key]

    def entries(self, output: str, step: int = 1) -> Wires:
        """(m, n): r^(step t) y[t, o] for the sums y of a layer of one group, which is tested; wires of their own."""
        key = output, step
        if key not in self._entries:
            (y,) = self.sums[output]
            with self.circuit.scope("weighted entries"):
                weights = powers(self.circuit, len(y), step)[1:].reshape(-1, 1).broadcast_to(y[1:].shape)
                self._entries[key] = concatenate([y[:1], self.circuit.materialize(y[1:] * weights)])
        return self._entries[key]

    def sum_of_weights(self, rows: int, weighing: Weighing) -> Wires:
        key = rows, weighing
        if key not in self.sums_of_weights:
            factors = side_by_side(self.circuit.constant(np.ones(rows, dtype=np.int64)), weighing)
            total = (weighing.powers(self.circuit, rows) * factors).sum()
            self.sums_of_weights[key] = self.circuit.materialize(total)
        return self.sums_of_weights[key]


def challenged_linear(evaluations: Evaluations, operation: Linear, x: Wires, source: Source) -> Wires:
    """multiplier * (x @ weight + bias) for x of shape (g, m, k): the sums are wires, tested as the module says.

    Args:
        source: what x is
    """
    weighted = evaluations.weighted(source, x, evaluations.weighing(operation))
    return tested_linear(evaluations, operation, weighted, x.shape[1], [x], lambda x: x)


def tested_linear(
    evaluations: Evaluations,
    operation: Linear,
    weighted: Wires,
    m: int,
    given: Sequence[Wires],
    values: Callable[..., Any],
) -> Wires:
    """The layer for an input of shape (g, m, k) of which only the weighted sums are wires.

    The multipliers scale the outputs and not the weights, which so have no more than 2^bits values.

    Args:
        weighted: (g, k)
        given, values: wires, and the function that makes of their integers those of the input
    """
    circuit, (groups, _, n) = evaluations.circuit, operation.weight.shape
    weighing = evaluations.weighing(operation)

    def sums(*given: Any) -> Any:
        return added(matrix_product(values(*given), operation.weight), operation.bias[:, None, :])

    out = circuit.hint(sums, given, (groups, m, n), "sums", signed=True)
    circuit.commit(out, "sums")
    wanted = stack([weighted[g] @ operation.weight[g] for g in range(groups)])
    if operation.bias.any():
        wanted = wanted + evaluations.sum_of_weights(m, weighing).broadcast_to(wanted.shape) * operation.bias
    evaluations.sums[operation.output] = out
    if operation.output in evaluations.kept:
        tested = evaluations.entries(operation.output).sum(axis=0).reshape(1, n)
    else:
        tested = weighed(out.transpose((0, 2, 1)), weighing)
    circuit.assert_equal(tested, wanted, label="challenged product")
    return out * np.broadcast_to(operation.multiplier[:, None, :], out.shape)
