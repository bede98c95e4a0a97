"""Ensembles of decision trees, as ai.onnx.ml lists them node by node, brought to arrays level by level."""

from __future__ import annotations

from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Array, Graph, Node, unsupported

TREES = "Trees"  # the operator of an ensemble: rows of features to rows of scores
_MODES = {
    "BRANCH_LEQ": (True, False, False),
    "BRANCH_LT": (False, False, False),
    "BRANCH_GT": (True, False, True),
    "BRANCH_GTE": (False, False, True),
    "BRANCH_EQ": (False, True, True),
    "BRANCH_NEQ": (False, True, False),
}  # whether the test is x > t or x >= t, or x = t, and whether a node's 'true' child is the one taken where it holds

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Level:
    """The n branches that lie as deep in their trees.

    Attributes:
        test: (n,) of the forest's tests; where it holds, the higher child is taken
        parent: (n,) branches of the level before
        higher: (n,) whether they are the higher child of it
        leaves: (2, n, scores) what the lower and the higher child add to the scores, 0 where that is a branch
    """

    test: NDArray[np.int64]
    parent: NDArray[np.int64]
    higher: NDArray[np.bool_]
    leaves: Floats = field(repr=False)


@dataclass(frozen=True, eq=False)
class Forest:
    """Trees over one row of features.

    Attributes:
        features, thresholds, strict: of each distinct test: x > t where it is strict, else x >= t
        equal: where the test is x = t instead
        base: (scores,) what every row gets
    """

    features: NDArray[np.int64]
    thresholds: Floats
    strict: NDArray[np.bool_]
    levels: tuple[Level, ...]
    base: Floats
    equal: NDArray[np.bool_]

    def scores(self, x: Array) -> Floats:
        """(rows, scores) of rows of features, in floating point."""
        values = x[:, self.features]
        holds = np.where(self.strict, values > self.thresholds, values >= self.thresholds).astype(np.float64)
        holds = np.where(self.equal, values == self.thresholds, holds)
        total = np.tile(self.base, (len(x), 1))
        reached = both = np.ones((len(x), 1))
        for i, level in enumerate(self.levels):
            if i:
                reached = np.where(level.higher, both[:, level.parent], (reached - both)[:, level.parent])
            both = reached * holds[:, level.test]
            total += (reached - both) @ level.leaves[0] + both @ level.leaves[1]
        return total


def forests(graph: Graph) -> dict[str, list[Forest]]:
    """The forests that read each tensor."""
    found: dict[str, list[Forest]] = {}
    for node in graph.nodes:
        if node.operator == TREES:
            found.setdefault(node.inputs[0], []).append(node.attributes["forest"])
    return found


def read_forest(graph: Graph, node: Node, targets: str, scores: int) -> Forest:
    """The forest of a node. Raises FormatError, naming it, for one that is no set of trees or uses other tests.

    Args:
        targets: what the names of the lists of leaves begin with: class or target
    """
    return _Reader(node, graph.shapes[node.inputs[0]][-1], targets, scores).forest()


def listed(node: Node, name: str) -> Array:
    """A list of numbers, in single precision or as a tensor."""
    return np.ravel(node.attributes.get(name, node.attributes.get(f"{name}_as_tensor", ())))


