"""Random integers: uniform below their bound, of as many bytes of the system's as it has."""

from __future__ import annotations

from collections import Counter

import pytest

from zkgpu.fields import field
from zkgpu.fields.field import Field, random_below


@pytest.mark.parametrize(("bound", "n"), [(1, 1), (2, 1), (200, 1), (255, 1), (256, 2), (511, 2)])
def test_each_integer_below_the_bound_is_drawn_in_as_many_ways(monkeypatch, bound, n):
    """Of all bytes that the system can give; after those that lie too high it is asked again."""
    given, ways = [], Counter()
    monkeypatch.setattr(field, "random_bytes", lambda count: given.pop(0) if count == n else None)
    for value in range(256**n):
        given[:] = [value.to_bytes(n, "little"), bytes(n)]
        found = random_below(bound)
        if given:
            ways[found] += 1
    assert sorted(ways) == [*range(bound)]
    assert len(set(ways.values())) == 1


def test_elements_of_a_small_field_are_all_drawn():
    seven = Field("F7", 7, 3)
    assert {seven.random() for _ in range(300)} == {*range(7)}
    assert {seven.random_nonzero() for _ in range(300)} == {*range(1, 7)}
