"""Linear combinations that are joined: copied one part at a time, of which none is kept."""

from __future__ import annotations

import weakref

import numpy as np
import pytest

from zkgpu.circuits import combinations as combinations_module
from zkgpu.circuits.combinations import LinearCombinations, join_rows, join_taking


def combinations(*rows: int) -> LinearCombinations:
    """Rows of so many terms."""
    terms = np.arange(sum(rows), dtype=np.int32)
    return LinearCombinations(np.concatenate([[0], np.cumsum(rows, dtype=np.int64)]), terms, terms + 1)


def test_joined_rows_are_those_of_the_parts_in_order() -> None:
    parts = [combinations(2, 0, 1), combinations(), combinations(0), combinations(3)]
    joined = join_rows(parts)
    assert len(parts) == 4
    assert joined.indptr.tolist() == [0, 2, 2, 3, 3, 6]
    assert joined.wires.tolist() == [0, 1, 2, 0, 1, 2]
    assert joined.coefficients.tolist() == [1, 2, 3, 1, 2, 3]
    assert [a.dtype.str for a in (joined.indptr, joined.wires, joined.coefficients)] == ["<i8", "<i4", "<i4"]


def test_parts_that_are_taken_are_gone() -> None:
    parts = [combinations(2), combinations(1, 4)]
    assert join_taking(parts).wires.tolist() == join_rows([combinations(2), combinations(1, 4)]).wires.tolist()
    assert parts == []
    assert join_taking([]).rows == 0


def test_of_many_terms_the_memory_goes_back_while_they_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, left = [combinations(*([1] * 10)) for _ in range(5)], []
    gone = weakref.ref(parts[0])
    monkeypatch.setattr(combinations_module, "MANY_TERMS", 20)
    monkeypatch.setattr(combinations_module, "give_back", lambda: left.append((len(parts), gone())))
    join_taking(parts)
    assert left == [(3, None), (1, None)]
