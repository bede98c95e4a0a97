"""Every wire of whole networks, changed one at a time: what holds for layers holds for what is built of them."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml.storage import parse
from zkgpu.zkml.visibility import Visibilities

FOLDER = Path(__file__).parents[1] / "data" / "onnx"
random = np.random.default_rng(4)


def assert_pinned(compiled: CompiledModel, sample: np.ndarray) -> None:
    assert_every_wire_is_pinned(compiled.circuit, compiled.circuit_inputs(compiled.quantized(sample)))


@pytest.mark.parametrize("weights", ["public", "private", "hashed"])
def test_every_wire_of_a_convolutional_network_is_pinned(weights: str) -> None:
    compiled = parse(files("zkgpu.demo").joinpath("digits_cnn.npz").read_bytes(), "digits")
    assert_pinned(replace(compiled, visibilities=Visibilities(weights)), random.integers(0, 17, 64))


@pytest.mark.parametrize("name", ["pytorch_block", "pytorch_convolutions"])
def test_every_wire_of_an_exported_network_is_pinned(name: str) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    shape = [dim.dim_value for dim in onnx.load(FOLDER / f"{name}.onnx").graph.input[0].type.tensor_type.shape.dim]
    samples = random.normal(size=(20, *shape[1:]))
    assert_pinned(compile_model(FOLDER / f"{name}.onnx", samples, limb=6), samples[0])
