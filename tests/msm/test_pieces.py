"""Sums by pieces of the vectors are the sums at once, whatever is infinite, borrowed or shared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from zkgpu.backend.cpu import CpuBackend
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.errors import LengthError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.msm import pieces

N = 200
BACKEND = CpuBackend(BN254, threads=2)


def scalars(n: int, seed: int) -> Limbs:
    limbs = np.random.default_rng(seed).integers(0, 1 << 63, (n, 4), dtype=np.uint64)
    limbs[:, 3] >>= np.uint64(3)
    return limbs


def rows(group: Any, base: int, infinite: slice) -> Limbs:
    out = group.to_rows(k * group.generator for k in range(base, base + N))
    out[infinite] = 0
    return out


def test_pieces_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    z, h = scalars(N, 1), scalars(N, 2)
    some = slice(64, 140)  # all of a piece, and parts of others
    points = [BACKEND.points(g, rows(g, k, s)) for k, (g, s) in enumerate([(G1, some), (G1, some), (G2, some)])]
    points.append(BACKEND.points(G1, rows(G1, 7, slice(0, 0))))
    vector = BACKEND.vector(z)
    pairs = [(points[0], vector), (points[1], vector), (points[2], BACKEND.borrowed(z)), (points[3], BACKEND.vector(h))]
    wanted = BACKEND.msm_many(pairs)
    monkeypatch.setattr(pieces, "TOGETHER", 16)
    monkeypatch.setattr(pieces, "PIECE", 64)
    asked: list[int] = []
    monkeypatch.setattr(pieces, "will_need", lambda array: asked.append(len(array)))
    assert BACKEND.msm_many(pairs) == wanted
    assert asked  # for the points of the pieces to come
    assert BACKEND.msm_many([]) == []


def test_sums_with_tables_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with_tables, z = CpuBackend(BN254, threads=1, tables=4), scalars(N, 3)
    given = rows(G1, 1, slice(3, 5))
    wanted = BACKEND.msm(BACKEND.points(G1, given), BACKEND.vector(z))
    monkeypatch.setattr(pieces, "TOGETHER", 16)
    monkeypatch.setattr(pieces, "PIECE", 64)
    assert with_tables.msm(with_tables.points(G1, given), with_tables.vector(z)) == wanted


def test_borrowed_scalars_are_checked_and_serve_nothing_else() -> None:
    points = BACKEND.points(G1, rows(G1, 1, slice(0, 0)))
    with pytest.raises(UsageError, match="not below the group's order"):
        BACKEND.msm(points, BACKEND.borrowed(np.full((N, 4), 2**64 - 1, np.uint64)))
    with pytest.raises(LengthError):
        BACKEND.msm(points, BACKEND.borrowed(scalars(N - 1, 1)))
    lent = scalars(16, 4)
    assert BACKEND.limbs(BACKEND.borrowed(lent)) is lent
    with pytest.raises(UsageError, match="borrowed"):
        BACKEND.pointwise(lambda x: x + 1, BACKEND.borrowed(lent))
    with pytest.raises(UsageError, match="borrowed"):
        BACKEND.inverse(BACKEND.borrowed(lent))


def test_a_piece_of_a_product_with_a_generator_is_as_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    from zkgpu.msm import fixed_base

    z = BACKEND.vector(scalars(N, 5))
    wanted = BACKEND.fixed_base(G1.generator, z)
    monkeypatch.setattr(fixed_base, "PIECE", 64)
    assert np.array_equal(BACKEND.fixed_base(G1.generator, z), wanted)
    assert G1.from_rows(wanted[:2]) == [k * G1.generator for k in Fr.from_limbs(BACKEND.limbs(z)[:2])]
