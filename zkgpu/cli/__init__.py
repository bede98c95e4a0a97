"""The command line. Each command parses, calls the library and prints."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

from zkgpu.faces import leave_out, put_off

__all__ = ["command", "main"]

TEXTS_FOR_HELP = ("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars")  # an eighth of NumPy's import
_OBJECTS = 200_000  # made between two collections of garbage: importing makes many that stay


def command() -> None:
    """The program `zkgpu`: `main` in a process of its own, which ends with it."""
    _end_as_interrupted()
    leave_out(*TEXTS_FOR_HELP)
    try:
        main()
    except SystemExit as end:
        from zkgpu.cli.leaving import leave

        if isinstance(end.code, int):
            leave(end.code)
        raise


def _end_as_interrupted() -> None:
    """What asks the process to end does so as an interruption from the keyboard: half-made files are removed first.

    A signal that whoever started the process has it ignore, as nohup does, stays so.
    """
    # what the module signal dresses in enumerations, which take a millisecond to make
    import _signal as signal  # type: ignore[import-not-found]

    for name in ("SIGTERM", "SIGHUP"):  # the second is not everywhere
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code. Never shows a traceback unless ZKGPU_TRACEBACK is set."""
    gc.set_threshold(_OBJECTS, 1)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:  # at once, without what parses options
        _say_version()
    if "verify" in given:  # of one proof needs no NumPy, whose import takes longer
        put_off("numpy")
    try:
        from zkgpu.cli.program import main as run
    except KeyboardInterrupt:  # while the modules were read; they are read again, to say so
        from zkgpu.cli.outcome import end_interrupted

        end_interrupted(given)
    run(given)


# Frames lie in pieces of 16 KiB. The interpreter takes a new piece from the system where calls go deeper than the last
# one, and gives it back when they return: eight hundred times while modules are imported. A frame that asks for much
# has a piece as large, where all that are called from it find room.
main.__code__ = main.__code__.replace(co_stacksize=1 << 16)


def _say_version() -> None:
    from zkgpu import __version__
    from zkgpu.cli.terminal import EXIT_CLOSED_PIPE, ClosedPipe, hold_standard_streams, say, settled

    hold_standard_streams()
    try:
        say([f"zkgpu, version {__version__}"])
    except ClosedPipe:
        sys.exit(EXIT_CLOSED_PIPE)
    sys.exit(settled(0))
