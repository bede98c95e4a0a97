"""Arrays of points times scalars of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from zkgpu.backend.protocol import Backend, Vector
from zkgpu.curves.points import Group, Point
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix

SUMMED = 1 << 20  # points of a sum that are on the device together


def progression(backend: Backend, first: int, ratio: int, n: int) -> Vector:
    """first, first ratio .. first ratio^(n - 1)."""
    factors = np.tile(backend.curve.scalar_field.to_limbs([ratio]), (n, 1))
    factors[:1] = backend.curve.scalar_field.to_limbs([first])
    return backend.prefix_product(backend.vector(factors))


class Term(NamedTuple):
    """Points rows, and a canonical 128-bit or longer scalar for each."""

    group: Group
    rows: Limbs
    weights: Limbs


def weighted_sum(backend: Backend, group: Group, rows: Limbs, weights: Limbs) -> Point:
    """The sum of weights[i] * points[i], by pieces, so that not all points are on the device."""
    total = group.infinity
    for begin in range(0, len(rows), SUMMED):
        piece, own = rows[begin : begin + SUMMED], weights[begin : begin + SUMMED]
        total += backend.msm(backend.points(group, piece), backend.vector(own))
    return total


def weighted_sums(backend: Backend, terms: Sequence[Term]) -> list[Point]:
    """weighted_sum of each; short ones together, so that no thread waits and digits of shared weights are cut once."""
    if sum(len(term.rows) for term in terms) > SUMMED:
        return [weighted_sum(backend, *term) for term in terms]
    vectors = {id(term.weights): backend.vector(term.weights) for term in terms}
    return backend.msm_many([(backend.points(term.group, term.rows), vectors[id(term.weights)]) for term in terms])


def times_each(backend: Backend, group: Group, scalars: Limbs, rows: Limbs) -> Limbs:
    """(n, row_limbs) points rows: scalars[i] * points[i]. Variable time."""
    n = len(rows)
    places = np.arange(n, dtype=np.int32)
    matrix = SparseMatrix((n, n), np.arange(n + 1, dtype=np.int64), places, places, scalars)
    return backend.combine_points(group, matrix, rows)
