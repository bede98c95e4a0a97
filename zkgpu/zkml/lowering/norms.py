"""Rows behind a norm that are rounded before several layers read them, and not what these layers give.

A product of two tensors takes what it reads up to so many bits as it is (`Builder.wide`). Queries, keys and values of a
row that was not rounded are longer, and each of them would be rounded; of a rounded one they are not. Sums that are
rounded anyway, before a function, drop fewer limbs.
"""

from __future__ import annotations

import math

from zkgpu.zkml.graph import Graph, Node
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.lowering.shapes import MOVES
from zkgpu.zkml.streams import NORMS

_ON_THE_WAY = {*MOVES, "Scale", "Mul", "Add"}
_ROUNDING = "Function", "Relu"
_LIMBS = 16  # bits that are one limb, or two


def rounded_first(builder: Builder, name: str) -> Quantized | None:
    """The row of a norm that dense layers read, rounded; None where that spares nothing.

    It gets as many bits as the limbs of its range check hold: they cost no more.
    """
    x, scale = builder.tensors[name], builder.nominal_here(name)
    interval, room = builder.interval(x), _room(builder, name)
    if not _is_behind_norm(builder.graph, name) or _spared(builder, name, interval.bits, room) <= interval.low.size:
        return None
    bits = math.log2((interval.greatest - interval.least) * x.scale / scale + 2)
    more = min(builder.whole_limbs(bits) - bits, room - bits)
    return builder.requantize(x, scale / 2.0 ** max(0, math.floor(more)))


def _room(builder: Builder, name: str) -> int:
    """Bits that a tensor may have so that what dense layers make of it is not rounded before a product."""
    graph = builder.graph
    weights = [
        builder.weight_bits(node.output) + len(graph.constants[node.inputs[1]]).bit_length()
        for node in _dense(graph, name)
        if _is_of_products(graph, node.output)
    ]
    return builder.wide - max(weights, default=0)


def _spared(builder: Builder, name: str, bits: int, room: int) -> int:
    """How many values need not be rounded, with half of those that drop a limb less, or two."""
    graph, found = builder.graph, 0
    for node in _dense(graph, name):
        size, reader = math.prod(graph.shapes[node.output]), graph.sole_consumer(node.output)
        if _is_of_products(graph, node.output):
            found += size * (builder.bits(name) < room < bits)
        elif reader is not None and reader.operator in _ROUNDING and bits >= builder.bits(name) + _LIMBS:
            found += size // 2
    return found


def _dense(graph: Graph, name: str) -> list[Node]:
    return [node for node in graph.consumers().get(name, []) if node.operator == "Dense"]


def _is_behind_norm(graph: Graph, name: str) -> bool:
    """Whether a tensor is what a norm gives, times constants, and with constants added."""
    node = graph.producers().get(name)
    if node is None or node.operator in NORMS:
        return node is not None
    computed = [n for n in node.inputs if n and n not in graph.constants]
    return node.operator in _ON_THE_WAY and len(computed) == 1 and _is_behind_norm(graph, computed[0])


def _is_of_products(graph: Graph, name: str) -> bool:
    """Whether nothing but products of two tensors read one, moved and multiplied by constants or not."""
    readers = graph.consumers().get(name, [])
    return bool(readers) and name not in graph.outputs and all(_leads_to_products(graph, reader) for reader in readers)


def _leads_to_products(graph: Graph, node: Node) -> bool:
    constants = set(node.inputs) & set(graph.constants)
    if node.operator == "MatMul" and not constants:
        return True
    passes = node.operator in MOVES or (node.operator in ("Scale", "Mul", "Div") and constants)
    return bool(passes) and all(
        _is_of_products(graph, output) for output in node.outputs if output in graph.consumers()
    )
