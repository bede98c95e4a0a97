"""Short sums of scalar multiples, for verification keys: a few hundred points in a few milliseconds.

Straus' method with four-bit windows and complete additions: the calls depend on the scalars alone, so every case
(equal points, opposite points, infinity) is the same straight line. Long sums belong to a backend's MSM.
Public values only: the time shows which digits are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import bn254
from zkgpu.curves.ate import machine
from zkgpu.curves.machine import MAX_ARGUMENTS, Calls, Table
from zkgpu.curves.points import Group, Point
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Limbs

WINDOW = 4
MULTIPLES = 1 << WINDOW

_PREFIX = {bn254.G1.name: "g1", bn254.G2.name: "g2"}


def small_msm(points: Sequence[Point], scalars: Sequence[int]) -> Point:
    """The sum of scalars[i] * points[i], for at least one point, all of G1 or all of G2 of BN254.

    Scalars are taken modulo the group's order. Raises LengthError when the two differ in length or are empty.
    """
    return _sums(points, scalars, np.zeros(len(points), dtype=np.int64))[0]


def multiply_many(points: Sequence[Point], scalars: Sequence[int]) -> list[Point]:
    """[scalars[i] * points[i]], for at least one point, all of G1 or all of G2 of BN254. As small_msm else."""
    return _sums(points, scalars, np.arange(len(points)))


def _sums(points: Sequence[Point], scalars: Sequence[int], targets: NDArray[np.int64]) -> list[Point]:
    """For each target, the sum of the multiples that belong to it."""
    from zkgpu.curves.machine_cpu import run

    group = _common_group(points, scalars)
    digits = window_digits([k % group.order for k in scalars])
    slots = np.concatenate([_identities(group, int(targets[-1]) + 1), _tables(group, points)])
    width = slots.shape[1]
    memory = run(machine(), _calls(group, digits, targets, width), [slots.reshape(-1, slots.shape[2])])
    count = int(targets[-1]) + 1
    return [_to_affine(group, memory[i * width : (i + 1) * width]) for i in range(count)]


def _common_group(points: Sequence[Point], scalars: Sequence[int]) -> Group:
    if len(points) != len(scalars) or not points:
        raise LengthError(f"{len(points)} points and {len(scalars)} scalars: give one scalar a point, and at least one")
    group = points[0].group
    if any(p.group is not group for p in points) or group.name not in _PREFIX:
        raise UsageError(f"points of {sorted({p.group.name for p in points})}: a sum is within BN254 G1 or BN254 G2")
    return group


def window_digits(scalars: Sequence[int]) -> NDArray[np.int64]:
    """(n, 64): the four-bit digits of each scalar below 2^256, most significant first."""
    data = np.frombuffer(b"".join(k.to_bytes(32, "big") for k in scalars), dtype=np.uint8).reshape(-1, 32)
    return np.stack([data >> WINDOW, data & (MULTIPLES - 1)], axis=2).reshape(len(scalars), -1).astype(np.int64)


def _identities(group: Group, count: int) -> Limbs:
    """(count, registers of a point, 4) Montgomery: the point (0 : 1 : 0)."""
    degree = group.row_limbs // (2 * group.base_field.limbs)
    zero, one = [0] * degree, [1, *[0] * (degree - 1)]
    row = group.base_field.to_montgomery_limbs([*zero, *one, *zero])
    return np.broadcast_to(row, (count, *row.shape))


def _tables(group: Group, points: Sequence[Point]) -> Limbs:
    """(16 n, registers of a point, 4) Montgomery: each point's multiples 0 and 1, and room for those up to 15."""
    identity = _identities(group, 1)[0]
    tables = np.zeros((len(points), MULTIPLES, *identity.shape), dtype=np.uint64)
    tables[:, :2] = identity
    finite = np.array([not p.is_infinity for p in points])
    affine = 2 * len(identity) // 3
    tables[finite, 1, :affine] = group.to_rows(points).reshape(len(points), affine, -1)[finite]
    tables[finite, 1, affine] = identity[affine // 2]  # Z = 1, the Y of the identity
    return tables.reshape(-1, *identity.shape)


def _calls(group: Group, digits: NDArray[np.int64], targets: NDArray[np.int64], width: int) -> Calls:
    """The multiples each digit needs, then window by window four doublings and one addition a digit."""
    m, prefix = machine(), _PREFIX[group.name]
    add, double = m.numbers[f"{prefix}_add"], m.numbers[f"{prefix}_double"]
    sums = int(targets[-1]) + 1
    sum_at = m.first_slot + width * np.arange(sums)
    multiple_at = m.first_slot + width * (sums + np.arange(MULTIPLES * len(digits)).reshape(-1, MULTIPLES))

    multiple, point = np.nonzero(np.arange(2, MULTIPLES)[:, None] <= digits.max(axis=1))
    at = multiple_at[point, multiple + 2]
    table_calls = _rows(add, at, at - width, multiple_at[point, 1])

    window, point = np.nonzero(digits.T)
    total = sum_at[targets[point]]
    add_calls = _rows(add, total, total, multiple_at[point, digits[point, window]])

    doubled = np.arange(window.min(initial=digits.shape[1] - 1) + 1, digits.shape[1])
    each = np.tile(sum_at, WINDOW * len(doubled))
    double_calls = _rows(double, each, each)
    # doublings come before the additions of their window: a stable sort by window, doublings listed first
    order = np.argsort(np.concatenate([np.repeat(doubled, WINDOW * sums), window]), kind="stable")
    table = np.concatenate([table_calls, np.concatenate([double_calls, add_calls])[order]])
    return Calls(table, int(multiple_at[-1, -1]) + width)


def _rows(program: int, *addresses: NDArray[Any]) -> Table:
    """One call of the program for each row of addresses."""
    rows = np.zeros((len(addresses[0]), 1 + MAX_ARGUMENTS), dtype=np.int32)
    rows[:, 0] = program
    for k, column in enumerate(addresses, 1):
        rows[:, k] = column
    return rows


def _to_affine(group: Group, row: Limbs) -> Point:
    """The point of one homogeneous row (X, Y, Z), Montgomery."""
    f: Any = group.field
    values = group.base_field.from_montgomery_limbs(row)
    degree = len(values) // 3
    x, y, z = values if degree == 1 else [tuple(values[i : i + degree]) for i in range(0, len(values), degree)]
    if z == f.zero:
        return group.infinity
    inverse = f.inverse(z)
    return Point(group, f.mul(x, inverse), f.mul(y, inverse))
