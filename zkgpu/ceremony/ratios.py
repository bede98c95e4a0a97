"""Equations between points of the two groups, by the pairing."""

from __future__ import annotations

from zkgpu.curves.points import Point
from zkgpu.errors import PointError


def same_ratio(p: Point, p_x: Point, q: Point, q_x: Point) -> bool:
    """Whether p_x = x p and q_x = x q for one x: e(p, q_x) = e(p_x, q)."""
    from zkgpu.curves.pairing import pairing_product_is_one

    return pairing_product_is_one([(p, q_x), (-p_x, q)])


def require_proper(where: str, *points: Point) -> None:
    """Raises PointError unless the points are in their subgroups and none is infinity, which has any ratio."""
    for point in points:
        fault = _fault(point)
        if fault is not None:
            raise PointError(f"{where}: {point} is {fault}: do not use it")


def _fault(point: Point) -> str | None:
    if point.is_infinity:
        return "infinity, so that a secret is 0"
    if not point.is_on_curve():
        return "off its curve"
    return None if point.is_in_subgroup() else f"outside the subgroup {point.group.name}"
