"""Layer, instance and group normalization, as one operator or spelled out, brought to one form.

The form is 'Normalize': (x - mean) / sqrt(variance + epsilon) along the last axis; scale and offset stand apart.
Without the mean it is 'RootMeanSquare' (Zhang and Sennrich, "Root Mean Square Layer Normalization", arXiv 1910.07467).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node, Shape, one_value

_OF_ROWS = ("InstanceNormalization", "LayerNormalization", "RMSNormalization")
OPERATORS = ("GroupNormalization", *_OF_ROWS)


def expand_group_norm(graph: Graph) -> Graph:
    """GroupNormalization as a normalization of each group's row, then scale and offset by channel."""
    nodes: list[Node] = []
    arrays: dict[str, Array] = {}
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        if node.operator != "GroupNormalization":
            nodes.append(node)
            continue
        shape, groups = graph.shapes[node.output], int(node.attributes["num_groups"])
        rows = _rows(node, (shape[0], groups, prod(shape[1:]) // groups), shape, shapes, nodes)
        per = _per_channel(graph, node, shape, groups)
        arrays.update({f"{node.output}.scale": per[0], f"{node.output}.offset": per[1]})
        inputs = (rows, f"{node.output}.scale", f"{node.output}.offset")
        nodes.append(Node(node.name, "Scale", inputs, node.outputs))
    return graph.with_nodes(nodes, arrays, shapes)


def _rows(node: Node, inner: Shape, outer: Shape, shapes: dict[str, Shape], nodes: list[Node]) -> str:
    """Appends reshape, norm, reshape, or the norm alone where rows lie as they are; the name of what comes out."""
    out = node.output
    operator = "RootMeanSquare" if node.operator == "RMSNormalization" else "Normalize"
    epsilon = {"epsilon": node.attributes.get("epsilon", 1e-5)}
    if inner == outer:
        shapes[f"{out}.normal"] = inner
        nodes.append(Node(node.name, operator, node.inputs[:1], (f"{out}.normal",), epsilon))
        return f"{out}.normal"
    shapes.update({f"{out}.rows": inner, f"{out}.normal": inner, f"{out}.back": outer})
    nodes += [
        Node(node.name, "Reshape", (node.inputs[0], ""), (f"{out}.rows",), {"shape": np.array(inner)}),
        Node(node.name, operator, (f"{out}.rows",), (f"{out}.normal",), epsilon),
        Node(node.name, "Reshape", (f"{out}.normal", ""), (f"{out}.back",), {"shape": np.array(outer)}),
    ]
    return f"{out}.back"


def _per_channel(graph: Graph, node: Node, shape: Shape, groups: int) -> list[Array]:
    """Scale and offset of shape (channels, 1, ...): older opsets give one of each a group."""
    channels = shape[1]
    found = []
    for name in node.inputs[1:3]:
        value = graph.constants[name].astype(np.float64)
        if value.size == groups:
            value = np.repeat(value, channels // groups)
        found.append(value.reshape(channels, *(1,) * (len(shape) - 2)))
    return found


def split_norms(graph: Graph) -> Graph:
    """The norms of whole rows as Normalize or RootMeanSquare, and Scale."""
    nodes: list[Node] = []
    arrays: dict[str, Array] = {}
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        if node.operator not in _OF_ROWS:
            nodes.append(node)
            continue
        shape = graph.shapes[node.output]
        by_channel = node.operator == "InstanceNormalization"
        axis = 2 if by_channel else node.attributes.get("axis", -1) % len(shape)
        rows = _rows(node, (*shape[:axis], prod(shape[axis:])), shape, shapes, nodes)
        affine = [graph.constants[name].astype(np.float64) for name in node.inputs[1:3] if name]
        affine += [np.zeros(1)] * (2 - len(affine))
        if by_channel:
            affine = [value.reshape(-1, *(1,) * (len(shape) - 2)) for value in affine]
        arrays.update({f"{node.output}.scale": affine[0], f"{node.output}.offset": affine[1]})
        nodes.append(
            Node(node.name, "Scale", (rows, f"{node.output}.scale", f"{node.output}.offset"), node.outputs[:1])
        )
    return graph.with_nodes(nodes, arrays, shapes)


def find_decomposed_norms(graph: Graph) -> Graph:
    """y / sqrt(mean(y^2) + epsilon) over the last axis as RootMeanSquare(y), or Normalize(x) where y = x - mean(x)."""
    producer, nodes = graph.producers(), []
    for node in graph.nodes:
        found = _decomposed(graph, producer, node)
        if found is None:
            nodes.append(node)
        else:
            operator, source, epsilon = found
            nodes.append(Node(node.name, operator, (source,), node.outputs, {"epsilon": epsilon}))
    return graph.with_nodes(nodes)


def _decomposed(graph: Graph, producer: Mapping[str, Node], node: Node) -> tuple[str, str, float] | None:
    """(operator, the tensor that is normalized, epsilon) of a division or product that ends such a norm."""
    if node.operator not in ("Div", "Mul"):
        return None
    inverse = node.operator == "Mul"
    for y, root in (node.inputs, node.inputs[::-1])[: 1 + inverse]:
        sums = _under_root(graph, producer, producer.get(root), inverse)
        mean, epsilon = _without_epsilon(graph, producer, sums)
        if mean is None or not _is_last_axis_mean(graph, mean):
            continue
        source = _source(graph, producer, y)
        if _squared(graph, producer, producer.get(mean.inputs[0])) == source:
            return (*source, epsilon)
    return None


def _under_root(graph: Graph, producer: Mapping[str, Node], node: Node | None, inverse: bool) -> str:
    """The a of sqrt(a), or of its inverse; '' for anything else."""
    exponent = one_value(graph.constant(node.inputs[1])) if node is not None and node.operator == "Pow" else None
    if node is not None and (exponent == (-0.5 if inverse else 0.5) or (node.operator == "Sqrt" and not inverse)):
        return node.inputs[0]
    if node is None or not inverse:
        return ""
    is_over_one = node.operator == "Div" and one_value(graph.constant(node.inputs[0])) == 1
    if node.operator != "Reciprocal" and not is_over_one:
        return ""
    return _under_root(graph, producer, producer.get(node.inputs[-1]), inverse=False)


def _without_epsilon(graph: Graph, producer: Mapping[str, Node], name: str) -> tuple[Node | None, float]:
    """What an Add of one number reads, and that number."""
    node = producer.get(name)
    if node is None or node.operator != "Add":
        return node, 0.0
    epsilon = next((one_value(graph.constant(name)) for name in node.inputs if name in graph.constants), None)
    computed = next((producer.get(name) for name in node.inputs if name in producer), None)
    return (None, 0.0) if epsilon is None or epsilon < 0 else (computed, epsilon)


def _source(graph: Graph, producer: Mapping[str, Node], name: str) -> tuple[str, str]:
    """The operator that makes a norm of a tensor, and what it reads: x where the tensor is x - mean(x)."""
    node = producer.get(name)
    mean = producer.get(node.inputs[1]) if node is not None and node.operator == "Sub" else None
    if node is None or mean is None or not _is_last_axis_mean(graph, mean) or mean.inputs[0] != node.inputs[0]:
        return "RootMeanSquare", name
    return "Normalize", node.inputs[0]


def _squared(graph: Graph, producer: Mapping[str, Node], node: Node | None) -> tuple[str, str] | None:
    """The source of y, of a node y^2."""
    if node is None or node.operator not in ("Pow", "Mul"):
        return None
    squares = node.operator == "Pow" and one_value(graph.constant(node.inputs[1])) == 2
    return _source(graph, producer, node.inputs[0]) if squares or node.inputs[0] == node.inputs[1] else None


def _is_last_axis_mean(graph: Graph, node: Node) -> bool:
    if node.operator != "ReduceMean" or not node.attributes.get("keepdims", 1):
        return False
    return graph.reduced_axes(node) == [len(graph.shapes[node.inputs[0]]) - 1]
