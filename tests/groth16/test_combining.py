"""Combinations of points by pieces are those of the whole matrix."""

from __future__ import annotations

import numpy as np
import pytest

from zkgpu.backend import open_backend
from zkgpu.curves.bn254 import G1, Fr
from zkgpu.errors import CancelledError
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.groth16 import combining
from zkgpu.groth16.combining import combine_by_pieces
from zkgpu.stages import measuring, steps

BACKEND = open_backend("cpu", threads=1)
POINTS = 9


def matrix(rows: int, entries: int, seed: int) -> SparseMatrix:
    """Some rows without entries, and one with many."""
    rng = np.random.default_rng(seed)
    places = rng.choice(rows * POINTS, entries, replace=False)
    places = np.concatenate([places[places >= 2 * POINTS], np.arange(POINTS)])
    values = Fr.to_limbs([1, -1, 5, pow(3, 500, Fr.modulus)])
    ids = rng.integers(0, len(values), len(places))
    return SparseMatrix.from_entries((rows, POINTS), places // POINTS, places % POINTS, ids, values)


@pytest.mark.parametrize("piece", [1, 4, 10, 1000])
def test_pieces_of_any_size_give_what_the_whole_gives(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combining, "PIECE", piece)
    matrices = [matrix(7, 20, seed) for seed in (1, 2)]
    points = [G1.to_rows([k * G1.generator for k in range(start, start + POINTS)]) for start in (1, 100)]
    wanted = BACKEND.combine_points(G1, SparseMatrix.side_by_side(matrices), np.concatenate(points))
    heard: list[int] = []
    with measuring(lambda done: heard.append(done.done)), steps(sum(m.entries for m in matrices)):
        assert np.array_equal(combine_by_pieces(BACKEND, G1, matrices, points), wanted)
    assert heard == sorted(heard)
    assert heard[-1] == sum(m.entries for m in matrices)
    assert (len(heard) > 2) == (piece < 1000)


def test_an_interrupt_is_heard_between_two_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(combining, "PIECE", 4)
    points = G1.to_rows([k * G1.generator for k in range(1, POINTS + 1)])

    def stop(_: object) -> None:
        raise CancelledError("enough")

    with pytest.raises(CancelledError, match="enough"), measuring(stop), steps(20):
        combine_by_pieces(BACKEND, G1, [matrix(7, 20, 3)], [points])
