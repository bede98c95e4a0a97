"""Groth16 (eprint 2016/260): one file per verb.

key   = groth16.setup(circuit.r1cs, powers_of_tau, backend)
proof = groth16.Prover(key, backend).prove(assignment)
groth16.verify(key.verifying_key, public_inputs, proof)
"""

from typing import TYPE_CHECKING

from zkgpu.faces import names_of

if TYPE_CHECKING:
    from zkgpu.groth16.keys import Proof, ProvingKey, VerifyingKey
    from zkgpu.groth16.prover import Prover
    from zkgpu.groth16.setup import contribute, setup, unsafe_setup, verify_key
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
    "verify_key",
]

_HOMES = {
    "Proof": "zkgpu.groth16.keys",
    "Prover": "zkgpu.groth16.prover",
    "ProvingKey": "zkgpu.groth16.keys",
    "VerifyingKey": "zkgpu.groth16.keys",
    "contribute": "zkgpu.groth16.setup",
    "setup": "zkgpu.groth16.setup",
    "unsafe_setup": "zkgpu.groth16.setup",
    "verify": "zkgpu.groth16.verifier",
    "verify_batch": "zkgpu.groth16.verifier",
    "verify_key": "zkgpu.groth16.setup",
}
__getattr__ = names_of(__name__, _HOMES)
