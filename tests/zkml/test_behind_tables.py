"""Operators that are written out, behind those of ai.onnx.ml, whose shapes onnx does not infer: products, neighbors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.zkml.test_tabular import OUT, ROWS, assert_same, node, table
from tests.zkml.test_trees import FEATURES
from zkgpu.zkml.onnx_import import read_graph
from zkgpu.zkml.onnx_model import OnnxModel

SCALER = node("Scaler", "x", "s", offset=[0.1] * FEATURES, scale=[2.0, 0.5, 1.0, 3.0, 1.0, 1.0][:FEATURES])
KNOWN = np.random.default_rng(2).normal(size=(12, FEATURES)).astype(np.float32)


def distances() -> Any:
    """Of each known row from the row given: the body of a Scan."""
    shapes = {"row": ["N", FEATURES], "known": [FEATURES], "same": ["N", FEATURES], "far": ["N"]}
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    nodes = [
        node("Identity", "row", "same"),
        node("Sub", "row known", "apart"),
        node("ReduceSumSquare", "apart", "far", axes=[1], keepdims=0),
    ]
    return helper.make_graph(nodes, "distances", ends[:2], ends[2:])


def neighbors(asked: str) -> Any:
    """The mean of what the nearest rows are labeled with, or how far these are, as skl2onnx has it."""
    nodes = [
        SCALER,
        node("Scan", "s known", "same far", body=distances(), num_scan_inputs=1),
        node("Transpose", "far", "turned"),
        node("Sqrt", "turned", "root"),
        node("TopK", "root three", "nearest places", largest=0),
        node("Flatten", "places", "flat"),
        node("ArrayFeatureExtractor", "labels flat", "found"),
        node("ReduceMean", "found" if asked == "labels" else "nearest", "out", axes=[1], keepdims=1),
    ]
    labels = np.arange(12, dtype=np.float32)[None]
    return table(nodes, known=KNOWN, three=np.array([3]), labels=labels)


def test_products_of_columns_of_a_scaled_table() -> None:
    chosen = [node("ArrayFeatureExtractor", f"s places{i}", f"c{i}") for i in range(2)]
    products = [node("ReduceProd", f"c{i}", f"p{i}", axes=[1], keepdims=1) for i in range(2)]
    places = {"places0": np.array([0, 2]), "places1": np.array([1, 1, 3])}
    assert_same(table([SCALER, *chosen, *products, node("Concat", "p0 p1", "out", axis=1)], **places), ROWS, most=0.01)


@pytest.mark.parametrize("asked", ["labels", "distances"])
def test_the_nearest_rows(asked: str) -> None:
    assert_same(neighbors(asked), ROWS[:32])


def test_the_nearest_are_told_by_squares_where_roots_are_not_asked_for() -> None:
    graph = read_graph(OnnxModel.read(neighbors("labels").SerializeToString()).with_shapes({"x": (1, FEATURES)}))
    assert "Function" in [n.operator for n in graph.nodes]
    compiled = assert_same(neighbors("labels"), ROWS[:32])
    assert "/root" not in {operation.layer for operation in compiled.model.operations}


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (node("Normalizer", "x", "out", norm="L1"), (1, FEATURES)),
        (node("Binarizer", "x", "out", threshold=0.5), (1, FEATURES)),
        (node("FeatureVectorizer", "x x", "out", inputdimensions=[FEATURES] * 2), (1, 2 * FEATURES)),
        (node("ArrayFeatureExtractor", "x places", "out"), (1, 3)),
    ],
)
def test_shapes_are_known_before_a_run(made: Any, shape: tuple[int, ...]) -> None:
    proto = table([made, node("Neg", "out", "end")], [("end", OUT[1])], places=np.array([0, 2, 1]))
    graph = read_graph(OnnxModel.read(proto.SerializeToString()).with_shapes({"x": (1, FEATURES)}))
    assert graph.shapes["out"] == graph.shapes["end"] == shape
