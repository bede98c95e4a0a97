"""Two models that read digits, with keys and contracts of their own: what tests of whole inferences start from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from evm import Contract
from model_contracts import deployed
from numpy.typing import NDArray

from zkgpu.backend import open_backend
from zkgpu.groth16 import VerifyingKey
from zkgpu.inference import CompiledModel, Prover, compile_model, unsafe_setup, verify
from zkgpu.provers.statement import Statement
from zkgpu.solidity import calldata
from zkgpu.zkml.operations import Linear
from zkgpu.zkml.storage import parse
from zkgpu.zkml.visibility import Visibilities, Visibility

DENSE = Path(__file__).parents[2] / "examples" / "models" / "digits_dense.onnx"
PIXELS = np.random.default_rng(5).integers(0, 17, (12, 64))


@dataclass(frozen=True)
class Deployed:
    """A model with a key of its own, and its contract in an EVM."""

    compiled: CompiledModel
    prover: Prover
    contract: Contract

    def prove(self, pixels: NDArray[Any], weights: CompiledModel | None = None, binding: bytes = b"") -> Statement:
        made: Statement = self.prover.prove(pixels, weights=weights, binding=binding)
        return made

    @property
    def key(self) -> VerifyingKey:
        return self.prover.verifying_key

    def verdicts(self, inference: Statement) -> tuple[str, bool]:
        """What the contract says of it, and what Python says."""
        data = calldata(inference.proof, inference.public_inputs, packed=inference.packed)
        return self.contract.call(data), verify(self.key, inference)


@cache
def compiled_model(name: str, weights: Visibility, binding: int = 0) -> CompiledModel:
    if name == "cnn":
        compiled = parse(files("zkgpu.demo").joinpath("digits_cnn.npz").read_bytes(), name)
    else:
        pytest.importorskip("onnx")
        pytest.importorskip("onnxruntime")
        compiled = compile_model(DENSE, PIXELS)
    return replace(compiled, visibilities=Visibilities(weights, binding=binding))


def another_model(compiled: CompiledModel) -> CompiledModel:
    """The same architecture with every weight's sign changed, as a model of its own."""
    changed = [
        replace(op, weight=-op.weight, bias=-op.bias) if isinstance(op, Linear) else op
        for op in compiled.model.operations
    ]
    return replace(compiled, model=replace(compiled.model, operations=tuple(changed)))


def other_weights(compiled: CompiledModel) -> CompiledModel:
    """These weights in the circuit of the first ones."""
    return replace(another_model(compiled), reference=compiled.model)


def deploy(compiled: CompiledModel) -> Deployed:
    backend = open_backend("cpu")
    prover = Prover(compiled, unsafe_setup(compiled, backend), backend)
    return Deployed(compiled, prover, deployed(prover.verifying_key))


@cache
def deployed_model(name: str, weights: str, binding: int = 0) -> Deployed:
    return deploy(compiled_model(name, weights, binding))
