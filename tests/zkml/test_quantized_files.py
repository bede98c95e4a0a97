"""QuantizeLinear and DequantizeLinear, as tools that quantize a trained network write them around each tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned
from tests.zkml.models import model, node, normal, onnx
from tests.zkml.onnx_oracle import compiled_right, samples_of, session_of, with_types
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model
from zkgpu.zkml.operations import Lookup, Requantize

UINT8, INT8, INT16 = onnx.TensorProto.UINT8, onnx.TensorProto.INT8, onnx.TensorProto.INT16
KINDS = {UINT8: np.uint8, INT8: np.int8, INT16: np.int16}


class Quantized:
    """Nodes, and the scales and zero points that they read."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: dict[str, Any] = {}

    def activation(self, x: str, to: str, scale: float, zero: int = 0, kind: int = INT8) -> None:
        """A tensor as integers, and these as numbers again."""
        self.weights |= {f"{to}.s": np.array(scale), f"{to}.z": np.array(zero, dtype=KINDS[kind])}
        self.nodes.append(node("QuantizeLinear", f"{x} {to}.s {to}.z", f"{to}.q"))
        self.nodes.append(node("DequantizeLinear", f"{to}.q {to}.s {to}.z", to))

    def weight(self, name: str, values: np.ndarray, axis: int | None = None) -> None:
        """As integers of the file, with one scale or one along an axis."""
        others = None if axis is None else tuple(i for i in range(values.ndim) if i != axis)
        scale = np.abs(values).max(axis=others) / 127
        whole = np.rint(values / (np.expand_dims(scale, others or ()))).astype(np.int8)
        zero = np.zeros(scale.shape, dtype=np.int8)
        self.weights |= {f"{name}.i": whole, f"{name}.s": scale, f"{name}.z": zero}
        along = {} if axis is None else {"axis": axis}
        self.nodes.append(node("DequantizeLinear", f"{name}.i {name}.s {name}.z", name, **along))

    def model(self, shape: Any, opset: int = 17) -> Any:
        return model(self.nodes, {"x": shape}, weights=self.weights, opset=opset)


def perceptron(kind: int = UINT8, middle: str = "Relu", axis: int | None = None, opset: int = 17) -> Any:
    """MatMul, an activation and MatMul; between any two of them integers."""
    zero, made = 128 if kind == UINT8 else 0, Quantized()
    scales = (0.04, 0.07, 0.05) if kind != INT16 else (0.0002, 0.0003, 0.0003)
    made.activation("x", "a", scales[0], zero, kind)
    made.weight("v", normal(6, 8) / 2, axis)
    made.nodes.append(node("MatMul", "a v", "b"))
    if middle in ("Relu", "MatMul alone"):
        made.nodes += [node("Relu", "b", "d")] if middle == "Relu" else [node("Identity", "b", "d")]
    else:
        made.activation("b", "c", scales[1], zero, kind)
        made.nodes.append(node(middle, "c", "d"))
    made.activation("d", "e", scales[1], 0 if kind == UINT8 else zero, kind)
    made.weight("w", normal(8, 3) / 2, axis)
    made.nodes.append(node("MatMul", "e w", "f"))
    made.activation("f", "out", scales[2], zero, kind)
    return made.model((1, 6), max(opset, 21) if kind == INT16 else opset)


def samples(shape: Any = (1, 6), count: int = 40) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(count, *shape)).astype(np.float32) * 1.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("middle", ["Relu", "MatMul alone", "Sigmoid", "LeakyRelu"])
def test_a_quantized_perceptron_is_right(kind: int, middle: str) -> None:
    compiled_right(perceptron(kind, middle), {"x": samples()}, error=0.025)


@pytest.mark.parametrize(("axis", "opset"), [(1, 13), (1, 21), (None, 10)])
def test_weights_with_a_scale_along_an_axis(axis: int | None, opset: int) -> None:
    compiled_right(perceptron(axis=axis, opset=opset), {"x": samples()}, error=0.025)


