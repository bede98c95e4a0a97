"""The numbers of Poseidon over a scalar field, made as its paper says and as circomlib uses them.

Grassi, Khovratovich, Rechberger, Roy, Schofnegger: Poseidon, eprint 2019/458. Round constants and matrix from
the Grain LFSR (appendix E), the sparse form of the partial rounds after appendix B.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from zkgpu.errors import UsageError
from zkgpu.fields.field import Field, batch_inverse
from zkgpu.records import dataclass

Vector = list[int]
Matrix = list[list[int]]

FULL_ROUNDS = 8
# by the field's modulus, for widths 2 .. 17 at 128 bits of security with S-box x^5: the reference script's choice
_PARTIAL_ROUNDS = {
    # as circomlib uses them
    0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001: (
        *(56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68),
    ),
}
MAX_INPUTS = 16
_STEP = 16  # bits the LFSR makes at a time: below 80 - 62, so that none depends on another of the same step
_BLOCK = 1024  # steps whose bits are shrunk together


@dataclass(frozen=True)
class PoseidonParameters:
    """One width's numbers, with all partial rounds' constants and matrices in sparse form.

    The state is (s, rest). A partial round is y = (s + constant)^5, s = corner * y + row . rest,
    rest = rest + column * y; after the last, rest = rest_matrix * rest.

    Attributes:
        field: whose elements are hashed
        width: t, one more than the number of inputs
        first, last: (4, t) constants of the full rounds before and after the partial ones
        partial: (rounds,) constants
        rows, columns: (rounds, t - 1)
    """

    field: Field
    width: int
    matrix: Matrix
    first: Matrix
    partial: Vector
    last: Matrix
    corner: int
    rows: Matrix
    columns: Matrix
    rest_matrix: Matrix


@cache
def poseidon_parameters(inputs: int, field: Field) -> PoseidonParameters:
    """The parameters for 1 to 16 inputs; made on first use and kept. Raises UsageError for a field without any."""
    if not 1 <= inputs <= MAX_INPUTS:
        raise UsageError(f"Poseidon takes 1 to {MAX_INPUTS} inputs, not {inputs}: hash in several steps")
    t, n_partial, p = inputs + 1, partial_rounds(inputs, field), field.modulus
    numbers = _grain_integers(t, n_partial, field.bits)
    below = (v for v in numbers if v < p)
    rounds = [list(islice(below, t)) for _ in range(FULL_ROUNDS + n_partial)]
    matrix = _cauchy_matrix(numbers, t, field)
    half = FULL_ROUNDS // 2
    partial, carried = _push_constants(rounds[half : half + n_partial], matrix, p)
    last = rounds[half + n_partial :]
    last[0] = [(a + b) % p for a, b in zip(last[0], carried, strict=True)]
    rows, columns, rest_matrix = _sparse_rounds(matrix, n_partial, field)
    return PoseidonParameters(field, t, matrix, rounds[:half], partial, last, matrix[0][0], rows, columns, rest_matrix)


def partial_rounds(inputs: int, field: Field) -> int:
    """How many partial rounds a hash of so many inputs has. Raises UsageError for a field without numbers."""
    if field.modulus not in _PARTIAL_ROUNDS:
        raise UsageError(f"Poseidon's numbers are not known here for {field.name}")
    return _PARTIAL_ROUNDS[field.modulus][inputs - 1]


def dot(a: Vector, b: Vector, p: int) -> int:
    return sum(x * y for x, y in zip(a, b, strict=True)) % p


def times(matrix: Matrix, vector: Vector, p: int) -> Vector:
    return [dot(row, vector, p) for row in matrix]


def _push_constants(rounds: Matrix, matrix: Matrix, p: int) -> tuple[Vector, Vector]:
    """Partial rounds leave the rest of the state linear, so its constants move on through the matrix.

    Returns the constants of the first element, and what arrives after the last partial round.
    """
    partial, carried = [], [0] * len(matrix)
    for constants in rounds:
        total = [a + b for a, b in zip(constants, carried, strict=True)]
        partial.append(total[0] % p)
        carried = times(matrix, [0, *total[1:]], p)
    return partial, carried


def _sparse_rounds(matrix: Matrix, n: int, field: Field) -> tuple[Matrix, Matrix, Matrix]:
    """With the matrix as ((corner, v), (w, m)) and rest = m^k * u in round k: v m^k, m^-(k+1) w, and m^n."""
    m, p = [row[1:] for row in matrix[1:]], field.modulus
    transposed, inverse = _transpose(m), _inverse(m, field)
    row, column = matrix[0][1:], times(inverse, [r[0] for r in matrix[1:]], p)
    rows, columns = [row], [column]
    for _ in range(n - 1):
        rows.append(row := times(transposed, row, p))
        columns.append(column := times(inverse, column, p))
    return rows, columns, _power(m, n, p)


# the Grain LFSR


def _grain_integers(t: int, n_partial: int, bits: int) -> Iterator[int]:
    """Integers of the field's width, first bit highest, from the shrunk stream for this width."""
    pending: NDArray[np.uint8] = np.zeros(0, dtype=np.uint8)
    for block in _shrunk_bits(_grain_seed(t, n_partial, bits)):
        pending = np.concatenate([pending, block])
        ready = len(pending) // bits
        rows = pending[: ready * bits].reshape(ready, bits)
        padded = np.pad(rows, ((0, 0), (-bits % 8, 0)))
        yield from (int.from_bytes(row.tobytes(), "big") for row in np.packbits(padded, axis=1))
        pending = pending[ready * bits :]


