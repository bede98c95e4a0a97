"""Layers with public weights whose outputs are tested at a challenge, so that each weight is one entry.

Let X be the inputs of a layer, of shape (m, k), W and b its weights and biases, and Y its outputs, all of them fixed
before the challenge r (Circuit.commit). With u_t = r^t the constraints, one for each output channel o, say

    sum_t u_t Y[t, o] = sum_i (sum_t u_t X[t, i]) W[i, o] + b[o] sum_t u_t            "challenged product"

Both sides are polynomials in r with integer coefficients, and what they differ by has the coefficients

    Y[t, o] - sum_i X[t, i] W[i, o] - b[o]

Where one of these is not 0 modulo the order of Fr, no more than m - 1 of its elements r satisfy the constraint of that
channel: a wrong Y passes with probability at most (m - 1) / |Fr|. This fixes Y in the field, without a range check.

The sums over t are products of a value and a power of r, a constraint each but for t = 0 ("weighted inputs", and those
of the outputs), and the last product of a channel's outputs is its test. Freivalds, "Probabilistic machines can use
less running time", IFIP Congress 1977; from the left, so that inputs and outputs are weighted and weights are not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from typing import Any

import numpy as np

from zkgpu.circuits import Circuit, Wires, concatenate, stack
from zkgpu.circuits.gadgets.evaluations import powers, weighted_sum
from zkgpu.records import dataclass
from zkgpu.zkml.layers.products import Source
from zkgpu.zkml.operations import Linear
from zkgpu.zkml.semantics import added, matrix_product


@dataclass
class Evaluations:
    """The weighted sums that a circuit has of tensors so far: layers that read the same tensor share them.

    Attributes:
        of: (g, k) wires, by what the tensor is and the power of r whose powers weigh it
        sums_of_powers: by number and step: 1 + s + s^2 + ... of s = r^step
        kept: the outputs of layers of one group whose sums are tested by their `entries`, which others read too
        sums: of layers, (g, m, n), tested
    """

    circuit: Circuit
    kept: Collection[str] = ()
    of: dict[tuple[Source, int], Wires] = field(default_factory=dict)
    sums_of_powers: dict[tuple[int, int], Wires] = field(default_factory=dict)
    sums: dict[str, Wires] = field(default_factory=dict)
    _entries: dict[tuple[str, int], Wires] = field(default_factory=dict)

    def weighted(self, source: Source, x: Wires, step: int = 1) -> Wires:
        """(g, k): sum_t r^(step t) x[:, t, :] for x of shape (g, m, k), which is committed; wires of their own."""
        key = source, step
        if key not in self.of:
            self.circuit.commit(x, "inputs")
            with self.circuit.scope("weighted inputs"):
                weights = powers(self.circuit, x.shape[1], step)
                self.of[key] = self.circuit.materialize(weighted_sum(x.transpose((0, 2, 1)), weights))
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

    def sum_of_powers(self, count: int, step: int = 1) -> Wires:
        if (count, step) not in self.sums_of_powers:
            total = powers(self.circuit, count, step).sum()
            self.sums_of_powers[count, step] = self.circuit.materialize(total)
        return self.sums_of_powers[count, step]


def challenged_linear(evaluations: Evaluations, operation: Linear, x: Wires, source: Source) -> Wires:
    """multiplier * (x @ weight + bias) for x of shape (g, m, k): the sums are wires, tested as the module says.

    Args:
        source: what x is
    """
    return tested_linear(evaluations, operation, evaluations.weighted(source, x), x.shape[1], [x], lambda x: x)


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

    def sums(*given: Any) -> Any:
        return added(matrix_product(values(*given), operation.weight), operation.bias[:, None, :])

    out = circuit.hint(sums, given, (groups, m, n), "sums", signed=True)
    circuit.commit(out, "sums")
    wanted = stack([weighted[g] @ operation.weight[g] for g in range(groups)])
    if operation.bias.any():
        wanted = wanted + evaluations.sum_of_powers(m).broadcast_to(wanted.shape) * operation.bias
    evaluations.sums[operation.output] = out
    if operation.output in evaluations.kept:
        tested = evaluations.entries(operation.output).sum(axis=0).reshape(1, n)
    else:
        tested = weighted_sum(out.transpose((0, 2, 1)), powers(circuit, m))
    circuit.assert_equal(tested, wanted, label="challenged product")
    return out * np.broadcast_to(operation.multiplier[:, None, :], out.shape)
