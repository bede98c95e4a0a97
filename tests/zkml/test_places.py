"""Operators that take entries from places or put them there, at odd values of their attributes, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.soundness import tried
from tests.zkml.models import model, node, normal, onnx
from tests.zkml.onnx_oracle import compiled_right, samples_of, with_types
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model
from zkgpu.testing import attack_circuit

CUBE, MATRIX, ROW = (2, 3, 4), (3, 4), (1, 6)
INT64, BOOL = onnx.TensorProto.INT64, onnx.TensorProto.BOOL


def one(
    operator: str, shape: Any = CUBE, weights: Any = None, extra: str = "", opset: int = 18, **attributes: Any
) -> Any:
    return with_types(
        model([node(operator, f"x {extra}".strip(), "out", **attributes)], {"x": shape}, ("out",), weights, opset)
    )


def ints(*values: Any) -> np.ndarray:
    return np.array(values[0] if len(values) == 1 and isinstance(values[0], list) else values, dtype=np.int64)


PADS = {"p": ints(1, 0, 2, 0, 1, 1)}
PLACES = ints([[2, 0, -1, 1], [0, 0, -3, 2]])
MOVED = {
    "Trilu": one("Trilu"),
    "Trilu below": one("Trilu", CUBE, {"k": np.array(-1)}, "k", upper=0),
    "Trilu above, far away": one("Trilu", MATRIX, {"k": np.array(9)}, "k", upper=0),
    "GatherElements": one("GatherElements", MATRIX, {"i": PLACES}, "i"),
    "GatherElements of the last axis": one("GatherElements", CUBE, {"i": ints([[[3, -4], [0, 1]]])}, "i", axis=-1),
    "GatherND": one("GatherND", CUBE, {"i": ints([[0, 2], [-1, 0], [1, -2]])}, "i"),
    "GatherND of single entries": one("GatherND", CUBE, {"i": ints([[[0, 2, 1]], [[-1, 0, 3]]])}, "i"),
    "GatherND in a batch": one("GatherND", CUBE, {"i": ints([[2], [0]], [[-1], [1]])}, "i", batch_dims=1),
    "Compress": one("Compress", CUBE, {"c": np.array([True, False, True])}, "c", axis=1),
    "Compress by a short list": one("Compress", CUBE, {"c": np.array([False, True])}, "c", axis=-1),
    "Compress of all": one("Compress", CUBE, {"c": np.arange(20) % 3 == 1}, "c"),
    "ReverseSequence": one("ReverseSequence", CUBE, {"l": ints(2, 1, 2)}, "l"),
    "ReverseSequence of rows": one("ReverseSequence", MATRIX, {"l": ints(4, 1, 3)}, "l", batch_axis=0, time_axis=1),
    "CenterCropPad": one("CenterCropPad", CUBE, {"s": ints(5, 1, 7)}, "s"),
    "CenterCropPad of two axes": one("CenterCropPad", CUBE, {"s": ints(1, 6)}, "s", axes=[-1, 0]),
    "Pad with a number": one("Pad", CUBE, {**PADS, "v": np.array(-2.5, dtype=np.float32)}, "p v"),
    "Pad of opset 10 with a number": one("Pad", MATRIX, opset=10, pads=[0, 1, 2, 0], value=1.5),
    "Pad of some axes": one("Pad", CUBE, {"p": ints(1, 2, 0, 1), "a": ints(-1, 0)}, "p - a"),
    "Pad by less than nothing": one("Pad", CUBE, {"p": ints(0, -1, 2, 1, 0, -2), "v": np.array(0.7)}, "p v"),
    "Pad by reflection": one("Pad", CUBE, PADS, "p", mode="reflect"),
    "Pad by the edge": one("Pad", CUBE, PADS, "p", mode="edge"),
    "Pad from the other end": one("Pad", CUBE, {"p": ints(0, 2, 5, 1, 1, 0)}, "p", opset=19, mode="wrap"),
    "Pad by reflection of opset 9": one("Pad", MATRIX, opset=9, pads=[0, 1, 2, 2], mode="reflect"),
    "Slice backwards from beyond": one(
        "Slice", CUBE, {"s": ints(99, -1), "e": ints(-99, 0), "a": ints(2, 1), "t": ints(-3, -1)}, "s e a t"
    ),
    "Slice backwards from before": one(
        "Slice", CUBE, {"s": ints(-99), "e": ints(-99), "a": ints(-1), "t": ints(-2)}, "s e a t"
    ),
    "Slice backwards to a place": one(
        "Slice", MATRIX, {"s": ints(-1), "e": ints(-3), "a": ints(1), "t": ints(-1)}, "s e a t"
    ),
    "Tile of three axes": one("Tile", CUBE, {"r": ints(2, 1, 3)}, "r"),
    "Expand to more axes": one("Expand", (3, 1), {"s": ints(2, 1, 4)}, "s"),
    "Expand by a shorter shape": one("Expand", (2, 1, 4), {"s": ints(3, 1)}, "s"),
    "Unsqueeze of several axes": one("Unsqueeze", MATRIX, {"a": ints(-1, 0, 2)}, "a"),
    "Squeeze of all axes of one": one("Squeeze", (1, 3, 1, 2)),
    "Squeeze from the end": one("Squeeze", (1, 3, 1), {"a": ints(-1)}, "a"),
    "CumSum": one("CumSum", CUBE, {"a": np.array(1)}, "a"),
    "CumSum from behind": one("CumSum", CUBE, {"a": np.array(-1)}, "a", reverse=1),
    "CumSum of those before": one("CumSum", CUBE, {"a": np.array(0)}, "a", exclusive=1),
    "CumSum of those behind": one("CumSum", MATRIX, {"a": ints(1)}, "a", exclusive=1, reverse=1),
}


def scattered(
    operator: str, places: np.ndarray, updates: Any, shape: Any = CUBE, opset: int = 18, **attributes: Any
) -> Any:
    """Of computed data and updates; of computed updates in constant data; of constant updates."""
    found = {}
    for kind, given in (("both", {}), ("updates", {"x": normal(*shape)}), ("data", {"u": normal(*updates)})):
        inputs = {n: s for n, s in {"x": shape, "u": updates}.items() if n not in given}
        weights = {"i": places, **given}
        found[kind] = with_types(
            model([node(operator, "x i u", "out", **attributes)], inputs, ("out",), weights, opset)
        )
    return {f"{operator} {attributes} of opset {opset}, {kind} computed": made for kind, made in found.items()}


TWICE = ints([[0, 2, 0, 2], [1, 2, -3, 2]])
SCATTERED = {
    **scattered("ScatterND", ints([[0, 2], [-1, 0]]), (2, 4)),
    **scattered("ScatterND", ints([[0, 2, 1], [-1, 0, 3], [0, 2, 1]]), (3,), reduction="add"),
    **scattered("ScatterND", ints([[1], [1], [0]]), (3, 3, 4), reduction="max"),
    **scattered("ScatterElements", ints([[2, 0, -2, 1]]), (1, 4), MATRIX),
    **scattered("ScatterElements", ints([[[0, -1]], [[2, 3]]]), (2, 1, 2), axis=-1),
    **scattered("ScatterElements", TWICE, (2, 4), MATRIX, reduction="add"),
    **scattered("ScatterElements", TWICE, (2, 4), MATRIX, reduction="min"),
    **scattered("ScatterElements", ints([[2, 0, -2, 1]]), (1, 4), MATRIX, reduction="mul"),
    **scattered("Scatter", ints([[0], [1], [3]]), (3, 1), MATRIX, opset=9, axis=1),
}


def at_maxima(*nodes: Any, weights: Any = None, **shapes: Any) -> Any:
    """Nodes that read i, the places of maxima along the last axis of p."""
    first = node("ArgMax", "p", "i", axis=-1, keepdims=0)
    return with_types(model([first, *nodes], shapes, ("out",), weights, 18))


ENDS = {"d": np.array(4), "v": np.array([-0.5, 2.0], dtype=np.float32)}
COMPUTED = {
    "OneHot": at_maxima(node("OneHot", "i d v", "out"), weights=ENDS, p=(2, 4)),
    "OneHot in front": at_maxima(node("OneHot", "i d v", "out", axis=0), weights=ENDS, p=(2, 3, 4)),
    "OneHot in the middle": at_maxima(node("OneHot", "i d v", "out", axis=-2), weights=ENDS, p=(2, 3, 4)),
    "OneHot of fewer places": at_maxima(node("OneHot", "i d v", "out"), weights={**ENDS, "d": np.array(2)}, p=(2, 4)),
    "Gather": at_maxima(node("Gather", "x i", "out"), p=(2, 3), x=(3, 4)),
    "Gather along the middle": at_maxima(node("Gather", "x i", "out", axis=-2), p=(2, 2, 3), x=(2, 3, 2)),
    "Gather of a single one": at_maxima(node("Gather", "x i", "out", axis=1), p=(4,), x=(2, 4)),
    "Gather from the end": at_maxima(
        node("Sub", "i n", "j"), node("Gather", "x j", "out"), weights={"n": np.array(2)}, p=(2, 3), x=(3, 4)
    ),
    "Gather at numbered places": at_maxima(
        node("Mul", "i n", "m"),
        node("Add", "m i", "j"),
        node("Sub", "j two", "k"),
        node("Gather", "x k", "out"),
        weights={"n": np.array(2), "two": np.array(2)},
        p=(2, 3),
        x=(7, 2),
    ),
    "GatherElements": at_maxima(node("GatherElements", "x i", "out", axis=1), p=(2, 3, 4), x=(2, 4)),
    "GatherElements of a constant": at_maxima(
        node("GatherElements", "x i", "out"), p=(3, 2, 4), weights={"x": normal(4, 2)}
    ),
}


@pytest.mark.parametrize("name", [*MOVED, *SCATTERED, *COMPUTED])
def test_it_is_right(name: str) -> None:
    proto = {**MOVED, **SCATTERED, **COMPUTED}[name]
    compiled_right(proto, samples_of(proto, p=(-90, 90)))


EXACT = [name for name in MOVED if name.split()[0] in ("CenterCropPad", "CumSum", "Trilu")]
EXACT += ["Pad with a number", "Pad by less than nothing", "Pad by the edge"]


@pytest.mark.parametrize("name", EXACT)
def test_a_move_of_integers_is_exact(name: str) -> None:
    proto = onnx.ModelProto()
    proto.CopyFrom(MOVED[name])
    number = [t for t in proto.graph.initializer if t.data_type == onnx.TensorProto.FLOAT]
    for tensor in number:
        tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(-7), tensor.name))
    proto = with_types(proto, {"x": INT64}, {"out": INT64})
    compiled = compiled_right(proto, samples_of(proto, x=(-90, 90)))
    assert compiled.model.outputs[0].scale == 1.0


@pytest.mark.parametrize("name", ["OneHot of fewer places", "Gather", "GatherElements"])
def test_no_liar_takes_an_entry_from_another_place(name: str) -> None:
    proto = COMPUTED[name]
    samples = samples_of(proto, 8, p=(-9, 9))
    compiled = compile_model(proto, samples, limb=4, allow_error=1, inputs={"p": "private"})
    integers = compiled.quantized({key: array[0] for key, array in samples.items()})
    report = attack_circuit(compiled.circuit, compiled.circuit_inputs(integers), tries=200, wires=200, pairs=100)
    tried("second witnesses", sum(report.tried.values()))
    report.require_sound()


@pytest.mark.parametrize("depth", [1, 3, 8])
def test_one_hot_of_any_integer_marks_the_places_that_there_are(depth: int) -> None:
    proto = model(
        [node("OneHot", "x d v", "out")], {"x": (13,)}, weights={"d": np.array(depth), "v": ints(3, -4)}, opset=18
    )
    proto = with_types(proto, {"x": INT64}, {"out": INT64})
    samples = {"x": np.stack([np.arange(-6, 7), np.arange(6, -7, -1)])}
    compiled_right(proto, samples)


FOLDED = {
    "EyeLike": [node("EyeLike", "x", "e", k=-1), node("Add", "x e", "out")],
    "Size": [node("Size", "x", "s"), node("Cast", "s", "f", to=1), node("Div", "x f", "out")],
    "IsNaN": [node("IsNaN", "x", "n"), node("Where", "n zero x", "out")],
    "IsInf": [node("IsInf", "x", "n", detect_negative=0), node("Where", "n zero x", "out")],
    "Range and NonZero": [
        node("Range", "start end step", "r"),
        node("NonZero", "r", "z"),
        node("Squeeze", "z", "i"),
        node("Gather", "x i", "out", axis=1),
    ],
    "OneHot": [node("OneHot", "places four ends", "h"), node("MatMul", "x h", "out")],
}
NUMBERS = {
    "zero": np.array(0.0),
    "start": np.array(-1),
    "end": np.array(3),
    "step": np.array(1),
    "places": ints(3, 0, -3, 5),
    "four": np.array(4),
    "ends": np.array([0.0, 1.5]),
}


@pytest.mark.parametrize("name", FOLDED)
def test_what_values_have_no_effect_on_is_a_constant(name: str) -> None:
    proto = with_types(model(FOLDED[name], {"x": (3, 4)}, weights=NUMBERS, opset=20 if name == "IsInf" else 18))
    compiled_right(proto, samples_of(proto))


REFUSED = {
    "places written twice": (
        one("ScatterND", CUBE, {"i": ints([0], [0]), "u": normal(2, 3, 4)}, "i u"),
        "two entries at one place",
    ),
    "places multiplied twice": (
        one("ScatterND", CUBE, {"i": ints([0], [0]), "u": normal(2, 3, 4)}, "i u", reduction="mul"),
        "'mul' it must not",
    ),
    "a computed mask": (
        with_types(model([node("Greater", "x y", "c"), node("Compress", "x c", "out")], {"x": (6,), "y": (6,)})),
        "'c' is computed",
    ),
    "a computed diagonal": (
        with_types(
            model([node("ArgMax", "y", "k", axis=0, keepdims=0), node("Trilu", "x k", "out")], {"x": (3, 3), "y": (3,)})
        ),
        "'k' is computed",
    ),
    "places that are no whole numbers": (
        with_types(model([node("OneHot", "x d v", "out")], {"x": (3,)}, weights={**ENDS, "d": np.array(4.0)})),
        "whole numbers",
    ),
    "places beyond": (at_maxima(node("Gather", "x i", "out"), p=(2, 5), x=(3, 4)), "whole numbers from -3 to 2"),
    "negative widths at an edge": (one("Pad", MATRIX, {"p": ints(1, 0, 0, -1)}, "p", mode="edge"), "negative width"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_by_its_node(name: str) -> None:
    proto, reason = REFUSED[name]
    with pytest.raises(FormatError, match=f"node '/out'.*{reason}"):
        compiled_right(proto, samples_of(proto, p=(0, 0)))
