"""Linear models and trees of scikit-learn's exporter (domain ai.onnx.ml), in terms of the main domain's operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zkgpu.zkml import machines, tabular
from zkgpu.zkml.graph import Array, Graph, Node, Shape, unsupported
from zkgpu.zkml.tabular import Rewritten, class_values, names
from zkgpu.zkml.trees import TREES, Forest, listed, read_forest, require_same_scores_in_all_leaves


def expand_classifiers(graph: Graph) -> Graph:
    """Scalers, linear models, trees, normalized probabilities and lists of labels as ordinary nodes."""
    nodes: list[Node] = []
    arrays: dict[str, Array] = {}
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        if node.operator not in RULES:
            nodes.append(node)
            continue
        made, constants, known = RULES[node.operator](graph, node)
        nodes += made
        arrays |= constants
        shapes |= known
    return graph.with_nodes(nodes, arrays, shapes)


def _linear(graph: Graph, node: Node) -> Rewritten:
    """Scores, their probabilities where asked for, and the label with the highest score."""
    labels = class_values(node, "classlabels_ints")
    coefficients = np.asarray(node.attributes["coefficients"], dtype=np.float64)
    after = node.attributes.get("post_transform", "NONE")
    bias = np.asarray(node.attributes.get("intercepts", np.zeros(labels.size)), dtype=np.float64)
    fits = coefficients.size == labels.size * graph.shapes[node.inputs[0]][-1] and bias.size == labels.size > 0
    if not fits or after not in ("NONE", "SOFTMAX", "LOGISTIC"):
        raise unsupported(node, "only classes with one row of weights each are supported")
    weight = coefficients.reshape(labels.size, -1).T
    label, probabilities = node.outputs
    scores, place = f"{label}.scores", f"{label}.place"
    nodes = [
        Node(node.name, "Gemm", (node.inputs[0], f"{label}.weight", f"{label}.bias"), (scores,)),
        _transform(node, scores, probabilities),
        Node(node.name, "ArgMax", (scores,), (place,), {"axis": 1}),
        names(node, place, label, labels),
    ]
    return nodes, {f"{label}.weight": weight, f"{label}.bias": bias}, _shapes(graph, node)


def _shapes(graph: Graph, node: Node) -> dict[str, Shape]:
    """Those of a classifier's scores, and of the place of the best one."""
    label, scores = node.outputs
    return {f"{label}.scores": graph.shapes[scores], f"{label}.place": graph.shapes[label]}


_TRANSFORMS = {"NONE": ("Identity", {}), "SOFTMAX": ("Softmax", {"axis": -1}), "LOGISTIC": ("Sigmoid", {})}


def _transform(node: Node, scores: str, output: str) -> Node:
    """What a node does to its scores last."""
    after = node.attributes.get("post_transform", "NONE")
    if after not in _TRANSFORMS:
        raise unsupported(node, f"post_transform = '{after}' is not supported, only {', '.join(_TRANSFORMS)}")
    operator, attributes = _TRANSFORMS[after]
    return Node(node.name, operator, (scores,), (output,), attributes)


def _tree_classifier(graph: Graph, node: Node) -> Rewritten:
    """As of a linear one. Of two classes that have one score s between them, s and its opposite.

    The opposite is 1 - s where no weight is negative, else -s, as onnxruntime has it; the ONNX standard says less.
    """
    labels = class_values(node, "classlabels_int64s")
    if labels.size < 2:
        raise unsupported(node, "only two or more classes are supported")
    forest = _with_base(node, read_forest(graph, node, "class", labels.size))
    scored, weights = set(listed(node, "class_ids").tolist()), listed(node, "class_weights")
    if labels.size == 2 and scored == {0}:
        forest = _of_two_classes(node, forest, bool((weights >= 0).all()))
    elif labels.size == 2 or len(scored) < labels.size:
        raise unsupported(node, "classes without a score, and two classes with one each, are not supported")
    else:
        require_same_scores_in_all_leaves(node)
    label, probabilities = node.outputs
    scores, place = f"{label}.scores", f"{label}.place"
    nodes = [
        Node(node.name, TREES, node.inputs, (scores,), {"forest": forest}),
        _transform(node, scores, probabilities),
        Node(node.name, "ArgMax", (scores,), (place,), {"axis": 1}),
        names(node, place, label, labels),
    ]
    return nodes, {}, _shapes(graph, node)


def _of_two_classes(node: Node, forest: Forest, positive: bool) -> Forest:
    after = node.attributes.get("post_transform", "NONE")
    if listed(node, "base_values").size > 1 or after not in (("NONE",) if positive else ("NONE", "LOGISTIC")):
        raise unsupported(node, f"one score for two classes with post_transform {after}, or two base values")
    signs = np.array([-1.0, 1.0])
    levels = tuple(replace(level, leaves=level.leaves[..., :1] * signs) for level in forest.levels)
    return replace(forest, levels=levels, base=forest.base[0] * signs + np.array([float(positive), 0.0]))


def _with_base(node: Node, forest: Forest) -> Forest:
    """The forest with what the node adds to each score."""
    base = listed(node, "base_values").astype(np.float64)
    of_two_classes = node.operator == "TreeEnsembleClassifier" and (base.size, forest.base.size) == (1, 2)
    if base.size not in (0, forest.base.size) and not of_two_classes:
        raise unsupported(node, f"{base.size} base values for {forest.base.size} scores")
    return replace(forest, base=forest.base + base) if base.size else forest


def _tree_regressor(graph: Graph, node: Node) -> Rewritten:
    """Sums, or means over the trees, of what their leaves say."""
    aggregate, targets = node.attributes.get("aggregate_function", "SUM"), int(node.attributes.get("n_targets", 1))
    if aggregate not in ("SUM", "AVERAGE"):
        raise unsupported(node, f"aggregate_function = '{aggregate}' is not supported, only SUM and AVERAGE")
    forest = read_forest(graph, node, "target", targets)
    if aggregate == "AVERAGE":
        count = np.unique(listed(node, "nodes_treeids")).size
        levels = tuple(replace(level, leaves=level.leaves / count) for level in forest.levels)
        forest = replace(forest, levels=levels, base=forest.base / count)
    return [Node(node.name, TREES, node.inputs, node.outputs, {"forest": _with_base(node, forest)})], {}, {}


def _regressor(graph: Graph, node: Node) -> Rewritten:
    """One or more sums of weighted features."""
    targets = int(node.attributes.get("targets", 1))
    weight = np.asarray(node.attributes["coefficients"], dtype=np.float64).reshape(targets, -1).T
    bias = np.asarray(node.attributes.get("intercepts", np.zeros(targets)), dtype=np.float64)
    parts = f"{node.output}.weight", f"{node.output}.bias"
    arrays = dict(zip(parts, (weight, bias), strict=True))
    return [Node(node.name, "Gemm", (node.inputs[0], *parts), node.outputs)], arrays, {}


RULES: dict[str, Callable[[Graph, Node], Rewritten]] = {
    **tabular.RULES,
    **machines.RULES,
    "LinearClassifier": _linear,
    "LinearRegressor": _regressor,
    "TreeEnsembleClassifier": _tree_classifier,
    "TreeEnsembleRegressor": _tree_regressor,
}
