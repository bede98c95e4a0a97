"""Probabilities divided by their sum, where they are logistic functions of scores, as exporters write one-vs-rest.

Where all scores of a row are low its probabilities are all about 0, and their sum is: integers in which probabilities
are whole steps have nothing left to divide. But p / sum p is the softmax of log p, and log p is known from the score as
well there as elsewhere. Where all p are 0 in single precision each share is one of n, as exporters have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Array, Graph, Node, Shape, one_value
from zkgpu.zkml.restated import BOOLEAN
from zkgpu.zkml.tabular import MAGNITUDE, SHARE

LOGISTIC_SHARE = "Share of logistic values"  # of the scores that they are the values of
MADE = (LOGISTIC_SHARE,)

_AS_THEY_ARE = ("Identity", "Reshape")
_CHOOSING = ("Slice", "Gather")


def find_logistic_shares(graph: Graph) -> Graph:
    """The same graph with a node for each division of logistic values by their sum."""
    finder = _Finder(graph)
    nodes = [finder.share(node) or node for node in graph.nodes]
    return graph.with_nodes([*nodes, *finder.nodes], finder.constants, finder.shapes)


@dataclass
class _Finder:
    """The nodes that compute scores side by side, where the graph has only their values so."""

    graph: Graph
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)

    def share(self, node: Node) -> Node | None:
        """The node for a quotient; None for one that is something else."""
        terms = self._terms(node)
        if terms is None or len(shape := self.graph.shapes[terms]) != 2 or shape[1] < 2:
            return None
        scores = self._scores(terms)
        return Node(node.name, LOGISTIC_SHARE, (scores,), node.outputs) if scores else None

    def _terms(self, node: Node) -> str | None:
        """The values of a quotient of them and their sums along the last axis, a guard against sums of 0 left out."""
        if node.operator not in ("Div", SHARE):
            return None
        values, sums = node.inputs
        unguarded = self._unguarded(values, sums)
        values, sums = unguarded or (values, sums)
        total = self._by(sums, "ReduceSum")
        source = total.inputs[0] if total else ""
        magnitude = self._by(source, MAGNITUDE)
        source = magnitude.inputs[0] if magnitude else source
        rank = len(self.graph.shapes[values])
        is_last = total is not None and self.graph.reduced_axes(total) == [rank - 1]
        return values if source == values and is_last and len(self.graph.shapes[sums]) == rank else None

    def _unguarded(self, values: str, sums: str) -> tuple[str, str] | None:
        """(p, s) of p + m and s + n m, where m is 1 where s is 0, else 0."""
        left, right = self._by(values, "Add"), self._by(sums, "Add")
        if left is None or right is None:
            return None
        (p, m), (s, times) = left.inputs, right.inputs
        product = self._by(times, "Mul")
        is_product = product is not None and m in product.inputs
        cast = self._by(self._source(self._source(m, "Cast", "Identity"), "Not"), BOOLEAN)
        return (p, s) if is_product and cast is not None and cast.inputs == (s,) else None

    def _by(self, name: str, *operators: str) -> Node | None:
        node = self.graph.producers().get(name)
        return node if node is not None and node.operator in operators else None

    def _source(self, name: str, *operators: str) -> str:
        """What a tensor is made from, if by one of these operators."""
        node = self._by(name, *operators)
        return node.inputs[0] if node else name if len(operators) > 1 else ""

    def _scores(self, name: str) -> str:
        """The tensor whose logistic values a tensor holds; '' where there is none."""
        node = self.graph.producers().get(name)
        if node is None:
            return ""
        if node.operator == "Sigmoid":
            return node.inputs[0]
        if node.operator in ("Reciprocal", "Div"):
            return self._of_reciprocal(node)
        if node.operator == "Concat":
            parts = [self._scores(part) for part in node.inputs]
            return self._again(node, dict(zip(node.inputs, parts, strict=True))) if all(parts) else ""
        is_moved = node.operator in (*_AS_THEY_ARE, *_CHOOSING) and node.inputs[0] not in self.graph.constants
        scores = self._scores(node.inputs[0]) if is_moved else ""
        return self._again(node, {node.inputs[0]: scores}) if scores else ""

    def _of_reciprocal(self, node: Node) -> str:
        """1 / (1 + exp(z)) is the logistic value of -z."""
        if node.operator == "Div" and one_value(self.graph.constant(node.inputs[0])) != 1:
            return ""
        added = self._by(node.inputs[-1], "Add")
        powers = [self._by(name, "Exp") for name in added.inputs] if added else []
        ones = [one_value(self.graph.constant(name)) == 1 for name in added.inputs] if added else []
        power = next((p for p, one in zip(powers, ones[::-1], strict=True) if p is not None and one), None)
        if power is None:
            return ""
        return self._made(Node(node.name, "Neg", power.inputs, (f"{node.output}.score",)), self._shape(node.output))

    def _again(self, node: Node, renamed: Mapping[str, str]) -> str:
        """What moves values, for their scores."""
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        return self._made(replace(node, inputs=inputs, outputs=(f"{node.output}.score",)), self._shape(node.output))

    def _made(self, node: Node, shape: Shape) -> str:
        if node.output not in self.shapes:
            self.nodes.append(node)
            self.shapes[node.output] = shape
        return node.output

    def _shape(self, name: str) -> Shape:
        return self.graph.shapes[name]


def logarithm_beside(x: Array) -> Array:
    """The logarithm of the logistic value of x, less what is below 0 of x: 0 but near 0."""
    return -np.log1p(np.exp(-np.abs(x)))
