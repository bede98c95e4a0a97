"""Rewrites of an imported graph: what exporters spell out in many nodes becomes the one operation that it means."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zkgpu.zkml.classifiers import expand_classifiers
from zkgpu.zkml.fusion import fuse_functions
from zkgpu.zkml.gemms import with_gemms_of_tensors
from zkgpu.zkml.graph import Array, Graph, Node, Shape
from zkgpu.zkml.monotone import fold_scalers_into_trees
from zkgpu.zkml.norms import expand_group_norm, find_decomposed_norms, split_norms
from zkgpu.zkml.restated import restate
from zkgpu.zkml.shares import find_logistic_shares
from zkgpu.zkml.tree_ensemble import OPERATOR as TREE_ENSEMBLE
from zkgpu.zkml.tree_ensemble import restate_ensembles

_CONVOLUTIONS = ("Conv", "ConvTranspose")
OPERATORS = ("BatchNormalization", "Gemm", "Identity", TREE_ENSEMBLE)  # those that are rewritten here


def simplify(graph: Graph) -> Graph:
    """The same function of the same inputs, in the operators that quantization has rules for."""
    for rewrite in (
        restate_ensembles,
        fold_scalers_into_trees,
        restate,
        expand_classifiers,
        drop_idle_nodes,
        expand_group_norm,
        find_decomposed_norms,
        split_norms,
        make_dense,
        fold_batch_norms,
        pool_before_relu,
        find_logistic_shares,
        fuse_functions,
    ):
        graph = rewrite(graph)
    return graph


def drop_idle_nodes(graph: Graph) -> Graph:
    """Without Identity; where it gives an output of the model, as a copy."""
    alias: dict[str, str] = {}
    kept = []
    for node in graph.nodes:
        node = replace(node, inputs=tuple(alias.get(name, name) for name in node.inputs))
        if node.operator == "Identity" and node.output not in graph.outputs:
            alias[node.output] = node.inputs[0]
        elif node.operator == "Identity":
            kept.append(Node(node.name, "Reshape", (node.inputs[0], ""), node.outputs[:1]))
        else:
            kept.append(node)
    return graph.with_nodes(kept)


def make_dense(graph: Graph) -> Graph:
    """Gemm, and MatMul with constant weights, as Dense: x @ weight + bias along the last axis."""
    graph = _with_gemms_of_rows(with_gemms_of_tensors(graph))
    nodes: list[Node] = []
    constants: dict[str, Array] = {}
    taken: set[int] = set()
    for node in graph.nodes:
        if id(node) in taken:
            continue
        dense = _dense(graph, node)
        if dense is None:
            nodes.append(node)
            continue
        weight, bias, last = dense
        taken.add(id(last))
        constants[f"{node.output}.weight"], constants[f"{node.output}.bias"] = weight, bias
        inputs = (node.inputs[0], f"{node.output}.weight", f"{node.output}.bias")
        nodes.append(Node(node.name, "Dense", inputs, last.outputs))
    return graph.with_nodes(nodes, constants)


def _dense(graph: Graph, node: Node) -> tuple[Array, Array, Node] | None:
    """(weight, bias, the node that ends the pattern)."""
    if node.operator == "Gemm":
        return _gemm(graph, node)
    weight = graph.constant(node.inputs[1]) if node.operator == "MatMul" else None
    if weight is None or weight.ndim != 2 or node.inputs[0] in graph.constants:
        return None
    n = weight.shape[1]
    following = graph.sole_consumer(node.output)
    bias = _addend(graph, following, node.output) if following else None
    if following is None or bias is None or not _is_row(bias, n, len(graph.shapes[node.output])):
        return weight, np.zeros(n), node
    return weight, np.broadcast_to(bias.ravel(), (n,)).astype(np.float64), following


def _is_row(bias: Array, n: int, rank: int) -> bool:
    """Whether adding an array to a tensor of that rank adds the same n numbers to each row, and no axis."""
    return bias.ndim <= rank and (bias.size == 1 or bias.shape[-1:] == (n,) == (bias.size,))


def _with_gemms_of_rows(graph: Graph) -> Graph:
    """Each Gemm whose C is no row as a Gemm without it, and a sum."""
    nodes: list[Node] = []
    constants: dict[str, Array] = {}
    shapes: dict[str, Shape] = {}
    for node in graph.nodes:
        c = graph.constant("".join(node.inputs[2:3])) if node.operator == "Gemm" else None
        if c is None or _is_row(c, graph.shapes[node.output][1], 2):
            nodes.append(node)
            continue
        product, matrix = f"{node.output}.product", f"{node.output}.matrix"
        constants[matrix] = c.astype(np.float64) * node.attributes.get("beta", 1.0)
        shapes[product] = graph.shapes[node.output]
        nodes.append(replace(node, inputs=node.inputs[:2], outputs=(product,)))
        nodes.append(Node(node.name, "Add", (product, matrix), node.outputs))
    return graph.with_nodes(nodes, constants, shapes)


def _addend(graph: Graph, node: Node, name: str) -> Array | None:
    """The constant that an Add adds to a tensor."""
    if node.operator != "Add":
        return None
    return graph.constant(next((other for other in node.inputs if other != name), name))


def _gemm(graph: Graph, node: Node) -> tuple[Array, Array, Node]:
    weight = graph.constants[node.inputs[1]]
    bias = graph.constants[node.inputs[2]] if len(node.inputs) > 2 and node.inputs[2] else np.zeros(1)
    weight = (weight.T if node.attributes.get("transB", 0) else weight).astype(np.float64)
    bias = np.broadcast_to(bias, (1, weight.shape[1]))[0].astype(np.float64)
    return weight * node.attributes.get("alpha", 1.0), bias * node.attributes.get("beta", 1.0), node


def fold_batch_norms(graph: Graph) -> Graph:
    """Batch normalization of constants into the convolution or Dense before it, or else into a scale and an offset."""
    for node in graph.nodes:
        if node.operator == "BatchNormalization":
            graph = _fold_batch_norm(graph, node)
    return graph


def _fold_batch_norm(graph: Graph, node: Node) -> Graph:
    scale, offset = _affine_of(graph, node)
    before = graph.producers().get(node.inputs[0])
    rank = len(graph.shapes[node.output])
    folds = before is not None and (before.operator in _CONVOLUTIONS or (before.operator == "Dense" and rank == 2))
    if before is None or not folds or graph.sole_consumer(before.output) is not node:
        shape = (-1, *(1,) * (rank - 2))
        arrays = {f"{node.output}.scale": scale.reshape(shape), f"{node.output}.offset": offset.reshape(shape)}
        made = Node(node.name, "Scale", (node.inputs[0], *arrays), node.outputs[:1])
        return graph.with_nodes([made if n is node else n for n in graph.nodes], arrays)
    weight = graph.constants[before.inputs[1]].astype(np.float64)
    bias = graph.constants[before.inputs[2]] if len(before.inputs) > 2 and before.inputs[2] else np.zeros(1)
    folded = _with_channels_scaled(before, weight, scale)
    arrays = {f"{node.output}.weight": folded, f"{node.output}.bias": bias * scale + offset}
    merged = replace(before, inputs=(before.inputs[0], *arrays), outputs=node.outputs[:1])
    return graph.with_nodes([merged if n is node else n for n in graph.nodes if n is not before], arrays)


def _with_channels_scaled(node: Node, weight: Array, scale: Array) -> Array:
    """The weights of a layer each of whose output channels is multiplied by a number."""
    if node.operator == "Dense":
        return weight * scale
    if node.operator == "Conv":
        return weight * scale.reshape(-1, *(1,) * (weight.ndim - 1))
    groups = int(node.attributes.get("group", 1))  # a transposed one has its input channels first
    by_group = weight.reshape(groups, -1, *weight.shape[1:]) * scale.reshape(groups, 1, -1, *(1,) * (weight.ndim - 2))
    return by_group.reshape(weight.shape)


def _affine_of(graph: Graph, node: Node) -> tuple[Array, Array]:
    gamma, beta, mean, variance = (graph.constants[name].astype(np.float64) for name in node.inputs[1:5])
    scale = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    return scale, beta - mean * scale


def pool_before_relu(graph: Graph) -> Graph:
    """Max pooling first, then Relu: the same values, for a quarter of the Relus."""
    for relu in graph.nodes:
        pool = graph.sole_consumer(relu.output) if relu.operator == "Relu" else None
        if pool is not None and pool.operator in ("MaxPool", "GlobalMaxPool") and len(pool.outputs) == 1:
            graph = _swap(graph, relu, pool)
    return graph


def _swap(graph: Graph, relu: Node, pool: Node) -> Graph:
    between = f"{pool.output}.pooled"
    first = replace(pool, inputs=relu.inputs, outputs=(between,))
    second = replace(relu, inputs=(between,), outputs=pool.outputs)
    nodes = [{id(relu): first, id(pool): second}.get(id(node), node) for node in graph.nodes]
    return graph.with_nodes(nodes, shapes={between: graph.shapes[pool.output]})
