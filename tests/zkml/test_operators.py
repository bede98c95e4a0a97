"""Every operator that can be imported, quantized and proven, held against onnxruntime's floats."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from tests.zkml.test_right_or_refused import assert_right
from zkgpu.inference import compile_model
from zkgpu.zkml.operations import Linear

IMAGE = (1, 3, 6, 6)


def one(operator: str, shape=(1, 6), weights=None, opset: int = 17, extra: str = "", **attributes):
    """A model of one operator that reads x and the weights named in `extra`."""
    return model(
        [node(operator, f"x {extra}".strip(), "out", **attributes)], {"x": shape}, weights=weights, opset=opset
    )


def conv(**attributes):
    groups = attributes.get("group", 1)
    weights = {"w": normal(6, 3 // groups, 3, 3), "b": normal(6)}
    return one("Conv", IMAGE, weights, extra="w b", **attributes)


def pad(opset: int):
    if opset < 11:
        return one("Pad", IMAGE, opset=opset, pads=[0, 0, 1, 2, 0, 0, 0, 1])
    return one("Pad", IMAGE, {"p": np.array([0, 0, 1, 2, 0, 0, 0, 1])}, extra="p")


def slices(opset: int):
    if opset < 10:
        return one("Slice", IMAGE, opset=opset, starts=[1, 0], ends=[3, 5], axes=[1, 3])
    weights = {"s": np.array([1, 5]), "e": np.array([3, -100]), "a": np.array([1, 3]), "t": np.array([1, -2])}
    return one("Slice", IMAGE, weights, extra="s e a t")


def batch_norm(before: bool):
    weights = {"g": normal(3), "b": normal(3), "m": normal(3, seed=1), "v": np.abs(normal(3)) + 0.5}
    if not before:
        return one("BatchNormalization", IMAGE, weights, extra="g b m v")
    nodes = [node("Conv", "x w", "c"), node("BatchNormalization", "c g b m v", "out")]
    return model(nodes, {"x": IMAGE}, weights={**weights, "w": normal(3, 3, 3, 3)})


def gelu_of_pytorch():
    nodes = [
        node("Div", "x r", "d"),
        node("Erf", "d", "e"),
        node("Add", "e one", "a"),
        node("Mul", "x a", "m"),
        node("Mul", "m half", "out"),
    ]
    return model(nodes, {"x": (1, 40)}, weights={"r": np.sqrt(2.0), "one": np.array(1.0), "half": np.array(0.5)})


def silu():
    return model([node("Sigmoid", "x", "s"), node("Mul", "x s", "out")], {"x": (1, 40)})


def decomposed_layer_norm(square: str):
    nodes = [
        node("ReduceMean", "x", "m", axes=[-1]),
        node("Sub", "x m", "d"),
        node("Pow", "d two", "q") if square == "Pow" else node("Mul", "d d", "q"),
        node("ReduceMean", "q", "v", axes=[-1]),
        node("Add", "v eps", "e"),
        node("Sqrt", "e", "s"),
        node("Div", "d s", "n"),
        node("Mul", "n g", "h"),
        node("Add", "h b", "out"),
    ]
    weights = {"two": np.array(2.0), "eps": np.array(1e-5), "g": normal(12) + 2, "b": normal(12)}
    return model(nodes, {"x": (1, 4, 12)}, weights=weights)


def dynamic_reshape():
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "batch"),
        node("Unsqueeze", "batch axes", "first"),
        node("Concat", "first rest", "wanted", axis=0),
        node("Reshape", "x wanted", "r"),
        node("Transpose", "r", "out", perm=[0, 2, 1]),
    ]
    weights = {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([3, -1])}
    return model(nodes, {"x": ("N", 3, 6, 6)}, weights=weights)


def attention():
    nodes = [
        node("Gemm", "x wq bq", "q"),
        node("Gemm", "x wk", "k"),
        node("MatMul", "x wv", "v"),
        node("Transpose", "k", "kt", perm=[1, 0]),
        node("MatMul", "q kt", "s"),
        node("Mul", "s scale", "scaled"),
        node("Add", "scaled mask", "masked"),
        node("Softmax", "masked", "p", axis=-1),
        node("MatMul", "p v", "out"),
    ]
    weights = {f"w{n}": normal(8, 8, seed=i) / 2 for i, n in enumerate("qkv")}
    mask = np.triu(np.full((5, 5), -1e9), 1)
    return model(nodes, {"x": (5, 8)}, weights={**weights, "bq": normal(8), "scale": np.array(8**-0.5), "mask": mask})


def split(opset: int):
    attributes = {"axis": 1} if opset >= 13 else {"axis": 1, "split": [2, 4]}
    nodes = [node("Split", "x" + (" lengths" if opset >= 13 else ""), "a b", **attributes)]
    nodes += [node("Relu", "a", "c"), node("Concat", "b c", "out", axis=1)]
    return model(nodes, {"x": (1, 6)}, weights={"lengths": np.array([2, 4])} if opset >= 13 else {}, opset=opset)


def two_inputs(operator: str):
    return model([node(operator, "x y", "out")], {"x": (1, 4, 5), "y": (1, 1, 5)})


def swallowed():
    nodes = [
        node("Identity", "x", "i"),
        node("Dropout", "i", "d"),
        node("Cast", "d", "c", to=1),
        node("Relu", "c", "out"),
    ]
    return model(nodes, {"x": (1, 6)})


def deep(operator: str, **attributes):
    """A dense layer, then the operator on its sums."""
    return model(
        [node("Gemm", "x w b", "z"), node(operator, "z", "out", **attributes)],
        {"x": (1, 6)},
        weights={"w": normal(6, 20), "b": normal(20)},
    )


def typed(network):
    """With an output of places."""
    network.graph.output[0].type.tensor_type.elem_type = onnx.TensorProto.INT64
    return network


MODELS = {
    "Gemm": one("Gemm", weights={"w": normal(6, 5), "b": normal(5)}, extra="w b"),
    "Gemm of a transpose": one(
        "Gemm", (6, 3), {"w": normal(6, 5), "b": normal(3, 5)}, extra="w b", transA=1, alpha=0.5
    ),
    "Gemm transposed": one(
        "Gemm", weights={"w": normal(5, 6), "b": normal(1, 5)}, extra="w b", transB=1, alpha=0.5, beta=2.0
    ),
    "MatMul": one("MatMul", (1, 4, 6), {"w": normal(6, 5)}, extra="w"),
    "MatMul and Add": model(
        [node("MatMul", "x w", "m"), node("Add", "b m", "out")],
        {"x": (1, 4, 6)},
        weights={"w": normal(6, 5), "b": normal(5)},
    ),
    "MatMul from the left": model([node("MatMul", "w x", "out")], {"x": (1, 6, 4)}, weights={"w": normal(5, 6)}),
    "MatMul of stacks": one("MatMul", (2, 4, 6), {"w": normal(2, 6, 5)}, extra="w"),
    "MatMul of two": model([node("MatMul", "x y", "out")], {"x": (1, 3, 4), "y": (1, 4, 5)}),
    "Conv": conv(),
    "Conv strides": conv(strides=[2, 2], pads=[1, 1, 1, 1]),
    "Conv dilations": conv(dilations=[2, 2], pads=[1, 0, 2, 1]),
    "Conv groups": conv(group=3),
    "Conv same": conv(auto_pad="SAME_UPPER", strides=[2, 2]),
    "Conv same lower": conv(auto_pad="SAME_LOWER", strides=[2, 2]),
    "Conv 1D": one("Conv", (1, 3, 9), {"w": normal(4, 3, 3)}, extra="w", strides=[2]),
    "BatchNormalization": batch_norm(False),
    "BatchNormalization folded": batch_norm(True),
    "Add": two_inputs("Add"),
    "Sub": two_inputs("Sub"),
    "Mul": two_inputs("Mul"),
    "Add constant": one("Add", (1, 2, 3), {"c": normal(2, 1)}, extra="c"),
    "Sub from constant": model([node("Sub", "c x", "out")], {"x": (1, 6)}, weights={"c": np.array(1.5)}),
    "Mul constant": one("Mul", (1, 2, 3), {"c": normal(3)}, extra="c"),
    "Mul negative": one("Mul", weights={"c": np.array(-2.5)}, extra="c"),
    "Div constant": one("Div", weights={"c": np.array(4.0)}, extra="c"),
    "Neg": one("Neg"),
    "Relu": one("Relu"),
    "Relu of sums": deep("Relu"),
    "LeakyRelu": deep("LeakyRelu", alpha=0.1),
    "Clip": model(
        [node("Gemm", "x w", "z"), node("Clip", "z lo hi", "out")],
        {"x": (1, 6)},
        weights={"w": normal(6, 20), "lo": np.array(-0.5), "hi": np.array(2.0)},
    ),
    "Clip of opset 6": model(
        [node("Gemm", "x w b", "z"), node("Clip", "z", "out", min=0.0, max=1.5)],
        {"x": (1, 6)},
        weights={"w": normal(6, 20), "b": normal(20)},
        opset=8,
    ),
    **{
        name: deep(name)
        for name in ("Sigmoid", "Tanh", "Erf", "Exp", "Elu", "Softplus", "HardSigmoid", "HardSwish", "Abs")
    },
    "Gelu": model(
        [node("Gemm", "x w", "z"), node("Gelu", "z", "out", approximate="tanh")],
        {"x": (1, 6)},
        weights={"w": normal(6, 20)},
        opset=20,
    ),
    "Gelu of PyTorch": gelu_of_pytorch(),
    "Silu": silu(),
    "Square": model([node("Pow", "x two", "out")], {"x": (1, 6)}, weights={"two": np.array(2.0)}),
    "Softmax": deep("Softmax", axis=-1),
    "LogSoftmax": deep("LogSoftmax", axis=-1),
    "LogSoftmax of another axis": one("LogSoftmax", (1, 4, 5), axis=1),
    "LogSoftmax of opset 11": one("LogSoftmax", (1, 2, 3), opset=11),
    "Hardmax of another axis": one("Hardmax", (1, 4, 5), axis=1),
    "Softmax of another axis": one("Softmax", (1, 4, 5), axis=1),
    "LayerNormalization": one("LayerNormalization", (1, 4, 12), {"g": normal(12), "b": normal(12)}, extra="g b"),
    "LayerNormalization, Pow": decomposed_layer_norm("Pow"),
    "LayerNormalization, Mul": decomposed_layer_norm("Mul"),
    "InstanceNormalization": one("InstanceNormalization", IMAGE, {"g": normal(3), "b": normal(3)}, extra="g b"),
    "GroupNormalization": one(
        "GroupNormalization", (1, 4, 3, 3), {"g": normal(4), "b": normal(4)}, 21, "g b", num_groups=2
    ),
    "ReduceMean": one("ReduceMean", IMAGE, axes=[2, 3], keepdims=0),
    "ReduceMean of opset 18": one("ReduceMean", IMAGE, {"a": np.array([1])}, 18, "a"),
    "ReduceSum": one("ReduceSum", IMAGE, {"a": np.array([1, -1])}, extra="a", keepdims=1),
    "ReduceMax": one("ReduceMax", IMAGE, axes=[-1]),
    "ReduceMin": one("ReduceMin", IMAGE, axes=[1], keepdims=0),
    "ReduceL1": one("ReduceL1", IMAGE, axes=[2, 3]),
    "ReduceL2 of opset 18": one("ReduceL2", IMAGE, {"a": np.array([1])}, 18, "a", keepdims=0),
    "ReduceSumSquare": one("ReduceSumSquare", IMAGE, axes=[-1]),
    "ReduceLogSumExp": one("ReduceLogSumExp", IMAGE, axes=[1, 3], keepdims=0),
    "ReduceLogSumExp of all": one("ReduceLogSumExp", (1, 6)),
    "ReduceLogSum": model([node("Abs", "x", "a"), node("ReduceLogSum", "a", "out", axes=[-1])], {"x": (1, 3, 8)}),
    "MaxPool": one("MaxPool", IMAGE, kernel_shape=[2, 2], strides=[2, 2]),
    "MaxPool padded": one("MaxPool", IMAGE, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    "MaxPool after Relu": model(
        [
            node("Conv", "x w", "c"),
            node("Relu", "c", "r"),
            node("MaxPool", "r", "out", kernel_shape=[2, 2], strides=[2, 2]),
        ],
        {"x": IMAGE},
        weights={"w": normal(4, 3, 3, 3)},
    ),
    "AveragePool": one("AveragePool", IMAGE, kernel_shape=[2, 2], strides=[2, 2]),
    "AveragePool padded": one("AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    "AveragePool with padding": one("AveragePool", IMAGE, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1),
    "GlobalAveragePool": one("GlobalAveragePool", IMAGE),
    "GlobalMaxPool": one("GlobalMaxPool", IMAGE),
    "ArgMin": typed(one("ArgMin", (1, 6), axis=1)),
    "ArgMax": one("ArgMax", (1, 6), axis=1),
    "Flatten": one("Flatten", IMAGE),
    "Reshape": one("Reshape", IMAGE, {"s": np.array([0, -1, 4])}, extra="s"),
    "Reshape by computed shape": dynamic_reshape(),
    "Transpose": one("Transpose", IMAGE, perm=[0, 2, 3, 1]),
    "Concat of two scales": model([node("Concat", "x y", "out", axis=1)], {"x": (1, 3), "y": (1, 4)}),
    "Slice": slices(13),
    "Slice of opset 9": slices(9),
    "Split": split(13),
    "Split of opset 11": split(11),
    "Squeeze": one("Squeeze", (1, 1, 6), {"a": np.array([1])}, extra="a"),
    "Unsqueeze": one("Unsqueeze", (1, 6), {"a": np.array([2])}, extra="a"),
    "Gather": one("Gather", (1, 6), {"i": np.array([5, 0, 0])}, extra="i", axis=1),
    "Pad": pad(13),
    "Pad of opset 9": pad(9),
    "Expand": one("Expand", (1, 1, 6), {"s": np.array([1, 3, 6])}, extra="s"),
    "Tile": one("Tile", (1, 6), {"r": np.array([1, 2])}, extra="r"),
    "Identity, Dropout, Cast": swallowed(),
    "attention with a mask": attention(),
}


def data_for(network, samples: int = 24) -> dict[str, np.ndarray]:
    """Samples of every input, with a first axis that counts them."""
    found = {}
    for k, info in enumerate(network.graph.input):
        shape = [dim.dim_value or 1 for dim in info.type.tensor_type.shape.dim]
        found[info.name] = np.random.default_rng(k).normal(size=(samples, *shape)) * (1 + 2 * k)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_an_operator_is_close_to_its_float_and_its_circuit_agrees_with_its_integers(name: str) -> None:
    samples = {key: v.reshape(-1, *v.shape[2:]) if v.shape[1] == 1 else v for key, v in data_for(MODELS[name]).items()}
    compiled = compile_model(MODELS[name], samples, limb=6)
    (output,) = compiled.accuracy.outputs
    assert output.agreement > 0.9 if name in ("ArgMax", "ArgMin") else output.error < 0.035
    sample = {key: v[3].reshape(-1) for key, v in samples.items()}
    integers = compiled.quantized(sample)
    circuit = compiled.circuit
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness(compiled.circuit_inputs(integers))))
    assert (np.asarray(shown["out"]) == compiled.run(integers)["out"]).all()
    assert math.prod(shown["out"].shape) > 0


@pytest.mark.parametrize(
    ("weight", "shape", "layers"),
    [
        ((5, 3), (2, 3, 4), (1, 3, 5)),
        ((5, 3), (2, 2, 3, 4), (1, 3, 5)),
        ((2, 5, 3), (2, 3, 4), (2, 3, 5)),
        ((2, 5, 3), (3, 2, 3, 4), (6, 3, 5)),
    ],
    ids=str,
)
def test_one_matrix_on_the_left_of_many_is_one_layer(weight, shape, layers):
    """Whose weights, where they are given with a proof, are given once."""
    network = model([node("MatMul", "w x", "out")], {"x": shape}, weights={"w": normal(*weight)})
    samples = [normal(*shape) for _ in range(8)]
    compiled = compile_model(network, np.stack(samples), limb=8)
    assert [op.weight.shape for op in compiled.model.operations if isinstance(op, Linear)] == [layers]
    assert_right(network, compiled, np.stack(samples))
