"""Commands that a service carries out, with `--server`: same arguments, same output, same exit codes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from zkgpu.cli.outputs import require_outputs
from zkgpu.cli.session import Session
from zkgpu.cli.terminal import counted
from zkgpu.errors import EXIT_INVALID_PROOF, UsageError, error_with

if TYPE_CHECKING:
    from zkgpu.provers.statement import Statement
    from zkgpu.service.client import Answer, Client

_MODEL_KEY = "key.zkey"


def client_of(session: Session) -> Client:
    from zkgpu.service.client import Client
    from zkgpu.service.settings import token_in

    return Client(str(session.server), token_in(session.token_file) if session.token_file else None)


def refuse(**given: object) -> None:
    """Raises UsageError for an option that has no meaning for a service."""
    for name, value in given.items():
        if value:
            raise UsageError(f"--{name.replace('_', '-')}: with --server the service decides that: leave it out")


def proven(
    session: Session, place: str, body: str, query: dict[str, object]
) -> tuple[list[tuple[Statement, Answer]], bool, Answer]:
    """The statements that a service proved, each verified here, with what it says of them; whether they are a batch;
    and the facts of the key.

    Args:
        place: the key's file or the model's folder, which is found at the service by its bytes; or its name there
        body: the file of the witness or the inputs

    Raises as the service's command would, SelfCheckError for a proof that is not valid.
    """
    from zkgpu.service.opened import statement_from, verifying_key_from

    client = client_of(session)
    name = name_of(client, place)
    facts = client.key(name)
    key = verifying_key_from(facts["verification_key"])
    job = client.prove(body, {"key": name, **{k: v for k, v in query.items() if v not in (None, False, "")}})
    session.stage_seconds.update(job.get("stages", {}))
    if job["state"] != "done":
        text = job["error"].removeprefix("bytes: ")
        raise error_with(f"{body}: {text}" if text != job["error"] else text, job["exit_code"])
    result = job["result"]
    each = result.get("proofs", [result])
    same = {name: result[name] for name in ("unsafe_key", "insecure_key", "device")}
    return [(statement_from(one, key), same) for one in each], "proofs" in result, facts


def prove(session: Session, key_file: str, witness: str, proof_file: str, public_file: str) -> None:
    """`zkgpu prove` by a service."""
    from zkgpu.systems.registry import system_of

    require_outputs([proof_file, public_file], [witness])
    with session.working():
        [(statement, said)], _, _ = proven(session, key_file, witness, {})
        statement.save(proof_file, public_file)
    session.finish(
        {"proof": proof_file, "public": public_file, "verified": True, **said},
        f"{proof_file}: valid {system_of(statement.proof).title} proof ({session.server}, {session.seconds():.2f} s)",
        f"{public_file}: its {counted(len(statement.public_inputs), 'public input')}",
    )


def verify(session: Session, key_file: str, public_file: str, proof_file: str, allow_insecure_key: bool) -> int:
    """`zkgpu verify` by a service."""
    from zkgpu.formats import strict_json

    files = {"verification_key": key_file, "public": public_file, "proof": proof_file}
    question = {name: strict_json.load(path) for name, path in files.items()}
    with session.working():
        said = client_of(session).verify({**question, "allow_insecure_key": allow_insecure_key})
    facts = {name: said[name] for name in ("valid", "unsafe_key", "insecure_key")}
    session.finish(facts, "valid proof" if said["valid"] else "INVALID proof")
    return 0 if said["valid"] else EXIT_INVALID_PROOF


def name_of(client: Client, place: str) -> str:
    """What the service calls a key: that of the same bytes, or the name that is given where there is no such file."""
    file = os.path.join(place, _MODEL_KEY) if os.path.isdir(place) else place
    keys = client.keys()
    if not os.path.isfile(file):
        return place if place in keys else Path(place).stem
    from zkgpu.formats.container import map_file
    from zkgpu.store.digests import digest_of

    digest = digest_of(file, map_file(file))
    for name, facts in keys.items():
        if facts.get("digest") == digest:
            return name
    raise UsageError(f"{place}: the service has no such key: it has {', '.join(keys)}")
