"""Layer, instance and group normalization, as one operator or spelled out, brought to one form.

The form is 'Normalize': (x - mean) / sqrt(variance + epsilon) along the last axis; scale and offset stand apart.
"""

from __future__ import annotations

from math import prod

import numpy as np

from zkgpu.zkml.graph import Array, Graph, Node, Shape, one_value

OPERATORS = ("GroupNormalization", "InstanceNormalization", "LayerNormalization")


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
    """Appends reshape, Normalize, reshape; the name of the last one's output."""
    out = node.output
    shapes.update({f"{out}.rows": inner, f"{out}.normal": inner, f"{out}.back": outer})
    epsilon = {"epsilon": node.attributes.get("epsilon", 1e-5)}
    nodes += [
        Node(node.name, "Reshape", (node.inputs[0], ""), (f"{out}.rows",), {"shape": np.array(inner)}),
        Node(node.name, "Normalize", (f"{out}.rows",), (f"{out}.normal",), epsilon),
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
    """LayerNormalization and InstanceNormalization as Normalize and Scale."""
    nodes: list[Node] = []
    arrays: dict[str, Array] = {}
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        if node.operator not in ("LayerNormalization", "InstanceNormalization"):
            nodes.append(node)
            continue
        shape = graph.shapes[node.output]
        layer = node.operator == "LayerNormalization"
        axis = node.attributes.get("axis", -1) % len(shape) if layer else 2
        rows = _rows(node, (*shape[:axis], prod(shape[axis:])), shape, shapes, nodes)
        affine = [graph.constants[name].astype(np.float64) for name in node.inputs[1:3] if name]
        affine += [np.zeros(1)] * (2 - len(affine))
        if not layer:
            affine = [value.reshape(-1, *(1,) * (len(shape) - 2)) for value in affine]
        arrays.update({f"{node.output}.scale": affine[0], f"{node.output}.offset": affine[1]})
        nodes.append(
            Node(node.name, "Scale", (rows, f"{node.output}.scale", f"{node.output}.offset"), node.outputs[:1])
        )
    return graph.with_nodes(nodes, arrays, shapes)


def find_decomposed_norms(graph: Graph) -> Graph:
    """d / sqrt(mean(d^2) + epsilon) with d = x - mean(x), over the last axis, as Normalize(x)."""
    nodes = []
    for node in graph.nodes:
        found = _decomposed(graph, node) if node.operator == "Div" else None
        if found is None:
            nodes.append(node)
        else:
            x, epsilon = found
            nodes.append(Node(node.name, "Normalize", (x,), node.outputs, {"epsilon": epsilon}))
    return graph.with_nodes(nodes)


def _decomposed(graph: Graph, division: Node) -> tuple[str, float] | None:
    producer = graph.producers()
    root = producer.get(division.inputs[1])
    x = _centered_source(graph, producer.get(division.inputs[0]))
    added = producer.get(root.inputs[0]) if root is not None and root.operator == "Sqrt" else None
    if x is None or added is None or added.operator != "Add":
        return None
    epsilon = next((one_value(graph.constant(name)) for name in added.inputs if name in graph.constants), None)
    mean = next((producer[name] for name in added.inputs if name in producer), None)
    if epsilon is None or mean is None or not _is_last_axis_mean(graph, mean):
        return None
    return (x, epsilon) if _squared_source(graph, producer.get(mean.inputs[0])) == x else None


def _centered_source(graph: Graph, node: Node | None) -> str | None:
    """The x of a node x - mean(x)."""
    if node is None or node.operator != "Sub":
        return None
    mean = graph.producers().get(node.inputs[1])
    if mean is None or not _is_last_axis_mean(graph, mean) or mean.inputs[0] != node.inputs[0]:
        return None
    return node.inputs[0]


def _squared_source(graph: Graph, node: Node | None) -> str | None:
    """The x of a node (x - mean(x))^2."""
    if node is None or node.operator not in ("Pow", "Mul"):
        return None
    squares = node.operator == "Pow" and one_value(graph.constant(node.inputs[1])) == 2
    if not squares and node.inputs[0] != node.inputs[1]:
        return None
    return _centered_source(graph, graph.producers().get(node.inputs[0]))


def _is_last_axis_mean(graph: Graph, node: Node) -> bool:
    if node.operator != "ReduceMean" or not node.attributes.get("keepdims", 1):
        return False
    return graph.reduced_axes(node) == [len(graph.shapes[node.inputs[0]]) - 1]
