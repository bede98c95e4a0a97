"""Functions that end in straight lines, as Gelu, Softplus and a logistic function do: the lines, and what is left.

f(x) = left min(x, 0) + right max(x, 0) + rest(x), where the rest is constant on either side of an interval. A table of
the rest over that interval, whose index is clamped to it, is right however far x lies: a number far from others neither
makes the table coarse for them nor leaves it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass

Floats = NDArray[np.float64]
Function = Callable[[Floats], Floats]

_PROBES, _NARROWINGS = 1 << 12, 3  # of a function, to see where it varies
_FAR, _FARTHER = 4.0, 64.0  # times the farthest number seen: up to where the rest is probed, and where slopes are taken
_NEARER = 5  # power of evenly spread numbers, that lie closer near 0
_SHORTEST = 2.0**-20  # of what was seen: an interval of a rest that a table is made of
_WILD = 4.0  # times what the function does where numbers were seen: how far the rest may reach, which poles exceed
_FLAT = 2.0**-14  # of a function's reach: what a slope adds to it that is none


@dataclass(frozen=True)
class Ramps:
    """The slopes far to the left and to the right, and the interval on either side of which the rest is constant."""

    left: float
    right: float
    low: float
    high: float
    rest: Function


def ramps_of(function: Function, low: float, high: float, share: float, longest: float) -> Ramps | None:
    """The lines and the rest; None where the rest varies too far.

    Args:
        low, high: what numbers were seen from and to
        share: of how far the rest reaches: up to which it counts as constant
        longest: how far it may vary, as a share of what was seen
    """
    reach = max(high, -low)
    points = _FAR * reach * np.linspace(-1, 1, _PROBES) ** _NEARER
    with np.errstate(all="ignore"):
        flat = _FLAT * float(np.ptp(function(points))) / (_FAR * reach or 1.0)
        slopes = (_slope(function, sign * _FARTHER * reach) for sign in (-1, 1))
        left, right = (0.0 if abs(slope) <= flat else slope for slope in slopes)

        def rest(x: Floats) -> Floats:
            return np.asarray(function(x), dtype=np.float64) - left * np.minimum(x, 0) - right * np.maximum(x, 0)

        first, last = varying(rest, *_part(rest, points, share), share)
        reached = np.ptp(rest(np.linspace(first, last, _PROBES)))
        is_tame = reached <= _WILD * np.ptp(function(np.linspace(low, high, _PROBES)))
    is_worth_it = is_tame and _SHORTEST * (high - low) < last - first < longest * (high - low)
    return Ramps(left, right, first, last, rest) if is_worth_it else None


def _slope(function: Function, x: float) -> float:
    """From a number on to twice as far."""
    here, there = np.broadcast_to(np.asarray(function(np.array([x, 2 * x])), dtype=np.float64), 2)
    return float((there - here) / x) if x else 0.0


def varying(function: Function, low: float, high: float, share: float) -> tuple[float, float]:
    """The part of an interval outside of which a function is, to a share of how far it reaches, what it is at the ends.

    The whole interval where the function is not finite throughout.
    """
    for _ in range(_NARROWINGS):
        low, high = _part(function, np.linspace(low, high, _PROBES), share)
    return low, high


def _part(function: Function, points: Floats, share: float) -> tuple[float, float]:
    """As `varying`, told by the function at points in order."""
    values = np.broadcast_to(np.asarray(function(points), dtype=np.float64), points.shape)
    differs = [np.abs(values - end) > share * np.ptp(values) for end in (values[0], values[-1])]
    if not np.isfinite(values).all() or not all(d.any() for d in differs):
        return float(points[0]), float(points[-1])
    first, last = int(np.argmax(differs[0])) - 1, len(points) - int(np.argmax(differs[1][::-1]))
    return float(points[first]), float(points[last])
