"""Files of either proof system, which say themselves what they are for."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from zkgpu.errors import FormatError
from zkgpu.formats import json_files, strict_json, zkey
from zkgpu.formats.atomic import replacing
from zkgpu.formats.container import open_container
from zkgpu.formats.json_files import StrPath
from zkgpu.formats.json_values import TITLES, located, protocol_of
from zkgpu.formats.points import Validator

if TYPE_CHECKING:
    from zkgpu import groth16, plonk

AnyProvingKey: TypeAlias = "groth16.ProvingKey | plonk.ProvingKey"
AnyVerifyingKey: TypeAlias = "groth16.VerifyingKey | plonk.VerifyingKey"
AnyProof: TypeAlias = "groth16.Proof | plonk.Proof"


@dataclass(frozen=True)
class _Files:
    """How the files of one proof system are read and written."""

    read_key: Callable[..., Any]
    write_key: Callable[..., None]
    proof_from_json: Callable[..., Any]
    proof_to_json: Callable[..., dict[str, Any]]
    verifying_key_from_json: Callable[[Any], Any]
    verifying_key_to_json: Callable[..., dict[str, Any]]


_GROTH16 = _Files(
    zkey.read_zkey,
    zkey.write_zkey,
    json_files.proof_from_json,
    json_files.proof_to_json,
    json_files.verifying_key_from_json,
    json_files.verifying_key_to_json,
)


def _files_of(protocol: str) -> _Files:
    return _plonk_files() if protocol == "plonk" else _GROTH16


@functools.cache
def _plonk_files() -> _Files:
    from zkgpu.formats import plonk_json, plonk_zkey

    return _Files(
        plonk_zkey.read_plonk_zkey,
        plonk_zkey.write_plonk_zkey,
        plonk_json.proof_from_json,
        plonk_json.proof_to_json,
        plonk_json.verifying_key_from_json,
        plonk_json.verifying_key_to_json,
    )


def protocol_name(value: Any) -> str:
    """The proof system of a key or a proof: "groth16", "groth16-commitment" or "plonk"."""
    loaded = sys.modules.get("zkgpu.plonk.keys")  # before that is imported there are no such values
    if loaded and isinstance(value, loaded.ProvingKey | loaded.VerifyingKey | loaded.Proof):
        return "plonk"
    return "groth16" if value.commitment is None else "groth16-commitment"


def read_key(path: StrPath, validate: Validator | None = None) -> AnyProvingKey:
    """The proving key in a .zkey of either proof system; `validate` as for `read_zkey`."""
    protocol = zkey.protocol_of(open_container(path, zkey.MAGIC, (1, 2)))
    return _files_of("plonk" if protocol == zkey.PLONK else "groth16").read_key(path, validate)


def write_key(path: StrPath, key: AnyProvingKey) -> None:
    _files_of(protocol_name(key)).write_key(path, key)


def read_verifying_key(path: StrPath) -> AnyVerifyingKey:
    """The verifying key in a verification_key.json of either proof system."""
    return located(path, _verifying_key, strict_json.load(path))


def write_verifying_key(path: StrPath, key: AnyVerifyingKey) -> None:
    strict_json.dump(path, _files_of(protocol_name(key)).verifying_key_to_json(key))


def read_proof(path: StrPath, key: AnyVerifyingKey | None = None) -> AnyProof:
    """The proof in a proof.json, of the proof system and over the curve of `key` when one is given."""
    return located(path, _proof, strict_json.load(path), key)


def write_proof_and_public(
    proof_path: StrPath, proof: AnyProof, public_path: StrPath, public_inputs: Sequence[int], packed: bytes = b""
) -> None:
    """Writes proof.json and public.json, both or neither; the packed arrays with a proof that has a commitment."""
    value = _files_of(protocol_name(proof)).proof_to_json(proof)
    public = json_files.public_values_to_json(public_inputs, packed, protocol_name(proof) == "groth16-commitment")
    with replacing(public_path) as public_file, replacing(proof_path) as proof_file:
        public_file.write(strict_json.text_of(public).encode())
        proof_file.write(strict_json.text_of(value).encode())


def _verifying_key(value: Any) -> AnyVerifyingKey:
    return _files_of(protocol_of(value, "verification key")).verifying_key_from_json(value)


def _proof(value: Any, key: AnyVerifyingKey | None) -> AnyProof:
    if key is None:
        return _files_of(protocol_of(value, "proof")).proof_from_json(value)
    wanted = protocol_name(key)
    found = protocol_of(value, "proof")
    if found != wanted:
        raise FormatError(
            f'the protocol of the proof is "{found}", but the key is for {TITLES[wanted]}: give the proof that '
            "belongs to this key"
        )
    return _files_of(wanted).proof_from_json(value, key.curve)
