"""The largest entries of rows in falling order, with their places.

Entries x_i with their places i, i < n, become pairs (v_j, p_j), j < n, in another order. The constraints are

    {(v_j, p_j)} = {(x_i, i)}, each as often     by gadgets.permutation: an error of 2 n / r
    n v_j - p_j > n v_(j+1) - p_(j+1)            by a range check of the difference less 1, whose low end is exact

By the first one each pair is an entry with its place, a number from 0 to n - 1. So n v - p falls with v, and for equal
v with rising p, and no two pairs have the same: there is one order that satisfies the second one. None of it wraps
around the field, by Checks.require_room.
"""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Circuit, Wires, concatenate
from zkgpu.circuits.gadgets.permutation import assert_permutation
from zkgpu.zkml.layers.maximum import spread
from zkgpu.zkml.layers.range_checks import Checks, Integers
from zkgpu.zkml.operations import TopK
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import falling_order


def top_k(checks: Checks, operation: TopK, x: Wires, interval: Interval) -> Wires:
    """The entries, then their places: 3 n constraints a row, and n - 1 range checks."""
    circuit, n = Circuit.of(x), x.shape[-1]
    if n == 1:
        return concatenate([x, circuit.constant(np.zeros(x.shape, dtype=np.int64))], axis=-1)
    values = circuit.hint(_sorted, [x], shape=x.shape, label="sorted", signed=True)
    places = circuit.hint(falling_order, [x], shape=x.shape, label="places", signed=True)
    numbers = circuit.constant(np.broadcast_to(np.arange(n), x.shape))
    assert_permutation([values, places], [x, numbers], label="sorted")
    order = values * n - places
    checks.require_room(x, (2 * n * (interval.reach + 1)).bit_length() + 1)
    checks.within(order[..., :-1] - order[..., 1:] - 1, 0, n * (spread(interval) + 1), exactly=False)
    return concatenate([values[..., : operation.count], places[..., : operation.count]], axis=-1)


def _sorted(x: Integers) -> Integers:
    return np.take_along_axis(x, falling_order(x), axis=-1)
