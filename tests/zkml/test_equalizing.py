"""Channels of sizes far apart between two layers: the same function, at no constraint, with steps for each of them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from tests.zkml.test_right_or_refused import assert_right
from zkgpu.inference import CompiledModel, compile_model
from zkgpu.zkml import choosing, equalizing
from zkgpu.zkml.storage import dump, parse

SIZES = 10.0 ** np.random.default_rng(0).uniform(-2, 2, size=16)


@pytest.fixture(autouse=True)
def _not_a_small_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small models of tables get their bits in an order of their own: here they are as others."""
    monkeypatch.setattr(choosing, "_SMALL", -1)


def dense(between: str = "Relu", seed: int = 0, **attributes: object):
    weights = {
        "w0": normal(12, 16, seed=seed) * SIZES,
        "b0": normal(16) * SIZES / 10,
        "w1": normal(16, 16, seed=seed) / SIZES[:, None] / 2,
        "w2": normal(16, 4),
    }
    nodes = [
        node("Gemm", "x w0 b0", "h"),
        node(between, "h", "r", **attributes),
        node("MatMul", "r w1", "h2"),
        node("Relu", "h2", "r2"),
        node("MatMul", "r2 w2", "out"),
    ]
    return model(nodes, {"x": ("N", 12)}, weights=weights)


def convolutions():
    sizes = SIZES[:4]
    weights = {
        "w0": normal(4, 2, 3, 3) * sizes[:, None, None, None],
        "b0": normal(4) * sizes,
        "w1": normal(3, 4, 3, 3) / sizes[:, None, None],
    }
    nodes = [
        node("Conv", "x w0 b0", "c"),
        node("Relu", "c", "r"),
        node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[1, 1]),
        node("Conv", "p w1", "out"),
    ]
    return model(nodes, {"x": (1, 2, 8, 8)}, weights=weights)


ROWS, IMAGES = normal(64, 12), normal(48, 2, 8, 8)
NETWORKS = {
    "dense": (dense(), ROWS),
    "leaky": (dense("LeakyRelu", alpha=0.2), ROWS),
    "convolutions": (convolutions(), IMAGES),
}


def without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(equalizing, "has_uneven_channels", lambda *_: False)


@pytest.mark.parametrize("name", NETWORKS)
def test_uneven_channels_are_near_the_float_model(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    proto, samples = NETWORKS[name]
    compiled = compile_model(proto, samples, limb=6)
    assert compiled.recipe.settings.even
    assert compiled.accuracy.amiss < 0.02
    assert_right(proto, compiled, samples[:8].astype(np.float32))
    integers = compiled.quantized(samples[0])
    compiled.circuit.witness(compiled.circuit_inputs(integers))
    without(monkeypatch)
    before = compile_model(proto, samples, limb=6, bits=8, allow_error=np.inf)
    even = compile_model_evenly(proto, samples, monkeypatch)
    assert even.accuracy.amiss < before.accuracy.amiss / 4
    assert even.circuit.r1cs.n_constraints <= 1.2 * before.circuit.r1cs.n_constraints


def compile_model_evenly(proto, samples, monkeypatch: pytest.MonkeyPatch) -> CompiledModel:
    monkeypatch.undo()
    return compile_model(proto, samples, limb=6, bits=8, allow_error=np.inf)


def test_what_is_known_of_the_channels_is_stored_and_serves_other_weights() -> None:
    compiled = compile_model(dense(), ROWS, weights="private", limb=6)
    read = parse(dump(compiled), "model")
    assert read.recipe.calibration == compiled.recipe.calibration
    halved = dense()
    for tensor in halved.graph.initializer:
        if tensor.name in ("w0", "b0"):
            tensor.CopyFrom(_halved(tensor))
    other = read.with_weights(halved)
    assert_right(halved, other, ROWS[:8].astype(np.float32))


def _halved(tensor):
    from onnx import numpy_helper

    return numpy_helper.from_array(numpy_helper.to_array(tensor) / 2, tensor.name)


def test_weights_that_two_layers_share_are_changed_for_one_alone() -> None:
    weights = {"w": normal(4, 2, 3, 3) * SIZES[:4, None, None, None], "v": normal(3, 4, 3, 3) / SIZES[:4, None, None]}
    nodes = [
        node("Conv", "x w", "c"),
        node("Relu", "c", "r"),
        node("Conv", "r v", "out"),
        node("Conv", "x w", "same", strides=[3, 3]),
    ]
    proto = model(nodes, {"x": (1, 2, 8, 8)}, ["out", "same"], weights)
    compiled = compile_model(proto, IMAGES, limb=6)
    assert compiled.recipe.settings.even
    assert_right(proto, compiled, IMAGES[:8].astype(np.float32))


def test_even_channels_leave_a_network_as_it_is() -> None:
    even = model(
        [node("Gemm", "x w", "h"), node("Relu", "h", "r"), node("Gemm", "r v", "out")],
        {"x": ("N", 12)},
        weights={"w": normal(12, 8), "v": normal(8, 3)},
    )
    assert not compile_model(even, ROWS, limb=6).recipe.settings.even
