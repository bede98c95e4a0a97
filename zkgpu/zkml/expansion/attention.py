"""Attention, rotary embeddings, and the statistics of a layer normalization, by the operators they stand for."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.zkml.expansion.writer import Writer
from zkgpu.zkml.graph import Array, Graph, Node, Shape, unsupported


def attention(graph: Graph, node: Node, write: Writer) -> None:
    """softmax(softcap(scale * Q K^T) + mask) V, for heads of queries that share those of keys and values."""
    (q, k, v), names = _heads(graph, node, write), node.inputs
    (_, heads, rows, width), columns = _shape_of_heads(graph, node, 0), _shape_of_heads(graph, node, 1)[2]
    scale = float(node.attributes.get("scale", 0.0)) or 1 / math.sqrt(width)
    scores = write.add("MatMul", q, write.add("Transpose", k, perm=(0, 1, 3, 2)))
    scores = write.add("Mul", scores, write.constant(scale))
    cap = float(node.attributes.get("softcap", 0.0))
    if cap > 0:
        capped = write.add("Tanh", write.add("Mul", scores, write.constant(1 / cap)))
        scores = write.add("Mul", capped, write.constant(cap))
    scores = _masked(graph, node, write, scores, (rows, columns))
    found = write.add("MatMul", write.add("Softmax", scores, axis=-1), v)
    if len(graph.shapes[names[0]]) == 4:
        write.add("Identity", found, to=node.output)
    else:
        by_row = write.add("Transpose", found, perm=(0, 2, 1, 3))
        write.reshape(by_row, (*graph.shapes[names[0]][:2], heads * _shape_of_heads(graph, node, 2)[3]), node.output)


def _shape_of_heads(graph: Graph, node: Node, at: int) -> Shape:
    """(batch, heads, rows, width) of the queries, keys or values."""
    shape = graph.shapes[node.inputs[at]]
    if len(shape) == 4:
        return shape
    heads = int(node.attributes.get("kv_num_heads" if at else "q_num_heads", 0))
    if len(shape) != 3 or heads < 1 or shape[2] % heads:
        raise unsupported(node, f"its input '{node.inputs[at]}' of shape {shape} has no {heads} heads")
    return shape[0], heads, shape[1], shape[2] // heads


def _heads(graph: Graph, node: Node, write: Writer) -> list[str]:
    """Queries, keys and values as (batch, heads of queries, rows, width)."""
    heads = _shape_of_heads(graph, node, 0)[1]
    return [_spread(write, _head(graph, node, write, at), _shape_of_heads(graph, node, at), heads) for at in range(3)]


def _head(graph: Graph, node: Node, write: Writer, at: int) -> str:
    x, (batch, heads, rows, width) = node.inputs[at], _shape_of_heads(graph, node, at)
    if len(graph.shapes[x]) == 4:
        return x
    return write.add("Transpose", write.reshape(x, (batch, rows, heads, width)), perm=(0, 2, 1, 3))


def _spread(write: Writer, x: str, shape: Shape, heads: int) -> str:
    """Each head as often as there are heads of queries for it, in a row."""
    return x if shape[1] == heads else write.gather(x, np.arange(heads) * shape[1] // heads, 1)


def _masked(graph: Graph, node: Node, write: Writer, scores: str, shape: tuple[int, int]) -> str:
    """Scores with what is masked far below all others, or with a mask of floats added."""
    name = node.inputs[3] if len(node.inputs) > 3 else ""
    known = graph.constants.get(name)
    open_to = np.tri(*shape, dtype=bool) if node.attributes.get("is_causal", 0) else np.ones(shape, dtype=bool)
    if known is not None and known.dtype.kind == "b":
        open_to = np.logical_and(open_to, known)
    elif name and graph.is_integral(name):
        scores = write.add("Where", name, scores, write.constant(-np.inf))
    elif name:
        scores = write.add("Add", scores, name)
    if not open_to.any(axis=-1).all():
        raise unsupported(node, "a row of its mask lets nothing by")
    return scores if open_to.all() else write.add("Add", scores, write.constant(np.where(open_to, 0.0, -np.inf)))


def rotary_embedding(graph: Graph, node: Node, write: Writer) -> None:
    """x cos + turned(x) sin, where `turned` swaps the two parts of each pair and negates the one that comes first."""
    x, shape = node.inputs[0], graph.shapes[node.inputs[0]]
    batch, heads, rows, width = _heads_to_turn(node, shape)
    turning = int(node.attributes.get("rotary_embedding_dim", 0)) or width
    first, second = _pairs(turning, interleaved=bool(node.attributes.get("interleaved", 0)))
    cos, sin = (_cache(graph, node, at, (batch, rows, turning // 2)) for at in (1, 2))
    factors = np.ones((batch, 1, rows, width)), np.zeros((batch, 1, rows, width))
    factors[0][..., first] = factors[0][..., second] = cos
    factors[1][..., first], factors[1][..., second] = -sin, sin
    partner = np.arange(width)
    partner[first], partner[second] = second, first
    if len(shape) == 3:
        x = write.add("Transpose", write.reshape(x, (batch, rows, heads, width)), perm=(0, 2, 1, 3))
    kept = write.add("Mul", x, write.constant(factors[0]))
    turned = write.add("Mul", write.gather(x, partner, 3), write.constant(factors[1]))
    if len(shape) == 4:
        write.add("Add", kept, turned, to=node.output)
        return
    write.reshape(write.add("Transpose", write.add("Add", kept, turned), perm=(0, 2, 1, 3)), shape, node.output)


def _heads_to_turn(node: Node, shape: Shape) -> tuple[int, int, int, int]:
    if len(shape) == 4:
        return shape[0], shape[1], shape[2], shape[3]
    heads = int(node.attributes.get("num_heads", 0))
    if len(shape) != 3 or heads < 1 or shape[2] % heads:
        raise unsupported(node, f"its input of shape {shape} has no {heads} heads")
    return shape[0], heads, shape[1], shape[2] // heads


def _pairs(width: int, *, interleaved: bool) -> tuple[Array, Array]:
    """The places of the two parts of each pair: side by side, or half the width apart."""
    places = np.arange(width)
    return (places[::2], places[1::2]) if interleaved else (places[: width // 2], places[width // 2 :])


def _cache(graph: Graph, node: Node, at: int, shape: Shape) -> Array:
    """(batch, 1, rows, width / 2) of a constant, from the rows at the positions where these are given."""
    value = graph.constants[node.inputs[at]].astype(np.float64)
    if len(node.inputs) > 3 and node.inputs[3]:
        value = value[graph.constants[node.inputs[3]]]
    if value.shape != shape:
        raise unsupported(node, f"its input '{node.inputs[at]}' gives angles of shape {value.shape}, not {shape}")
    return value[:, None]


def layer_statistics(graph: Graph, node: Node, write: Writer) -> None:
    """The normalization as it is, and its further outputs: the mean, and 1 / sqrt(variance + epsilon)."""
    x, rank = node.inputs[0], len(graph.shapes[node.inputs[0]])
    axes = tuple(range(int(node.attributes.get("axis", -1)) % rank, rank))
    epsilon = float(node.attributes.get("epsilon", 1e-5))
    outputs = (*node.outputs, "")
    write.add("LayerNormalization", *node.inputs, to=node.output, axis=axes[0], epsilon=epsilon)
    mean = write.mean(x, axes, outputs[1])
    if outputs[2]:
        distance = write.add("Sub", x, mean)
        variance = write.mean(write.add("Mul", distance, distance), axes)
        root = write.add("Sqrt", write.add("Add", variance, write.constant(epsilon)))
        write.add("Reciprocal", root, to=outputs[2])
