"""The operators of scikit-learn's exporter (domain ai.onnx.ml), in terms of those of the main domain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node, unsupported
from zkgpu.zkml.trees import TREES, Forest, listed, read_forest, require_same_scores_in_all_leaves

_PLAIN_SCALER = (("scale", (1.0,)), ("offset", (0.0,)))

Rewritten = tuple[list[Node], dict[str, Array]]


def expand_classifiers(graph: Graph) -> Graph:
    """Scalers, linear models, trees, normalized probabilities and lists of labels as ordinary nodes."""
    nodes: list[Node] = []
    arrays: dict[str, Array] = {}
    for node in graph.nodes:
        if node.operator not in RULES:
            nodes.append(node)
            continue
        made, constants = RULES[node.operator](graph, node)
        nodes += made
        arrays |= constants
    classifiers = [node for node in graph.nodes if node.operator in ("LinearClassifier", "TreeEnsembleClassifier")]
    shapes = {f"{node.output}.scores": graph.shapes[node.outputs[1]] for node in classifiers}
    shapes |= {f"{node.output}.place": graph.shapes[node.output] for node in classifiers}
    return graph.with_nodes(nodes, arrays, shapes)


def _scaler(graph: Graph, node: Node) -> Rewritten:
    """(x - offset) * scale."""
    scale, offset = (np.asarray(node.attributes.get(key, other), np.float64) for key, other in _PLAIN_SCALER)
    names = f"{node.output}.scale", f"{node.output}.offset"
    arrays = dict(zip(names, (scale, -offset * scale), strict=True))
    return [Node(node.name, "Scale", (node.inputs[0], *names), node.outputs)], arrays


def _linear(graph: Graph, node: Node) -> Rewritten:
    """Scores, their probabilities where asked for, and the label with the highest score."""
    labels = np.asarray(node.attributes.get("classlabels_ints", ()))
    coefficients = np.asarray(node.attributes["coefficients"], dtype=np.float64)
    after = node.attributes.get("post_transform", "NONE")
    bias = np.asarray(node.attributes.get("intercepts", np.zeros(labels.size)), dtype=np.float64)
    fits = coefficients.size == labels.size * graph.shapes[node.inputs[0]][-1] and bias.size == labels.size > 0
    if not fits or after not in ("NONE", "SOFTMAX", "LOGISTIC"):
        raise unsupported(node, "only classes named by integers, one row of weights each, are supported")
    weight = coefficients.reshape(labels.size, -1).T
    label, probabilities = node.outputs
    scores, place = f"{label}.scores", f"{label}.place"
    nodes = [
        Node(node.name, "Gemm", (node.inputs[0], f"{label}.weight", f"{label}.bias"), (scores,)),
        _transform(node, scores, probabilities),
        Node(node.name, "ArgMax", (scores,), (place,), {"axis": 1}),
        _names(node, place, label, labels),
    ]
    return nodes, {f"{label}.weight": weight, f"{label}.bias": bias}


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
    labels = listed(node, "classlabels_int64s").astype(np.int64)
    if labels.size < 2:
        raise unsupported(node, "only two or more classes named by integers are supported")
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
        _names(node, place, label, labels),
    ]
    return nodes, {}


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
    return [Node(node.name, TREES, node.inputs, node.outputs, {"forest": _with_base(node, forest)})], {}


def _regressor(graph: Graph, node: Node) -> Rewritten:
    """One or more sums of weighted features."""
    targets = int(node.attributes.get("targets", 1))
    weight = np.asarray(node.attributes["coefficients"], dtype=np.float64).reshape(targets, -1).T
    bias = np.asarray(node.attributes.get("intercepts", np.zeros(targets)), dtype=np.float64)
    names = f"{node.output}.weight", f"{node.output}.bias"
    return [Node(node.name, "Gemm", (node.inputs[0], *names), node.outputs)], dict(
        zip(names, (weight, bias), strict=True)
    )


def _names(node: Node, place: str, output: str, labels: Array) -> Node:
    """The label at each place."""
    return Node(node.name, "Names", (place,), (output,), {"labels": labels})


def _extractor(graph: Graph, node: Node) -> Rewritten:
    """Entries of a constant list, at computed places."""
    labels = graph.constant(node.inputs[0])
    if labels is None or labels.dtype.kind not in "iu":
        raise unsupported(node, "only lists of constant integers are supported")
    return [_names(node, node.inputs[1], node.output, labels.ravel())], {}


def _normalizer(graph: Graph, node: Node) -> Rewritten:
    """Probabilities of a softmax add up to one as they are."""
    source = graph.producers().get(node.inputs[0])
    softmax = source is not None and "SOFTMAX" in (source.operator.upper(), source.attributes.get("post_transform"))
    if node.attributes.get("norm") != "L1" or not softmax:
        raise unsupported(node, "only the probabilities of a softmax can be normalized")
    return [Node(node.name, "Identity", node.inputs, node.outputs)], {}


RULES: dict[str, Callable[[Graph, Node], Rewritten]] = {
    "ArrayFeatureExtractor": _extractor,
    "LinearClassifier": _linear,
    "LinearRegressor": _regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
    "TreeEnsembleClassifier": _tree_classifier,
    "TreeEnsembleRegressor": _tree_regressor,
}
