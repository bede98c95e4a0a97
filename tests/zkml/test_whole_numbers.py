"""What a file computes of integers is exact, however large they are, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, onnx
from tests.zkml.onnx_oracle import compiled_right
from zkgpu.errors import FormatError
from zkgpu.inference import compile_model

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


def test_a_cast_to_fewer_bits_is_refused_where_they_are_too_few() -> None:
    """Of products that are as large in no sample."""
    proto = model([node("Mul", "x y", "p"), node("Cast", "p", "out", to=INT32)], {"x": (1, 3), "y": (1, 3)})
    for info in proto.graph.input:
        info.type.tensor_type.elem_type = INT64
    proto.graph.output[0].type.tensor_type.elem_type = INT32
    del proto.graph.value_info[:]
    small = {name: DRAW.integers(0, 9, (40, 1, 3)) for name in "xy"}
    compiled_right(proto, small)
    large = {name: np.where(np.arange(40)[:, None, None] == i, 2**17, small[name]) for i, name in enumerate("xy")}
    with pytest.raises(FormatError, match=r"^node '/out': 'out' may reach 1.718e\+10, where int32 wraps around"):
        compile_model(proto, large, limb=8)


FAR = {
    "a product": ([node("Mul", "x x", "s"), node("Mul", "s y", "out")], 2**12),
    "a sum": ([node("Add", "x y", "out")], 2**30),
    "a difference": ([node("Neg", "y", "n"), node("Sub", "n x", "out")], 2**30 + 1),
    "a product of matrices": ([node("Transpose", "y", "t", perm=[0, 2, 1]), node("MatMul", "x t", "out")], 2**15),
    "a layer": ([node("MatMul", "x w", "out")], 2**20),
    "a running sum": ([node("CumSum", "x axis", "out")], 2**30),
}


@pytest.mark.parametrize("made", FAR)
def test_integers_that_would_wrap_around_within_their_ranges_are_refused(made: str) -> None:
    """The largest numbers of the calibration lie in different samples, or entries: in none of them a number wraps."""
    nodes, top = FAR[made]
    read = {name for n in nodes for name in n.input} & {"x", "y"}
    weights = {"w": np.full((3, 2), 1000, np.int32), "axis": np.array(2, np.int32)}
    proto = model(nodes, dict.fromkeys(sorted(read), (1, 2, 3)), weights=weights)
    for info in (*proto.graph.input, *proto.graph.output):
        info.type.tensor_type.elem_type = INT32
    del proto.graph.value_info[:]
    samples = {name: DRAW.integers(0, 9, (40, 1, 2, 3)).astype(np.int32) for name in read}
    for i, name in enumerate(samples):
        samples[name][i, 0, 0, 0] = top
    with pytest.raises(FormatError, match=r"^node '/out': 'out' may reach [\d.e+]+, where int32 wraps around: "):
        compile_model(proto, samples, limb=8)
    small = {name: np.minimum(array, 9) for name, array in samples.items()}
    assert compile_model(proto, small, limb=8).accuracy.amiss == 0
