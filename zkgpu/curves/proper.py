"""What is asked of the points of keys and proofs before any arithmetic."""

from __future__ import annotations

from zkgpu.curves.pairing import is_in_subgroup_g2
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
    if group.cofactor != 1 and not is_in_subgroup_g2(point):
        raise PointError(f"{what} is outside the prime-order subgroup of {group.name}")
