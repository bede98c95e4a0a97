"""The Poseidon hash of tensors, by which a circuit elsewhere or a contract can name them without their values.

Values, less the lower end of their range, are packed into field elements, lowest first, each tensor beginning with an
element of its own; all elements are hashed in a chain h = Poseidon(h, 15 elements), the last block filled up with
zeros. It begins with what the tensors are, so that equal bits in another form have another hash:

    h = number of tensors, then for each of them h = Poseidon(h, number of values, low, width in bits)

Forms are known when a circuit is written, so this costs no constraint. Values within their ranges and their elements
determine each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Circuit, Wires, concatenate
from zkgpu.circuits.gadgets.poseidon import poseidon, poseidon_hash
from zkgpu.curves import DEFAULT
from zkgpu.records import dataclass

_BLOCK = 15
_BITS = 248  # of a field element that are used

Values = TypeVar("Values", NDArray[Any], Wires)


@dataclass(frozen=True, eq=False)
class Ranged(Generic[Values]):
    """An array of integers, or of wires, from low to high."""

    values: Values = field(repr=False)
    low: int
    high: int

    @property
    def width(self) -> int:
        """Bits of a value in a field element."""
        return max(1, (self.high - self.low).bit_length())

    @property
    def powers(self) -> list[int]:
        """The weights of the values that share a field element."""
        return [1 << self.width * i for i in range(_BITS // self.width)]


def hash_of_values(tensors: Sequence[Ranged[NDArray[Any]]]) -> int:
    """The hash of integers."""
    elements = [element for tensor in tensors for element in _packed_values(tensor)]
    elements += [0] * (-len(elements) % _BLOCK)
    state = _hash_of_forms(tensors)
    for start in range(0, len(elements), _BLOCK):
        state = poseidon_hash([state, *elements[start : start + _BLOCK]])
    return state


def _hash_of_forms(tensors: Sequence[Ranged[Any]]) -> int:
    """Where the chain begins: sizes and ranges of the tensors, in order."""
    state = len(tensors)
    for tensor in tensors:
        state = poseidon_hash([state, tensor.values.size, tensor.low % DEFAULT.scalar_field.modulus, tensor.width])
    return state


def _packed_values(tensor: Ranged[NDArray[Any]]) -> list[int]:
    flat, count = [int(v) - tensor.low for v in tensor.values.ravel()], len(tensor.powers)
    return [sum(v << tensor.width * i for i, v in enumerate(flat[j : j + count])) for j in range(0, len(flat), count)]


def hash_of_wires(tensors: Sequence[Ranged[Wires]]) -> Wires:
    """The same in a circuit, for wires already constrained to their ranges: 609 constraints for 15 elements."""
    circuit = Circuit.of(tensors[0].values)
    elements = _filled_up(concatenate([_packed_wires(tensor) for tensor in tensors]), _BLOCK)
    state = circuit.constant([_hash_of_forms(tensors)])
    for start in range(0, elements.size, _BLOCK):
        state = poseidon(concatenate([state, elements[start : start + _BLOCK]])).reshape(1)
    return state.reshape(())


def _packed_wires(tensor: Ranged[Wires]) -> Wires:
    flat = _filled_up(tensor.values.ravel() - tensor.low, len(tensor.powers))
    return flat.reshape(-1, len(tensor.powers)) @ np.array(tensor.powers, dtype=object)


def _filled_up(flat: Wires, length: int) -> Wires:
    """With zeros, to a multiple of the length."""
    missing = -flat.size % length
    return concatenate([flat, Circuit.of(flat).constant(np.zeros(missing, dtype=np.int64))]) if missing else flat
