"""Small ONNX models, written node by node as exporters write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402


def node(operator: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """A node; tensor names are separated by blanks, and '-' stands for an absent one."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(operator, names, outputs.split(), name=f"/{outputs.split()[0]}", **attributes)


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str]],
    outputs: Sequence[str] = ("out",),
    weights: Mapping[str, Any] | None = None,
    opset: int = 17,
) -> Any:
    """A model with float inputs; float weights are stored in single precision."""
    stored = {name: np.asarray(value) for name, value in (weights or {}).items()}
    tensors = [
        numpy_helper.from_array(v.astype(np.float32) if v.dtype.kind == "f" else v, name) for name, v in stored.items()
    ]
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
    kinds = {n.output[0]: TensorProto.INT64 for n in nodes if n.op_type == "ArgMax"}
    ends = [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), None) for n in outputs]
    graph = helper.make_graph(list(nodes), "test", given, ends, tensors)
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    made = helper.make_model(graph, opset_imports=domains, ir_version=8)
    made = onnx.shape_inference.infer_shapes(made)
    for end in made.graph.output:  # of operators onnx infers no shape of, all here keep it
        if not end.type.tensor_type.HasField("shape"):
            end.type.tensor_type.shape.CopyFrom(made.graph.input[0].type.tensor_type.shape)
    return made


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).normal(size=shape)
