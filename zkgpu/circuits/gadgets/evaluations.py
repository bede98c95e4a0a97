"""Values as the coefficients of polynomials, evaluated at one challenge: its powers, and sums that these weigh.

Two arrays that were fixed before the challenge r and have one and the same weighted sum are equal, but with probability
at most (length - 1) / |Fr| (Schwartz, "Fast probabilistic algorithms for verification of polynomial identities", J. ACM
27, 1980; Zippel, EUROSAM 1979). The powers are those of `DIGEST_POINT` and shared by the whole circuit.

Not Horner's rule (public_arrays.horner): the factors x_t of x_t * r^t are as small as the values are, which makes the
proof's sums over A cheap, and a product may be shared with a lookup.
"""

from __future__ import annotations

import numpy as np

from zkgpu.circuits.builder import Builder
from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.combinations import LinearCombinations, join_rows
from zkgpu.circuits.numbers import Values
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.wires import Wires


def powers(circuit: Circuit, count: int, step: int = 1) -> Wires:
    """(count,): 1, s, s^2, ... of s = r^step. Those that the circuit has already are not made again.

    One constraint each from the third on: r^(t-1) * r = r^t. For another step the power r^step is one of the first.
    """
    return Wires(circuit.builder, (count,), _powers(circuit.builder, count, step))


def _powers(builder: Builder, count: int, step: int) -> LinearCombinations:
    made = builder.rounds.powers.get(step)
    if made is None:
        point = builder.challenge(DIGEST_POINT) if step == 1 else _powers(builder, step + 1, 1).take(np.array([step]))
        made = join_rows([LinearCombinations.of_wires(np.zeros(1, dtype=np.int64)), point])
    if made.rows < count:
        made = join_rows([made, _further_powers(builder, made, count - made.rows)])
    builder.rounds.powers[step] = made
    return made.take(np.arange(count))


def _further_powers(builder: Builder, made: LinearCombinations, count: int) -> LinearCombinations:
    """The next powers after those of `made`, whose second is the point."""
    last, point = (made.take(np.array([place])) for place in (made.rows - 1, 1))
    modulus = builder.field.modulus
    more = builder.hint(lambda x, s: _progression(x, s, count, modulus), [(last, ()), (point, ())], (count,), "powers")
    before = join_rows([last, more]).take(np.arange(count))
    builder.constrain(before, point.take(np.zeros(count, dtype=np.int64)), more, builder.scope_name("powers"))
    return more


def _progression(first: Values, ratio: Values, count: int, modulus: int) -> Values:
    """first * ratio, first * ratio^2, ... modulo the modulus."""
    out, value, factor = np.empty(count, dtype=object), int(first), int(ratio)
    for i in range(count):
        value = value * factor % modulus
        out[i] = value
    return out


def weighted_sum(x: Wires, weights: Wires, *, starts_at_one: bool = True) -> Wires:
    """(...): sum_t x[..., t] weights[t], for weights (m,) the first of which is 1, unless it is said not to be.

    One constraint for each t from 1 on, or from 0, the last of them to be written where the sum is used: `assert_equal`
    with what it should be is that constraint, and `materialize` gives it a wire.
    """
    *outer, m = x.shape
    total = x[..., 0]
    if not starts_at_one:
        total = total * weights[0].broadcast_to(tuple(outer))
    if m > 2:
        middle = x[..., 1:-1]
        total = total + (middle * weights[1:-1].broadcast_to(middle.shape)).sum(axis=-1)
    return total if m == 1 else total + x[..., -1] * weights[m - 1].broadcast_to(tuple(outer))
