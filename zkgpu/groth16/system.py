"""Groth16 as the registry has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkgpu.faces import later
from zkgpu.groth16 import json as codec
from zkgpu.groth16 import verifier
from zkgpu.provers.proof_system import Facts, ProofSystem

if TYPE_CHECKING:
    from zkgpu import groth16
    from zkgpu.circuits.r1cs import R1CS


def _describe_key(key: groth16.ProvingKey) -> Facts:
    from zkgpu.ceremony.contributors import contribution_facts
    from zkgpu.groth16.ceremony import contribution_hash

    return {
        "format": "Groth16 proving key (.zkey)",
        "curve": key.verifying_key.curve.name,
        "wires": key.n_wires,
        "public": key.n_public,
        **_describe_round(key.verifying_key),
        "domain": key.domain_size,
        **_describe_matrices(key),
        "circuit_hash": key.circuit_hash.hex(),
        "contributions": [contribution_facts(i, c, contribution_hash(c)) for i, c in enumerate(key.contributions, 1)],
    }


def _describe_matrices(key: groth16.ProvingKey) -> Facts:
    if key.circuit_digest is not None:
        return {"circuit_digest": key.circuit_digest.hex()}
    return {"entries": [key.a.entries, key.b.entries]}


def _describe_round(key: groth16.VerifyingKey) -> Facts:
    facts: Facts = {}
    for commitment in key.commitments:
        round_ = commitment.round
        arrays = [f"{a.name}{list(a.shape)} from {a.low} to {a.high}" for a in round_.arrays]
        facts |= {"committed": round_.n_committed, "challenges": round_.n_challenges, "public_arrays": arrays}
    return facts


def _holds_circuit(key: groth16.ProvingKey, r1cs: R1CS) -> bool:
    """By A and B with the rows that bind public inputs: what C was, the points of a key do not show."""
    from zkgpu.groth16.circuit_digest import circuit_digest
    from zkgpu.groth16.qap import qap_matrices

    if (key.n_wires, key.n_public, key.n_committed) != (r1cs.n_wires, r1cs.n_public, r1cs.n_committed):
        return False
    if key.rounds != r1cs.rounds:
        return False
    if key.circuit_digest is not None:
        return key.circuit_digest == circuit_digest(r1cs)
    matrices = qap_matrices(r1cs)
    return key.a.is_same(matrices.a) and key.b.is_same(matrices.b)


SYSTEM = ProofSystem(
    name="groth16",
    title="Groth16",
    setup=later("zkgpu.groth16.setup", "setup"),
    unsafe_setup=later("zkgpu.groth16.setup", "unsafe_setup"),
    setup_room=later("zkgpu.groth16.room", "setup_room"),
    prover=later("zkgpu.groth16.prover", "Prover"),
    verify=verifier.verify,
    verify_batch=verifier.verify_batch,
    read_key=later("zkgpu.groth16.zkey", "read_zkey"),
    write_key=later("zkgpu.groth16.zkey", "write_zkey"),
    proof_from_json=codec.proof_from_json,
    proof_to_json=codec.proof_to_json,
    verifying_key_from_json=codec.verifying_key_from_json,
    verifying_key_to_json=codec.verifying_key_to_json,
    holds_circuit=_holds_circuit,
    describe_key=_describe_key,
    describe_verifying_key=_describe_round,
    records_contributions=True,
)
