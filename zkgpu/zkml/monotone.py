"""Scalers in front of trees, as part of the trees: each threshold becomes the one of the number before scaling.

A scaler rounds to single precision, which keeps order: a test of scaled numbers is a test of the numbers before by
some other threshold, the last one in single precision for which the first test answers as it does for the least. It is
found by halving, with the scaler's own arithmetic, so that every answer is onnxruntime's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkgpu.records import dataclass
from zkgpu.zkml.graph import Array, Graph, Node
from zkgpu.zkml.trees import listed

Singles = NDArray[np.float32]
Step = Callable[[Singles], Singles]

_FOREST = ("TreeEnsembleClassifier", "TreeEnsembleRegressor")
_LARGEST = np.finfo(np.float32).max
_UPWARD = {"BRANCH_GT", "BRANCH_GTE"}  # whose true child is for large numbers
_KEEPS = ("Cast", "Identity", "Imputer", "Flatten", "Reshape")


@dataclass(frozen=True)
class Column:
    """A column of a tensor, and what is done to its numbers, in order. None of it turns a larger number into a smaller
    one and a smaller one into a larger one."""

    tensor: str
    place: int
    steps: tuple[Step, ...] = ()

    def after(self, step: Step) -> Column:
        return replace(self, steps=(*self.steps, step))

    def of(self, x: Singles) -> Singles:
        with np.errstate(all="ignore"):
            for step in self.steps:
                x = step(x)
        return x


def fold_scalers_into_trees(graph: Graph) -> Graph:
    """The same trees of the numbers before scaling, where these are of one tensor, all in single precision."""
    return graph.with_nodes([_folded(graph, node) if node.operator in _FOREST else node for node in graph.nodes])


def _folded(graph: Graph, node: Node) -> Node:
    columns = _columns(graph, node.inputs[0])
    if columns is None or len({column.tensor for column in columns}) > 1 or columns[0].tensor == node.inputs[0]:
        return node
    features = listed(node, "nodes_featureids").astype(np.int64)
    thresholds = listed(node, "nodes_values").astype(np.float64)
    modes = np.array([m.decode() if isinstance(m, bytes) else m for m in node.attributes["nodes_modes"]], dtype=object)
    if (
        features.size != thresholds.size
        or features.size != modes.size
        or features.min() < 0
        or features.max() >= len(columns)
    ):
        return node  # trees say so themselves
    for feature in np.unique(features):
        chosen = np.flatnonzero((features == feature) & (modes != "LEAF"))
        moved = _moved(columns[feature], thresholds[chosen], modes[chosen])
        if moved is None:
            return node
        thresholds[chosen], modes[chosen] = moved
    attributes = {k: v for k, v in node.attributes.items() if k != "nodes_values_as_tensor"}
    places = np.array([column.place for column in columns])[features]
    changed = {"nodes_values": thresholds, "nodes_modes": tuple(modes), "nodes_featureids": places}
    return replace(node, inputs=(columns[0].tensor,), attributes={**attributes, **changed})


def _moved(column: Column, thresholds: Array, modes: Array) -> tuple[Array, Array] | None:
    """Thresholds and modes of tests of the column before its steps; None where they cannot be told."""
    ends = column.of(np.array([-_LARGEST, _LARGEST], dtype=np.float32))
    known = {"BRANCH_LEQ", "BRANCH_LT", *_UPWARD}
    if np.isnan(ends).any() or not set(modes) <= known:
        return None
    falls, upward = bool(ends[0] > ends[1]), np.isin(modes, list(_UPWARD))
    includes = np.isin(modes, ["BRANCH_LEQ", "BRANCH_GTE"])

    def low_side(x: Singles) -> NDArray[np.bool_]:
        """Whether the test answers as it does for the least number."""
        y = column.of(x)
        holds = np.where(
            upward,
            np.where(includes, y >= thresholds, y > thresholds),
            np.where(includes, y <= thresholds, y < thresholds),
        )
        return np.asarray(holds == (upward == falls))

    last = _last(low_side, len(thresholds))
    # true for the numbers up to the last one, or for those above it
    return last.astype(np.float64), np.where(upward == falls, "BRANCH_LEQ", "BRANCH_GT").astype(object)


def _last(low_side: Callable[[Singles], NDArray[np.bool_]], count: int) -> Singles:
    """The last number of the low side, entry by entry; the least of all where that is on the other side."""
    low, high = (np.full(count, _in_order(end), dtype=np.int64) for end in (-_LARGEST, _LARGEST))
    top = low_side(_from_order(high))
    low = np.where(top, high, low)
    while (high - low > 1).any():
        middle = (low + high) // 2
        below = low_side(_from_order(middle))
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return _from_order(low)


def _in_order(x: np.floating) -> int:
    """Integers in the order of numbers in single precision."""
    bits = int(np.float32(x).view(np.int32))
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)


def _from_order(place: NDArray[np.int64]) -> Singles:
    bits = np.where(place >= 0, place, -place | 0x80000000).astype(np.uint32)
    return bits.view(np.float32)


def _columns(graph: Graph, name: str) -> list[Column] | None:
    """The columns of a table as columns of tables before it, as far back as they are scaled one by one."""
    shape = graph.shapes.get(name)
    if shape is None or len(shape) != 2 or graph.types.get(name) != np.dtype(np.float32):
        return None
    node = graph.producers().get(name)
    before = _before(graph, node, shape[1]) if node is not None else None
    return before or [Column(name, place) for place in range(shape[1])]


def _before(graph: Graph, node: Node, width: int) -> list[Column] | None:
    if node.operator in _KEEPS and graph.shapes.get(node.inputs[0]) == graph.shapes[node.output]:
        is_kept = node.operator != "Imputer" or np.isnan(node.attributes.get("replaced_value_float", 0.0))
        return _columns(graph, node.inputs[0]) if is_kept else None
    if node.operator in ("Concat", "FeatureVectorizer"):
        return _joined(graph, node)
    if node.operator in ("ArrayFeatureExtractor", "Gather"):
        return _chosen(graph, node)
    steps = _steps(graph, node, width)
    computed = [name for name in node.inputs if name and name not in graph.constants]
    columns = _columns(graph, computed[0]) if steps and len(computed) == 1 else None
    if columns is None or steps is None or len(columns) != width:
        return None
    return [column.after(step) for column, step in zip(columns, steps, strict=True)]


def _joined(graph: Graph, node: Node) -> list[Column] | None:
    if node.operator == "Concat" and node.attributes["axis"] not in (1, -1):
        return None
    parts = [_columns(graph, name) for name in node.inputs]
    return None if any(part is None for part in parts) else [column for part in parts for column in part or ()]


def _chosen(graph: Graph, node: Node) -> list[Column] | None:
    columns, places = _columns(graph, node.inputs[0]), graph.constant(node.inputs[1])
    if (
        columns is None
        or places is None
        or (node.operator == "Gather" and node.attributes.get("axis", 0) not in (1, -1))
    ):
        return None
    return [columns[place] for place in np.ravel(places)]


def _steps(graph: Graph, node: Node, width: int) -> list[Step] | None:
    """What a node does to each column, in single precision; None for what is not known to keep, or turn, the order."""
    if node.operator == "Scaler":
        offset, scale = (_row(np.array(node.attributes.get(k, d)), width) for k, d in (("offset", 0.0), ("scale", 1.0)))
        return None if offset is None or scale is None else list(map(_scaled, offset, scale))
    constant = next((graph.constants[name] for name in node.inputs if name in graph.constants), None)
    row = _row(constant, width) if constant is not None and constant.dtype == np.float32 else None
    if row is None or node.operator not in _ARITHMETIC or len(node.inputs) != 2:
        return None
    if node.operator == "Div" and node.inputs[0] in graph.constants:
        return None
    return [_with_constant(node.operator, c, node.inputs[0] in graph.constants) for c in row]


def _scaled(offset: np.float32, scale: np.float32) -> Step:
    return lambda x: (x - offset) * scale


def _with_constant(operator: str, constant: np.float32, first: bool) -> Step:
    """A number and a constant, which may come first."""
    function = _ARITHMETIC[operator]
    return (lambda x: function(constant, x)) if first else (lambda x: function(x, constant))


_ARITHMETIC: dict[str, Callable[..., Singles]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
}


def _row(values: Array, width: int) -> Singles | None:
    """One number a column in single precision."""
    if values.size not in (1, width) or (values.ndim and values.shape[-1] != values.size):
        return None
    return np.broadcast_to(values.ravel().astype(np.float32), (width,))
