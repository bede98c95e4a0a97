"""Comparisons of one integer with many constants, at about a constraint each.

With bounds b_1 < .. < b_n of one x, the answers are t_k = 1 where x >= b_k, else 0: ones, then zeros. With t_0 = 1 and
t_(n+1) = 0 the constraints are

    t_k - t_(k+1) is 0 or 1, for k from 0 to n          exactly (gadgets.bits)
    b_k <= x < b_(k+1) for the one k where it is 1      by two range checks, whose low ends are exact

The differences add up to 1, so that just one of them is 1: the t are ones up to some k, then zeros, and the two ends,
which are sums over the t of distances of neighboring bounds, are b_k and b_(k+1) of that k. Intervals of different k
have no integer in common, so that x leaves one k. b_0 and b_(n+1) are ends that x cannot lie beyond. None of it wraps
around the field, by Checks.require_room.
"""

from __future__ import annotations

import numpy as np

from zkgpu.circuits import Circuit, Wires, concatenate, stack
from zkgpu.circuits.gadgets.bits import assert_boolean
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.operations import Steps
from zkgpu.zkml.ranges import Interval


def steps(checks: Checks, operation: Steps, x: Wires, interval: Interval) -> Wires:
    """1 where x[..., places] >= bounds, else 0: n + 1 constraints for n bounds of a place, and two range checks."""
    places, bounds = operation.places, operation.bounds
    circuit, rows = Circuit.of(x), x.reshape(-1, x.shape[-1])
    shape = rows.shape[0], places.size
    answers = circuit.hint(lambda v: v[:, places] >= bounds, [rows], shape=shape, label="steps", signed=True)
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    low = min(interval.least, int(bounds.min()) - 1)
    end = max(interval.greatest, int(bounds.max())) + 1
    ends = [
        _ends(answers[:, start:stop], [low, *bounds[start:stop].tolist(), end])
        for start, stop in zip(starts, [*starts[1:], places.size], strict=True)
    ]
    checks.require_room(x, max(interval.reach_bits, (end - low).bit_length()) + 1)
    compared = rows[:, places[starts]].T
    checks.within(compared - stack([first for first, _ in ends]), 0, end - low, exactly=False)
    checks.within(stack([last for _, last in ends]) - 1 - compared, 0, end - low, exactly=False)
    return answers.reshape(*x.shape[:-1], places.size)


def _ends(t: Wires, bounds: list[int]) -> tuple[Wires, Wires]:
    """The bounds that rows of answers lie between, by constraining them to be ones, then zeros."""
    circuit, (rows, _) = Circuit.of(t), t.shape
    before, after = (circuit.constant(np.full((rows, 1), end)) for end in (1, 0))
    assert_boolean(concatenate([before, t], axis=1) - concatenate([t, after], axis=1))
    distances = np.diff(np.array(bounds, dtype=object))
    return t @ distances[:-1] + bounds[0], t @ distances[1:] + bounds[1]