class _Reader:
    """One node's lists, and the tests found so far."""

    def __init__(self, node: Node, width: int, targets: str, scores: int) -> None:
        self.node, self.scores, self.width = node, scores, width
        trees, numbers = (listed(node, f"nodes_{name}") for name in ("treeids", "nodeids"))
        self.keys = list(zip(trees.tolist(), numbers.tolist(), strict=True))
        self.place = {key: i for i, key in enumerate(self.keys)}
        self.modes = [m.decode() if isinstance(m, bytes) else m for m in node.attributes["nodes_modes"]]
        self.children = [listed(node, f"nodes_{name}").tolist() for name in ("falsenodeids", "truenodeids")]
        self.features = listed(node, "nodes_featureids").astype(np.int64)
        self.values = listed(node, "nodes_values").astype(np.float64)
        sizes = {len(self.keys), len(self.place), len(self.modes), self.features.size, self.values.size}
        if sizes != {len(self.keys)} or {len(side) for side in self.children} != sizes or not self.keys:
            raise unsupported(node, "its lists of nodes do not agree")
        self.leaf = self._leaves(targets)
        self.tests: dict[tuple[int, float, bool, bool], int] = {}
        self.seen: set[tuple[int, int]] = set()

    def _leaves(self, targets: str) -> dict[tuple[int, int], Floats]:
        names = (f"{targets}_{name}" for name in ("treeids", "nodeids", "ids", "weights"))
        found: dict[tuple[int, int], Floats] = {}
        for tree, number, score, weight in zip(*(listed(self.node, name).tolist() for name in names), strict=True):
            if not 0 <= score < self.scores or (tree, number) not in self.place or not np.isfinite(weight):
                raise unsupported(self.node, f"leaf {number} of tree {tree} adds to no score")
            found.setdefault((tree, number), np.zeros(self.scores))[score] += weight
        return found

    def forest(self) -> Forest:
        roots = list({tree: (tree, number) for tree, number in reversed(self.keys)}.values())[::-1]
        self.seen.update(roots)
        base = sum((self._weights(root) for root in roots if self._is_leaf(root)), np.zeros(self.scores))
        branches = [(root, 0, False) for root in roots if not self._is_leaf(root)]
        levels = []
        while branches:
            level, branches = self._level(branches)
            levels.append(level)
        tests = list(self.tests)
        return Forest(
            np.array([t[0] for t in tests], dtype=np.int64),
            np.array([t[1] for t in tests], dtype=np.float64),
            np.array([t[2] for t in tests], dtype=bool),
            tuple(levels),
            base,
            np.array([t[3] for t in tests], dtype=bool),
        )

    def _level(self, branches: list[tuple[tuple[int, int], int, bool]]) -> tuple[Level, list[Any]]:
        """The level of branches, given with parent and side, and the branches below it."""
        tests, below = [], []
        leaves = np.zeros((2, len(branches), self.scores))
        for i, (key, _, _) in enumerate(branches):
            test, children = self._branch(key)
            tests.append(test)
            for side, child in enumerate(children):
                if child not in self.place or child in self.seen:
                    raise unsupported(self.node, f"a child of node {key[1]} of tree {key[0]} is not listed, or twice")
                self.seen.add(child)
                if self._is_leaf(child):
                    leaves[side, i] = self._weights(child)
                else:
                    below.append((child, i, bool(side)))
        parents, sides = [b[1] for b in branches], [b[2] for b in branches]
        level = Level(np.array(tests), np.array(parents), np.array(sides, dtype=bool), leaves)
        return level, below

    def _branch(self, key: tuple[int, int]) -> tuple[int, tuple[tuple[int, int], tuple[int, int]]]:
        """The test of a branch, and its lower and its higher child."""
        i = self.place[key]
        if self.modes[i] not in _MODES:
            raise unsupported(self.node, f"branches of mode {self.modes[i]} are not supported")
        strict, equal, when_true = _MODES[self.modes[i]]
        feature, threshold = int(self.features[i]), float(self.values[i])
        if not 0 <= feature < self.width or not np.isfinite(threshold):
            raise unsupported(self.node, f"node {key[1]} of tree {key[0]} tests no feature, or by no finite number")
        test = self.tests.setdefault((feature, threshold, strict, equal), len(self.tests))
        other, true = ((key[0], side[i]) for side in self.children)
        return test, (other, true) if when_true else (true, other)

    def _is_leaf(self, key: tuple[int, int]) -> bool:
        return self.modes[self.place[key]] == "LEAF"

    def _weights(self, key: tuple[int, int]) -> Floats:
        return self.leaf.get(key, np.zeros(self.scores))


def require_same_scores_in_all_leaves(node: Node) -> None:
    """Raises FormatError for weights of either sign where some leaves of a tree give no weight to some classes.

    The label is that of the best class that has got one, and 0 is not among them: so it is of no account only then.
    """
    trees, numbers, ids, weights = (listed(node, f"class_{n}") for n in ("treeids", "nodeids", "ids", "weights"))
    leaves: dict[Any, set[int]] = {}
    for tree, number, score in zip(trees.tolist(), numbers.tolist(), ids.tolist(), strict=True):
        leaves.setdefault((tree, number), set()).add(score)
    by_tree: dict[Any, set[frozenset[int]]] = {}
    for (tree, _), scores in leaves.items():
        by_tree.setdefault(tree, set()).add(frozenset(scores))
    if (weights < 0).any() and any(len(kinds) > 1 for kinds in by_tree.values()):
        raise unsupported(node, "leaves of one tree that add to different classes, by weights of either sign")
