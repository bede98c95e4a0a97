"""`zkgpu verify` of three files, which needs no parser of options."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from zkgpu.cli.outcome import finished
from zkgpu.cli.session import Session
from zkgpu.errors import EXIT_INVALID_PROOF
from zkgpu.stages import stage


def is_plain(arguments: Sequence[str]) -> bool:
    """Whether these ask for nothing but the verification of three files that are there."""
    files = arguments[1:]
    return arguments[:1] == ["verify"] and len(files) == 3 and all(map(_is_plain_file, files))


def _is_plain_file(path: str) -> bool:
    return not path.startswith("-") and os.path.isfile(path) and os.access(path, os.R_OK)


def main(arguments: Sequence[str]) -> None:
    """Verify and exit, as the command of that name does with its default options."""
    finished(lambda session: _run(session, *arguments[1:]), arguments)


def _run(session: Session, key_file: str, public_file: str, proof_file: str) -> int:
    with contextlib.ExitStack() as stack:
        session.begin("verify", stack.enter_context)
        return verified(session, key_file, public_file, proof_file)


def verified(
    session: Session, key_file: str, public_file: str, proof_file: str, allow_insecure_key: bool = False
) -> int:
    """Says whether a proof is valid: the exit code."""
    from zkgpu.formats.public_values import read_public_values
    from zkgpu.systems.files import read_proof, read_verifying_key
    from zkgpu.systems.registry import system_of

    with session.working(), stage("verify"):
        key = read_verifying_key(key_file)
        proof = read_proof(proof_file, key)
        public_inputs, packed = read_public_values(public_file, key.curve)
        valid = system_of(key).verify(key, public_inputs, proof, packed=packed, allow_insecure_key=allow_insecure_key)
    session.warn_of_key(key.is_unsafe, key.weakness())
    facts = {"valid": valid, "unsafe_key": key.is_unsafe, "insecure_key": key.weakness()}
    session.finish(facts, "valid proof" if valid else "INVALID proof")
    return 0 if valid else EXIT_INVALID_PROOF
