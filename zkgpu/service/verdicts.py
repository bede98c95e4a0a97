"""Verification of what a client sends: a proof, its public values and a verification key, as their files' JSON."""

from __future__ import annotations

import json
from typing import Any

from zkgpu.errors import EXIT_INVALID_PROOF, EXIT_OK, FormatError
from zkgpu.formats import strict_json
from zkgpu.formats.public_values import read_public_values
from zkgpu.systems.files import read_proof, read_verifying_key
from zkgpu.systems.registry import system_of


def verdict(text: str, own_key: Any = None) -> dict[str, Any]:
    """As `zkgpu verify --json` says it.

    Args:
        text: of a JSON object with "public", "proof", and "verification_key" where there is no `own_key`, and perhaps
            "allow_insecure_key"
        own_key: the value of a verification_key.json

    Raises FormatError for anything else, and as the readers of such files.
    """
    given = strict_json.parse(text)
    wanted = {"public", "proof"} | ({"verification_key"} if own_key is None else set())
    if not isinstance(given, dict) or not wanted <= given.keys() <= {*wanted, "allow_insecure_key"}:
        raise FormatError(f"give an object with {', '.join(sorted(wanted))}, and nothing else")
    key = read_verifying_key(_file(given["verification_key"] if own_key is None else own_key))
    proof = read_proof(_file(given["proof"]), key)
    public_inputs, packed = read_public_values(_file(given["public"]), key.curve)
    allow = given.get("allow_insecure_key") is True
    valid = system_of(key).verify(key, public_inputs, proof, packed=packed, allow_insecure_key=allow)
    return {
        "ok": True,
        "valid": valid,
        "unsafe_key": key.is_unsafe,
        "insecure_key": key.weakness(),
        "exit_code": EXIT_OK if valid else EXIT_INVALID_PROOF,
    }


def _file(value: Any) -> bytes:
    """What a file with this value would hold: readers take files only, and are strict."""
    return json.dumps(value).encode()
