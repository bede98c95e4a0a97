"""The digest of public arrays, a fingerprint: the polynomial with all their values as coefficients, at a challenge."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.circuits.builder import Builder, Shape
from zkgpu.circuits.coefficients import ZERO
from zkgpu.circuits.combinations import LinearCombinations, add, join_rows
from zkgpu.circuits.committed import PublicArray
from zkgpu.circuits.numbers import Values
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.errors import UsageError


def public_array_of(name: str, shape: Shape, bits: int | None, interval: tuple[int, int] | None) -> PublicArray:
    """The array of integers of `bits` bits, or of the interval (low, high); UsageError unless just one is given."""
    if (bits is None) == (interval is None) or (bits is not None and bits < 1):
        raise UsageError(f"public array '{name}' needs either a width in bits or an interval (low, high)")
    low, high = interval or (0, (1 << (bits or 1)) - 1)
    return PublicArray(name, shape, low, high)


def publish(builder: Builder, array: PublicArray, value: LinearCombinations) -> None:
    """Has the digest cover the values, which are committed so that they come before its point."""
    builder.rounds.arrays.append((array, value))
    builder.rounds.claim(value, builder.scope_name(array.name))
    offsets = LinearCombinations.of_constants(builder.repeated(array.offset, value.rows))
    coefficients = add(value, offsets, builder.coefficients)
    builder.rounds.collect("digest", coefficients, lambda collected: _write_digest(builder, collected))


def _write_digest(builder: Builder, coefficients: list[LinearCombinations]) -> None:
    """One constraint a value."""
    with builder.scope("digest"):
        together = join_rows(coefficients)
        value = horner(builder, together, (together.rows,), builder.challenge(DIGEST_POINT))
        builder.rounds.digest = int(builder.define(value, builder.scope_name("value")).wires[0])


def horner(
    builder: Builder, coefficients: LinearCombinations, shape: Shape, point: LinearCombinations
) -> LinearCombinations:
    """The sum of c_i point^(n-1-i) along the last axis of `shape`: one constraint a coefficient, save the first.

    Constrained, row by row, by Horner's rule: s_i = s_(i-1) point + c_i. These running values are wires of their own,
    computed in one go.
    """
    *outer, n = shape
    if n == 0:
        return LinearCombinations.of_constants(np.full(math.prod(outer), ZERO, dtype=np.int32))
    if n == 1:
        return coefficients
    modulus, running_shape = builder.field.modulus, (*outer, n - 1)
    running = builder.hint(
        lambda c, x: _running(c, int(x), modulus), [(coefficients, shape), (point, ())], running_shape, "horner"
    )
    given = np.arange(coefficients.rows).reshape(-1, n)
    made = np.arange(running.rows).reshape(-1, n - 1)
    order = np.concatenate([given[:, :1], coefficients.rows + made[:, :-1]], axis=1)
    before = join_rows([coefficients, running]).take(order.ravel())
    products = add(running, coefficients.take(given[:, 1:].ravel()), builder.coefficients, -1)
    repeated = point.take(np.zeros(running.rows, dtype=np.int64))
    builder.constrain(before, repeated, products, builder.scope_name("horner"))
    return running.take(made[:, -1])


def _running(coefficients: Values, point: int, modulus: int) -> Values:
    """(..., n - 1): the partial sums, from the second coefficient on."""
    rows = coefficients.reshape(-1, coefficients.shape[-1]).T
    sums = rows.copy()
    for i in range(1, len(rows)):
        sums[i] = (sums[i - 1] * point + rows[i]) % modulus
    later: Values = sums[1:].T.reshape(*coefficients.shape[:-1], len(rows) - 1)
    return later
