"""The Poseidon hash of a tensor, by which a circuit elsewhere or a contract can name it without its values.

Values, less the lower end of their range, are packed into field elements, lowest first; these are hashed in a chain:
h = Poseidon(h, 15 elements), beginning with h = the number of values, the last block filled up with zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Wires, concatenate, stack
from zkgpu.circuits.gadgets.poseidon import poseidon, poseidon_hash

_BLOCK = 15
_BITS = 248  # of a field element that are used


def hash_of_values(values: NDArray[Any] | Sequence[int], low: int, high: int) -> int:
    """The hash of integers from low to high."""
    flat = [int(v) - low for v in np.ravel(values)]
    width, count = _packing(low, high)
    rows = [flat[i : i + count] for i in range(0, len(flat), count)]
    packed = [sum(v << width * i for i, v in enumerate(row)) for row in rows]
    packed += [0] * (-len(packed) % _BLOCK)
    state = len(flat)
    for start in range(0, len(packed), _BLOCK):
        state = poseidon_hash([state, *packed[start : start + _BLOCK]])
    return state


def hash_of_wires(x: Wires, low: int, high: int) -> Wires:
    """The same in a circuit, for wires already constrained to low .. high."""
    flat, (width, count) = x.ravel() - low, _packing(low, high)
    powers = [1 << width * i for i in range(count)]
    rows = [flat[i : i + count] for i in range(0, flat.size, count)]
    packed = [row @ np.array(powers[: row.size], dtype=object) for row in rows]
    zero = x.circuit.constant(0)
    packed += [zero] * (-len(packed) % _BLOCK)
    state = x.circuit.constant(flat.size)
    for start in range(0, len(packed), _BLOCK):
        block = stack(packed[start : start + _BLOCK])
        state = poseidon(concatenate([state.reshape(1), block]))
    return state


def _packing(low: int, high: int) -> tuple[int, int]:
    """(bits of a value, values in a field element)."""
    width = max(1, (high - low).bit_length())
    return width, _BITS // width
