"""The list of commands, and the call of the one that a line asks for."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from zkgpu.cli import plain
from zkgpu.cli.declaring import Group
from zkgpu.cli.outcome import finished
from zkgpu.cli.session import Session

COMMANDS = {
    "compile": "circuit.compile_command",
    "witness": "circuit.witness_command",
    "check": "circuit.check_command",
    "powers": "ceremony.powers_group",
    "setup": "setup.setup_command",
    "key": "ceremony.key_group",
    "prove": "proof.prove_command",
    "fullprove": "proof.fullprove_command",
    "verify": "verifying.verify_command",
    "export": "export.export_group",
    "inspect": "export.inspect_command",
    "profile": "profile.profile_command",
    "doctor": "machine.doctor_command",
    "cache": "machine.cache_group",
    "zkml": "zkml.zkml_group",
    "audit": "audit.audit_group",
    "batch": "batch.batch_command",
    "serve": "serve.serve_command",
    "demo": "demo.demo_command",
    "samples": "samples.samples_command",
}
EXIT_CODES = {
    0: "ok",
    1: "proof invalid",
    2: "usage",
    3: "bad file or value",
    4: "unsatisfied or second witness",
    5: "no such device, package, memory or room",
    6: "self-check failed",
    70: "bug",
    130: "interrupted",
    141: "nobody reads the output",
}
_HEADINGS = {  # in order of use
    "A first proof": ("demo", "samples"),
    "Circuits": ("compile", "witness", "check", "setup", "prove", "fullprove", "verify", "export", "profile"),
    "Neural networks": ("zkml", "audit"),
    "Ceremonies": ("powers", "key"),
    "Many proofs": ("batch", "serve"),
    "This machine, and files": ("inspect", "doctor", "cache"),
}


def by_heading() -> dict[str, list[str]]:
    """The names of all commands, in order of use."""
    listed = {heading: [name for name in names if name in COMMANDS] for heading, names in _HEADINGS.items()}
    others = [name for name in COMMANDS if not any(name in names for names in listed.values())]
    return {**listed, **({"Others": others} if others else {})}


ROOT = Group(
    "zkgpu",
    """Zero-knowledge proofs: {systems} over {curves}, from circuits in Python or circom to a Solidity verifier.

    Exit codes: {codes}.
    """,
    later={name: COMMANDS[name] for names in by_heading().values() for name in names},
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code. Never shows a traceback unless ZKGPU_TRACEBACK is set."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    finished(lambda session: _called(given, session), given)


def _called(arguments: list[str], session: Session) -> object:
    """What the command gives."""
    call = plain.read(arguments, ROOT)
    if call is None:
        from zkgpu.cli.parsing import called

        return called(arguments, session)
    for name, value in call.of_session.items():
        setattr(session, name, value)
    with contextlib.ExitStack() as stack:
        return call.command.run(session, call.path, stack.enter_context, call.values)
