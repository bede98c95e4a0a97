"""What the rows of a tensor are weighed by in a test at a challenge: a power for each, or for several side by side."""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Wires, stack
from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.evaluations import powers, weighted_sum
from zkgpu.records import dataclass


@dataclass(frozen=True)
class Weighing:
    """Row t, the j-th of the p-th `size` rows, is weighed by s^(first + p) factors[t] of s = r^step.

    Attributes:
        factors: constants; none for ones
    """

    step: int = 1
    size: int = 1
    factors: tuple[int, ...] = ()
    first: int = 0

    def groups(self, rows: int) -> int:
        """How many powers weigh so many rows."""
        return -(-rows // self.size)

    def powers(self, circuit: Circuit, rows: int) -> Wires:
        """(groups,): those that weigh so many rows."""
        return powers(circuit, self.first + self.groups(rows), self.step)[self.first :]


def weighed(x: Wires, weighing: Weighing) -> Wires:
    """(...): the weighed sum of x of shape (..., rows).

    One constraint for each power but 1, of which the last is to be written where the sum is used, as of
    `gadgets.evaluations.weighted_sum`.
    """
    weights = weighing.powers(Circuit.of(x), x.shape[-1])
    return weighted_sum(side_by_side(x, weighing), weights, starts_at_one=weighing.first == 0)


def side_by_side(x: Wires, weighing: Weighing) -> Wires:
    """(..., groups): combinations of the rows that one power weighs, of x of shape (..., rows)."""
    if not weighing.factors:
        return x
    factors = np.array(weighing.factors, dtype=object)
    parts = [slice(start, start + weighing.size) for start in range(0, x.shape[-1], weighing.size)]
    return stack([(x[..., part] * factors[part]).sum(axis=-1) for part in parts], axis=-1)
