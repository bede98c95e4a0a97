"""The operators that can be compiled, and the refusal of all others."""

from __future__ import annotations

import numpy as np

from zkgpu.errors import UsageError
from zkgpu.zkml.elementwise import BINARY, FUNCTIONS
from zkgpu.zkml.graph import Graph, Node

SHAPES = (
    *("Concat", "Expand", "Flatten", "Gather", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Transpose"),
    *("Unsqueeze", "Tile", "Identity", "Dropout", "Cast", "Constant", "ConstantOfShape", "Shape"),
)
LINEAR = (
    "Gemm",
    "MatMul",
    "Conv",
    "BatchNormalization",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Neg",
    "ReduceSum",
    "ReduceMean",
)
POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMax", "ArgMax")
NORMS = ("Softmax", "LayerNormalization", "InstanceNormalization", "GroupNormalization")
SCIKIT_LEARN = ("ArrayFeatureExtractor", "LinearClassifier", "LinearRegressor", "Normalizer", "Scaler", "ZipMap")
STEPS = ("Relu", "LeakyRelu", "Clip")

OPERATORS = tuple(sorted({*SHAPES, *LINEAR, *POOLS, *NORMS, *STEPS, *SCIKIT_LEARN, *FUNCTIONS, *BINARY}))
"""What a model may hold, as ONNX names it. Functions of one tensor may be made of any number of these."""

_MADE_BY_PATTERNS = {"Function", "Normalise", "Dense", "Scale"}


def require_supported(graph: Graph) -> None:
    """Raises UsageError naming the first node that cannot be compiled."""
    for node in graph.nodes:
        if node.operator not in _MADE_BY_PATTERNS and node.operator not in OPERATORS:
            raise unsupported(node)
        for name in node.outputs:
            if name and name not in graph.shapes:
                raise UsageError(
                    f"node '{node.name}' ({node.operator}): the shape of '{name}' cannot be told before it runs"
                )
    _require_numbers(graph)


def _require_numbers(graph: Graph) -> None:
    for name, value in graph.constants.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all() and not np.isneginf(value).any():
            raise UsageError(f"weights '{name}' hold a value that is not a number")


def unsupported(node: Node, reason: str = "") -> UsageError:
    """The error for a node that has no rule."""
    if reason:
        return UsageError(f"node '{node.name}' ({node.operator}): {reason}")
    return UsageError(
        f"node '{node.name}': operator {node.operator} is not supported; supported are {', '.join(OPERATORS)}"
    )
