"""Verifiable inference in five steps, as functions on NumPy arrays: compile_model, setup, Prover, verify, export.

check("model.onnx")                                         # what is not supported of it, without data

compiled = compile_model("model.onnx", calibration, weights="private")
key      = setup(compiled, powers_of_tau, backend)          # once for each architecture
prover   = Prover(compiled, key, backend)
done     = prover.prove(inputs)                             # a Statement
values   = values_of(key.verifying_key, done)               # what the verifier sees
verify(key.verifying_key, done)
"""

from zkgpu.inference.costs import Costs, estimate, estimate_model, speed_of_this_machine
from zkgpu.inference.folder import Folder
from zkgpu.inference.statement import ModelStatement, ShownTensor
from zkgpu.inference.steps import Prover, binding_of, hashes_of, setup, unsafe_setup, values_of, verify
from zkgpu.zkml.check import ModelCheck, check
from zkgpu.zkml.compiled import CompiledModel, compile_model

__all__ = [
    "CompiledModel",
    "Costs",
    "Folder",
    "ModelCheck",
    "ModelStatement",
    "Prover",
    "ShownTensor",
    "binding_of",
    "check",
    "compile_model",
    "estimate",
    "estimate_model",
    "hashes_of",
    "setup",
    "speed_of_this_machine",
    "unsafe_setup",
    "values_of",
    "verify",
]
