"""Pairings e(P, Q) for P in G1 and Q in G2, equations between them, and G2's subgroup test.

The first product or two of a process run on Python integers, later ones as compiled code, some eight times faster.
Points are public here: time varies.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from zkgpu.curves.execution import Recipe, run_recipe
from zkgpu.curves.points import Group, Point, twist_of
from zkgpu.curves.sums import multiply_many, small_msm, small_msms
from zkgpu.curves.tower import Fq12
from zkgpu.errors import UsageError

if TYPE_CHECKING:
    from zkgpu.curves.machine import Calls, Machine

MOST_KEPT = 8  # pairings of a product whose schedule is kept on disk: verifiers take up to six

__all__ = ["is_in_subgroup_g2", "multiply_many", "pairing", "pairing_product_is_one", "small_msm", "small_msms"]


def pairing_product_is_one(pairs: Sequence[tuple[Point, Point]]) -> bool:
    """Whether the product of e(P, Q) over the pairs (P in G1, Q in G2) is 1; true for no pairs.

    A pair with infinity contributes 1. The points must be on their curves and in their subgroups: this is the
    caller's to check (Group.point, is_in_subgroup_g2), and nothing is promised about other points.
    Raises UsageError for points of other groups.
    """
    finite = _finite(pairs)
    return not finite or _product(finite) == _one(finite[0][1].group)


def pairing(p: Point, q: Point) -> Fq12:
    """e(p, q), coefficients as canonical integers; 1 when p or q is infinity.

    This is the value that snarkjs writes as vk_alphabeta_12: the reduced optimal ate pairing to the power that the
    hard part brings, 2x(6x^2 + 3x + 1) in the family bn and 3 in bls12. The same conditions on p and q as in
    pairing_product_is_one.
    """
    finite = _finite([(p, q)])
    return _product(finite) if finite else _one(q.group)


def is_in_subgroup_g2(point: Point) -> bool:
    """Whether a point is on the twist and of order r (or infinity).

    One multiplication by x instead of one by r (eprint 2022/348; eprint 2022/352).
    """
    twist_of(point.group)
    if point.is_infinity or not point.is_on_curve():
        return point.is_infinity
    return _has_order_r(point)


@lru_cache(maxsize=256)
def _has_order_r(point: Point) -> bool:
    """Of a finite point of the twist. Points of keys are looked at by whoever reads them and by whoever uses them."""
    *_, z0, z1 = run_recipe(_subgroup(point.group), [*point.coordinates(), 1, 0], 6)
    return z0 == z1 == 0


def _product(pairs: Sequence[tuple[Point, Point]]) -> Fq12:
    """The product of e(P, Q) over at least one pair of finite points, canonical."""
    group = pairs[0][1].group
    tower, points = twist_of(group).tower, [c for p, q in pairs for c in (*p.coordinates(), *q.coordinates(), 1, 0)]
    slots = [*tower.one.coefficients(), *points]
    return Fq12.of(run_recipe(_pairings(group, len(pairs)), slots, 12), tower)


@lru_cache(maxsize=8)
def _pairings(group: Group, pairs: int) -> Recipe:
    """`ate.pairing_calls`, which are kept of few."""

    def make() -> tuple[Machine, Calls]:
        from zkgpu.curves.ate import pairing_calls, pairing_machine

        return pairing_machine(group), pairing_calls(group, pairs)

    return Recipe(f"{group!r}: {pairs} pairings" if pairs <= MOST_KEPT else None, group.base_field, make)


@cache
def _subgroup(group: Group) -> Recipe:
    """`ate.subgroup_calls`."""

    def make() -> tuple[Machine, Calls]:
        from zkgpu.curves.ate import pairing_machine, subgroup_calls

        return pairing_machine(group), subgroup_calls(group)

    return Recipe(f"{group!r}: subgroup", group.base_field, make)


def _one(group: Group) -> Fq12:
    return twist_of(group).tower.one


def _finite(pairs: Iterable[tuple[Point, Point]]) -> list[tuple[Point, Point]]:
    """The pairs without infinity. Raises UsageError unless all are of the two groups of one curve."""
    checked = list(pairs)
    for p, q in checked:
        _require_curve(p, q, checked[0][1].group)
    return [(p, q) for p, q in checked if not (p.is_infinity or q.is_infinity)]


def _require_curve(p: Point, q: Point, g2: Group) -> None:
    if q.group is not g2 or g2.twist is None:
        raise UsageError(f"a point of {q.group.name} stands where one of a G2 is needed, and always the same: swap it")
    if p.group.field is not g2.base_field or p.group.order != g2.order:
        raise UsageError(f"a point of {p.group.name} was given where one of the G1 of {g2.name} is needed: swap it")
