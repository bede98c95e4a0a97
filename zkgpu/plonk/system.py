"""PLONK as the registry has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zkgpu import plonk
from zkgpu.errors import UsageError
from zkgpu.faces import later
from zkgpu.plonk import json as codec
from zkgpu.plonk.keys import SELECTORS, Additions
from zkgpu.provers.proof_system import Facts, ProofSystem
from zkgpu.provers.statement import Statement

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS


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


def _holds_circuit(key: plonk.ProvingKey, r1cs: R1CS) -> bool:
    """By the wires and selectors of all rows; the additions follow from them but for their factors."""
    from zkgpu.plonk.arithmetize import arithmetize

    if (key.n_circuit_wires, key.n_public) != (r1cs.n_wires, r1cs.n_public) or r1cs.rounds:
        return False
    rows, field = arithmetize(r1cs), r1cs.field
    if not np.array_equal(rows.wires, key.wires) or not _same_additions(rows.additions, key.additions):
        return False
    r, modulus = field.montgomery_radix, field.modulus
    return all(
        field.from_limbs(np.ascontiguousarray(key.fixed[name][key.domain_size :: 4][: rows.n_rows]))
        == [value * r % modulus for value in field.from_limbs(rows.selectors[name])]
        for name in SELECTORS
    )


def _same_additions(one: Additions, other: Additions) -> bool:
    return np.array_equal(one.wires, other.wires) and np.array_equal(one.table[one.factors], other.table[other.factors])


SYSTEM = ProofSystem(
    name="plonk",
    title="PLONK",
    setup=_setup,
    unsafe_setup=later("zkgpu.plonk.setup", "unsafe_setup"),
    setup_room=later("zkgpu.plonk.setup", "setup_room"),
    prover=later("zkgpu.plonk.prover", "Prover"),
    verify=_verify,
    verify_batch=_verify_batch,
    read_key=later("zkgpu.plonk.zkey", "read_plonk_zkey"),
    write_key=later("zkgpu.plonk.zkey", "write_plonk_zkey"),
    proof_from_json=codec.proof_from_json,
    proof_to_json=codec.proof_to_json,
    verifying_key_from_json=codec.verifying_key_from_json,
    verifying_key_to_json=codec.verifying_key_to_json,
    holds_circuit=_holds_circuit,
    describe_key=_describe_key,
    describe_verifying_key=lambda key: {},
)
