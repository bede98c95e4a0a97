"""Models that would loop for ever, fill the memory or end the process are refused, and leave the next model alone."""

from __future__ import annotations

import time

import numpy as np
import pytest

from tests.zkml.models import model, node, normal, onnx
from zkgpu.errors import FormatError, ResourceError, UsageError, ZkgpuError
from zkgpu.inference import compile_model
from zkgpu.zkml import onnx_worker
from zkgpu.zkml.calibration import FloatModel
from zkgpu.zkml.onnx_model import OnnxModel

pytest.importorskip("onnxruntime")
SAMPLES = normal(5, 4)


def dense():
    return model([node("Gemm", "x w", "out")], {"x": (1, 4)}, weights={"w": normal(4, 3)})


def float_model(network, memory=None, **shapes):
    return FloatModel(OnnxModel.read(network).with_shapes(shapes), memory)


def endless():
    """Loop with the largest count of rounds and a condition that always holds."""
    body = onnx.helper.make_graph(
        [node("Identity", "go", "going"), node("Add", "v v", "w")],
        "body",
        [
            onnx.helper.make_tensor_value_info("i", onnx.TensorProto.INT64, []),
            onnx.helper.make_tensor_value_info("go", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info("v", onnx.TensorProto.FLOAT, [1, 4]),
        ],
        [
            onnx.helper.make_tensor_value_info("going", onnx.TensorProto.BOOL, []),
            onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [1, 4]),
        ],
    )
    weights = {"count": np.array(2**62), "go": np.array(True)}
    return model([node("Loop", "count go x", "out", body=body)], {"x": (1, 4)}, weights=weights)


def constant_loop():
    """The same on constants, which are computed while the model is read."""
    found = endless()
    found.graph.node[0].input[2] = "c"
    found.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 4), np.float32), "c"))
    found.graph.node.append(node("Add", "x out", "sum"))
    found.graph.output[0].name = "sum"
    return found


def filled(operator: str):
    """16 GB made of a few bytes, from the data or from constants."""
    size = np.array([1 << 16, 1 << 16])
    nodes = {
        "ConstantOfShape": [node("ConstantOfShape", "size", "big")],
        "Tile": [node("Tile", "x size", "big")],
        "Expand": [node("Expand", "one size", "big")],
        "of the data": [
            node("Cast", "x", "n", to=onnx.TensorProto.INT64),
            node("Add", "n half", "m"),
            node("ReduceMax", "m", "r", keepdims=0),
            node("Expand", "r two", "s"),
            node("ConstantOfShape", "s", "big"),
        ],
    }
    weights = {"size": size, "one": np.ones((1, 1), np.float32), "half": np.array(1 << 16), "two": np.array([2])}
    made = [*nodes[operator], node("ReduceSum", "big", "all", keepdims=0), node("Add", "x all", "out")]
    return model(made, {"x": (1, 4)}, weights=weights)


def refused(network) -> ZkgpuError:
    """What refuses a model, with little patience and memory. The model after it is none the worse."""
    compile_model(dense(), SAMPLES)  # so that onnxruntime is imported already
    before = time.monotonic()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_worker, "SECONDS", 1.0)
        patch.setattr(onnx_worker, "MEMORY", 1 << 29)
        with pytest.raises(ZkgpuError) as error:
            compile_model(network, SAMPLES)
    assert time.monotonic() - before < 20
    compile_model(dense(), SAMPLES)
    assert error.value.exit_code in (2, 3, 5)
    assert "\n" not in str(error.value)
    return error.value


@pytest.mark.parametrize("network", [endless, constant_loop], ids=lambda make: make.__name__)
def test_a_loop_without_end_is_refused(network):
    assert "written out the model has more than" in str(refused(network()))


def test_a_run_without_end_is_ended(monkeypatch):
    monkeypatch.setattr(onnx_worker, "SECONDS", 1.0)
    with pytest.raises(ZkgpuError, match="takes more than 1 s"):
        float_model(endless(), x=(1, 4)).run({"x": SAMPLES[0]})


@pytest.mark.parametrize("operator", ["ConstantOfShape", "Tile", "Expand", "of the data"])
def test_a_model_that_would_fill_the_memory_is_refused(operator):
    refused(filled(operator))


def test_a_process_that_ends_is_an_error_of_the_model_and_another_takes_its_place():
    session = float_model(dense(), x=(1, 4))
    session.run({"x": SAMPLES[0]})
    onnx_worker._worker()._process.kill()
    with pytest.raises(FormatError, match="makes onnxruntime end"):
        session.run({"x": SAMPLES[0]})
    assert float_model(dense(), x=(1, 4)).run({"x": SAMPLES[0]})["out"].shape == (1, 3)


def test_ctrl_c_ends_a_run_at_once(monkeypatch, ctrl_c):
    compile_model(dense(), SAMPLES)
    monkeypatch.setattr(onnx_worker, "SECONDS", 30.0)
    before = time.monotonic()
    ctrl_c(1)
    with pytest.raises(KeyboardInterrupt):
        float_model(endless(), x=(1, 4)).run({"x": SAMPLES[0]})
    assert time.monotonic() - before < 10
    compile_model(dense(), SAMPLES)


def test_models_that_are_let_go_are_forgotten():
    numbers = {float_model(dense(), x=(1, 4))._session._number for _ in range(20)}
    assert max(numbers) <= min(numbers) + 2


def test_text_and_short_floats_cross_over():
    arrays = [np.array(["a", "b"]), np.arange(3, dtype=np.float16), np.array(7), np.zeros((0, 2))]
    there = onnx_worker._arrays(*onnx_worker._described(arrays))
    assert there[0].tolist() == ["a", "b"]
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(there[1:], arrays[1:], strict=True))


def test_a_sample_of_another_shape_is_refused_by_its_input():
    with pytest.raises(UsageError, match="input 'x'"):
        float_model(dense(), x=(1, 4)).run({"x": np.zeros((1, 5))})


def test_memory_is_what_the_user_allows():
    nodes = [node("MatMul", "x y", "big"), node("ReduceMax", "big", "out", axes=[1])]
    network = model(nodes, {"x": (4096, 1), "y": (1, 4096)})
    feed = {"x": np.zeros((4096, 1)), "y": np.zeros((1, 4096))}
    shapes = {name: array.shape for name, array in feed.items()}
    float_model(network, 1 << 28, **shapes).run(feed)
    with pytest.raises(ResourceError):
        float_model(network, 1 << 24, **shapes).run(feed)
