"""Writes the nodes that torch.onnx.export writes for the layers of torch.nn, with seeded random weights.

As in an export for inference, a batch normalization behind a convolution is part of the convolution's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17


class Exported:
    """A model that grows node by node. Every method returns the name of the tensor that its last node writes."""

    def __init__(self, shape: Sequence[int], name: str = "input", seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        self.inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        out = f"/{operator}_{len(self.nodes)}_output_0"
        self.nodes.append(helper.make_node(operator, inputs, [out], name=out[:-9], **attributes))
        return out

    def nodes_of(self, operator: str, *inputs: str, outputs: int, **attributes: Any) -> list[str]:
        """A node with several outputs."""
        outs = [f"/{operator}_{len(self.nodes)}_output_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, outs, name=outs[0][:-9], **attributes))
        return outs

    def constant(self, value: Any, name: str = "onnx::") -> str:
        """An initializer, in single precision unless it holds integers."""
        array = np.asarray(value)
        array = array.astype(np.float32) if array.dtype.kind == "f" else array
        self.weights.append(numpy_helper.from_array(array, f"{name}{len(self.weights)}"))
        made: str = self.weights[-1].name
        return made

    def normal(self, *shape: int, fan_in: int | None = None, gain: float = 1.0) -> str:
        """Weights whose products have `gain` times the size of what they multiply, fan_in to a sum."""
        return self.constant(self._normal(*shape) * gain * (fan_in or int(np.prod(shape[1:]))) ** -0.5)

    def _normal(self, *shape: int) -> NDArray[np.float64]:
        return self.random.normal(size=shape)

    # layers, by their names in torch.nn

    def conv(
        self,
        x: str,
        fan_in: int,
        fan_out: int,
        kernel: int | Sequence[int] = 3,
        *,
        stride: int = 1,
        pad: int | None = None,
        group: int = 1,
        gain: float = 2**0.5,
    ) -> str:
        """Conv2d, or Conv1d for a kernel of one length; `pad` keeps the size by default."""
        lengths = (kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
        pads = [k // 2 if pad is None else pad for k in lengths]
        weight = self.normal(fan_out, fan_in // group, *lengths, gain=gain)
        bias = self.constant(self._normal(fan_out) * 0.1)
        return self.node(
            "Conv",
            x,
            weight,
            bias,
            dilations=[1] * len(lengths),
            group=group,
            kernel_shape=lengths,
            pads=pads * 2,
            strides=[stride] * len(lengths),
        )

    def conv_transpose(self, x: str, fan_in: int, fan_out: int, kernel: int = 2, stride: int = 2, pad: int = 0) -> str:
        """ConvTranspose2d; a place of the output is a sum over about (kernel / stride)^2 places."""
        terms = max(1, round(fan_in * (kernel / stride) ** 2))
        weight = self.normal(fan_in, fan_out, kernel, kernel, fan_in=terms, gain=2**0.5)
        bias = self.constant(self._normal(fan_out) * 0.1)
        attributes = {"kernel_shape": [kernel] * 2, "pads": [pad] * 4, "strides": [stride] * 2}
        return self.node("ConvTranspose", x, weight, bias, dilations=[1, 1], group=1, **attributes)

    def linear(self, x: str, fan_in: int, fan_out: int, gain: float = 1.0) -> str:
        """Linear on rows."""
        weight, bias = self.normal(fan_out, fan_in, gain=gain), self.constant(self._normal(fan_out) * 0.1)
        return self.node("Gemm", x, weight, bias, alpha=1.0, beta=1.0, transB=1)

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

    def relu6(self, x: str) -> str:
        return self.node("Clip", x, self.constant(0.0), self.constant(6.0))

    def silu(self, x: str) -> str:
        return self.node("Mul", x, self.node("Sigmoid", x))

    def max_pool(self, x: str, kernel: int = 2, stride: int = 2, pad: int = 0, ceil_mode: int = 0) -> str:
        return self.node(
            "MaxPool",
            x,
            ceil_mode=ceil_mode,
            dilations=[1, 1],
            kernel_shape=[kernel] * 2,
            pads=[pad] * 4,
            strides=[stride] * 2,
        )

    def upsample(self, x: str, mode: str = "nearest", scale: float = 2.0) -> str:
        """Upsample(scale_factor=), as the exporter writes it."""
        scales = self.constant(np.array([1.0, 1.0, scale, scale]))
        nearest = {"nearest_mode": "floor", "coordinate_transformation_mode": "asymmetric"}
        linear = {"coordinate_transformation_mode": "half_pixel"}
        extra = nearest if mode == "nearest" else linear
        return self.node("Resize", x, "", scales, cubic_coeff_a=-0.75, mode=mode, **extra)

    def concat(self, *parts: str, axis: int = 1) -> str:
        return self.node("Concat", *parts, axis=axis)

    def flatten(self, x: str) -> str:
        return self.node("Flatten", x, axis=1)

    def head(self, x: str, channels: int, classes: int = 10) -> str:
        """Average over places, then a dense layer."""
        return self.linear(self.flatten(self.node("GlobalAveragePool", x)), channels, classes, gain=3.0)

    def model(self, *outputs: str) -> onnx.ModelProto:
        """The model of what was written; its outputs are called output, or output0, output1, ..."""
        names = {name: "output" if len(outputs) == 1 else f"output{i}" for i, name in enumerate(outputs)}
        for node in self.nodes:
            node.output[:] = [names.get(name, name) for name in node.output]
            node.input[:] = [names.get(name, name) for name in node.input]
        ends = [onnx.ValueInfoProto(name=name) for name in names.values()]
        graph = helper.make_graph(self.nodes, "main_graph", self.inputs, ends, self.weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
        return onnx.shape_inference.infer_shapes(made)
