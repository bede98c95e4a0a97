"""Range checks of integers in a circuit; a negative one stands above half of the modulus.

A layer reasons about integers, and its constraints about field elements. Both agree while no number on either side of a
constraint has more than `room` bits: then two that are equal in the field are equal. Each layer gives `require_room`
the widest number it speaks of, loosened range checks and all, and is refused by name where that is too wide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Circuit, Wires
from zkgpu.circuits.gadgets.limbs import assert_in_range
from zkgpu.errors import FormatError
from zkgpu.records import dataclass

Integers = NDArray[Any]


@dataclass(frozen=True)
class Checks:
    """Range checks of one circuit.

    Attributes:
        limb: the width of a limb: a check that may be loose goes up to a whole number of limbs, which costs no more
        weights_are_given: by the prover: intervals are those of the model's own weights, and no constraint keeps others
            in
    """

    limb: int
    weights_are_given: bool = False

    def within(self, x: Wires, low: int, high: int, *, exactly: bool = True) -> int:
        """Constrains each entry to low .. high; without `exactly`, to some low .. low + 2^k - 1 that holds it.

        The low end holds exactly either way, by assert_in_range(x - low); the high end, if `exactly`, by
        assert_in_range(high - x).
        Returns the bits of the largest magnitude that an entry can then have.
        """
        bits = (high - low).bit_length()
        if bits == 0:
            Circuit.of(x).assert_equal(x, np.full(x.shape, low), label="constant")
            return low.bit_length()
        if not exactly:
            bits = -(-bits // self.limb) * self.limb
            high = low + (1 << bits) - 1
        widest = max(low.bit_length(), high.bit_length())
        self.require_room(x, max(bits, widest))
        assert_in_range(x - low, bits)
        if high - low + 1 != 1 << bits:
            assert_in_range(high - x, bits)
        return widest

    def require_room(self, x: Wires, bits: int) -> None:
        """Raises FormatError, naming the layer, unless the field separates integers below 2^bits in magnitude."""
        room = x.builder.field.bits - 2
        if bits > room:
            raise FormatError(
                f"layer '{x.builder.scope_name()}': a number in it could take {bits} bits and wrap around the field, "
                f"which separates {room}: requantize its inputs first"
            )
