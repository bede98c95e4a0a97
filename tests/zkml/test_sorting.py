"""The largest entries and their places: against onnxruntime with ties, and provers who answer in another order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.fuzz import fuzz
from tests.zkml.models import model, node, onnx
from tests.zkml.onnx_oracle import compiled_right, samples_of, with_types
from tests.zkml.random_models import top_k
from tests.zkml.test_second_witnesses import forged
from zkgpu.zkml.operations import TopK

INT64 = onnx.TensorProto.INT64


def top(k: int, shape: Any = (2, 6), opset: int = 18, **attributes: Any) -> Any:
    if opset < 10:
        made, weights = node("TopK", "x", "out places", k=k, **attributes), {}
    else:
        made, weights = node("TopK", "x k", "out places", **attributes), {"k": np.array([k])}
    proto = model([made], {"x": shape}, ("out", "places"), weights, opset)
    return with_types(proto, outputs={"places": INT64})


def last(operator: str, **attributes: Any) -> Any:
    proto = model([node(operator, "x", "out", select_last_index=1, **attributes)], {"x": (2, 6)}, opset=18)
    return with_types(proto, outputs={"out": INT64})


def mixture_of_experts() -> Any:
    """The shares of the two best of four experts, put back to their places, times what all four say."""
    nodes = [
        node("MatMul", "x g", "scores"),
        node("TopK", "scores k", "best i", axis=-1),
        node("Softmax", "best", "shares", axis=-1),
        node("OneHot", "i four ends", "ones"),
        node("Unsqueeze", "shares axis", "column"),
        node("Mul", "ones column", "parts"),
        node("ReduceSum", "parts axes", "gate", keepdims=0),
        node("MatMul", "x w", "said"),
        node("Mul", "gate said", "weighted"),
        node("ReduceSum", "weighted axis", "out", keepdims=0),
    ]
    draw = np.random.default_rng(1)
    weights = {
        "g": draw.normal(size=(5, 4)),
        "w": draw.normal(size=(5, 4)),
        "k": np.array([2]),
        "four": np.array(4),
        "ends": np.array([0.0, 1.0]),
        "axis": np.array([-1]),
        "axes": np.array([1]),
    }
    return with_types(model(nodes, {"x": (3, 5)}, weights=weights, opset=18))


ORDERED = {
    "two": top(2),
    "all": top(6),
    "the least": top(3, largest=0),
    "of the first axis": top(2, (4, 3), axis=0),
    "of an axis in the middle": top(2, (2, 4, 3), axis=-2, largest=0),
    "of opset 1": top(2, opset=9, axis=1),
    "of opset 10": top(2, opset=10),
    "of one": top(1, (3, 1)),
    "the last of the largest": last("ArgMax", axis=1),
    "the last of the least": last("ArgMin", axis=0, keepdims=0),
}


@pytest.mark.parametrize("name", ORDERED)
def test_entries_with_many_ties_are_those_of_onnxruntime(name: str) -> None:
    compiled_right(ORDERED[name], samples_of(ORDERED[name], x=(-3, 3)))


@pytest.mark.parametrize("name", ["two", "the least"])
def test_entries_that_are_no_whole_numbers_are_near(name: str) -> None:
    proto = ORDERED[name]
    del proto.graph.output[1]
    compiled_right(proto, samples_of(proto))


def test_a_mixture_of_experts_by_its_gate_is_right() -> None:
    proto = mixture_of_experts()
    compiled_right(proto, samples_of(proto, 60), error=0.06)


X, TOP = [[4, 7, 7, -2]], TopK("k", ("x",), "out", 2)


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ([7, 7, 4, -2], [2, 1, 0, 3]),  # equal ones, the higher place first
        ([4, 7, 7, -2], [0, 1, 2, 3]),  # as they were
        ([-2, 4, 7, 7], [3, 0, 1, 2]),
        ([7, 4, 7, -2], [1, 0, 2, 3]),
        ([7, 7, 7, 4], [1, 2, 1, 0]),  # one of them twice
        ([7, 7, 4, -2], [1, 1, 0, 3]),
        ([7, 7, 4, -2], [1, 2, 3, 0]),  # a place of another
        ([8, 7, 4, -2], [1, 2, 0, 3]),  # none of them
        ([7, 4, -2, -8], [1, 0, 3, 4]),
        ([9, 7, 4, -4], [9, 2, 0, -5]),  # the same 4 v - p
    ],
)
def test_no_other_order_and_no_other_entries_pass(values: list[int], places: list[int]) -> None:
    forged(
        TOP,
        X,
        -8,
        7,
        sorted=lambda *_: np.array([values], dtype=object),
        places=lambda *_: np.array([places], dtype=object),
    )


def test_an_entry_of_another_row_is_none_of_this_one() -> None:
    rows = [[3, 1], [2, 5]]
    forged(TopK("k", ("x",), "out", 1), rows, -8, 7, sorted=lambda *_: np.array([[5, 1], [3, 2]], dtype=object))


def test_liars_find_no_second_order_of_random_models() -> None:
    outcome = fuzz(11, 600, kinds=(top_k,))
    assert outcome.tried.total() > 100
    assert [str(fault) for fault in (*outcome.faults, *outcome.weak)] == []
