"""Sums of products by an equation, products of all ranks, norms over axes and windows, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from tests.zkml.onnx_oracle import compiled_right, samples_of, with_types

INT64 = onnx.TensorProto.INT64
CUBE, IMAGE = (2, 3, 4), (1, 3, 5, 6)


def einsum(equation: str, *shapes: Any, constant: int | None = None) -> Any:
    names = [f"x{i}" for i in range(len(shapes))]
    given = {name: shape for i, (name, shape) in enumerate(zip(names, shapes, strict=True)) if i != constant}
    weights = {} if constant is None else {names[constant]: normal(*shapes[constant])}
    made = node("Einsum", " ".join(names), "out", equation=equation)
    return with_types(model([made], given, weights=weights, opset=18))


EQUATIONS = {
    "ij->ji": [CUBE[:2]],
    "i j k -> k i": [CUBE],
    "...ij->...": [CUBE],
    "ii->i": [(3, 3)],
    "iji->j": [(3, 2, 3)],
    "ii": [(3, 3)],
    "ba": [(2, 3)],
    "i,j->ij": [(2,), (3,)],
    "ij,jk": [(2, 3), (3, 4)],
    "bij,bkj->bik": [(2, 3, 4), (2, 2, 4)],
    "bhid,bhjd->bhij": [(1, 2, 3, 4), (1, 2, 3, 4)],
    "...ij,...jk->...ik": [(2, 1, 3, 4), (1, 2, 4, 2)],
    "bij,ij->bij": [(2, 3, 4), (3, 4)],
    "bij,bij->b": [(2, 3, 4), (2, 3, 4)],
    "ij,ik->": [(2, 3), (2, 2)],
    "ijj,jk->ki": [(2, 3, 3), (3, 2)],
    "i,i->i": [(4,), (1,)],
    "ij,jk,kl->il": [(2, 3), (3, 2), (2, 4)],
    "ij,j,i->j": [(2, 3), (3,), (2,)],
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_an_equation_of_tensors_is_right(equation: str) -> None:
    proto = einsum(equation, *EQUATIONS[equation])
    compiled_right(proto, samples_of(proto, 12))


@pytest.mark.parametrize("equation", [equation for equation in EQUATIONS if "," in equation])
def test_an_equation_of_a_tensor_and_constants_is_right(equation: str) -> None:
    shapes = EQUATIONS[equation]
    proto = einsum(equation, *shapes, constant=len(equation) % 2)  # the first or the second
    compiled_right(proto, samples_of(proto, 12))


def matmul(x: Any, y: Any, constant: int | None = None) -> Any:
    shapes = {"x": x, "y": y}
    weights = {} if constant is None else {"xy"[constant]: normal(*shapes.pop("xy"[constant]))}
    return with_types(model([node("MatMul", "x y", "out")], shapes, weights=weights, opset=18))


RANKS = [((4,), (4,)), ((4,), (4, 3)), ((2, 4), (4,)), ((4,), (2, 4, 3)), ((2, 3, 4), (4,)), ((2, 1, 3, 4), (2, 4, 2))]
RANKS += [((3, 4), (2, 4, 2)), ((1, 2, 3, 4), (4, 2)), ((2, 2, 3), (1, 3, 2))]


@pytest.mark.parametrize(("x", "y"), RANKS, ids=str)
@pytest.mark.parametrize("constant", [None, 0, 1])
def test_products_of_all_ranks_are_right(x: Any, y: Any, constant: int | None) -> None:
    proto = matmul(x, y, constant)
    compiled_right(proto, samples_of(proto, 12))


RAISED = [((3,), (2, 3)), ((3, 1), (2, 1, 4)), ((), (2, 2)), ((2, 1, 4), (3, 1)), ((1,), (1, 1, 1))]


@pytest.mark.parametrize("operator", ["Mul", "Mean"])
@pytest.mark.parametrize(("x", "y"), RAISED, ids=str)
@pytest.mark.parametrize("constant", [False, True])
def test_broadcasts_that_raise_the_rank_are_right(operator: str, x: Any, y: Any, constant: bool) -> None:
    shapes, weights = ({"x": x}, {"y": normal(*y)}) if constant else ({"x": x, "y": y}, {})
    proto = with_types(model([node(operator, "x y", "out")], shapes, weights=weights, opset=18))
    compiled_right(proto, samples_of(proto, 12))


@pytest.mark.parametrize("operator", ["Max", "Min", "Sum", "Mean"])
def test_of_four_tensors_and_constants(operator: str) -> None:
    nodes = [node("Neg", "x", "n"), node(operator, "x c n d", "out")]
    weights = {"c": normal(3, 4), "d": np.array([0.25])}
    proto = with_types(model(nodes, {"x": CUBE}, weights=weights, opset=18))
    compiled_right(proto, samples_of(proto))


def one(
    operator: str, shape: Any = CUBE, weights: Any = None, extra: str = "", opset: int = 18, **attributes: Any
) -> Any:
    return with_types(
        model([node(operator, f"x {extra}".strip(), "out", **attributes)], {"x": shape}, ("out",), weights, opset)
    )


NORMS = {
    "ReduceProd": one("ReduceProd", (2, 5), {"a": np.array([1])}, "a"),
    "ReduceProd of two axes": one("ReduceProd", (2, 2, 2), {"a": np.array([-1, 0])}, "a", keepdims=0),
    "ReduceProd of all": one("ReduceProd", (2, 3), opset=13),
    "ReduceProd of nothing": one("ReduceProd", CUBE, {"a": np.zeros(0, np.int64)}, "a", noop_with_empty_axes=1),
    "ReduceProd of opset 11": one("ReduceProd", (3, 2), opset=11, axes=[0], keepdims=0),
    "LpNormalization": one("LpNormalization"),
    "LpNormalization of another axis": one("LpNormalization", axis=0),
    "LpNormalization of sizes": one("LpNormalization", (3, 8), axis=1, p=1),
    "MeanVarianceNormalization": one("MeanVarianceNormalization", (2, 3, 3, 2)),
    "MeanVarianceNormalization of an axis": one("MeanVarianceNormalization", (2, 3, 6), axes=[-1]),
    "LRN": one("LRN", (1, 7, 2, 2), size=3),
    "LRN of many channels": one("LRN", (2, 6, 3, 1), size=5, alpha=0.3, beta=0.6, bias=1.5),
    "LpPool": one("LpPool", IMAGE, kernel_shape=[2, 3]),
    "LpPool of sizes": one("LpPool", IMAGE, kernel_shape=[3, 2], strides=[2, 1], pads=[1, 0, 1, 1], p=1),
    "LpPool of cubes": one("LpPool", (1, 2, 9), kernel_shape=[3], strides=[2], p=3),
    "LpPool of the same size": one("LpPool", IMAGE, kernel_shape=[2, 2], auto_pad="SAME_UPPER"),
    "LpPool of the same size below": one("LpPool", IMAGE, kernel_shape=[2, 3], strides=[2, 1], auto_pad="SAME_LOWER"),
    "LpPool with dilations": one("LpPool", (1, 2, 9, 7), kernel_shape=[2, 3], dilations=[3, 2], pads=[1, 0, 1, 1]),
    "LpPool with a last window beyond": one("LpPool", (1, 2, 8), kernel_shape=[3], strides=[2], ceil_mode=1),
    "LpPool of both": one("LpPool", (2, 1, 8, 7), kernel_shape=[2, 2], strides=[3, 2], dilations=[2, 1], ceil_mode=1),
    "GlobalLpPool": one("GlobalLpPool", IMAGE),
    "GlobalLpPool of cubes": one("GlobalLpPool", (1, 3, 8), p=3),
}


@pytest.mark.parametrize("name", NORMS)
def test_norms_and_products_are_right(name: str) -> None:
    samples = samples_of(NORMS[name])
    samples = (
        {"x": np.sign(samples["x"]) * (0.5 + np.abs(samples["x"]) / 2)}
        if "Prod" in name or "cubes" in name
        else samples
    )
    compiled_right(NORMS[name], samples, error=0.04)


def test_a_row_of_nothing_has_the_norm_of_onnxruntime() -> None:
    proto = NORMS["LpNormalization"]
    samples = samples_of(proto)
    samples["x"][5, 1] = 0
    compiled_right(proto, samples)


def test_a_product_of_integers_is_exact() -> None:
    proto = with_types(one("ReduceProd", (2, 5), {"a": np.array([1])}, "a"), {"x": INT64}, {"out": INT64})
    compiled_right(proto, samples_of(proto, x=(-5, 5)))
