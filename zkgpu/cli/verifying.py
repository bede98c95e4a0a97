"""verify. It imports little, since verifying one proof takes less time than importing what proves."""

from __future__ import annotations

from zkgpu.cli.declaring import argument, command, option
from zkgpu.cli.session import Session
from zkgpu.cli.types import FILE
from zkgpu.errors import EXIT_INVALID_PROOF
from zkgpu.stages import stage

insecure_option = option("--allow-insecure-key", is_flag=True, help="Accept a key that lets anyone forge.")


@command("verify")
@argument("key_file", metavar="VERIFICATION_KEY.json", kind=FILE)
@argument("public_file", metavar="PUBLIC.json", kind=FILE)
@argument("proof_file", metavar="PROOF.json", kind=FILE)
@insecure_option
def verify_command(session: Session, key_file: str, public_file: str, proof_file: str, allow_insecure_key: bool) -> int:
    """Verify a proof: exit code 0 when it is valid, 1 when it is not."""
    if session.server:
        from zkgpu.cli import remote

        return remote.verify(session, key_file, public_file, proof_file, allow_insecure_key)
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
