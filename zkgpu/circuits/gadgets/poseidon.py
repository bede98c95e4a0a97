"""Poseidon with circomlib's parameters: the hash of 1 to 16 elements of a scalar field.

The state starts as (0, inputs); the hash is its first element after the permutation (eprint 2019/458).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.poseidon_parameters import (
    FULL_ROUNDS,
    Matrix,
    PoseidonParameters,
    Vector,
    dot,
    poseidon_parameters,
    times,
)
from zkgpu.circuits.wires import Wires, stack
from zkgpu.curves import DEFAULT
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field

# plain Python


def poseidon_hash(inputs: Sequence[int], field: Field = DEFAULT.scalar_field) -> int:
    """The hash of 1 to 16 integers in [0, r), as circomlib computes it. Raises UsageError for others."""
    if not all(0 <= v < field.modulus for v in inputs):
        raise UsageError(f"Poseidon hashes integers from 0 to the modulus of {field.name}, without it")
    return _permute([0, *inputs], poseidon_parameters(len(inputs), field), [])[0]


def _permute(state: Vector, parameters: PoseidonParameters, sboxes: list[tuple[int, int]]) -> Vector:
    """The permutation; appends to `sboxes` each S-box's input and output, in order."""
    state = _full_rounds(state, parameters.first, parameters, sboxes)
    state = _partial_rounds(state, parameters, sboxes)
    return _full_rounds(state, parameters.last, parameters, sboxes)


def _full_rounds(
    state: Vector, constants: Matrix, parameters: PoseidonParameters, sboxes: list[tuple[int, int]]
) -> Vector:
    p = parameters.field.modulus
    for row in constants:
        inputs = [(s + k) % p for s, k in zip(state, row, strict=True)]
        outputs = [_fifth_power(x, p) for x in inputs]
        sboxes.extend(zip(inputs, outputs, strict=True))
        state = times(parameters.matrix, outputs, p)
    return state


def _partial_rounds(state: Vector, parameters: PoseidonParameters, sboxes: list[tuple[int, int]]) -> Vector:
    s, rest, p = state[0], state[1:], parameters.field.modulus
    for constant, row, column in zip(parameters.partial, parameters.rows, parameters.columns, strict=True):
        x = (s + constant) % p
        y = _fifth_power(x, p)
        sboxes.append((x, y))
        s = (parameters.corner * y + dot(row, rest, p)) % p
        rest = [(u + w * y) % p for u, w in zip(rest, column, strict=True)]
    return [s, *times(parameters.rest_matrix, rest, p)]


def _fifth_power(x: int, p: int) -> int:
    square = x * x % p
    return square * square % p * x % p


# in a circuit


def poseidon(inputs: Wires) -> Wires:
    """The hash of the last axis, of 1 to 16 wires: shape (..., n) becomes (...).

    Three constraints an S-box: 213 for one input, 240 for two, 264 for three.

    Examples:
        >>> circuit = Circuit()
        >>> digest = circuit.output("digest", poseidon(circuit.private("x", 2)))
        >>> compiled = circuit.compile()
        >>> int(compiled.value("digest", compiled.witness({"x": [1, 2]}))) == poseidon_hash([1, 2])
        True
    """
    circuit = Circuit.of(inputs)
    if not inputs.shape:
        raise UsageError("Poseidon hashes an array of wires: stack single ones")
    poseidon_parameters(inputs.shape[-1], circuit.field)
    return circuit.instantiate(_hash_template, inputs, label="poseidon")


