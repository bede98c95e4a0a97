"""Convolutions, transposed ones, pools and changes of size, with attributes at odd values, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.errors import FormatError
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.lowering import resize
from zkgpu.zkml.operations import Arrange, Combine, Linear, Maximum
from zkgpu.zkml.ranges import analyze

Variants = list[tuple[str, dict[str, Any], list[Any]]]  # operator, attributes, further inputs

SIZES = np.zeros(0, dtype=np.float32)


def many(variants: Variants, shape: tuple[int, ...], opset: int = 19) -> Any:
    """A model whose outputs are each one operator of the same input."""
    nodes, weights = [], {}
    for i, (operator, attributes, inputs) in enumerate(variants):
        names = [f"c{i}.{k}" for k in range(len(inputs))]
        weights |= dict(zip(names, inputs, strict=True))
        nodes.append(node(operator, " ".join(["x", *names]), f"y{i}", **attributes))
    return model(nodes, {"x": shape}, [f"y{i}" for i in range(len(nodes))], weights, opset)


def assert_right(network: Any, shape: tuple[int, ...], weights: str = "public") -> CompiledModel:
    """Every output is within a hundredth of its size, at 12 bits."""
    samples = np.random.default_rng(1).normal(size=(12, *shape))
    samples = samples[:, 0] if shape[0] == 1 else samples
    compiled = compile_model(network, samples, limb=6, bits=12, weights=weights, allow_error=9)
    for i, output in enumerate(compiled.accuracy.outputs):
        assert output.error < 0.01, network.graph.node[i]
    return compiled


def image(kernel: list[int], **attributes: Any) -> dict[str, Any]:
    return {"kernel_shape": kernel, **attributes}


def weights_of(*shape: int) -> list[np.ndarray]:
    return [normal(*shape), normal(shape[0])]


CONVOLUTIONS: Variants = [
    ("Conv", image([3, 2], strides=[2, 3], dilations=[1, 2], pads=[0, 2, 1, 1]), weights_of(3, 4, 3, 2)),
    ("Conv", image([2, 3], group=2, auto_pad="SAME_LOWER", strides=[1, 2]), weights_of(6, 2, 2, 3)),
    ("Conv", image([3, 3], group=4, auto_pad="VALID"), weights_of(8, 1, 3, 3)),
]
POOLS: Variants = [
    ("MaxPool", image([4, 2], strides=[2, 2], ceil_mode=1, pads=[1, 0, 0, 0]), []),
    ("MaxPool", image([2, 3], dilations=[3, 2], pads=[1, 0, 1, 1]), []),
    ("MaxPool", image([3, 3], auto_pad="SAME_UPPER", strides=[2, 2]), []),
    ("AveragePool", image([3, 3], strides=[2, 2], ceil_mode=1), []),
    ("AveragePool", image([3, 3], strides=[2, 2], ceil_mode=1, pads=[1, 1, 0, 0], count_include_pad=1), []),
    ("AveragePool", image([3, 2], dilations=[2, 3], pads=[1, 1, 2, 0], count_include_pad=1), []),
    ("MaxPool", image([2, 1], strides=[3, 4], ceil_mode=1, pads=[0, 0, 1, 0]), []),  # onnx tells a shape too long
    ("AveragePool", image([2, 2], strides=[4, 3], ceil_mode=1, pads=[0, 1, 1, 1]), []),
    ("AveragePool", image([2, 3], dilations=[3, 1], pads=[1, 0, 1, 1]), []),
    ("AveragePool", image([2, 3], auto_pad="SAME_LOWER", count_include_pad=1), []),
]
TRANSPOSED: Variants = [
    ("ConvTranspose", {}, [normal(4, 3, 2, 3)]),
    (
        "ConvTranspose",
        image([3, 2], strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 2], dilations=[2, 1]),
        [normal(4, 2, 3, 2), normal(2)],
    ),
    ("ConvTranspose", image([1, 2], strides=[3, 2], group=2), [normal(4, 3, 1, 2), normal(6)]),
    ("ConvTranspose", image([3, 3], strides=[2, 2], group=4, auto_pad="SAME_UPPER"), [normal(4, 1, 3, 3)]),
    ("ConvTranspose", image([2, 3], strides=[3, 2], auto_pad="SAME_LOWER"), [normal(4, 2, 2, 3)]),
    ("ConvTranspose", image([4, 3], strides=[2, 1], output_shape=[11, 7]), [normal(4, 2, 4, 3)]),
    ("ConvTranspose", image([1, 3], output_shape=[3, 5]), [normal(4, 2, 1, 3)]),
    ("ConvTranspose", image([4, 3], strides=[2, 1], output_shape=[11, 7], auto_pad="SAME_UPPER"), [normal(4, 2, 4, 3)]),
]
MOVED: Variants = [
    ("DepthToSpace", {"blocksize": 2}, []),
    ("DepthToSpace", {"blocksize": 2, "mode": "CRD"}, []),
    ("SpaceToDepth", {"blocksize": 2}, []),
]


def resized(
    mode: str, coordinates: str, sizes: list[float], **attributes: Any
) -> tuple[str, dict[str, Any], list[Any]]:
    """Resize to whole sizes of all axes, or by factors."""
    given = [SIZES, SIZES, np.array(sizes)] if isinstance(sizes[-1], int) else [SIZES, np.array(sizes)]
    return "Resize", {"mode": mode, "coordinate_transformation_mode": coordinates, **attributes}, given


RESIZED: Variants = [
    *(
        resized("nearest", coordinates, [1.0, 1.0, *factors], nearest_mode=rounding)
        for coordinates, rounding, factors in [
            ("half_pixel", "round_prefer_floor", (2.0, 2.5)),
            ("half_pixel", "round_prefer_ceil", (0.5, 2.0)),
            ("asymmetric", "floor", (2.0, 3.0)),
            ("asymmetric", "ceil", (1.3, 0.6)),
            ("align_corners", "round_prefer_ceil", (1.7, 2.1)),
            ("pytorch_half_pixel", "floor", (0.25, 1.9)),
            ("tf_half_pixel_for_nn", "floor", (0.4, 1.2)),
        ]
    ),
    *(
        resized("linear", coordinates, [1.0, 1.0, *factors])
        for coordinates, factors in [
            ("half_pixel", (2.0, 2.0)),
            ("half_pixel_symmetric", (1.3, 0.7)),
            ("align_corners", (1.5, 3.0)),
            ("asymmetric", (0.6, 1.7)),
            ("pytorch_half_pixel", (0.25, 2.2)),
        ]
    ),
    resized("linear", "half_pixel", [2, 4, 7, 5]),
    resized("nearest", "half_pixel", [2, 4, 3, 9]),
    resized("cubic", "half_pixel", [1.0, 1.0, 2.0, 1.5]),
    resized("cubic", "align_corners", [1.0, 1.0, 1.4, 0.6], cubic_coeff_a=-0.5, exclude_outside=1),
    resized("linear", "half_pixel", [9, 7], axes=[2, 3], keep_aspect_ratio_policy="not_larger"),
    resized("nearest", "asymmetric", [9, 7], axes=[3, 2], keep_aspect_ratio_policy="not_smaller", nearest_mode="floor"),
    resized("linear", "half_pixel", [1.0, 1.0, 0.5, 0.4], antialias=1),
    resized("linear", "align_corners", [1.0, 1.0, 1.5, 0.7], antialias=1),
    resized("cubic", "half_pixel", [1.0, 1.0, 0.6, 0.4], antialias=1),
    resized("cubic", "asymmetric", [1.0, 1.0, 0.6, 0.4], antialias=1, exclude_outside=1),
    *(
        (
            "Resize",
            {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": value},
            [np.array([0, 0, 0.2, -0.3, 1, 1, 1.4, 0.7]), SIZES, np.array([2, 4, 5, 8])],
        )
        for mode, value in [("linear", 0.0), ("linear", 1.5), ("nearest", -2.0)]
    ),
]
GROUPS = {
    "convolutions": (CONVOLUTIONS, (2, 4, 6, 5)),
    "pools": (POOLS, (2, 4, 6, 5)),
    "transposed": (TRANSPOSED, (2, 4, 4, 5)),
    "moved": (MOVED, (2, 4, 4, 6)),
    "resized": (RESIZED, (2, 4, 4, 6)),
    "one axis": (
        [
            ("Conv", image([3], strides=[2], pads=[0, 2], dilations=[2]), weights_of(3, 4, 3)),
            ("ConvTranspose", image([4], strides=[3], pads=[1, 2], output_padding=[1]), [normal(4, 2, 4)]),
            ("MaxPool", image([3], strides=[2], ceil_mode=1), []),
            ("AveragePool", image([3], strides=[2], ceil_mode=1, pads=[1, 1], count_include_pad=1), []),
            resized("linear", "half_pixel", [1.0, 1.0, 1.6]),
        ],
        (2, 4, 8),
    ),
    "three axes": (
        [
            ("Conv", image([2, 1, 3], strides=[1, 2, 1], pads=[0, 1, 1, 1, 0, 0]), weights_of(3, 2, 2, 1, 3)),
            ("ConvTranspose", image([2, 3, 1], strides=[2, 1, 3], group=2), [normal(2, 2, 2, 3, 1)]),
            ("MaxPool", image([2, 2, 2], strides=[2, 1, 3], ceil_mode=1), []),
            ("AveragePool", image([2, 3, 1], pads=[1, 0, 0, 0, 1, 0]), []),
            resized("nearest", "half_pixel", [1.0, 1.0, 2.0, 1.0, 0.7]),
            resized("linear", "half_pixel", [1.0, 1.0, 2.0, 1.5, 0.7]),
        ],
        (1, 2, 3, 4, 4),
    ),
}


@pytest.mark.parametrize("name", GROUPS)
def test_variants_are_as_onnxruntime_has_them(name: str) -> None:
    variants, shape = GROUPS[name]
    assert_right(many(variants, shape), shape)


def larger_of_two(compiled: CompiledModel) -> int:
    """How many times a circuit takes the larger of two."""
    made = [op for op in compiled.model.operations if isinstance(op, Maximum)]
    intervals = analyze(compiled.model)
    return sum(intervals[op.output].low.size * (intervals[op.inputs[0]].shape[-1] - 1) for op in made)


@pytest.mark.parametrize(
    ("attributes", "taken"),
    [
        (image([3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), 8 * 4 * 2 + 4 * 4 * 2),  # 16 windows by themselves take 128
        (image([3, 3], pads=[1, 1, 1, 1]), 8 * 8 * 4),
        (image([3, 3], strides=[1, 4]), 8 * 2 * 2 + 6 * 2 * 2),  # first along the axis that leaves fewer
        (image([2, 2], strides=[3, 3]), 6 * 3 + 3 * 3),  # rows that no window reads are left out
    ],
)
def test_windows_that_overlap_share_what_is_largest_along_an_axis(attributes: dict[str, Any], taken: int) -> None:
    compiled = assert_right(many([("MaxPool", attributes, [])], (1, 1, 8, 8)), (1, 1, 8, 8))
    assert larger_of_two(compiled) == taken


@pytest.mark.parametrize(("opset", "operator"), [(7, "Upsample"), (9, "Upsample"), (10, "Resize")])
def test_older_ways_to_resize(opset: int, operator: str) -> None:
    factors = [[1.0, 1.0, 2.0, 1.5], [1.0, 1.0, 1.0, 2.5], *([[1.0, 1.0, 0.5, 0.6]] if operator == "Resize" else [])]
    variants = [
        (operator, {"mode": mode, **({"scales": given} if opset == 7 else {})}, [] if opset == 7 else [np.array(given)])
        for given in factors
        for mode in ("nearest", "linear")
    ]
    assert_right(many(variants, (1, 2, 3, 5), opset), (1, 2, 3, 5))


REFUSED = {
    "antialias with tf_crop_and_resize": (
        "Resize",
        {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "antialias": 1},
        [np.array([0, 0, 0.2, 0.3, 1, 1, 0.9, 0.7]), SIZES, np.array([2, 4, 3, 3])],
    ),
    "in the middle of two": resized("nearest", "half_pixel_symmetric", [1.0, 1.0, 0.5, 2.0]),
    "wholly in the padding": ("MaxPool", image([2, 1], dilations=[5, 1], pads=[1, 0, 1, 0]), []),
    "auto_pad": ("MaxPool", image([3, 1], auto_pad="SAME_UPPER", dilations=[2, 1], ceil_mode=1), []),
    "MaxUnpool": ("MaxUnpool", image([2, 2], strides=[2, 2]), [np.zeros((2, 4, 4, 6), dtype=np.int64)]),
    "GridSample": ("GridSample", {}, [normal(2, 3, 3, 2)]),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_honored_is_refused_by_name(reason: str) -> None:
    network = many([REFUSED[reason]], (2, 4, 4, 6))
    with pytest.raises(FormatError, match=rf"/y0.*{reason}"):
        compile_model(network, np.random.default_rng(0).normal(size=(3, 2, 4, 4, 6)), limb=6)


def transposed(scale: float = 1.0, group: int = 2) -> Any:
    """A transposed convolution whose batch normalization becomes a part of it; a phase of it has no tap."""
    nodes = [
        node("ConvTranspose", "x w b", "t", strides=[2, 2], kernel_shape=[1, 3], group=group, pads=[0, 1, 0, 0]),
        node("BatchNormalization", "t gamma beta mean var", "out"),
    ]
    fan_out = 3 * group
    weights = {"w": normal(4, 3, 1, 3) * scale, "b": normal(fan_out)}
    weights |= {"gamma": normal(fan_out), "beta": normal(fan_out), "mean": normal(fan_out), "var": np.ones(fan_out)}
    return model(nodes, {"x": (2, 4, 3, 2)}, weights=weights)


@pytest.mark.parametrize("weights", ["public", "private"])
def test_a_transposed_convolution_holds_for_all_weights(weights: str) -> None:
    compiled = assert_right(transposed(), (2, 4, 3, 2), weights)
    assert {op.layer for op in compiled.model.operations if isinstance(op, Linear)} == {"/t"}  # no layer but this one
    sample = np.random.default_rng(2).normal(size=(2, 4, 3, 2))
    models = [compiled] if weights == "public" else [compiled, compiled.with_weights(transposed(0.9))]
    for one in models:
        compiled.circuit.witness(one.circuit_inputs(one.quantized(sample, clamp=True)))


def test_a_change_of_size_takes_no_constraint() -> None:
    network = many([resized("cubic", "half_pixel", [1.0, 1.0, 2.0, 0.7])], (1, 2, 4, 4))
    compiled = assert_right(network, (1, 2, 4, 4))
    assert {type(op) for op in compiled.model.operations} == {Arrange, Combine}


def test_weights_become_the_least_integers_that_hold_them() -> None:
    unit, weights = resize._as_integers(np.array([[0.25, 0.75], [1.0, 0.5]]))
    assert unit == 4
    assert weights.tolist() == [[1, 3], [4, 2]]


def test_a_change_of_size_that_would_round_integers_is_refused() -> None:
    weights = {"s": np.array([1.0, 1.0, 2.0, 2.0])}
    nodes = [
        node("Cast", "x", "i", to=onnx.TensorProto.INT32),
        node("Resize", "i - s", "r", mode="linear"),
        node("Cast", "r", "out", to=onnx.TensorProto.FLOAT),
    ]
    with pytest.raises(FormatError, match=r"'/r' \(Resize\): between integers it would round"):
        compile_model(model(nodes, {"x": (1, 1, 3, 3)}, weights=weights), np.arange(36).reshape(4, 1, 3, 3), limb=6)
