"""PLONK (eprint 2019/953) with a universal setup, in snarkjs' dialect.

key   = plonk.setup(circuit.r1cs, powers_of_tau, backend)
proof = plonk.Prover(key, backend).prove(assignment)
plonk.verify(key.verifying_key, public_inputs, proof)
"""

from zkgpu.plonk.keys import Proof, ProvingKey, VerifyingKey
from zkgpu.plonk.prover import Prover
from zkgpu.plonk.setup import setup, unsafe_setup
from zkgpu.plonk.verifier import verify

__all__ = ["Proof", "Prover", "ProvingKey", "VerifyingKey", "setup", "unsafe_setup", "verify"]
