"""Weights that only the prover knows and a public hash names: declared, checked to their bits, and multiplied.

A layer's hash covers its integers as the circuit takes them: weights, multipliers, and biases, which in layers that
multiply in pairs are less the products of weights (matrices.private_values). These determine the layer, and as all are
checked to be in range and the ranges are those of the hash, one hash stands for one set of weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from zkgpu.circuits import Circuit, Wires
from zkgpu.errors import UsageError
from zkgpu.zkml.layers.convolution import Patches, convolution
from zkgpu.zkml.layers.hashing import Ranged
from zkgpu.zkml.layers.matrices import Integers, private_linear, private_values, works_in_pairs
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.operations import Linear
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import bits_of

_SPARE = 2  # bits that other weights' multipliers and biases may need beyond those of the compiled ones

Parts = Mapping[str, Ranged[Integers]]


def hashed_parts(operation: Linear, m: int, reference: Linear | None = None) -> Parts:
    """What the prover gives for a layer and the hash covers, by name, for m rows in each group.

    Args:
        reference: the layer that the circuit was made for; the ranges are its own

    Raises UsageError for integers outside of them.
    """
    limits = _limits(reference or operation, m)
    values = _values(operation, m)
    for name, array in values.items():
        low, high = limits[name]
        if array.size and (int(array.min()) < low or int(array.max()) > high):
            raise UsageError(
                f"layer '{operation.layer}': a {name} lies outside of [{low}, {high}], which the circuit was made for: "
                "compile the model on its own"
            )
    return {name: Ranged(array, *limits[name]) for name, array in values.items()}


def _values(operation: Linear, m: int) -> dict[str, Integers]:
    weight, bias = private_values(replace(operation, multiplier=np.ones_like(operation.multiplier)), m)
    return {"weight": weight, "multiplier": operation.multiplier, "bias": bias}


def _limits(reference: Linear, m: int) -> dict[str, tuple[int, int]]:
    """The range of each part: all integers of some bits, so that a range check and the packing are exact."""
    bits = bits_of(reference.weight)
    _, k, n = reference.weight.shape
    taken = (k // 2) << 2 * bits if works_in_pairs(m, k, n) else 0  # at most this, of products of weights
    bias = ((1 << bits_of(reference.bias) + _SPARE) + taken).bit_length()
    multiplier = bits_of(reference.multiplier) + _SPARE
    return {
        "weight": (-1 << bits, (1 << bits) - 1),
        "multiplier": (0, (1 << multiplier) - 1),
        "bias": (-1 << bias, (1 << bias) - 1),
    }


def largest_sum(operation: Linear, x: Interval) -> int:
    """What no entry of the layer's output exceeds in magnitude, whatever weights the hash stands for."""
    _, m, k = x.shape
    limits = _limits(operation, m)
    weight, bias = -limits["weight"][0], -limits["bias"][0]
    return limits["multiplier"][1] * (k * weight * x.magnitude + 2 * bias)


def declare_hashed(circuit: Circuit, checks: Checks, operation: Linear, m: int) -> dict[str, Ranged[Wires]]:
    """The private inputs that a layer's parts are given in, NAME.weight and so on, constrained to their ranges."""
    declared = {}
    for name, part in hashed_parts(operation, m).items():
        wires = circuit.private(f"{operation.output}.{name}", part.values.shape)
        checks.within(wires, part.low, part.high)
        declared[name] = Ranged(wires, part.low, part.high)
    return declared


def hashed_linear(
    operation: Linear, x: Wires, parts: Mapping[str, Ranged[Wires]], patches: Patches | None = None
) -> Wires:
    """multiplier * (x @ weight + bias): the multipliers scale the weights or the sums, whichever are fewer.

    Those of patches scale what the sums of a channel are tested against (layers.convolution).
    """
    weight, multiplier, bias = (parts[name].values for name in ("weight", "multiplier", "bias"))
    if patches is not None:
        return convolution(x, patches, weight, bias, multiplier)
    groups, m, k = x.shape
    n = weight.shape[-1]
    if m > k and not works_in_pairs(m, k, n):
        scaled = weight * multiplier.reshape(groups, 1, n).broadcast_to((groups, k, n))
        return private_linear(operation, x, Circuit.of(x).materialize(scaled), multiplier * bias)
    sums = private_linear(operation, x, weight, bias)
    return sums * multiplier.reshape(groups, 1, n).broadcast_to(sums.shape)
