"""The models of the examples: each compiles, stays close to its float, and its circuit holds."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from examples import diffusion_step, networks, next_token, transformer_block  # noqa: E402
from zkgpu.inference import compile_model  # noqa: E402

random = np.random.default_rng(1)
MODELS = {
    "perceptron": (
        networks.perceptron([random.normal(size=(6, 5)), random.normal(size=(5, 3))], [np.zeros(5), np.ones(3)]),
        (6,),
    ),
    "transformer block": (transformer_block.block(), (8, 32)),
    "diffusion step": (diffusion_step.denoising_step(), (4, 4, 4)),
}


@pytest.mark.parametrize("weights", ["public", "private"])
@pytest.mark.parametrize("name", MODELS)
def test_an_example_holds(name: str, weights: str) -> None:
    model, shape = MODELS[name]
    samples = random.normal(size=(24, *shape))
    compiled = compile_model(model, samples, weights=weights, limb=8)
    (output,) = compiled.accuracy.outputs
    assert output.error < 0.03
    compiled.circuit.witness(compiled.circuit_inputs(compiled.quantized(samples[0])))


def test_the_token_that_follows_a_sentence_is_the_float_models() -> None:
    task = next_token.with_random_weights("on")
    compiled = compile_model(task.model, task.calibration, bits="stream", limb=8, allow_error=0.1)
    integers = compiled.quantized(task.tokens[None])
    session = onnxruntime.InferenceSession(task.model.SerializeToString())
    (wanted,) = session.run(["token"], {"input_ids": task.tokens[None]})
    assert compiled.run(integers)["token"].tolist() == wanted.tolist()
