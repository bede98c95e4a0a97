"""Products of numbers with themselves, and votes."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from zkgpu.zkml.graph import Node
from zkgpu.zkml.lowering.builder import Builder, Quantized
from zkgpu.zkml.operations import Integers, Multiply, Total

_FACTOR = 20  # bits of a factor, above which it is rounded to the width of an activation


def product_with_itself(builder: Builder, node: Node) -> Quantized:
    """x to a whole power."""
    found = x = builder.narrow(builder.tensors[node.inputs[0]], node.inputs[0], _FACTOR)
    for _ in range(int(node.attributes["times"]) - 1):
        found = builder.add(Multiply, [found, x], found.scale * x.scale)
    return found


def votes(builder: Builder, node: Node) -> Quantized:
    """How many pairs of classes i < j each class wins: i where their truth is 1, else j."""
    truths = builder.tensors[node.inputs[0]]
    rows, classes = builder.graph.shapes[node.output]
    pairs = list(combinations(range(classes), 2))
    of_class: list[list[int]] = [[p for p, pair in enumerate(pairs) if c in pair] for c in range(classes)]
    is_first = np.array([[pairs[p][0] == c for p in chosen] for c, chosen in enumerate(of_class)])
    places: Integers = np.arange(rows)[:, None, None] * len(pairs) + np.array(of_class)[None]
    found = builder.arrange([truths], places)
    won = builder.combine([found], [np.where(is_first, 1, -1)], 1.0, np.where(is_first, 0, 1))
    return builder.add(Total, [won], 1.0)
