"""What is already proven about wires: that a value is below a power of two. Spares a second range check."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.coefficients import ONE, Coefficients
from zkgpu.circuits.combinations import LinearCombinations

UNKNOWN = np.iinfo(np.int16).max


class Widths:
    """For each wire, a number of bits that the constraints written so far bound it by."""

    def __init__(self, coefficients: Coefficients) -> None:
        self._coefficients = coefficients
        self._of_wire: NDArray[np.int16] = np.full(64, UNKNOWN, dtype=np.int16)

    def of(self, lc: LinearCombinations) -> NDArray[np.int16]:
        """(rows,): the proven width of each value, UNKNOWN where nothing is.

        Known are constants, single wires, and 1 - w for a boolean wire w.
        """
        lengths, minus_one = lc.lengths, self._coefficients.intern(-1)
        widths = np.where(lengths == 0, 0, UNKNOWN).astype(np.int16)
        single = np.flatnonzero(lengths == 1)
        first = lc.indptr[single]
        wires, coefficients = lc.wires[first], lc.coefficients[first]
        widths[single] = np.where(coefficients == ONE, self._lookup(wires), UNKNOWN)
        constant = wires == 0
        widths[single[constant]] = [self._coefficients.values[c].bit_length() for c in coefficients[constant]]
        double = np.flatnonzero(lengths == 2)
        at = lc.indptr[double]
        negated = (lc.wires[at] == 0) & (lc.coefficients[at] == ONE) & (lc.coefficients[at + 1] == minus_one)
        widths[double[negated & (self._lookup(lc.wires[at + 1]) <= 1)]] = 1
        return widths

    def prove(self, lc: LinearCombinations, bits: int) -> None:
        """Notes that each value is below 2^bits: for the gadget that has just constrained it so."""
        single = np.flatnonzero(lc.lengths == 1)
        first = lc.indptr[single]
        wires = lc.wires[first[lc.coefficients[first] == ONE]]
        if wires.size:
            self._grow(int(wires.max()) + 1)
            self._of_wire[wires] = np.minimum(self._of_wire[wires], bits)

    def _lookup(self, wires: NDArray[np.int32]) -> NDArray[np.int16]:
        self._grow(int(wires.max(initial=0)) + 1)
        return self._of_wire[wires]

    def _grow(self, wanted: int) -> None:
        size = self._of_wire.size
        if wanted > size:
            more = np.full(max(wanted, 2 * size) - size, UNKNOWN, dtype=np.int16)
            self._of_wire = np.concatenate([self._of_wire, more])
