"""The shapes and types that onnx infers, without ending the process.

Of some operators its inference reads the type of an input that has none, as what operators of ai.onnx.ml give has not:
nodes of these are shown to it once what they read is known, and nodes that hold such nodes are not.
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import numpy as np

from zkgpu.errors import FormatError
from zkgpu.zkml.expansion.control import subgraphs
from zkgpu.zkml.graph import Shape

_READ_TYPES = {"DictVectorizer", "LabelEncoder", "RegexFullMatch", "TreeEnsemble"}

Inferred = tuple[dict[str, Shape], dict[str, np.dtype[Any]]]


def infer(onnx: Any, proto: Any) -> Inferred:
    """Shapes and types by tensor. Raises FormatError for a model that onnx finds to be none."""
    holders = _functions_with_such(proto)
    nodes = [(node, node.op_type in _READ_TYPES, _holds_such(node, holders)) for node in proto.graph.node]
    if not any(reads or holds for _, reads, holds in nodes):
        return _inferred(onnx, proto)
    part, shown = onnx.ModelProto(), set[int]()
    part.CopyFrom(proto)
    while True:
        del part.graph.node[:]
        part.graph.node.extend(
            n for i, (n, reads, holds) in enumerate(nodes) if not holds and (not reads or i in shown)
        )
        shapes, types = _inferred(onnx, part)
        typed = {"", *types, *(tensor.name for tensor in proto.graph.initializer)}
        new = {i for i, (n, reads, _) in enumerate(nodes) if reads and typed.issuperset(n.input)} - shown
        if not new:
            return shapes, types
        shown |= new


def _functions_with_such(proto: Any) -> set[str]:
    """The model's functions that have nodes that read types, or that call such functions."""
    found = set[str]()
    while new := {f.name for f in proto.functions if f.name not in found and any(_is_such(n, found) for n in f.node)}:
        found |= new
    return found


def _is_such(node: Any, functions: Set[str]) -> bool:
    return node.op_type in _READ_TYPES or _holds_such(node, functions)


def _holds_such(node: Any, functions: Set[str]) -> bool:
    """Whether a graph in a node, or the function that it calls, has a node that reads types."""
    return node.op_type in functions or any(_is_such(n, functions) for graph in subgraphs(node) for n in graph.node)


def _inferred(onnx: Any, proto: Any) -> Inferred:
    try:
        inferred = onnx.shape_inference.infer_shapes(proto, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise FormatError(f"not a valid ONNX model: {first_line(error)}") from error
    shapes: dict[str, Shape] = {}
    types: dict[str, np.dtype[Any]] = {}
    for info in [*inferred.input, *inferred.value_info, *inferred.output]:
        kind = info.type.tensor_type
        if kind.elem_type:
            types[info.name] = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))
        if kind.HasField("shape") and all(dim.HasField("dim_value") for dim in kind.shape.dim):
            shapes[info.name] = tuple(dim.dim_value for dim in kind.shape.dim)
    return shapes, types


def first_line(error: Exception) -> str:
    """Of what it says."""
    return (str(error).splitlines() or [type(error).__name__])[0]
