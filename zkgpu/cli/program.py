"""The list of commands, and the options that all of them take."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

import zkgpu
from zkgpu.cli.outcome import finished
from zkgpu.cli.parsing import Group, said, with_global_options
from zkgpu.cli.session import Session
from zkgpu.errors import UsageError

COMMANDS = {
    "compile": "circuit.compile_command",
    "witness": "circuit.witness_command",
    "check": "circuit.check_command",
    "powers": "ceremony.powers_group",
    "setup": "setup.setup_command",
    "key": "ceremony.key_group",
    "prove": "proof.prove_command",
    "fullprove": "proof.fullprove_command",
    "verify": "proof.verify_command",
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


class Commands(Group):
    """The commands by name; the module of one is imported when it is called. Each takes the global options too."""

    later = COMMANDS

    def invoke(self, ctx: click.Context) -> Any:
        """An interruption is told of once, in one line: click would print an empty one first."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise click.Abort from None

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The docstring, with the proof systems, curves and exit codes that there are."""
        from zkgpu.curves import CURVES
        from zkgpu.systems.registry import NAMES, TITLES

        self.help = str(self.help).format(
            systems=" and ".join(TITLES[name] for name in NAMES),
            curves=" and ".join(curve.title for curve in CURVES),
            codes=", ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items()),
        )
        super().format_help_text(ctx, formatter)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for names in by_heading().values() for name in names]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands in order of use, under headings."""
        for heading, names in by_heading().items():
            with formatter.section(heading):
                commands = [(name, self.get_command(ctx, name)) for name in names]
                formatter.write_dl([(name, c.get_short_help_str(90)) for name, c in commands if c is not None])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(zkgpu.__version__, prog_name="zkgpu")
def cli() -> None:
    """Zero-knowledge proofs: {systems} over {curves}, from circuits in Python or circom to a Solidity verifier.

    Exit codes: {codes}.
    """


with_global_options(cli).epilog = None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code. Never shows a traceback unless ZKGPU_TRACEBACK is set."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    finished(lambda session: _called(given, session), given)


def _called(arguments: list[str], session: Session) -> object:
    """What the command gives. click's own errors become those of the package."""
    try:
        return cli.main(arguments, prog_name="zkgpu", standalone_mode=False, obj=session)
    except click.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        raise UsageError(said(error)) from None
