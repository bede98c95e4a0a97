"""Groth16 (eprint 2016/260): one file per verb.

key   = groth16.setup(circuit.r1cs, powers_of_tau, backend)
proof = groth16.Prover(key, backend).prove(assignment)
groth16.verify(key.verifying_key, public_inputs, proof)
"""

from zkgpu.groth16.keys import Proof, ProvingKey, VerifyingKey
from zkgpu.groth16.prover import Prover
from zkgpu.groth16.setup import contribute, setup, unsafe_setup
from zkgpu.groth16.verifier import verify, verify_batch

__all__ = [
    "Proof",
    "Prover",
    "ProvingKey",
    "VerifyingKey",
    "contribute",
    "setup",
    "unsafe_setup",
    "verify",
    "verify_batch",
]
