"""How large a tensor's numbers are: as calibration saw them, or as what it was made of has them; else it is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.zkml.models import model, node, normal
from zkgpu.errors import FormatError
from zkgpu.zkml.calibration import FloatModel, calibrate
from zkgpu.zkml.onnx_import import read_graph
from zkgpu.zkml.onnx_model import OnnxModel
from zkgpu.zkml.quantize import quantize


def quantized_without(unseen: str, nodes: list) -> None:
    """Of a model of which one tensor was not seen in the calibration, as one that a rewrite makes."""
    proto = model(nodes, {"x": (1, 6)}, weights={"w": 99 * normal(6, 6)})
    read, samples = OnnxModel.read(proto.SerializeToString()), {"x": normal(40, 6)}
    graph = read_graph(read)
    seen = calibrate(graph, FloatModel(read), samples, None)
    assert unseen in seen.low
    ends = ({name: end for name, end in ends.items() if name != unseen} for ends in (seen.low, seen.high))
    quantize(graph, replace(seen, **dict(zip(("low", "high"), ends, strict=True))))


def test_a_tensor_that_nothing_tells_the_size_of_is_refused_by_name() -> None:
    """It is a hundred times as large as what it is made of: no bounds of that may stand for it."""
    with pytest.raises(FormatError, match=r"'/h' \(Dense\).*nothing tells how large the numbers of 'h' are"):
        quantized_without("h", [node("MatMul", "x w", "h"), node("Tanh", "h", "out")])


def test_one_that_only_moves_numbers_is_as_large_as_what_it_moves() -> None:
    nodes = [node("MatMul", "x w", "h"), node("Transpose", "h", "t", perm=[1, 0]), node("Tanh", "t", "out")]
    quantized_without("t", nodes)


def test_rows_of_a_constant_table_are_as_large_as_its_entries() -> None:
    quantized_without(
        "g", [node("ArgMax", "x", "p", axis=1, keepdims=0), node("Gather", "w p", "g"), node("Tanh", "g", "out")]
    )
