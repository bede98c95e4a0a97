"""Zero-knowledge proofs from Python circuits, circom files and neural networks, on CPUs and CUDA GPUs.

A circuit is written in Python, or compiled by circom, or made of a network's ONNX file. A key is set up for it once.
Whoever knows a witness proves; whoever has the verifying key verifies, in Python or in a contract.

    >>> import zkgpu
    >>> circuit = zkgpu.Circuit()
    >>> x, y = circuit.private("x"), circuit.public("y")
    >>> circuit.assert_equal(x**3 + x + 5, y)
    >>> key = zkgpu.unsafe_setup(circuit)              # for tests: setup() takes the powers of a ceremony
    >>> done = zkgpu.prove(key, {"x": 3, "y": 35}, circuit=circuit)
    >>> zkgpu.verify(key.verifying_key, done)
    True

With files, each given as a path or its bytes, and a prover that keeps the key for many proofs:

    key = zkgpu.load_key("circuit.zkey")
    prover = zkgpu.Prover(key)
    done = prover.prove(zkgpu.load_witness("witness.wtns"))
    done.save("proof.json")

Circuits    Circuit: what is proven, with `gadgets` for it; `testing` looks for second witnesses
Files       load_key, load_verifying_key, load_proof, load_witness, load_r1cs, load_powers
Proofs      Prover, prove: a Statement, which verify and verify_batch take
Keys        setup, unsafe_setup; `groth16` and `plonk` have what is their own
Networks    inference: from an ONNX model to a proof of its answer
circom      circom: its witness calculators
Contracts   solidity: a verifier's source, and calls of it
Devices     open_backend
Progress    stages: who listens, and what stops a proof between two of them
Errors      errors: ZkgpuError and its kinds; each message is one line that says how to mend it
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkgpu import circom, errors, groth16, inference, plonk, solidity, stages, testing
    from zkgpu.api import (
        Prover,
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
    from zkgpu.provers.statement import Statement

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
