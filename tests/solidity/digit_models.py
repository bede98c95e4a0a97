"""Two models that read digits, with keys and contracts of their own: what tests of whole inferences start from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from evm import Contract
from model_contracts import deployed

from zkgpu.backend import open_backend
from zkgpu.inference import CompiledModel, Inference, Prover, compile_model, unsafe_setup, verify
from zkgpu.solidity import calldata
from zkgpu.zkml.layers.network import Visibilities
from zkgpu.zkml.operations import Linear
from zkgpu.zkml.storage import parse

DENSE = Path(__file__).parents[2] / "examples" / "models" / "digits_dense.onnx"
PIXELS = np.random.default_rng(5).integers(0, 17, (12, 64))


@dataclass(frozen=True)
class Deployed:
    """A model with a key of its own, and its contract in an EVM."""

    compiled: CompiledModel
    prover: Prover
    contract: Contract

    def prove(self, pixels: np.ndarray, weights: CompiledModel | None = None) -> Inference:
        return self.prover.prove(pixels, weights=weights)

    @property
    def key(self):
        return self.prover.verifying_key

    def verdicts(self, inference: Inference) -> tuple[str, bool]:
        """What the contract says of it, and what Python says."""
        data = calldata(inference.proof, inference.public_inputs, packed=inference.packed)
        return self.contract.call(data), verify(self.key, inference)


@cache
def compiled_model(name: str, weights: str) -> CompiledModel:
    if name == "cnn":
        compiled = parse(files("zkgpu.inference").joinpath("digits_cnn.npz").read_bytes(), name)
    else:
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        compiled = compile_model(DENSE, PIXELS)
    return replace(compiled, visibilities=Visibilities(weights))


def other_weights(compiled: CompiledModel) -> CompiledModel:
    """The same architecture with every weight's sign changed."""
    changed = [
        replace(op, weight=-op.weight, bias=-op.bias) if isinstance(op, Linear) else op
        for op in compiled.model.operations
    ]
    return replace(compiled, model=replace(compiled.model, operations=tuple(changed)), reference=compiled.model)


def another_model(compiled: CompiledModel) -> CompiledModel:
    """A model with those weights in place of its own, whatever may see them."""
    return replace(other_weights(compiled), reference=None)


def deploy(compiled: CompiledModel) -> Deployed:
    backend = open_backend("cpu")
    prover = Prover(compiled, unsafe_setup(compiled, backend), backend)
    return Deployed(compiled, prover, deployed(prover.verifying_key))


@cache
def deployed_model(name: str, weights: str) -> Deployed:
    return deploy(compiled_model(name, weights))
