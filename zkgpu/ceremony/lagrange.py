"""Powers of tau in Lagrange bases: points of L_j(tau) for a domain of 2^p, out of those of tau^k.

L_j(tau) = 2^-p sum over k of omega^(-j k) tau^k, which is an inverse transform of points. Each of its p stages is
2^(p-1) times u = a + b, v = (a - b) omega^(-i), and a multiplication of a point takes as long as hundreds of additions.
Division by 2^p comes first, once for all sizes: a smaller one needs a few doublings more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from zkgpu.backend.beside import aligned_empty
from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.multiples import Term, progression, times_each, weighted_sums
from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.ntt.domain import Domain
from zkgpu.records import dataclass
from zkgpu.stages import advance

PIECE = 1 << 13  # pairs of points that go through together


@dataclass(frozen=True)
class LagrangeBases:
    """The Lagrange bases of the first powers, for all sizes up to 2^largest.

    Attributes:
        powers: (at least 2^largest - 1, row_limbs) the points of tau^k; one that is missing counts as infinity
    """

    backend: Backend
    group: Group
    powers: Limbs
    largest: int

    @property
    def steps(self) -> int:
        """Points that all sizes multiply, counted twice in an extension field."""
        return self.group.degree * ((1 << self.largest) + sum(p << p >> 1 for p in range(self.largest + 1)))

    def block(self, p: int) -> Limbs:
        """(2^p, row_limbs): the points of L_j(tau), in natural order."""
        rows = aligned_empty((1 << p, self.group.row_limbs))
        list(self._scale(self._divided[: 1 << p], 1 << (self.largest - p), rows))
        for stage in range(p - 1, -1, -1):
            self._pass(rows, 1 << stage)
        order = Domain(self.backend.curve.scalar_field, 1 << p).bit_reversal
        return np.take(rows, order, axis=0, out=aligned_empty(rows.shape))

    def _pass(self, rows: Limbs, half: int) -> None:
        """One stage, in place: points a distance of `half` apart meet."""
        stride = (1 << self.largest) // (2 * half)
        for begin in range(0, len(rows) // 2, PIECE):
            pair = np.arange(begin, min(begin + PIECE, len(rows) // 2))
            within = pair % half
            low = 2 * pair - within
            high = low + half
            met = self._met(np.concatenate([rows[low], rows[high]]))
            rows[low], differences = met[: len(pair)], met[len(pair) :]
            factors = self._roots[within * stride]
            rows[high] = times_each(self.backend, self.group, factors, differences) if half > 1 else differences
            advance(len(pair) * self.group.degree)

    def _met(self, both: Limbs) -> Limbs:
        """Sums and differences of the first half of the points and the second."""
        n, one = len(both) // 2, self.backend.curve.scalar_field.to_limbs([1, -1])
        columns = np.tile(np.arange(2 * n, dtype=np.int32).reshape(2, n).T.reshape(-1), 2)
        signs = np.zeros(4 * n, np.uint8)
        signs[2 * n + 1 :: 2] = 1
        matrix = SparseMatrix((2 * n, 2 * n), np.arange(0, 4 * n + 1, 2), columns, signs, one)
        return self.backend.combine_points(self.group, matrix, both)

    @cached_property
    def _divided(self) -> Limbs:
        """(2^largest, row_limbs): the points of tau^k / 2^largest."""
        count = 1 << self.largest
        out = aligned_empty((count, self.group.row_limbs))
        out[len(self.powers) :] = 0
        for piece in self._scale(self.powers[:count], self.backend.curve.scalar_field.inverse(count), out):
            advance(piece * self.group.degree)
        return out

    def _scale(self, points: Limbs, k: int, out: Limbs) -> Iterator[int]:
        """Writes k times the points; gives out how many, piece by piece."""
        for begin in range(0, len(points), PIECE):
            piece = points[begin : begin + PIECE]
            out[begin : begin + len(piece)] = self.backend.scale_points(self.group, piece, k)
            yield len(piece)

    @cached_property
    def _roots(self) -> Limbs:
        """omega^(-i) of the largest domain, for the first half of it."""
        domain = Domain(self.backend.curve.scalar_field, 1 << self.largest)
        return self.backend.limbs(progression(self.backend, 1, domain.field.inverse(domain.omega), domain.size // 2))


class Blocks(NamedTuple):
    """Points that are to be the Lagrange bases of others, one block for each of some sizes in their order.

    Attributes:
        rows: of all blocks
        powers: at least as many as the largest block has
    """

    group: Group
    rows: Limbs
    powers: Limbs


def is_lagrange(backend: Backend, group: Group, block: Limbs, powers: Limbs) -> bool:
    """Whether the points of `block` are the Lagrange basis of those of `powers`, of which it may lack the last.

    sum of w_j L_j(tau) = sum of c_k tau^k for random w of 128 bits, with c the inverse transform of w: so a wrong point
    passes with probability 2^-128.
    """
    n = len(block)
    weights, coefficients = _weights(backend, n, skip_last=len(powers) < n)
    terms = [Term(group, block, weights), Term(group, powers[:n], coefficients[: len(powers)])]
    left, right = weighted_sums(backend, terms)
    return left == right


def are_lagrange(backend: Backend, bases: Sequence[Blocks], smallest: int, largest: int) -> list[bool]:
    """For each, whether its blocks are the Lagrange bases of its powers for the sizes 2^smallest .. 2^largest.

    As is_lagrange, with the same weights for all arrays: each is looked at by itself.
    """
    weights, coefficients = _weights_of_blocks(backend, smallest, largest)
    terms = [
        term
        for of in bases
        for term in (Term(of.group, of.rows, weights), Term(of.group, of.powers[: 1 << largest], coefficients))
    ]
    sums = weighted_sums(backend, terms)
    return [left == right for left, right in zip(sums[::2], sums[1::2], strict=True)]


def _weights_of_blocks(backend: Backend, smallest: int, largest: int) -> tuple[Limbs, Limbs]:
    """Random w for the points of all blocks, and the sum of their inverse transforms, on the powers."""
    parts, total = [], np.zeros((0, backend.curve.scalar_field.limbs), np.uint64)
    for k in range(smallest, largest + 1):
        weights, coefficients = _weights(backend, 1 << k)
        padded = np.pad(total, ((0, (1 << k) - len(total)), (0, 0)))
        total = backend.limbs(
            backend.pointwise(lambda c, t: c + t, backend.vector(coefficients), backend.vector(padded))
        )
        parts.append(weights)
    return np.concatenate(parts), total


def _weights(backend: Backend, n: int, skip_last: bool = False) -> tuple[Limbs, Limbs]:
    """Random w and their inverse transform c; with skip_last, w_0 is chosen so that c_{n-1} = 0.

    The largest block of a file rests on tau^(n-1), one power more than the file has, or infinity in its place.
    A quotient has no such coefficient, so that point does not matter to any proof.
    """
    field = backend.curve.scalar_field
    domain = Domain(field, n)
    weights = field.random_weights(n)
    coefficients = backend.intt(backend.vector(weights[domain.bit_reversal]), domain)
    if skip_last:
        last = field.from_limbs(backend.limbs(coefficients)[-1:])[0]
        weights[:1] = field.to_limbs([field.from_limbs(weights[:1])[0] - n * last])
        coefficients = backend.pointwise(lambda c: c - last, coefficients)
    return weights, backend.limbs(coefficients)
