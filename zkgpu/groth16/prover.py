"""Groth16's prover: a first round where the circuit has challenges, then the proof."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from zkgpu.backend.protocol import Backend
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.groth16.committer import NOTHING, Committer, Opening
from zkgpu.groth16.keys import Proof, ProvingKey
from zkgpu.groth16.proof import Blinding, make_proof
from zkgpu.groth16.resident import ResidentKey
from zkgpu.groth16.verifier import verify
from zkgpu.provers.checked import CheckedProver, Witness
from zkgpu.provers.statement import Statement

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS


class Prover(CheckedProver[ProvingKey, Blinding]):
    """A key of Groth16 at home on a device, for many proofs; arguments and errors are those of `CheckedProver`."""

    def _load(self) -> None:
        if not self.key.has_matrices:
            self.key = self.key.with_circuit(self._required_circuit())
        self._resident = ResidentKey(self.key, self.backend)
        self._committers = [Committer(self.key, queries, self.backend) for queries in self._resident.commitments]

    def _required_circuit(self) -> R1CS:
        if self._circuit is None:
            raise UsageError("the key has no matrices, as that of a model: prove with its circuit, or its build folder")
        return self._circuit

    def _draw(self) -> Blinding:
        return Blinding.random(self._field)

    def _first_round(self, witness: Witness, blinding: Blinding) -> tuple[Limbs, Opening]:
        if self._committers:
            return self._committers[0].run(witness, blinding.mask)
        assignment, _ = super()._first_round(witness, blinding)
        return assignment, NOTHING

    def _make(self, assignment: Limbs, first_round: Opening, blinding: Blinding) -> Statement:
        proof = replace(make_proof(self._resident, assignment, blinding), commitments=first_round.commitments)
        return Statement(self.public_inputs(assignment), proof, first_round.packed)

    def _verify(self, statement: Statement) -> bool:
        vk, (public_inputs, proof, packed) = self.key.verifying_key, statement
        return verify(vk, public_inputs, proof, packed=packed, allow_insecure_key=self._allow_insecure_key)

    def _explain(self, witness: Witness) -> str:
        """The key has A and B in the clear, but C only within its queries: it does not show which constraint."""
        return (
            "the witness does not satisfy the circuit of this key, or the key is damaged: "
            "`zkgpu check CIRCUIT.r1cs WITNESS.wtns` names the constraint"
        )


def prove(key: ProvingKey, witness: Witness, backend: Backend, *, circuit: R1CS | None = None) -> Proof:
    """One proof; `Prover` keeps the key for more."""
    proof: Proof = Prover(key, backend, circuit=circuit).prove(witness)
    return proof
