"""Attention, rotary embeddings, and the statistics of a layer normalization, by the operators they stand for."""

from __future__ import annotations

import math

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.expansion.writer import Writer
from zkgpu.zkml.graph import Array, Graph, Node, Shape, unsupported


def attention(graph: Graph, node: Node, write: Writer) -> None:
    """softmax(softcap(scale * Q K^T) + mask) V, for heads of queries that share those of keys and values."""
    for name in filter(None, node.inputs[4:]):
        raise unsupported(node, f"its input '{name}' is not supported: attention without a cache is")
    (q, k, v), names = _heads(graph, node, write), node.inputs
    (_, heads, rows, width), columns = _shape_of_heads(graph, node, 0), _shape_of_heads(graph, node, 1)[2]
    scale = float(node.attributes.get("scale", 0.0)) or 1 / math.sqrt(width)
    scores = write.add("MatMul", q, write.add("Transpose", k, perm=(0, 1, 3, 2)))
    scores = write.add("Mul", scores, write.constant(scale))
    cap = float(node.attributes.get("softcap", 0.0))
    if cap > 0:
        capped = write.add("Tanh", write.add("Mul", scores, write.constant(1 / cap)))
        scores = write.add("Mul", capped, write.constant(cap))
    found = write.add("MatMul", _shares(write, scores, _mask(graph, node, write, rows, columns)), v)
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


@dataclass(frozen=True)
class _Mask:
    """Which keys each row of queries sees, and what is added to its scores.

    Attributes:
        seen: a tensor of truths; "" for all of them
        bias: a tensor of floats; "" for none
        may_be_empty: whether a row may see no key
    """

    seen: str
    bias: str
    may_be_empty: bool


def _mask(graph: Graph, node: Node, write: Writer, rows: int, columns: int) -> _Mask:
    name = node.inputs[3] if len(node.inputs) > 3 else ""
    known, seen = graph.constants.get(name), np.ones((rows, columns), dtype=bool)
    if name and graph.shapes[name][-1] not in (1, columns):
        raise unsupported(node, f"its mask of shape {graph.shapes[name]} does not fit its {columns} keys")
    if node.attributes.get("is_causal", 0):
        seen = np.tri(rows, columns, dtype=bool)
    if known is not None:
        is_truth = known.dtype.kind == "b"
        seen = np.logical_and(seen, known if is_truth else ~np.isneginf(known))
        bias = "" if is_truth else write.constant(np.where(np.isneginf(known), 0.0, known))
        return _Mask(_constant_truths(write, seen), bias, not seen.any(axis=-1).all())
    if graph.is_integral(name):
        both = name if seen.all() else write.add("And", name, write.constant(seen))
        return _Mask(both, "", may_be_empty=True)
    return _Mask(_constant_truths(write, seen), name, not seen.any(axis=-1).all())


def _constant_truths(write: Writer, seen: Array) -> str:
    return "" if seen.all() else write.constant(seen)


def _shares(write: Writer, scores: str, mask: _Mask) -> str:
    """The softmax of what each row sees; all 0 where it sees nothing."""
    if mask.bias:
        scores = write.add("Add", scores, mask.bias)
    if mask.seen:
        scores = write.add("Where", mask.seen, scores, write.constant(-np.inf))
    shares = write.add("Softmax", scores, axis=-1)
    return write.add("Where", mask.seen, shares, write.constant(0.0)) if mask.may_be_empty else shares


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
