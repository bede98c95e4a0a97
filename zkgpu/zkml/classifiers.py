"""The operators of scikit-learn's exporter (domain ai.onnx.ml), in terms of those of the main domain."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node, unsupported

_PLAIN_SCALER = (("scale", (1.0,)), ("offset", (0.0,)))

Rewritten = tuple[list[Node], dict[str, Array]]


def expand_classifiers(graph: Graph) -> Graph:
    """Scalers, linear models, normalised probabilities and lists of labels as ordinary nodes."""
    nodes: list[Node] = []
    arrays: dict[str, Array] = {}
    for node in graph.nodes:
        if node.operator not in RULES:
            nodes.append(node)
            continue
        made, constants = RULES[node.operator](graph, node)
        nodes += made
        arrays |= constants
    linear = [node for node in graph.nodes if node.operator == "LinearClassifier"]
    shapes = {f"{node.output}.scores": graph.shapes[node.outputs[1]] for node in linear}
    shapes |= {f"{node.output}.place": graph.shapes[node.output] for node in linear}
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
    last = {"NONE": ("Identity", {}), "SOFTMAX": ("Softmax", {"axis": -1}), "LOGISTIC": ("Sigmoid", {})}[after]
    nodes = [
        Node(node.name, "Gemm", (node.inputs[0], f"{label}.weight", f"{label}.bias"), (scores,)),
        Node(node.name, last[0], (scores,), (probabilities,), last[1]),
        Node(node.name, "ArgMax", (scores,), (place,), {"axis": 1}),
        _names(node, place, label, labels),
    ]
    return nodes, {f"{label}.weight": weight, f"{label}.bias": bias}


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
        raise unsupported(node, "only the probabilities of a softmax can be normalised")
    return [Node(node.name, "Identity", node.inputs, node.outputs)], {}


RULES: dict[str, Callable[[Graph, Node], Rewritten]] = {
    "ArrayFeatureExtractor": _extractor,
    "LinearClassifier": _linear,
    "LinearRegressor": _regressor,
    "Normalizer": _normalizer,
    "Scaler": _scaler,
}