@pytest.mark.parametrize("kind", KINDS)
def test_integers_of_an_input_are_those_of_onnxruntime(kind: int) -> None:
    """In the scale of the file, with what leaves its type at the end of that."""
    weights = {"s": np.array(0.03 if kind != INT16 else 1e-4), "z": np.array(3, dtype=KINDS[kind])}
    proto = with_types(
        model([node("QuantizeLinear", "x s z", "out")], {"x": (1, 6)}, weights=weights, opset=21), {}, {"out": kind}
    )
    compiled = compile_model(proto, samples() * 3, limb=8)
    session, seen = session_of(proto), samples() * 3
    for sample in seen:
        wanted = session.run(None, {"x": sample})[0]
        assert (compiled.predict(sample)["out"] == wanted).all()
    assert {0, 255} <= set(np.ravel([compiled.predict(s)["out"] for s in seen]).tolist()) or kind != UINT8


def test_a_relu_before_it_takes_no_step_of_its_own() -> None:
    found = [op for op in compile_model(perceptron(), {"x": samples()}, limb=8).model.operations]
    assert [(op.low, op.high) for op in found if isinstance(op, Requantize)] == [(0, 255), (-128, 127)]


def test_what_lies_between_integers_is_one_table_of_them() -> None:
    """Of 256 rows, so that no rounding comes in."""
    compiled = compiled_right(perceptron(middle="Sigmoid"), {"x": samples()}, error=0.025)
    (table,) = [op.table for op in compiled.model.operations if isinstance(op, Lookup)]
    scale = np.float32(0.07)
    rows = np.clip(np.rint(1 / (1 + np.exp(-scale * (np.arange(256) - 128.0))) / scale), 0, 255)
    assert table.tolist() == rows.tolist()


def test_integers_of_a_file_with_a_scale_for_each_channel() -> None:
    weights = {"s": np.abs(normal(4)) + 0.1, "z": np.array([1, -2, 0, 5], dtype=np.int8)}
    proto = model([node("DequantizeLinear", "x s z", "out", axis=1)], {"x": (2, 4, 3)}, weights=weights)
    proto = with_types(proto, {"x": INT8})
    compiled_right(proto, samples_of(proto, x=(-128, 127)), error=0.01)


@pytest.mark.parametrize(
    ("weights", "shape", "reason"),
    [
        ({"s": np.full(6, 0.1), "z": np.zeros(6, np.int8)}, (1, 6), "QuantizeLinear.*only integers by one scale"),
        ({"s": np.array(0.0), "z": np.array(0, np.int8)}, (1, 6), "QuantizeLinear.*its scale is not above 0"),
    ],
    ids=["a scale for each column", "a scale of 0"],
)
def test_other_scales_are_refused_by_the_node(weights: Any, shape: Any, reason: str) -> None:
    proto = model(
        [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "out")], {"x": shape}, weights=weights
    )
    with pytest.raises(FormatError, match=reason):
        compile_model(proto, samples(shape), limb=8)


def test_a_scale_that_is_computed_is_refused_by_the_node() -> None:
    nodes = [node("ReduceMax", "x", "s", keepdims=0), node("QuantizeLinear", "x s", "q")]
    proto = model([*nodes, node("DequantizeLinear", "q s", "out")], {"x": (1, 6)})
    with pytest.raises(FormatError, match=r"QuantizeLinear.*input 's' is computed"):
        compile_model(proto, samples(), limb=8)


@pytest.mark.parametrize("middle", ["Relu", "Sigmoid"])
def test_every_wire_of_a_quantized_perceptron_is_pinned(middle: str) -> None:
    compiled = compile_model(perceptron(middle=middle), {"x": samples()}, limb=8)
    assert_every_wire_is_pinned(compiled.circuit, compiled.circuit_inputs(compiled.quantized(samples()[0])))
