"""What points of keys and proofs must be before any arithmetic."""

from __future__ import annotations

from collections.abc import Mapping

from zkgpu.curves.points import Group, Point
from zkgpu.errors import PointError, UsageError


def require_point(point: object, group: Group, what: str) -> None:
    """Raises unless `point` is a point of the group, perhaps infinity, with canonical coordinates.

    UsageError for something else or a point of another group; PointError for a coordinate that is no Python integer in
    [0, q), since nothing is reduced, for a point off the curve and for one outside the subgroup.
    """
    if not isinstance(point, Point):
        raise UsageError(f"{what} is a {type(point).__name__}, not a Point: read it from a file, or use Group.point")
    if point.group is not group:
        raise UsageError(f"{what} is in {point.group.name}, not in {group.name}")
    if not point.is_canonical():
        raise PointError(f"{what}: a coordinate is no integer in [0, q): values are never reduced, give canonical ones")
    if not point.is_on_curve():
        raise PointError(f"{what} is not on the curve {group.name}")
    if not group.has(point):
        raise PointError(f"{what} is outside the prime-order subgroup of {group.name}")


def coincidence(named: Mapping[str, Point]) -> str | None:
    """The first of these points of one group that is infinity, or is another one or minus it, in words; else None.

    Two secrets that are equal up to sign let one term of an equation between pairings cancel another. Points are equal
    up to sign exactly when their x are, so this takes no arithmetic.
    """
    seen: dict[object, str] = {}
    for name, point in named.items():
        if point.is_infinity:
            return f"{name} is the point at infinity"
        other = seen.setdefault(point.x, name)
        if other is not name:
            return f"{name} {'equals' if point == named[other] else 'is minus'} {other}"
    return None
