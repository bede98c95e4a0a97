"""Equations between points of the two groups, by the pairing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from zkgpu.curves.points import Point
from zkgpu.errors import FormatError, PointError, ZkgpuError
from zkgpu.fields.field import random_bytes

_WEIGHT_BYTES = 16


class Ratio(NamedTuple):
    """That p_x = x p and q_x = x q for one x, with p in G1 and q in G2; and what to say where it is not so."""

    p: Point
    p_x: Point
    q: Point
    q_x: Point
    wrong: str

    def holds(self) -> bool:
        return same_ratio(self.p, self.p_x, self.q, self.q_x)


def require_ratios(ratios: Iterable[Ratio]) -> None:
    """Raises FormatError, with what the first that does not hold says, unless all do; else what `ratios` raises.

    One product of pairings tells, in which each has a random weight of 128 bits: e(p, q_x) = e(p_x, q) of all, which
    wrong ones pass with probability 2^-128. Points must be in their subgroups.
    """
    found: list[Ratio] = []
    try:
        for ratio in ratios:
            found.append(ratio)
    except ZkgpuError:
        _require_all(found)  # what was wrong before comes first
        raise
    _require_all(found)


def _require_all(ratios: Sequence[Ratio]) -> None:
    if ratios and not _hold(ratios):
        raise FormatError(next((ratio.wrong for ratio in ratios if not ratio.holds()), ratios[0].wrong))


def _hold(ratios: Sequence[Ratio]) -> bool:
    """Those with the same points of G2 share a pairing."""
    from zkgpu.curves.pairing import pairing_product_is_one, small_msms

    seconds: dict[Point, list[tuple[Point, int]]] = {}
    for ratio in ratios:
        weight = int.from_bytes(random_bytes(_WEIGHT_BYTES), "little")
        seconds.setdefault(ratio.q_x, []).append((ratio.p, weight))
        seconds.setdefault(ratio.q, []).append((-ratio.p_x, weight))
    terms = [term for of_second in seconds.values() for term in of_second]
    targets = np.repeat(np.arange(len(seconds)), [len(of_second) for of_second in seconds.values()])
    firsts = small_msms([point for point, _ in terms], [weight for _, weight in terms], targets)
    return pairing_product_is_one(list(zip(firsts, seconds, strict=True)))


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
    return None if point.group.has(point) else f"outside the subgroup {point.group.name}"
