"""Short sums of scalar multiples, for keys and proofs: a few hundred points in a few milliseconds.

Straus' method with four-bit windows and complete additions: the calls depend on the scalars alone, so every case
(equal points, opposite points, infinity) is the same straight line. Long sums belong to a backend's MSM.
Variable time: it shows which digits are zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from zkgpu.curves.execution import Recipe, run_calls
from zkgpu.curves.layout import MAX_ARGUMENTS
from zkgpu.curves.points import Group, Point, sum_points
from zkgpu.errors import LengthError, UsageError
from zkgpu.faces import is_put_off

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from zkgpu.curves.machine import Calls, Machine, Table

FEW = 16  # points that are multiplied on Python integers sooner than NumPy is imported
WINDOW = 4
MULTIPLES = 1 << WINDOW
_ADD, _DOUBLE = 0, 1  # in `ate.sum_programs`


def small_msm(points: Sequence[Point], scalars: Sequence[int]) -> Point:
    """The sum of scalars[i] * points[i], for at least one point, all of one group.

    Scalars are taken modulo the group's order. Raises LengthError when the two differ in length or are empty.
    """
    if is_put_off("numpy") and len(points) <= FEW:
        group = _common_group(points, scalars)
        return sum_points(group, (k * point for k, point in zip(scalars, points, strict=True)))
    return small_msms(points, scalars, np.zeros(len(points), dtype=np.int64))[0]


def multiply_many(points: Sequence[Point], scalars: Sequence[int]) -> list[Point]:
    """[scalars[i] * points[i]], for at least one point, all of one group. As small_msm else."""
    return small_msms(points, scalars, np.arange(len(points)))


def small_msms(points: Sequence[Point], scalars: Sequence[int], targets: NDArray[np.int64]) -> list[Point]:
    """For each target, the sum of the multiples that belong to it. As small_msm else.

    Args:
        targets: for each point which sum it belongs to: 0, 1 and so on, in this order
    """
    group = _common_group(points, scalars)
    return _sums(points, [k % group.order for k in scalars], targets)


def times_cofactor(point: Point) -> Point:
    """The cofactor times any point of the curve that the group is on, which must have an odd number of points."""
    return _sums([point], [point.group.cofactor], np.zeros(1, dtype=np.int64))[0]


def _sums(points: Sequence[Point], scalars: Sequence[int], targets: NDArray[np.int64]) -> list[Point]:
    """As small_msms, for scalars that are not reduced, none below 0."""
    group, sums = points[0].group, int(targets[-1]) + 1
    digits = window_digits(scalars, -(-max(group.order, *scalars).bit_length() // 8))
    starts = [_homogeneous(p) for p in [group.infinity] * sums + list(points)]
    width = len(starts[0])
    slots = [c for start in starts for c in start]
    memory = run_calls(_adder(group), _calls(width, digits, targets), slots, sums * width)
    return [_to_affine(group, memory[i : i + width]) for i in range(0, sums * width, width)]


@cache
def _adder(group: Group) -> Recipe:
    """`ate.sum_machine`, without calls."""

    def make() -> tuple[Machine, Calls]:
        from zkgpu.curves.ate import sum_machine
        from zkgpu.curves.machine import Calls

        machine = sum_machine(group)
        return machine, Calls(_rows(0), machine.first_slot)

    return Recipe(f"{group!r}: sums", group.base_field, make)


def _common_group(points: Sequence[Point], scalars: Sequence[int]) -> Group:
    if len(points) != len(scalars) or not points:
        raise LengthError(f"{len(points)} points and {len(scalars)} scalars: give one scalar a point, and at least one")
    group = points[0].group
    if any(p.group is not group for p in points):
        raise UsageError(f"points of {sorted({p.group.name for p in points})}: a sum is within one group")
    return group


def window_digits(scalars: Sequence[int], size: int) -> NDArray[np.int64]:
    """(n, 2 * size): the four-bit digits of each scalar of `size` bytes, most significant first."""
    data = np.frombuffer(b"".join(k.to_bytes(size, "big") for k in scalars), dtype=np.uint8).reshape(-1, size)
    return np.stack([data >> WINDOW, data & (MULTIPLES - 1)], axis=2).reshape(len(scalars), -1).astype(np.int64)


def _homogeneous(point: Point) -> list[int]:
    """X, Y, Z: (x : y : 1), or (0 : 1 : 0)."""
    degree = point.group.degree
    zero, one = [0] * degree, [1, *[0] * (degree - 1)]
    return [*zero, *one, *zero] if point.is_infinity else [*point.coordinates(), *one]


def _calls(width: int, digits: NDArray[np.int64], targets: NDArray[np.int64]) -> Calls:
    """The multiples that digits select, then window by window four doublings and one addition a digit.

    Slots: the sums, the points, and room for the multiples 2 to 15 of each point. Addresses count from the first.
    """
    from zkgpu.curves.machine import Calls

    sums, points = int(targets[-1]) + 1, len(digits)
    sum_at, first = width * np.arange(sums), width * sums
    multiple_at = first + width * (points * (np.arange(MULTIPLES) - 1) + np.arange(points)[:, None])

    multiple, point = np.nonzero(np.arange(2, MULTIPLES)[:, None] <= digits.max(axis=1))
    at = multiple_at[point, multiple + 2]
    table_calls = _rows(_ADD, at, multiple_at[point, multiple + 1], multiple_at[point, 1])

    window, point = np.nonzero(digits.T)
    total = sum_at[targets[point]]
    add_calls = _rows(_ADD, total, total, multiple_at[point, digits[point, window]])

    doubled = np.arange(window.min(initial=digits.shape[1] - 1) + 1, digits.shape[1])
    each = np.tile(sum_at, WINDOW * len(doubled))
    double_calls = _rows(_DOUBLE, each, each)
    # doublings come before the additions of their window: a stable sort by window, doublings listed first
    order = np.argsort(np.concatenate([np.repeat(doubled, WINDOW * sums), window]), kind="stable")
    table = np.concatenate([table_calls, np.concatenate([double_calls, add_calls])[order]])
    return Calls(table, int(multiple_at[-1, -1]) + width)


def _rows(program: int, *addresses: NDArray[Any]) -> Table:
    """One call of the program for each row of addresses."""
    rows = np.zeros((len(addresses[0]) if addresses else 0, 1 + MAX_ARGUMENTS), dtype=np.int32)
    rows[:, 0] = program
    for k, column in enumerate(addresses, 1):
        rows[:, k] = column
    return rows


def _to_affine(group: Group, row: Sequence[int]) -> Point:
    """The point of one homogeneous row X, Y, Z."""
    f: Any = group.field
    degree = group.degree
    x, y, z = row if degree == 1 else [tuple(row[i : i + degree]) for i in range(0, len(row), degree)]
    if z == f.zero:
        return group.infinity
    inverse = f.inverse(z)
    return Point(group, f.mul(x, inverse), f.mul(y, inverse))
