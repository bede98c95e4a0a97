"""Templates: a gadget's constraints, traced once and instantiated as often as needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.program import Step


@dataclass(frozen=True)
class Template:
    """Constraints over local wires: 0 is the constant one, then the inputs, then the template's own wires.

    n_inputs   number of inputs
    n_wires    number of own wires
    a, b, c    the constraints
    outputs    the results, as combinations of local wires
    shape      the results' shape
    steps      the part of the witness program that fills the own wires
    """

    n_inputs: int
    n_wires: int
    a: LinearCombinations
    b: LinearCombinations
    c: LinearCombinations
    outputs: LinearCombinations
    shape: tuple[int, ...]
    steps: Sequence[Step]

    def repeated(self, lc: LinearCombinations, count: int) -> LinearCombinations:
        """`count` copies of some rows, as columns of (the one, all instances' inputs, all instances' own wires)."""
        instance = np.repeat(np.arange(count), lc.wires.size)
        wires = np.tile(lc.wires, count)
        own = wires + (count - 1) * self.n_inputs + instance * self.n_wires
        columns = np.where(wires > self.n_inputs, own, np.where(wires > 0, wires + instance * self.n_inputs, 0))
        starts = np.concatenate([[0], np.cumsum(np.tile(lc.lengths, count))])
        return LinearCombinations(starts, columns.astype(np.int32), np.tile(lc.coefficients, count))
