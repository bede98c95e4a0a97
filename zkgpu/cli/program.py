"""The entry point: global options, the list of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

import zkgpu
from zkgpu.cli.parsing import Group, said, with_global_options
from zkgpu.cli.session import SCHEMA, Session
from zkgpu.cli.terminal import EXIT_CLOSED_PIPE, ClosedPipe, complain, hold_standard_streams, message, say, settled
from zkgpu.errors import EXIT_OK, UsageError, ZkgpuError, described
from zkgpu.faces import is_put_off

EXIT_INTERRUPTED = 130
_INTERRUPTED = "interrupted: nothing half-made stays: run the command again"
_ROOM = 480  # characters of an error, so that the line with it is a message
# commands that may multiply matrices of floats: the others need none of the threads that NumPy would start for it
_WITH_FLOATS = {"audit", "compile", "demo", "zkml"}


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

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(".")
        command: click.Command = getattr(import_module(f"zkgpu.cli.{module}"), name)
        return with_global_options(command)

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
    hold_standard_streams()
    sys.exit(settled(_run(list(sys.argv[1:] if arguments is None else arguments) or ["--help"])))


def _run(arguments: list[str]) -> int:
    """The exit code; 1 is a command's own word that a proof is invalid, and nothing else."""
    as_json, session = "--json" in arguments, Session()
    if ("numpy" not in sys.modules or is_put_off("numpy")) and not _WITH_FLOATS & set(arguments):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        code = cli.main(arguments, prog_name="zkgpu", standalone_mode=False, obj=session)
        return code if isinstance(code, int) else EXIT_OK
    except (ClosedPipe, SystemExit):  # so click and Rich say that nobody reads standard output
        return EXIT_CLOSED_PIPE
    except (KeyboardInterrupt, click.Abort):
        return _fail(session.json or as_json, _INTERRUPTED, EXIT_INTERRUPTED)
    except Exception as error:  # the last resort of a command line is one line, not a traceback
        if _is_of_interruption(error):
            return _fail(session.json or as_json, _INTERRUPTED, EXIT_INTERRUPTED)
        if os.environ.get("ZKGPU_TRACEBACK"):
            for line in "".join(_traceback(error, session.show_values)).splitlines():
                complain(line)
        text, code = describe(error)
        values = _values(error) if session.show_values else ""
        return _fail(session.json or as_json, text, code, values, getattr(error, "details", {}))


def end_interrupted(arguments: list[str]) -> None:
    """Exits as an interrupted command, of which nothing began."""
    hold_standard_streams()
    sys.exit(settled(_fail("--json" in arguments, _INTERRUPTED, EXIT_INTERRUPTED)))


def _is_of_interruption(error: BaseException | None) -> bool:
    """Whether this came of a KeyboardInterrupt: NumPy, say, cannot be imported again where its import was cut short."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def describe(error: BaseException) -> tuple[str, int]:
    """`errors.described`, which knows nothing of click."""
    if isinstance(error, click.ClickException):
        return said(error), UsageError.exit_code
    return described(error)


def _values(error: Exception) -> str:
    """What the description leaves out. The text of an exception that is not zkgpu's may quote anything."""
    known = isinstance(error, click.ClickException | MemoryError | OSError)
    text = error.values if isinstance(error, ZkgpuError) else "" if known else str(error)
    return " ".join(text.split())


def _traceback(error: BaseException, show_values: bool) -> list[str]:
    """The lines of a traceback, and of those that led to it; without values, each ends in the description instead."""
    if show_values:
        return traceback.format_exception(error)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [] if cause is None else [*_traceback(cause, show_values), "\nwhich led to:\n\n"]
    frames = traceback.format_tb(error.__traceback__)
    return [*before, "Traceback (most recent call last):\n", *frames, f"{type(error).__name__}: {describe(error)[0]}\n"]


def _fail(as_json: bool, text: str, code: int, values: str = "", details: Mapping[str, Any] | None = None) -> int:
    line, values = message(text, _ROOM), message(values, _ROOM)
    if as_json:
        shown = {"values": values} if values else {}
        with contextlib.suppress(ClosedPipe, ZkgpuError):  # the exit code says it all the same
            found = {"error": line, **shown, "exit_code": code, **(details or {})}
            say([json.dumps({"schema": SCHEMA, "ok": False, **found})])
    complain(message(f"error: {line} ({values})" if values else f"error: {line}"))
    return code
