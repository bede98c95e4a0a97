"""PLONK (eprint 2019/953) with a universal setup, in snarkjs' dialect.

key   = plonk.setup(circuit.r1cs, powers_of_tau, backend)
proof = plonk.Prover(key, backend).prove(assignment)
plonk.verify(key.verifying_key, public_inputs, proof)
"""

from typing import TYPE_CHECKING

from zkgpu.faces import names_of

if TYPE_CHECKING:
    from zkgpu.plonk.keys import Proof, ProvingKey, VerifyingKey
    from zkgpu.plonk.prover import Prover
    from zkgpu.plonk.setup import setup, unsafe_setup
    from zkgpu.plonk.verifier import verify

__all__ = ["Proof", "Prover", "ProvingKey", "VerifyingKey", "setup", "unsafe_setup", "verify"]

_HOMES = {
    "Proof": "zkgpu.plonk.keys",
    "Prover": "zkgpu.plonk.prover",
    "ProvingKey": "zkgpu.plonk.keys",
    "VerifyingKey": "zkgpu.plonk.keys",
    "setup": "zkgpu.plonk.setup",
    "unsafe_setup": "zkgpu.plonk.setup",
    "verify": "zkgpu.plonk.verifier",
}
__getattr__ = names_of(__name__, _HOMES)
