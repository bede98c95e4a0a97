"""Models whose operators are easily misread: each is either right against onnxruntime or refused by its node's name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.zkml.models import model, node, normal, onnx

ROW, MATRIX, BATCH = (1, 6), (3, 5), (1, 4, 6)
LABELS = np.array([1990, 1993, 1991, 1999])


def one(
    operator: str, shape: Any = ROW, weights: Any = None, extra: str = "", opset: int = 17, **attributes: Any
) -> Any:
    return model([node(operator, f"x {extra}".strip(), "out", **attributes)], {"x": shape}, ("out",), weights, opset)


def chain(*nodes: Any, shape: Any = ROW, weights: Any = None, opset: int = 17, outputs: Any = ("out",)) -> Any:
    return model(nodes, {"x": shape}, outputs, weights, opset)


def of_integers(proto: Any, kind: int = onnx.TensorProto.INT64) -> Any:
    """The same model with an input of integers, and of whatever types follow from that."""
    proto.graph.input[0].type.tensor_type.elem_type = kind
    for info in [*proto.graph.output, *proto.graph.value_info]:
        info.type.tensor_type.elem_type = kind
    del proto.graph.value_info[:]
    return proto


def ending_in(proto: Any, kind: int) -> Any:
    """The same model with an output of that type."""
    proto.graph.output[0].type.tensor_type.elem_type = kind
    del proto.graph.value_info[:]
    return proto


def classifier(labels: np.ndarray, after: str = "NONE") -> Any:
    """A linear classifier whose classes have these numbers, as skl2onnx writes it."""
    made = onnx.helper.make_node(
        "LinearClassifier",
        ["x"],
        ["label", "scores"],
        name="/label",
        domain="ai.onnx.ml",
        coefficients=[float(v) for v in normal(6 * len(labels), seed=2)],
        intercepts=[0.0] * len(labels),
        classlabels_ints=[int(v) for v in labels],
        post_transform=after,
    )
    given = [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["N", 6])]
    ends = [
        onnx.helper.make_tensor_value_info("label", onnx.TensorProto.INT64, ["N"]),
        onnx.helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["N", len(labels)]),
    ]
    graph = onnx.helper.make_graph([made], "classifier", given, ends)
    domains = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("ai.onnx.ml", 3)]
    return onnx.helper.make_model(graph, opset_imports=domains, ir_version=8)


def scalar(value: Any) -> np.ndarray:
    return np.array(value)


W = {"w": normal(6, 6)}
BN = {"g": normal(4), "b": normal(4), "m": normal(4, seed=1), "v": np.abs(normal(4)) + 0.5}

CASTS = {
    "cast to int32 of sums": chain(
        node("Mul", "x t", "s"),
        node("Cast", "s", "i", to=6),
        node("Cast", "i", "out", to=1),
        weights={"t": scalar(3.0)},
    ),
    "cast to bool of a Relu": chain(
        node("Relu", "x", "r"), node("Cast", "r", "i", to=9), node("Cast", "i", "f", to=1), node("Mul", "f x", "out")
    ),
    "cast to uint8 of negative numbers": ending_in(of_integers(one("Cast", to=2)), 2),
    "cast of a place": ending_in(chain(node("ArgMax", "x", "p", axis=1), node("Cast", "p", "out", to=1)), 1),
}
DIVISIONS = {
    "division of negative integers": of_integers(one("Div", weights={"c": scalar(3)}, extra="c")),
    "a number divided by integers": of_integers(
        chain(node("Add", "x t", "s"), node("Div", "c s", "out"), weights={"t": scalar(30), "c": scalar(100)})
    ),
    "division by a row of integers": of_integers(one("Div", weights={"c": np.arange(1, 7)}, extra="c")),
    "root of integers": of_integers(
        chain(node("Mul", "x x", "s"), node("Pow", "s h", "out"), weights={"h": scalar(0.5)})
    ),
    "mean of integers": of_integers(one("ReduceMean", axes=[1])),
    "sums of small integers": of_integers(one("Add", weights={"c": np.array(100, dtype=np.uint8)}, extra="c"), 2),
}
SOFTMAXES = {
    "Softmax of opset 11 from axis 0": one("Softmax", BATCH, opset=11, axis=0),
    "Softmax of opset 12 from axis -2": one("Softmax", BATCH, opset=12, axis=-2),
    "Softmax of opset 8 at the end of a network": chain(
        node("GlobalAveragePool", "x", "a"), node("Softmax", "a", "out"), shape=(1, 5, 3, 3), opset=8
    ),
    "Softmax of opset 13": one("Softmax", BATCH, opset=13, axis=1),
    "LogSoftmax of opset 11": one("LogSoftmax", BATCH, opset=11),
    "Hardmax of opset 11": one("Hardmax", BATCH, opset=11),
    **{
        f"{operator} of one entry": chain(
            node(operator, "x", "s", axis=1), node("Add", "s x", "out"), shape=(1, 1, 6), opset=18
        )
        for operator in ("Softmax", "LogSoftmax", "Hardmax")
    },
    "Softmax of one entry in opset 11": chain(
        node("Softmax", "x", "s", axis=2), node("Add", "s x", "out"), shape=(1, 6, 1, 1), opset=11
    ),
}
BATCH_NORMS = {
    "normalized rows of a square": chain(
        node("MatMul", "x w", "d"),
        node("BatchNormalization", "d g b m v", "out"),
        shape=(1, 4, 6),
        weights={**BN, "w": normal(6, 4)},
    ),
    "normalized rows of a Gemm": chain(
        node("Gemm", "x w", "d"), node("BatchNormalization", "d g b m v", "out"), weights={**BN, "w": normal(6, 4)}
    ),
    "training mode": one("BatchNormalization", (3, 4), BN, "g b m v", training_mode=1, opset=15),
    "a scale that is computed": chain(
        node("Relu", "x", "r"),
        node("BatchNormalization", "x r b m v", "out"),
        shape=(4, 4),
        weights={key: BN[key] for key in "bmv"},
    ),
}
BIASES = {
    "a column from the left": chain(
        node("MatMul", "x w", "d"),
        node("Add", "b d", "out"),
        shape=(5, 6),
        weights={"w": normal(6, 5), "b": normal(5, 1)},
    ),
    "a column in a stack": chain(
        node("MatMul", "x w", "d"),
        node("Add", "d b", "out"),
        shape=(1, 4, 6),
        weights={"w": normal(6, 4), "b": normal(1, 4, 1)},
    ),
    "a bias with more axes": chain(
        node("MatMul", "x w", "d"), node("Add", "d b", "out"), weights={"w": normal(6, 4), "b": normal(1, 1, 4)}
    ),
    "a matrix in a Gemm": one("Gemm", MATRIX, {"w": normal(5, 3), "c": normal(3, 1)}, "w c", beta=2.0, alpha=0.5),
    "a Gemm of a transpose": one("Gemm", MATRIX, {"w": normal(3, 4)}, "w", transA=1),
}
REDUCTIONS = {
    "ReduceSum over no axes": one("ReduceSum", BATCH, {"a": np.zeros(0, np.int64)}, "a"),
    "ReduceSum that does nothing": one("ReduceSum", BATCH, {"a": np.zeros(0, np.int64)}, "a", noop_with_empty_axes=1),
    "rows less the means of other rows": chain(
        node("ReduceMean", "x", "m", axes=[-1], keepdims=0),
        node("Sub", "x m", "d"),
        node("Mul", "d d", "q"),
        node("ReduceMean", "q", "v", axes=[-1]),
        node("Add", "v e", "a"),
        node("Sqrt", "a", "s"),
        node("Div", "d s", "out"),
        shape=(6, 6),
        weights={"e": scalar(1e-5)},
    ),
    "ReduceMax over all": one("ReduceMax", BATCH, opset=18, keepdims=0),
    "ReduceMean over computed axes": chain(
        node("ArgMax", "x", "p", axis=1, keepdims=0), node("ReduceMean", "x p", "out"), opset=18
    ),
}
BOUNDS = {
    "Clip below a computed number": chain(
        node("ReduceMax", "x", "m", axes=[1], keepdims=0),
        node("Squeeze", "m", "h"),
        node("Clip", "x - h", "out"),
    ),
    "Clip in a function with a computed end": chain(
        node("ReduceMax", "x", "m", axes=[1], keepdims=0),
        node("Squeeze", "m", "h"),
        node("Clip", "x - h", "c"),
        node("Exp", "c", "out"),
    ),
    "Pad with a computed number": chain(
        node("ReduceMax", "x", "m", axes=[1], keepdims=0),
        node("Squeeze", "m", "h"),
        node("Pad", "x p h", "out"),
        weights={"p": np.array([0, 1, 0, 1])},
    ),
    "Clip with a computed end that is a constant": chain(
        node("Mul", "c c", "h"), node("Clip", "x - h", "out"), weights={"c": scalar(0.7)}
    ),
}
DROPOUTS = {
    "Dropout that trains": one("Dropout", weights={"r": scalar(0.3), "t": scalar(True)}, extra="r t"),
    "Dropout that trains by default": one("Dropout", weights={"t": scalar(True)}, extra="- t"),
    "Dropout of nothing": one("Dropout", weights={"r": scalar(0.0), "t": scalar(True)}, extra="r t"),
    "Dropout with a mask": ending_in(chain(node("Dropout", "x", "out mask"), outputs=("mask",)), 9),
}
CLASSES = {
    "classes that are years": classifier(LABELS),
    "many classes": classifier(np.arange(600)),
    "large numbers of classes": classifier(LABELS * 1_000_000_007, "SOFTMAX"),
    "names at computed places": ending_in(
        chain(
            node("ArgMax", "x", "p", axis=1),
            onnx.helper.make_node("ArrayFeatureExtractor", ["l", "p"], ["out"], name="/out", domain="ai.onnx.ml"),
            weights={"l": np.array([[1990, 5, 70_000, -3, 8, 0]])},
        ),
        7,
    ),
}
LEAKS = {
    **{f"LeakyRelu {alpha}": one("LeakyRelu", alpha=alpha) for alpha in (0.0, 1.0, 1.3, 5.0, -0.5, 1e-6)},
    "LeakyRelu before a norm": chain(
        node("LeakyRelu", "x", "l", alpha=1.3),
        node("InstanceNormalization", "l s b", "out"),
        shape=(1, 3, 8),
        weights={"s": normal(3), "b": normal(3)},
    ),
    "LeakyRelu before a product": chain(
        node("LeakyRelu", "x", "l", alpha=1.5), node("MatMul", "l w", "out"), weights=W
    ),
}
SCALARS = {
    "Gather of one, then a mean": chain(
        node("Gather", "x i", "g", axis=1),
        node("ReduceMean", "g", "out", axes=[1]),
        shape=(1, 3, 4),
        weights={"i": scalar(-1)},
    ),
    "Gather of one, then the largest": chain(
        node("Gather", "x i", "g", axis=0),
        node("ArgMax", "g", "out", axis=1),
        shape=(2, 3, 4),
        weights={"i": scalar(1)},
    ),
    "Gather of one in a list": chain(node("Gather", "x i", "out", axis=1), weights={"i": np.array([[2]])}),
    "rows at computed places": ending_in(
        of_integers(chain(node("Gather", "e x", "out"), weights={"e": normal(9, 3)}), onnx.TensorProto.INT64), 1
    ),
}
TIES = {
    "the largest of many zeros": chain(
        node("Neg", "x", "n"), node("Relu", "n", "r"), node("ArgMax", "r", "out", axis=1)
    ),
    "the largest of the cut": chain(
        node("Clip", "x l h", "c"), node("ArgMax", "c", "out", axis=1), weights={"l": scalar(-0.5), "h": scalar(0.25)}
    ),
    "the last of the largest": one("ArgMax", axis=1, select_last_index=1),
    "the largest of a row in the middle": one("ArgMax", (1, 3, 4), axis=1, keepdims=0),
}
NARROW = {
    "Clip between near numbers": one("Clip", weights={"l": scalar(-1e-3), "h": scalar(2e-3)}, extra="l h"),
    "Clip of sums between near numbers": chain(
        node("Gemm", "x w", "z"), node("Clip", "z l h", "out"), weights={**W, "l": scalar(0.5), "h": scalar(0.503)}
    ),
    "Clip whose ends are the wrong way round": one("Clip", weights={"l": scalar(1.0), "h": scalar(0.3)}, extra="l h"),
    "Clip of opset 6 at a number": one("Clip", opset=10, min=0.1, max=0.1),
}
SEVERAL = {
    "Max of three": chain(
        node("Neg", "x", "n"),
        node("Mul", "x h", "m"),
        node("Max", "x n m", "out"),
        shape=BATCH,
        weights={"h": normal(6)},
    ),
    "Min with a row": one("Min", BATCH, {"c": normal(6)}, "c"),
    "Sum of three": chain(node("Neg", "x", "n"), node("Tanh", "x", "e"), node("Sum", "x n e", "out"), shape=BATCH),
    "Mean with a row": one("Mean", BATCH, {"c": normal(6)}, "c"),
    "a vector from the left": model([node("MatMul", "w x", "out")], {"x": (1, 6, 4)}, weights={"w": normal(6)}),
    "grouped convolution of two images": one(
        "Conv", (2, 4, 5, 5), {"w": normal(6, 2, 3, 3), "b": normal(6)}, "w b", group=2, pads=[1, 1, 1, 1]
    ),
    "a token joined in front": model(
        [node("Concat", "c x", "out", axis=1)], {"x": BATCH}, weights={"c": normal(1, 1, 6)}
    ),
    "an output that is a constant": chain(
        node("Mul", "w w", "out"), node("Relu", "x", "r"), weights=W, outputs=("out", "r")
    ),
}
POSITIVE = {
    "Log": one("Log"),
    "Reciprocal": one("Reciprocal"),
    "inverse root": chain(node("Sqrt", "x", "s"), node("Reciprocal", "s", "out")),
    "power of -0.5": one("Pow", weights={"p": scalar(-0.5)}, extra="p"),
    "Log of sums far from 0": chain(
        node("Gemm", "x w b", "z"), node("Log", "z", "out"), weights={"w": normal(6, 4) / 4, "b": np.full(4, 50.0)}
    ),
    "LayerNormalization far from 0": chain(
        node("Add", "x t", "f"), node("LayerNormalization", "f s", "out"), weights={"t": scalar(200.0), "s": normal(6)}
    ),
    "a layer that is nothing, and one that is dead": chain(
        node("Gemm", "x w", "z"),
        node("Relu", "z", "r"),
        node("Gemm", "r u b", "y"),
        node("Relu", "y", "d"),
        node("Gemm", "d v c", "out"),
        weights={
            "w": np.full((6, 4), 1e-40),
            "u": np.full((4, 4), 1e-40),
            "b": np.full(4, -0.02),
            "v": normal(4, 3),
            "c": normal(3),
        },
    ),
}
KINDS: Mapping[str, Mapping[str, Any]] = {
    "casts": CASTS,
    "divisions": DIVISIONS,
    "softmaxes": SOFTMAXES,
    "batch norms": BATCH_NORMS,
    "biases": BIASES,
    "reductions": REDUCTIONS,
    "bounds": BOUNDS,
    "dropouts": DROPOUTS,
    "classes": CLASSES,
    "leaks": LEAKS,
    "scalars": SCALARS,
    "ties": TIES,
    "narrow clips": NARROW,
    "several": SEVERAL,
    "far from 0": POSITIVE,
}
MODELS = {name: proto for kind in KINDS.values() for name, proto in kind.items()}


REFUSED = {
    "cast to uint8 of negative numbers": "no finite value",
    "mean of integers": "arithmetic on int64",
    "sums of small integers": "arithmetic on uint8",
    "training mode": "training_mode = 1",
    "a scale that is computed": "input 'r' is computed",
    "ReduceMean over computed axes": "input 'p' is computed",
    "Clip below a computed number": "input 'h' is computed",
    "Clip in a function with a computed end": "c' .*input 'h' is computed",
    "Pad with a computed number": "input 'h' is computed",
    "Dropout that trains": "training mode",
    "Dropout that trains by default": "training mode",
    "Dropout with a mask": "output 'mask'",
}
"""Models that are refused by a node's name, and why; all others are right."""


def samples_for(name: str) -> np.ndarray:
    """48 samples: whole numbers where the model takes integers, positive ones for functions of such."""
    info = MODELS[name].graph.input[0].type.tensor_type
    shape = tuple(dim.dim_value or 1 for dim in info.shape.dim)
    drawn = np.random.default_rng(len(name)).normal(size=(48, *shape))
    if info.elem_type in (onnx.TensorProto.INT64, onnx.TensorProto.UINT8):
        drawn = np.clip(np.rint(drawn * 6), -20, 20) if info.elem_type == onnx.TensorProto.INT64 else np.abs(drawn) * 40
        drawn = np.abs(drawn) % 9 if name == "rows at computed places" else drawn
        return drawn.astype(np.int64)
    return np.abs(drawn) + 0.4 if name in POSITIVE else drawn * 1.5
