"""The pairing of BN254: e(P, Q) for P in G1 and Q in G2, equations between pairings, and G2's subgroup test.

The first product or two of a process run on Python integers, later ones as compiled code, some eight times faster.
Points are public here: time varies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zkgpu.curves import bn254
from zkgpu.curves.ate import machine, pairing_calls, subgroup_calls
from zkgpu.curves.execution import run
from zkgpu.curves.points import Point
from zkgpu.curves.sums import multiply_many, small_msm
from zkgpu.curves.tower import ONE, Fq12
from zkgpu.errors import UsageError

__all__ = ["is_in_subgroup_g2", "multiply_many", "pairing", "pairing_product_is_one", "small_msm"]


def pairing_product_is_one(pairs: Sequence[tuple[Point, Point]]) -> bool:
    """Whether the product of e(P, Q) over the pairs (P in G1, Q in G2) is 1; true for no pairs.

    A pair with infinity contributes 1. The points must be on their curves and in their subgroups: this is the
    caller's to check (Group.point, is_in_subgroup_g2), and nothing is promised about other points.
    Raises UsageError for points of other groups.
    """
    return _product(pairs) == ONE


def pairing(p: Point, q: Point) -> Fq12:
    """e(p, q), coefficients as canonical integers; 1 when p or q is infinity.

    This is the value that snarkjs writes as vk_alphabeta_12: the reduced optimal ate pairing to the power
    2x(6x^2 + 3x + 1). The same conditions on p and q as in pairing_product_is_one.
    """
    return _product([(p, q)])


def is_in_subgroup_g2(point: Point) -> bool:
    """Whether a point is on the twist and of order r (or infinity).

    One multiplication by x instead of one by r (eprint 2022/348; eprint 2022/352).
    """
    _require_group(point, bn254.G2.name)
    if point.is_infinity or not point.is_on_curve():
        return point.is_infinity
    *_, z0, z1 = run(machine(), subgroup_calls(), [*point.coordinates(), 1, 0], 6)
    return z0 == z1 == 0


def _product(pairs: Iterable[tuple[Point, Point]]) -> Fq12:
    """The product of e(P, Q), canonical."""
    finite = [(p, q) for p, q in _checked(pairs) if not (p.is_infinity or q.is_infinity)]
    if not finite:
        return ONE
    points = [c for p, q in finite for c in (*p.coordinates(), *q.coordinates(), 1, 0)]
    return Fq12.of(run(machine(), pairing_calls(len(finite)), [*ONE.coefficients(), *points], 12))


def _checked(pairs: Iterable[tuple[Point, Point]]) -> Iterable[tuple[Point, Point]]:
    for p, q in pairs:
        _require_group(p, bn254.G1.name)
        _require_group(q, bn254.G2.name)
        yield p, q


def _require_group(point: Point, name: str) -> None:
    if point.group.name != name:
        raise UsageError(f"a point of {point.group.name} was given where one of {name} is needed: swap or replace it")
