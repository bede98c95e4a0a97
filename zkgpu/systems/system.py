"""What the rest of the package needs of a proof system."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS

Facts = dict[str, Any]


@dataclass(frozen=True)
class ProofSystem:
    """A proof system: its verbs, its files, and how it describes its keys.

    Attributes:
        name, title: "groth16", and what messages call it
        setup: setup(r1cs, powers_of_tau, backend, name=...); a name only if `records_contributions`
        unsafe_setup: unsafe_setup(r1cs, backend)
        prover: Prover(key, backend, circuit=..., allow_insecure_key=...)
        verify: verify(key, public_inputs, proof, packed=..., allow_insecure_key=...)
        verify_batch: verify_batch(key, statements, allow_insecure_key=...)
        read_key, write_key: .zkey files: read_key(path, validate), write_key(path, key)
        proof_from_json, ..: the objects of proof.json and verification_key.json
        holds_circuit: holds_circuit(key, r1cs): whether a proving key is for a circuit, as far as it tells
        describe_key, ..: facts about a key, by name, for `inspect`
        records_contributions: whether a key records who contributed to it
    """

    name: str
    title: str
    setup: Callable[..., Any]
    unsafe_setup: Callable[..., Any]
    prover: Callable[..., Any]
    verify: Callable[..., bool]
    verify_batch: Callable[..., bool]
    read_key: Callable[..., Any]
    write_key: Callable[..., None]
    proof_from_json: Callable[..., Any]
    proof_to_json: Callable[..., dict[str, Any]]
    verifying_key_from_json: Callable[[Any], Any]
    verifying_key_to_json: Callable[..., dict[str, Any]]
    holds_circuit: Callable[[Any, R1CS], bool]
    describe_key: Callable[[Any], Facts]
    describe_verifying_key: Callable[[Any], Facts]
    records_contributions: bool = False
