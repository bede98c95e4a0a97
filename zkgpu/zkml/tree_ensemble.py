"""TreeEnsemble of ai.onnx.ml from version 5 on, as the TreeEnsembleRegressor that it stands for.

It lists branches and leaves apart, and names modes and functions by numbers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from zkgpu.zkml.graph import Graph, Node, unsupported

OPERATOR = "TreeEnsemble"
_MODES = ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER")
_AGGREGATES = ("AVERAGE", "SUM", "MIN", "MAX")

Child = tuple[bool, int]  # whether it is a leaf, and its place


def restate_ensembles(graph: Graph) -> Graph:
    return graph.with_nodes([_restated(node) if node.operator == OPERATOR else node for node in graph.nodes])


def _restated(node: Node) -> Node:
    after, aggregate = (int(node.attributes.get(k, v)) for k, v in (("post_transform", 0), ("aggregate_function", 1)))
    if after:  # of which onnx and onnxruntime have different numbers
        raise unsupported(node, f"post_transform = {after} is not supported, only 0", "a Softmax or Sigmoid behind it")
    if not 0 <= aggregate < len(_AGGREGATES):
        raise unsupported(node, f"aggregate_function = {aggregate} is none that onnx knows")
    targets = {"n_targets": int(node.attributes.get("n_targets", 1)), "aggregate_function": _AGGREGATES[aggregate]}
    return replace(node, operator="TreeEnsembleRegressor", attributes={**_Walk(node).lists(), **targets})


class _Walk:
    """The lists of the older operator, tree by tree, from its root on."""

    def __init__(self, node: Node) -> None:
        self.node = node
        given = {k: np.ravel(v) for k, v in node.attributes.items() if k.startswith(("nodes_", "leaf_", "tree_"))}
        self.given = {name: given.get(name, np.zeros(0)) for name in _LISTS}
        sizes = {self.given[name].size for name in _LISTS if name.startswith("nodes_")}
        if len(sizes) != 1 or self.given["leaf_weights"].size != self.given["leaf_targetids"].size:
            raise unsupported(node, "its lists of nodes, or of leaves, do not agree")
        self.nodes: list[tuple[Any, ...]] = []
        self.leaves: list[tuple[int, int, int, float]] = []

    def lists(self) -> dict[str, Any]:
        for tree, root in enumerate(self.given["tree_roots"].astype(int).tolist()):
            self._tree(tree, (False, root))
        nodes = zip(*self.nodes, strict=True)
        columns = {f"nodes_{name}": tuple(column) for name, column in zip(_NODES, nodes, strict=True)}
        leaves = zip(*self.leaves, strict=True)
        return columns | {f"target_{name}": tuple(column) for name, column in zip(_LEAVES, leaves, strict=True)}

    def _tree(self, tree: int, root: Child) -> None:
        """Nodes in the order in which they are met, which their numbers say. A child may be met but once."""
        waiting, seen, count = [(root, 0)], {root}, 1
        while waiting:
            (is_leaf, place), number = waiting.pop()
            if is_leaf:
                self._leaf(tree, number, place)
                continue
            both = self._children(tree, place)
            if both[0] == both[1] and both[0][0]:  # a tree that is one leaf
                self._leaf(tree, number, both[0][1])
                continue
            if seen.intersection(both) or both[0] == both[1]:
                raise unsupported(self.node, f"a child of node {place} is one of another node too")
            seen.update(both)
            waiting += [(both[0], count), (both[1], count + 1)]
            self._branch(tree, number, place, count)
            count += 2

    def _children(self, tree: int, place: int) -> tuple[Child, Child]:
        """The true and the false child of a branch."""
        if not 0 <= place < self.given["nodes_modes"].size:
            raise unsupported(self.node, f"tree {tree} has a node that is not listed")
        true, false = (
            (bool(self.given[f"nodes_{side}leafs"][place]), int(self.given[f"nodes_{side}nodeids"][place]))
            for side in ("true", "false")
        )
        return true, false

    def _branch(self, tree: int, number: int, place: int, below: int) -> None:
        mode = int(self.given["nodes_modes"][place])
        name = _MODES[mode] if 0 <= mode < len(_MODES) else str(mode)
        feature, value = int(self.given["nodes_featureids"][place]), float(self.given["nodes_splits"][place])
        self.nodes.append((tree, number, name, feature, value, below, below + 1))

    def _leaf(self, tree: int, number: int, place: int) -> None:
        if not 0 <= place < self.given["leaf_weights"].size:
            raise unsupported(self.node, f"tree {tree} has a leaf that is not listed")
        target, weight = int(self.given["leaf_targetids"][place]), float(self.given["leaf_weights"][place])
        self.nodes.append((tree, number, "LEAF", 0, 0.0, 0, 0))
        self.leaves.append((tree, number, target, weight))


_NODES = ("treeids", "nodeids", "modes", "featureids", "values", "truenodeids", "falsenodeids")
_LEAVES = ("treeids", "nodeids", "ids", "weights")
_BRANCHES = ("modes", "featureids", "splits", "truenodeids", "falsenodeids", "trueleafs", "falseleafs")
_LISTS = ("tree_roots", "leaf_weights", "leaf_targetids", *(f"nodes_{name}" for name in _BRANCHES))