def _grain_seed(t: int, n_partial: int, bits: int) -> int:
    """The 80 bits of the state: prime field, power S-box, sizes, then ones. The first bit is the lowest here."""
    fields = ((1, 2), (0, 4), (bits, 12), (t, 12), (FULL_ROUNDS, 10), (n_partial, 10), ((1 << 30) - 1, 30))
    text = "".join(format(value, f"0{width}b") for value, width in fields)
    return int(text[::-1], 2)


def _shrunk_bits(state: int) -> Iterator[NDArray[np.uint8]]:
    """Of each pair of bits the second, where the first is one; the first 160 bits are thrown away."""
    for _ in range(160 // _STEP):
        state = _clock(state)
    while True:
        made = bytearray()
        for _ in range(_BLOCK):
            state = _clock(state)
            made += (state >> (80 - _STEP)).to_bytes(_STEP // 8, "little")
        pairs = np.unpackbits(np.frombuffer(made, dtype=np.uint8), bitorder="little").reshape(-1, 2)
        yield pairs[pairs[:, 0] == 1, 1]


def _clock(state: int) -> int:
    """The state _STEP bits later: b[i + 80] = b[i + 62] + b[i + 51] + b[i + 38] + b[i + 23] + b[i + 13] + b[i]."""
    new = state ^ state >> 13 ^ state >> 23 ^ state >> 38 ^ state >> 51 ^ state >> 62
    return state >> _STEP | (new & ((1 << _STEP) - 1)) << (80 - _STEP)


# matrices


def _cauchy_matrix(numbers: Iterator[int], t: int, field: Field) -> Matrix:
    """1 / (x[i] + y[j]) for the next 2t distinct numbers of the stream, of which the first half is x."""
    while True:
        drawn = [v % field.modulus for v in islice(numbers, 2 * t)]
        sums = [(x + y) % field.modulus for x in drawn[:t] for y in drawn[t:]]
        if len(set(drawn)) == 2 * t and all(sums):
            flat = batch_inverse(field, sums)
            return [flat[i * t : (i + 1) * t] for i in range(t)]


def _transpose(m: Matrix) -> Matrix:
    return [list(row) for row in zip(*m, strict=True)]


def _power(m: Matrix, n: int, p: int) -> Matrix:
    result, square = None, m
    while n:
        if n & 1:
            result = square if result is None else _product(result, square, p)
        square, n = _product(square, square, p), n >> 1
    assert result is not None
    return result


def _product(a: Matrix, b: Matrix, p: int) -> Matrix:
    columns = _transpose(b)
    return [[dot(row, column, p) for column in columns] for row in a]


def _inverse(m: Matrix, field: Field) -> Matrix:
    """Gauss-Jordan elimination; a square part of a Cauchy matrix is invertible."""
    n, p = len(m), field.modulus
    rows = [[*row, *(int(i == j) for j in range(n))] for i, row in enumerate(m)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        scale = field.inverse(rows[i][i])
        rows[i] = [v * scale % p for v in rows[i]]
        for r in range(n):
            if r != i and (factor := rows[r][i]):
                rows[r] = [(v - factor * u) % p for v, u in zip(rows[r], rows[i], strict=True)]
    return [row[n:] for row in rows]
