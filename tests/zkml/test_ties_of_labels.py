"""The first of the largest entries of a row, where functions before make one number of several: ties are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node
from tests.zkml.onnx_oracle import session_of
from zkgpu.inference import compile_model

WIDTH = 12
ROWS = 2 * np.random.default_rng(3).normal(size=(40, 1, WIDTH)).astype(np.float32)
MEAN = node("ReduceMean", "x", "m", axes=[1])
WEIGHTS: dict[str, Any] = {"four": np.array([4.0]), "one": np.array(1.0), "two": np.array(2.0)}
BEFORE = {
    "the ends of a function of probabilities": [
        node("Softmax", "x", "p", axis=1),
        node("HardSigmoid", "p", "y", alpha=0.58),
    ],
    "the ends of a function of shifted rows": [
        MEAN,
        node("Add", "x m", "d"),
        node("HardSigmoid", "d", "y", alpha=0.58),
    ],
    "the ends of a function of shares": [
        node("Sigmoid", "x", "s"),
        node("ReduceSum", "s axes", "t"),
        node("Div", "s t", "p"),
        node("HardSigmoid", "p", "y", alpha=5.0),
    ],
    "rounding of probabilities": [
        node("Softmax", "x", "p", axis=1),
        node("Mul", "p four", "q"),
        node("Floor", "q", "y"),
    ],
    "rounding down": [node("Floor", "x", "y")],
    "rounding": [node("Round", "x", "y")],
    "a cast": [node("Cast", "x", "y", to=7)],
    "signs": [node("Sign", "x", "y")],
    "a middle": [node("Shrink", "x", "y", lambd=1.0)],
    "a factor that is 0": [MEAN, node("Relu", "m", "r"), node("Mul", "x r", "y")],
    "an end": [node("Relu", "x", "r"), node("Exp", "r", "y")],
    "a function of one value": [node("Clip", "x one two", "c"), node("Ceil", "c", "d"), node("Sign", "d", "y")],
}


@pytest.mark.parametrize("kind", ["small", "whole"])
@pytest.mark.parametrize("before", BEFORE)
def test_ties_that_functions_make_are_told(before: str, kind: str) -> None:
    weights = {**WEIGHTS, "axes": np.array([1])}
    proto = model([*BEFORE[before], node("ArgMax", "y", "out", axis=1)], {"x": (1, WIDTH)}, weights=weights)
    rows = ROWS if kind == "small" else np.rint(ROWS)
    compiled, session = compile_model(proto, rows, limb=8, bits=12, allow_error=np.inf), session_of(proto)
    for row in rows:
        assert compiled.predict({"x": row})["out"].tolist() == session.run(None, {"x": row})[0].tolist()
