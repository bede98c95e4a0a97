"""The operators that can be compiled, which are those of the tables of rules, and the refusal of all others."""

from __future__ import annotations

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.zkml import classifiers, norms, patterns, restated
from zkgpu.zkml.functions import BINARY, CHEAP, FUNCTIONS
from zkgpu.zkml.graph import Graph, unsupported
from zkgpu.zkml.lowering import shapes
from zkgpu.zkml.quantize import RULES
from zkgpu.zkml.trees import TREES

_FOLDED = ("Constant", "ConstantOfShape", "Shape", "ZipMap")  # nothing of these is left when a graph has been read
_MADE = {"Function", "Normalize", "Dense", "Scale", "Names", TREES, *restated.MADE}  # by rewrites: not in any file

OPERATORS = tuple(
    sorted(
        {
            *(*_FOLDED, *restated.RULES, *classifiers.RULES, *norms.OPERATORS, *patterns.OPERATORS),
            *(*RULES, *shapes.MOVES, *FUNCTIONS, *CHEAP, *BINARY),
        }
        - _MADE
    )
)
"""What a model may hold, as ONNX names it. Functions of one tensor may be made of any number of these."""


def require_operators(graph: Graph) -> None:
    """Raises FormatError naming the first node whose operator has no rule."""
    for node in graph.nodes:
        if node.operator not in OPERATORS:
            raise FormatError(
                f"node '{node.name}': operator {node.operator} is not supported; supported are {', '.join(OPERATORS)}"
            )


def require_shapes(graph: Graph) -> None:
    """Raises FormatError naming a node that writes a tensor of unknown shape, or weights that are no numbers."""
    read = {name for node in graph.nodes for name in node.inputs} | set(graph.outputs)
    for node in graph.nodes:
        for name in node.outputs:
            if name in read and name not in graph.shapes:
                raise unsupported(node, f"the shape of '{name}' cannot be told before it runs")
            if name in read and 0 in graph.shapes[name]:
                raise unsupported(node, f"its output '{name}' of shape {graph.shapes[name]} is empty")
    for name in {name for node in graph.nodes for name in node.inputs if name in graph.constants}:
        value = graph.constants[name]
        if value.dtype.kind not in "fiub":
            raise FormatError(f"weights '{name}' are not numbers")
        if value.dtype.kind == "f" and not np.isfinite(value).all() and not np.isneginf(value).any():
            raise FormatError(f"weights '{name}' hold a value that is not a number")
