"""What a file computes of integers is exact, however large they are, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, onnx
from tests.zkml.onnx_oracle import compiled_right
from zkgpu.errors import FormatError
from zkgpu.zkml.compiled import compile_model

INT32, INT64 = onnx.TensorProto.INT32, onnx.TensorProto.INT64
DRAW = np.random.default_rng(4)


def of_integers(nodes: list[Any], shape: tuple[int, ...], kind: int = INT64, **weights: Any) -> Any:
    """The model, whose input and output hold integers."""
    proto = model(nodes, {"x": shape}, weights=weights, opset=18)
    for info in (*proto.graph.input, *proto.graph.output):
        info.type.tensor_type.elem_type = kind
    del proto.graph.value_info[:]
    return proto


WEIGHT = DRAW.integers(-3000, 3000, (4, 3))


@pytest.mark.parametrize(("kind", "type_"), [(INT32, np.int32), (INT64, np.int64)])
def test_matrix_products(kind: int, type_: type) -> None:
    samples = {"x": DRAW.integers(-50, 50, (40, 2, 4)).astype(type_)}
    compiled_right(of_integers([node("MatMul", "x w", "out")], (2, 4), kind, w=WEIGHT.astype(type_)), samples)


def test_matrix_products_from_the_left() -> None:
    samples = {"x": DRAW.integers(-50, 50, (40, 3, 2))}
    compiled_right(of_integers([node("MatMul", "w x", "out")], (3, 2), w=WEIGHT), samples)


@pytest.mark.parametrize("operator", ["ReduceSumSquare", "ReduceL1", "ReduceMin"])
def test_reductions_in_parts(operator: str) -> None:
    compiled_right(of_integers([node(operator, "x", "out")], (1, 5)), {"x": DRAW.integers(-50, 50, (40, 1, 5))})


def test_inputs_of_more_than_24_bits() -> None:
    samples = {"x": DRAW.integers(-(2**45), 2**45, (40, 1, 5))}
    compiled_right(of_integers([node("Add", "x c", "out")], (1, 5), c=np.array([1, 2, 3, -4, 5])), samples)


def test_inputs_that_a_float_does_not_hold_are_refused() -> None:
    proto = of_integers([node("Add", "x c", "out")], (1, 5), c=np.array(1))
    with pytest.raises(FormatError, match=r"^input 'x' holds integers of more than 52 bits$"):
        compile_model(proto, DRAW.integers(2**54, 2**55, (40, 1, 5)))
