"""PLONK as the registry has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zkgpu import plonk
from zkgpu.errors import UsageError
from zkgpu.plonk import json as codec
from zkgpu.plonk import zkey
from zkgpu.provers.statement import Statement
from zkgpu.systems.system import Facts, ProofSystem


def _setup(r1cs: Any, powers: Any, backend: Any, *, name: str = "") -> plonk.ProvingKey:
    if name:
        raise UsageError("a PLONK key records no contribution: leave the name out")
    return plonk.setup(r1cs, powers, backend)


def _verify(
    key: plonk.VerifyingKey,
    public_inputs: Sequence[int],
    proof: plonk.Proof,
    *,
    packed: bytes = b"",
    allow_insecure_key: bool = False,
) -> bool:
    if packed:
        raise UsageError("a PLONK proof has no packed values: they belong to another proof")
    return plonk.verify(key, public_inputs, proof, allow_insecure_key=allow_insecure_key)


def _verify_batch(
    key: plonk.VerifyingKey,
    statements: Sequence[Statement],
    *,
    allow_insecure_key: bool = False,
) -> bool:
    """One after the other."""
    return all(
        _verify(key, inputs, proof, packed=packed, allow_insecure_key=allow_insecure_key)
        for inputs, proof, packed in statements
    )


def _describe_key(key: plonk.ProvingKey) -> Facts:
    return {
        "format": "PLONK proving key (.zkey)",
        "curve": key.verifying_key.curve.name,
        "wires": key.n_circuit_wires,
        "additions": len(key.additions),
        "public": key.n_public,
        "rows": key.n_rows,
        "domain": key.domain_size,
    }


SYSTEM = ProofSystem(
    name="plonk",
    title="PLONK",
    setup=_setup,
    unsafe_setup=plonk.unsafe_setup,
    prover=plonk.Prover,
    verify=_verify,
    verify_batch=_verify_batch,
    read_key=zkey.read_plonk_zkey,
    write_key=zkey.write_plonk_zkey,
    proof_from_json=codec.proof_from_json,
    proof_to_json=codec.proof_to_json,
    verifying_key_from_json=codec.verifying_key_from_json,
    verifying_key_to_json=codec.verifying_key_to_json,
    describe_key=_describe_key,
    describe_verifying_key=lambda key: {},
)
