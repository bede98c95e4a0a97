"""What a run of the command line comes to: the one place where errors become exit codes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from zkgpu.cli.session import SCHEMA, Session
from zkgpu.cli.terminal import EXIT_CLOSED_PIPE, ClosedPipe, complain, hold_standard_streams, message, say, settled
from zkgpu.errors import EXIT_OK, ZkgpuError, described
from zkgpu.faces import is_put_off

EXIT_INTERRUPTED = 130
_INTERRUPTED = "interrupted: nothing half-made stays: run the command again"
_ROOM = 480  # characters of an error, so that the line with it is a message
# commands that may multiply matrices of floats: the others need none of the threads that NumPy would start for it
_WITH_FLOATS = {"audit", "compile", "demo", "zkml"}


def finished(command: Callable[[Session], object], arguments: Sequence[str]) -> None:
    """Runs what the arguments ask for, and exits: with what it gives, or with the code of its error, in one line."""
    hold_standard_streams()
    sys.exit(settled(_run(command, arguments)))


def _run(command: Callable[[Session], object], arguments: Sequence[str]) -> int:
    """The exit code; 1 is a command's own word that a proof is invalid, and nothing else."""
    as_json, session = "--json" in arguments, Session()
    if ("numpy" not in sys.modules or is_put_off("numpy")) and not _WITH_FLOATS & set(arguments):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        code = command(session)
        return code if isinstance(code, int) else EXIT_OK
    except (ClosedPipe, BrokenPipeError, SystemExit) as end:  # so click and Rich say that nobody reads what is written
        return EXIT_OK if getattr(end, "code", None) == 0 else EXIT_CLOSED_PIPE  # 0 once words were completed
    except KeyboardInterrupt:
        return _fail(session.json or as_json, _INTERRUPTED, EXIT_INTERRUPTED)
    except Exception as error:  # the last resort of a command line is one line, not a traceback
        if _is_of_interruption(error):
            return _fail(session.json or as_json, _INTERRUPTED, EXIT_INTERRUPTED)
        if os.environ.get("ZKGPU_TRACEBACK"):
            for line in "".join(_traceback(error, session.show_values)).splitlines():
                complain(line)
        text, code = described(error)
        values = _values(error) if session.show_values else ""
        return _fail(session.json or as_json, text, code, values, getattr(error, "details", {}))


def end_interrupted(arguments: Sequence[str]) -> None:
    """Exits as an interrupted command, of which nothing began."""
    hold_standard_streams()
    sys.exit(settled(_fail("--json" in arguments, _INTERRUPTED, EXIT_INTERRUPTED)))


def _is_of_interruption(error: BaseException | None) -> bool:
    """Whether this came of a KeyboardInterrupt: NumPy, say, cannot be imported again where its import was cut short."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _values(error: Exception) -> str:
    """What the description leaves out. The text of an exception that is not zkgpu's may quote anything."""
    known = isinstance(error, MemoryError | OSError)
    text = error.values if isinstance(error, ZkgpuError) else "" if known else str(error)
    return " ".join(text.split())


def _traceback(error: BaseException, show_values: bool) -> list[str]:
    """The lines of a traceback, and of those that led to it; without values, each ends in the description instead."""
    import traceback

    if show_values:
        return traceback.format_exception(error)
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    before = [] if cause is None else [*_traceback(cause, show_values), "\nwhich led to:\n\n"]
    frames, said = traceback.format_tb(error.__traceback__), described(error)[0]
    return [*before, "Traceback (most recent call last):\n", *frames, f"{type(error).__name__}: {said}\n"]


def _fail(as_json: bool, text: str, code: int, values: str = "", details: Mapping[str, Any] | None = None) -> int:
    line, values = message(text, _ROOM), message(values, _ROOM)
    if as_json:
        shown = {"values": values} if values else {}
        with contextlib.suppress(ClosedPipe, ZkgpuError):  # the exit code says it all the same
            found = {"error": line, **shown, "exit_code": code, **(details or {})}
            say([json.dumps({"schema": SCHEMA, "ok": False, **found})])
    complain(message(f"error: {line} ({values})" if values else f"error: {line}"))
    return code
