"""Verifiable inference in five steps, as functions on NumPy arrays: compile_model, setup, Prover, verify, export.

check("model.onnx")                                         # what is not supported of it, without data

compiled = compile_model("model.onnx", calibration, weights="private")
key      = setup(compiled, powers_of_tau, backend)          # once for each architecture
prover   = Prover(compiled, key, backend)
done     = prover.prove(inputs)                             # a Statement
values   = values_of(key.verifying_key, done)               # what the verifier sees
verify(key.verifying_key, done)
"""

from typing import TYPE_CHECKING

from zkgpu.faces import names_of

if TYPE_CHECKING:
    from zkgpu.inference.costs import Costs, estimate, estimate_model, speed_of_this_machine
    from zkgpu.inference.folder import Folder
    from zkgpu.inference.room import require_room
    from zkgpu.inference.statement import ModelStatement, ShownTensor
    from zkgpu.inference.steps import (
        Prover,
        binding_from,
        binding_of,
        hashes_of,
        setup,
        unsafe_setup,
        values_of,
        verify,
    )
    from zkgpu.zkml.check import ModelCheck, check
    from zkgpu.zkml.compiled import CompiledModel
    from zkgpu.zkml.compiling import compile_model

__all__ = [
    "CompiledModel",
    "Costs",
    "Folder",
    "ModelCheck",
    "ModelStatement",
    "Prover",
    "ShownTensor",
    "binding_from",
    "binding_of",
    "check",
    "compile_model",
    "estimate",
    "estimate_model",
    "hashes_of",
    "require_room",
    "setup",
    "speed_of_this_machine",
    "unsafe_setup",
    "values_of",
    "verify",
]

_HOMES = {
    "CompiledModel": "zkgpu.zkml.compiled",
    "Costs": "zkgpu.inference.costs",
    "Folder": "zkgpu.inference.folder",
    "ModelCheck": "zkgpu.zkml.check",
    "ModelStatement": "zkgpu.inference.statement",
    "Prover": "zkgpu.inference.steps",
    "ShownTensor": "zkgpu.inference.statement",
    "binding_from": "zkgpu.inference.steps",
    "binding_of": "zkgpu.inference.steps",
    "check": "zkgpu.zkml.check",
    "compile_model": "zkgpu.zkml.compiling",
    "estimate": "zkgpu.inference.costs",
    "estimate_model": "zkgpu.inference.costs",
    "hashes_of": "zkgpu.inference.steps",
    "require_room": "zkgpu.inference.room",
    "setup": "zkgpu.inference.steps",
    "speed_of_this_machine": "zkgpu.inference.costs",
    "unsafe_setup": "zkgpu.inference.steps",
    "values_of": "zkgpu.inference.steps",
    "verify": "zkgpu.inference.steps",
}
__getattr__ = names_of(__name__, _HOMES)
