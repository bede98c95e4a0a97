"""Keys and proofs of any proof system, as files that say themselves what they are for."""

from __future__ import annotations

from typing import Any

from zkgpu.errors import FormatError
from zkgpu.formats import strict_json, zkey
from zkgpu.formats.container import Source, open_container
from zkgpu.formats.json_values import StrPath, located
from zkgpu.formats.kinds import KEY, PROOF
from zkgpu.formats.points import Validator
from zkgpu.provers.proof_system import AnyProof, AnyProvingKey, AnyVerifyingKey
from zkgpu.systems.registry import TITLES, protocol_of, system_of, system_of_json, system_of_zkey


def read_key(source: Source, validate: Validator | None = None) -> AnyProvingKey:
    """The proving key in a .zkey of any proof system; `validate` as for `groth16.zkey.read_zkey`."""
    number = zkey.protocol_of(open_container(source, zkey.MAGIC, (1, 2)))
    key: AnyProvingKey = system_of_zkey(number).read_key(source, validate)
    return key


def write_key(path: StrPath, key: AnyProvingKey) -> None:
    """Writes the .zkey of a proving key of any proof system."""
    system_of(key).write_key(path, key)


def read_verifying_key(source: Source) -> AnyVerifyingKey:
    """The verifying key in a verification_key.json of any proof system."""
    key: AnyVerifyingKey = located(source, _verifying_key, strict_json.load(source, KEY))
    return key


def write_verifying_key(path: StrPath, key: AnyVerifyingKey) -> None:
    """Writes the verification_key.json of a key of any proof system."""
    strict_json.dump(path, system_of(key).verifying_key_to_json(key))


def read_proof(source: Source, key: AnyVerifyingKey | None = None) -> AnyProof:
    """The proof in a proof.json, of the proof system and over the curve of `key` when one is given."""
    proof: AnyProof = located(source, _proof, strict_json.load(source, PROOF), key)
    return proof


def _verifying_key(value: Any) -> AnyVerifyingKey:
    key: AnyVerifyingKey = system_of_json(value, "verification key").verifying_key_from_json(value)
    return key


def _proof(value: Any, key: AnyVerifyingKey | None) -> AnyProof:
    found = protocol_of(value, "proof")
    if key is not None and found != key.protocol:
        raise FormatError(
            f'the protocol of the proof is "{found}", but the key is for {TITLES[key.protocol]}: give the proof that '
            "belongs to this key"
        )
    proof: AnyProof = system_of_json(value, "proof").proof_from_json(value, *([] if key is None else [key.curve]))
    return proof