def _hash_template(circuit: Circuit, inputs: Wires) -> Wires:
    """The constraints of one hash over the wires (x^2, x^4, z) of each S-box x -> x^5.

    z is the S-box's output, but in all partial rounds except the last it is the next S-box's input: then the
    long linear combinations of late rounds stand in one place of a constraint instead of three.
    """
    parameters = poseidon_parameters(inputs.size, circuit.field)
    count = _wired_sboxes(parameters)

    def sbox_wires(values: NDArray[np.object_]) -> list[list[int]]:
        return _sbox_wires(parameters, values)

    wires = _Wiring(circuit.hint(sbox_wires, [inputs], shape=(count, 3), label="sboxes"))
    state = _constrain_first_round(parameters, inputs, wires)
    state = _constrain_full_rounds(parameters.first[1:], parameters, state, wires)
    state = _constrain_partial_rounds(parameters, state, wires)
    return _constrain_full_rounds(parameters.last, parameters, state, wires)[0]


class _Wiring:
    """Hands out the S-boxes' wires in order, with the constraints on them."""

    def __init__(self, wires: Wires) -> None:
        self._wires = wires
        self._used = 0

    def peek(self) -> Wires:
        """z of the next S-box."""
        return self._wires[self._used, 2]

    def fifth_powers(self, x: Wires, y: Wires | None = None) -> Wires:
        """x^5 for the next S-boxes, which is y, or by default their z."""
        mine = self._wires[self._used : self._used + x.size]
        self._used += x.size
        square, fourth = mine[:, 0].reshape(x.shape), mine[:, 1].reshape(x.shape)
        y = mine[:, 2].reshape(x.shape) if y is None else y
        circuit = Circuit.of(x)
        circuit.assert_product(x, x, square)
        circuit.assert_product(square, square, fourth)
        circuit.assert_product(fourth, x, y)
        return y


def _constrain_first_round(parameters: PoseidonParameters, inputs: Wires, wires: _Wiring) -> Wires:
    """The first round, whose first S-box has a constant input and takes no constraint."""
    constants, p = parameters.first[0], parameters.field.modulus
    outputs = wires.fifth_powers(inputs + _vector(constants[1:]))
    matrix = np.array(parameters.matrix, dtype=object)
    products: Wires = matrix[:, 1:] @ outputs
    return products + matrix[:, 0] * _fifth_power(constants[0], p) % p


def _constrain_full_rounds(constants: Matrix, parameters: PoseidonParameters, state: Wires, wires: _Wiring) -> Wires:
    for row in constants:
        state = np.array(parameters.matrix, dtype=object) @ wires.fifth_powers(state + _vector(row))
    return state


def _constrain_partial_rounds(parameters: PoseidonParameters, state: Wires, wires: _Wiring) -> Wires:
    rows, columns = (np.array(m, dtype=object) for m in (parameters.rows, parameters.columns))
    x, rest = state[0] + parameters.partial[0], state[1:]
    for row, column, constant in zip(rows[:-1], columns[:-1], parameters.partial[1:], strict=True):
        following = wires.peek()  # = corner * y + row . rest + constant
        y = (following - constant - rest @ row) / parameters.corner
        wires.fifth_powers(x, y)
        x, rest = following, rest + y * column
    y = wires.fifth_powers(x)
    first = y * parameters.corner + rest @ rows[-1]
    rest = np.array(parameters.rest_matrix, dtype=object) @ (rest + y * columns[-1])
    return stack([first, *rest])


def _wired_sboxes(parameters: PoseidonParameters) -> int:
    return FULL_ROUNDS * parameters.width - 1 + len(parameters.partial)


def _sbox_wires(parameters: PoseidonParameters, inputs: NDArray[np.object_]) -> list[list[int]]:
    """(S-boxes, 3): the values of _hash_template's wires."""
    sboxes: list[tuple[int, int]] = []
    p = parameters.field.modulus
    _permute([0, *inputs.tolist()], parameters, sboxes)
    first = len(parameters.first) * parameters.width  # of the partial rounds
    last = first + len(parameters.partial) - 1
    rows = []
    for i, (x, y) in enumerate(sboxes):
        square = x * x % p
        rows.append([square, square * square % p, sboxes[i + 1][0] if first <= i < last else y])
    return rows[1:]


def _vector(values: Vector) -> NDArray[np.object_]:
    return np.array(values, dtype=object)
