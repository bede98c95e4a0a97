"""Zero-knowledge proofs from Python circuits, circom files and neural networks, on CPUs and CUDA GPUs.

    key = zkgpu.load_key("circuit.zkey")                          # a path, or bytes
    prover = zkgpu.Prover(key)                                    # for many proofs
    done = prover.prove(zkgpu.load_witness("witness.wtns"))       # verified before it is returned
    done.save("proof.json")
    zkgpu.verify(key.verifying_key, done)

Circuits         Circuit, circuits.gadgets, testing
Files            load_key, load_verifying_key, load_proof, load_witness, load_r1cs, load_powers
Proofs           Prover, prove, verify, verify_batch, Statement
Keys             setup, unsafe_setup; groth16 and plonk have all that is their own
Networks         inference
Contracts        solidity
Devices          open_backend
Progress         stages: who listens, what stops a proof between two of them
Errors           ZkgpuError and its kinds, in errors
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkgpu import circom, errors, groth16, inference, plonk, solidity, stages, testing
    from zkgpu.api import (
        Prover,
        Statement,
        load_key,
        load_powers,
        load_proof,
        load_r1cs,
        load_verifying_key,
        load_witness,
        prove,
        setup,
        unsafe_setup,
        verify,
        verify_batch,
    )
    from zkgpu.backend import open_backend
    from zkgpu.circuits import Circuit, gadgets
    from zkgpu.errors import ZkgpuError

__version__ = "0.2.0"

# brought in on first use, so that `import zkgpu` is quick
_FACE = (
    *("load_key", "load_powers", "load_proof", "load_r1cs", "load_verifying_key", "load_witness"),
    *("Prover", "Statement", "prove", "setup", "unsafe_setup", "verify", "verify_batch"),
)
_ROOMS = ("circom", "errors", "groth16", "inference", "plonk", "solidity", "stages", "testing")
_HOMES = {
    "Circuit": "zkgpu.circuits",
    "ZkgpuError": "zkgpu.errors",
    "open_backend": "zkgpu.backend",
    **dict.fromkeys(_FACE, "zkgpu.api"),
}

__all__ = [
    "Circuit",
    "Prover",
    "Statement",
    "ZkgpuError",
    "__version__",
    "circom",
    "errors",
    "gadgets",
    "groth16",
    "inference",
    "load_key",
    "load_powers",
    "load_proof",
    "load_r1cs",
    "load_verifying_key",
    "load_witness",
    "open_backend",
    "plonk",
    "prove",
    "setup",
    "solidity",
    "stages",
    "testing",
    "unsafe_setup",
    "verify",
    "verify_batch",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"zkgpu.{name}")
    if name == "gadgets":
        return import_module("zkgpu.circuits.gadgets")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'zkgpu' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
