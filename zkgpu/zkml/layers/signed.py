"""Range checks of integers in a circuit; a negative one stands above half of the modulus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Wires
from zkgpu.circuits.gadgets.limbs import in_range

Integers = NDArray[Any]


@dataclass(frozen=True)
class Checks:
    """Range checks of one circuit.

    limb   the width of a limb: a check that may be loose goes up to a whole number of limbs, which costs no more
    """

    limb: int

    def within(self, x: Wires, low: int, high: int, *, exactly: bool = True) -> None:
        """Constrains each entry to low .. high; without `exactly`, to some low .. low + 2^k - 1 that holds it."""
        bits = (high - low).bit_length()
        if bits == 0:
            x.circuit.assert_equal(x, np.full(x.shape, low), label="constant")
        elif not exactly:
            in_range(x - low, -(-bits // self.limb) * self.limb)
        else:
            in_range(x - low, bits)
            if high - low + 1 != 1 << bits:
                in_range(high - x, bits)
