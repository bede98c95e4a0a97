"""Groth16's prover: a first round where the circuit has challenges, then the proof."""

from __future__ import annotations

from dataclasses import replace

from zkgpu.backend.protocol import Backend
from zkgpu.circuits.r1cs import R1CS
from zkgpu.fields.field import Limbs
from zkgpu.groth16.committer import Committer, Opening
from zkgpu.groth16.keys import Proof, ProvingKey
from zkgpu.groth16.proof import Blinding, make_proof
from zkgpu.groth16.resident import ResidentKey
from zkgpu.groth16.verifier import verify
from zkgpu.provers.checked import CheckedProver, Witness
from zkgpu.provers.statement import Statement


class Prover(CheckedProver[ProvingKey, Blinding]):
    """A key of Groth16 at home on a device, for many proofs; arguments and errors are those of `CheckedProver`."""

    def _load(self) -> None:
        self._resident = ResidentKey(self.key, self.backend)
        self._committer = Committer(self.key, self.backend) if self.key.commitment else None

    def _draw(self) -> Blinding:
        return Blinding.random(self._field)

    def _first_round(self, witness: Witness, blinding: Blinding) -> tuple[Limbs, Opening | None]:
        if self._committer is None:
            return super()._first_round(witness, blinding)
        return self._committer.run(witness, blinding.mask)

    def _make(self, assignment: Limbs, first_round: Opening | None, blinding: Blinding) -> Statement:
        proof = make_proof(self._resident, assignment, blinding)
        if first_round is None:
            return Statement(self.public_inputs(assignment), proof)
        proof = replace(proof, commitment=first_round.commitment, knowledge=first_round.knowledge)
        return Statement(list(first_round.public), proof, first_round.packed)

    def _verify(self, statement: Statement) -> bool:
        vk, (public_inputs, proof, packed) = self.key.verifying_key, statement
        return verify(vk, public_inputs, proof, packed=packed, allow_insecure_key=self._allow_insecure_key)

    def _explain(self, witness: Witness) -> str:
        """The key has A and B in the clear, but C only within its queries: it cannot be asked for the constraint."""
        return (
            "the witness does not satisfy the circuit of this key, or the key is damaged: "
            "`zkgpu check CIRCUIT.r1cs WITNESS.wtns` names the constraint"
        )


def prove(key: ProvingKey, witness: Witness, backend: Backend, *, circuit: R1CS | None = None) -> Proof:
    """One proof; `Prover` keeps the key for more."""
    proof: Proof = Prover(key, backend, circuit=circuit).prove(witness)
    return proof
