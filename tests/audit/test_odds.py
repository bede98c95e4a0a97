"""Trees, draws and odds of an audit, against what they are by definition."""

from __future__ import annotations

import hashlib
from collections import Counter
from fractions import Fraction
from itertools import combinations
from math import sqrt

import pytest

from zkgpu.audit.draw import sample
from zkgpu.audit.odds import escape, least_bond
from zkgpu.audit.tree import Tree, depth_of, node_of, root_of


def leaf(i: int) -> bytes:
    return hashlib.sha256(bytes([i])).digest()


def whole_root(leaves: list[bytes], depth: int) -> bytes:
    """The root over 2^depth places, those that are missing zero."""
    level = leaves + [bytes(32)] * (2**depth - len(leaves))
    while len(level) > 1:
        level = [node_of(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


@pytest.mark.parametrize("count", [*range(1, 18), 31, 33])
def test_each_path_leads_to_the_root_of_the_filled_tree(count: int) -> None:
    leaves = [leaf(i) for i in range(count)]
    tree, depth = Tree(leaves), depth_of(count)
    assert 2**depth >= count > 2**depth // 2 or count == 1
    assert tree.root == whole_root(leaves, depth)
    for i in range(count):
        assert len(tree.path(i)) == depth
        assert root_of(leaf(i), i, tree.path(i)) == tree.root
        assert all(root_of(leaf(i), j, tree.path(i)) != tree.root for j in range(2**depth) if j != i)


def test_samples_are_different_and_each_set_is_as_likely_as_any_other() -> None:
    draws, sets = 4000, list(combinations(range(6), 3))
    seeds = [hashlib.sha256(i.to_bytes(4, "big")).digest() for i in range(draws)]
    found = Counter(tuple(sorted(sample(seed, 6, 3))) for seed in seeds)
    assert set(found) == set(sets)
    p = 1 / len(sets)
    assert all(abs(found[s] - draws * p) < 4 * sqrt(draws * p * (1 - p)) for s in sets)


@pytest.mark.parametrize(("count", "wanted"), [(1, 1), (5, 5), (1000, 256), (2**20 - 1, 16)])
def test_samples_are_below_the_count_and_none_comes_twice(count: int, wanted: int) -> None:
    found = sample(leaf(3), count, wanted)
    assert len(found) == len(set(found)) == wanted
    assert all(0 <= i < count for i in found)


@pytest.mark.parametrize(("count", "lies", "samples"), [(7, 2, 3), (6, 1, 6), (5, 3, 2), (4, 0, 2), (3, 1, 10)])
def test_the_odds_are_those_of_all_draws_counted(count: int, lies: int, samples: int) -> None:
    draws = list(combinations(range(count), min(samples, count)))
    escaped = sum(all(index >= lies for index in draw) for draw in draws)
    assert escape(count, lies, samples) == Fraction(escaped, len(draws))


def test_drawing_without_putting_back_finds_no_fewer_lies_than_with() -> None:
    for count, lies, samples in ((1000, 10, 16), (1000, 1, 256), (50, 25, 4)):
        assert escape(count, lies, samples) <= (1 - Fraction(lies, count)) ** samples


def test_a_bond_of_as_many_gains_as_inferences_is_enough_for_any_number_of_lies() -> None:
    for samples in (1, 3, 16):
        for lies in range(1, 41):
            least = least_bond(40, lies, samples)
            assert lies <= least <= 40
            assert lies == (1 - escape(40, lies, samples)) * least
