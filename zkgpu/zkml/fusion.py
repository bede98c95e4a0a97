"""Finds the largest subgraphs that are a function of one number, entry by entry, and makes each one node.

Exporters write GELU as Div, Erf, Add, Mul, Mul and SiLU as Sigmoid, Mul. Any such subgraph, whatever its operators,
reads one tensor and writes another: one table will do for all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np

from zkgpu.zkml.functions import BINARY, CHEAP, FUNCTIONS, Floats
from zkgpu.zkml.graph import Graph, Node, one_value
from zkgpu.zkml.restated import DIVISION, POWER, QUANTIZE

_CURVED = {"And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Max", "Min", "Mod", "Or", "Pow", "Where", "Xor"}
_CURVED |= {DIVISION, POWER}  # whose table costs less than their parts


def fuse_functions(graph: Graph) -> Graph:
    """Subgraphs that hold a function worth a table, or a product of one tensor with itself, as nodes 'Function'."""
    roots, worthy = _trace(graph)
    producer = graph.producers()
    consumers = graph.consumers()
    nodes = []
    for node in graph.nodes:
        out = node.output
        if out not in worthy or not _needed_outside(graph, out, roots, consumers.get(out, [])):
            nodes.append(node)
            continue
        evaluate = partial(_evaluate, graph, producer, roots[out], out)
        square = {"square": True} if _is_square(graph, node, roots[out]) else {}
        nodes.append(Node(node.name, "Function", (roots[out],), (out,), {"function": evaluate, **square}))
    return graph.with_nodes(nodes)


def _is_square(graph: Graph, node: Node, root: str) -> bool:
    """Whether a piece is nothing but the product of its root with itself."""
    twice = node.operator == "Mul" and node.inputs == (root, root)
    return twice or (
        node.operator == "Pow" and node.inputs[0] == root and one_value(graph.constant(node.inputs[1])) == 2
    )


def _trace(graph: Graph) -> tuple[dict[str, str], set[str]]:
    """For each tensor the one it is a function of, entry by entry; and those tensors worth a table."""
    roots, worthy = {name: name for name in graph.inputs}, set[str]()
    here = dict(roots)  # the same for those who read a tensor: what a file has quantized starts anew, as it is exact
    quantized = {node.output for node in graph.nodes if node.operator == QUANTIZE}
    for node in graph.nodes:
        roots |= {out: out for out in node.outputs}
        sources = _sources(graph, node, here)
        goes_on = any(name in worthy and here[name] != name for name in node.inputs)
        is_worthy = goes_on or _worth_a_table(graph, node)
        if node.operator == QUANTIZE:
            is_worthy = is_worthy or bool(sources & quantized)
        if len(sources) == 1 and (is_worthy or node.operator != QUANTIZE):
            roots[node.output] = sources.pop()
            worthy |= {node.output} if is_worthy else set()
        here |= {out: out if node.operator == QUANTIZE else roots[out] for out in node.outputs}
    return roots, worthy


def _sources(graph: Graph, node: Node, roots: dict[str, str]) -> set[str]:
    """The roots of an elementwise node's inputs; empty for any other node."""
    if node.operator in FUNCTIONS or node.operator in CHEAP:
        return {roots[node.inputs[0]]}
    if node.operator == "Clip" and all(_is_number(graph, name) for name in node.inputs[1:] if name):
        return {roots[node.inputs[0]]}
    if node.operator not in BINARY:
        return set()
    varying = [name for name in node.inputs if name not in graph.constants]
    if not all(_is_number(graph, name) for name in node.inputs if name in graph.constants):
        return set()
    return {roots[name] for name in varying}


def _is_number(graph: Graph, name: str) -> bool:
    return one_value(graph.constant(name)) is not None


def _worth_a_table(graph: Graph, node: Node) -> bool:
    if node.operator in FUNCTIONS or node.operator in _CURVED:
        return True
    varying = [name for name in node.inputs if name and name not in graph.constants]
    if node.operator == "Div":
        return node.inputs[1] in varying
    return node.operator == "Mul" and len(varying) == 2


def _needed_outside(graph: Graph, name: str, roots: dict[str, str], readers: Iterable[Node]) -> bool:
    return name in graph.outputs or any(roots[node.output] != roots[name] for node in readers)


def _evaluate(graph: Graph, producer: Mapping[str, Node], root: str, name: str, x: Floats) -> Floats:
    """The value of `name` where `root` has the values x."""
    if name == root:
        return x
    node = producer[name]
    if node.operator == "Clip":
        low, high = (graph.argument(node, i, key) for i, key in ((1, "min"), (2, "max")))
        clipped = _evaluate(graph, producer, root, node.inputs[0], x)
        clipped = clipped if low is None else np.maximum(clipped, np.ravel(low)[0])
        return clipped if high is None else np.minimum(clipped, np.ravel(high)[0])
    operands = [
        one_value(graph.constants[i]) if i in graph.constants else _evaluate(graph, producer, root, i, x)
        for i in node.inputs
    ]
    table = BINARY if node.operator in BINARY else {**FUNCTIONS, **CHEAP}
    return table[node.operator](*operands, **node.attributes)
