"""Functions of one tensor as tables, at odd values of their attributes, against onnxruntime; of integers exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, onnx
from tests.zkml.onnx_oracle import compiled_right, samples_of, with_types
from zkgpu.errors import FormatError, UsageError
from zkgpu.inference import compile_model
from zkgpu.zkml.functions import FUNCTIONS

INT64, INT32, UINT8, UINT16 = (getattr(onnx.TensorProto, n) for n in ("INT64", "INT32", "UINT8", "UINT16"))
ENDS = {
    **dict.fromkeys(("Acos", "Asin", "Atanh"), (-0.9, 0.9)),
    "Acosh": (1.1, 5.0),
    "Tan": (-1.2, 1.2),
    **dict.fromkeys(("Ceil", "Floor", "Round"), (-40.0, 40.0)),
}
ATTRIBUTES: dict[str, list[dict[str, Any]]] = {
    "Celu": [{}, {"alpha": 0.7}],
    "Elu": [{"alpha": 1.7}],
    "HardSigmoid": [{"alpha": 0.3, "beta": 0.4}],
    "Selu": [{}, {"alpha": 0.9, "gamma": 2.1}],
    "Shrink": [{}, {"lambd": 0.8, "bias": -0.3}],
    "Swish": [{"alpha": 1.5}],
    "ThresholdedRelu": [{}, {"alpha": -0.4}],
    **{name: [{}] for name in ("Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Floor")},
    **{name: [{}] for name in ("HardSwish", "Mish", "Round", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Tan")},
}
CASES = [(name, attributes) for name, several in ATTRIBUTES.items() for attributes in several]


def one(operator: str, shape: Any = (1, 12), opset: int = 18, **attributes: Any) -> Any:
    return model([node(operator, "x", "out", **attributes)], {"x": shape}, opset=opset)


@pytest.mark.parametrize(("name", "attributes"), CASES, ids=str)
def test_a_table_is_near_the_function(name: str, attributes: dict[str, Any]) -> None:
    low, high = ENDS.get(name, (-3.0, 3.0))
    x = np.random.default_rng(3).uniform(low, high, (40, 1, 12)).astype(np.float32)
    samples = {"x": np.where(np.abs(x) < 0.1, np.float32(0.1), x) if name == "Sign" else x}
    proto = one(name, opset=24 if name == "Swish" else 18, **attributes)
    if name == "Swish":
        pytest.importorskip("onnxruntime", minversion="1.25")
    compiled_right(proto, samples, error=0.05 if name == "ThresholdedRelu" else 0.03)


def test_every_function_that_a_file_may_hold_is_a_table() -> None:
    assert {name for name, _ in CASES} <= set(FUNCTIONS)


@pytest.mark.parametrize("operator", ["Floor", "Ceil", "Round", "Sign"])
def test_of_halves_of_whole_numbers_it_is_exact(operator: str) -> None:
    """Halves are rounded to the even number."""
    nodes = [node("Mul", "x h", "halves"), node(operator, "halves", "out")]
    proto = model(nodes, {"x": (1, 41)}, weights={"h": np.array(0.5)}, opset=18)
    samples = {"x": np.stack([[np.arange(-20, 21)], [np.arange(20, -21, -1)]]).astype(np.float32)}
    compiled_right(proto, samples, error=1e-7)


def of_integers(*nodes: Any, kind: int = INT64, weights: Any = None, shape: Any = (1, 7)) -> Any:
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    stored = {name: np.asarray(value, dtype=dtype) for name, value in (weights or {}).items()}
    return with_types(model(nodes, {"x": shape}, weights=stored, opset=18), {"x": kind}, {"out": kind})


C = {"c": 7}
WHOLE = {
    "Mod": (of_integers(node("Mod", "x c", "out"), weights=C), (-900, 900)),
    "Mod by a negative number": (of_integers(node("Mod", "x c", "out"), weights={"c": -7}), (-90, 90)),
    "Mod as C has it": (of_integers(node("Mod", "x c", "out", fmod=1), weights=C), (-900, 900)),
    "Mod of a number": (of_integers(node("Mod", "c x", "out"), weights={"c": 100}), (1, 400)),
    "Mod of sums": (
        of_integers(
            node("Mul", "x c", "m"),
            node("Add", "m d", "a"),
            node("Mod", "a e", "out"),
            weights={"c": 5, "d": 3, "e": 11},
        ),
        (-500, 500),
    ),
    "BitShift": (
        of_integers(node("BitShift", "x c", "out", direction="RIGHT"), kind=UINT16, weights={"c": 3}),
        (0, 900),
    ),
    "BitShift over the end": (
        of_integers(node("BitShift", "x c", "out", direction="LEFT"), kind=UINT8, weights={"c": 3}),
        (0, 255),
    ),
    "BitwiseAnd": (of_integers(node("BitwiseAnd", "x c", "out"), weights={"c": 0b101101}), (-300, 300)),
    "BitwiseOr": (of_integers(node("BitwiseOr", "x c", "out"), kind=INT32, weights={"c": -8}), (-300, 300)),
    "BitwiseXor": (of_integers(node("BitwiseXor", "c x", "out"), weights={"c": 0x155}), (-300, 300)),
    "BitwiseNot": (of_integers(node("BitwiseNot", "x", "out")), (-300, 300)),
    "BitwiseNot without a sign": (of_integers(node("BitwiseNot", "x", "out"), kind=UINT16), (0, 700)),
    "Sign": (of_integers(node("Sign", "x", "out")), (-500, 500)),
    "Abs": (of_integers(node("Abs", "x", "out")), (-500, 500)),
    "Div": (of_integers(node("Div", "x c", "out"), weights=C), (-5000, 5000)),
}


ROW = {"c": [2, 3, 2, 5, 3, 2, 7]}
WHOLE |= {
    "Mod by a row": (of_integers(node("Mod", "x c", "out"), weights=ROW), (-200, 200)),
    "BitShift by a row": (
        of_integers(node("BitShift", "c x", "out", direction="LEFT"), kind=UINT16, weights=ROW),
        (0, 9),
    ),
    "Div by a row": (of_integers(node("Div", "x c", "out"), weights=ROW), (-200, 200)),
    "BitwiseAnd with a column": (
        of_integers(node("BitwiseAnd", "x c", "out"), weights={"c": [[1], [6], [1]]}, shape=(1, 4)),
        (-90, 90),
    ),
}


@pytest.mark.parametrize("name", WHOLE)
def test_of_integers_a_table_is_exact(name: str) -> None:
    proto, ends = WHOLE[name]
    compiled = compiled_right(proto, samples_of(proto, x=ends))
    assert compiled.model.outputs[0].scale == 1.0


def test_powers_by_a_row_of_exponents_are_near() -> None:
    weights = {"c": np.array([2.0, 0.5, 1.0, 2.0, -1.0, 3.0])}
    proto = model([node("Pow", "x c", "out")], {"x": (2, 6)}, weights=weights, opset=18)
    compiled_right(proto, {"x": np.random.default_rng(2).uniform(0.7, 2.5, (40, 2, 6)).astype(np.float32)})


@pytest.mark.parametrize("fmod", [1])
def test_a_remainder_of_floats_is_near(fmod: int) -> None:
    proto = model([node("Mod", "x c", "out", fmod=fmod)], {"x": (1, 12)}, weights={"c": np.array(40.0)}, opset=18)
    compiled_right(proto, {"x": np.random.default_rng(2).uniform(-30, 39, (40, 1, 12)).astype(np.float32)})


def test_two_computed_operands_are_refused_by_their_node() -> None:
    proto = model([node("BitwiseAnd", "x y", "out")], {"x": (1, 3), "y": (1, 3)}, opset=18)
    proto = with_types(proto, {"x": INT64, "y": INT64}, {"out": INT64})
    with pytest.raises(FormatError, match="it is supported only as a part of a function"):
        compiled_right(proto, samples_of(proto, x=(0, 9), y=(0, 9)))


@pytest.mark.parametrize("least", [0.3, 1.2])
def test_a_divisor_that_is_replaced_where_it_is_0_is_so_though_calibration_saw_none(least: float) -> None:
    """As the converter of scikit-learn writes shares of a sum, which of most rows is far from 0."""
    nodes = [
        node("Relu", "x", "r"),
        node("ReduceSum", "r last", "s", keepdims=1),
        node("Cast", "s", "b", to=9),
        node("Not", "b", "n"),
        node("Cast", "n", "f", to=1),
        node("Mul", "f three", "k"),
        node("Add", "s k", "out"),
    ]
    weights = {"last": np.array([1]), "three": np.array(3.0)}
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, (64, 3))
    samples[:, 0] += least
    compiled = compile_model(model(nodes, {"x": ("N", 3)}, weights=weights), samples, limb=6)
    assert compiled.predict(np.full((1, 3), -0.1), clamp=True)["out"] == pytest.approx(3, abs=0.05)


def test_a_pole_between_what_was_seen_makes_no_steps_coarse() -> None:
    """Of 1 / (x^2 - 1/4), for numbers from 1 to 2 and from -2 to -1; what is near the pole is refused."""
    nodes = [node("Mul", "x x", "s"), node("Sub", "s c", "d"), node("Reciprocal", "d", "out")]
    proto = model(nodes, {"x": (1, 6)}, weights={"c": np.array(0.25)})
    x = np.random.default_rng(1).uniform(1, 2, (48, 1, 6)) * np.random.default_rng(2).choice([-1, 1], (48, 1, 6))
    compiled = compile_model(proto, x, limb=6, bits=8)
    assert compiled.accuracy.worst_output.error < 0.02
    near = x[0].copy()
    near[0, 2] = 0.51
    with pytest.raises(UsageError, match=r"^layer '/out': the value at index \[0, 2\] is outside of"):
        compiled.predict(near)
