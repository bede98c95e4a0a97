"""Writing ONNX models by hand: a list of nodes that grows, and the weights beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper


class Network:
    """A model with one input, written node by node; every method returns the name of the tensor it makes."""

    def __init__(self, shape: Sequence[int | str], name: str = "x", seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def constant(self, value: Any) -> str:
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.weights.append(numpy_helper.from_array(array, f"c{len(self.weights)}"))
        name: str = self.weights[-1].name
        return name

    def normal(self, *shape: int, spread: float | None = None) -> str:
        """Random weights whose products keep the size of their input."""
        fan_in = shape[0] if len(shape) == 2 else int(np.prod(shape[1:]))
        return self.constant(self.random.normal(0, spread or fan_in**-0.5, shape))

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        out = f"{operator.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [out], name=out, **attributes))
        return out

    def dense(self, x: str, fan_in: int, fan_out: int) -> str:
        product = self.add("MatMul", x, self.normal(fan_in, fan_out))
        return self.add("Add", product, self.normal(1, fan_out, spread=0.1))

    def model(self, output: str) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "network", self.inputs, [onnx.ValueInfoProto(name=output)], self.weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return onnx.shape_inference.infer_shapes(made)


def perceptron(weights: Sequence[NDArray[Any]], biases: Sequence[NDArray[Any]]) -> onnx.ModelProto:
    """Dense layers with Relu between them."""
    network = Network(["batch", len(weights[0])])
    x = "x"
    for i, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        x = network.add("Gemm", x, network.constant(weight), network.constant(bias))
        x = network.add("Relu", x) if i + 1 < len(weights) else x
    return network.model(x)
