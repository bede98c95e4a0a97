"""The end of a command's process, without the freeing of all objects one by one: a twentieth of a short command."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import threading

from zkgpu.cli.terminal import settled

CIRCUIT_FILE = "zkgpu_circuit_file"  # the module that a Python circuit's file is
_WITH_ENDS_OF_THEIR_OWN = {CIRCUIT_FILE, "cupy"}  # files that a user's code left open; profilers of CUDA


def leave(code: int) -> None:
    """Ends the process, after what waits for its end: threads, what is registered with atexit, what is not yet written.

    Returns where something may wait that only the interpreter's own end does.
    """
    if _is_watched() or _WITH_ENDS_OF_THEIR_OWN & sys.modules.keys():
        return
    with contextlib.suppress(KeyboardInterrupt):  # the command is done: nobody waits for the rest
        threading._shutdown()  # type: ignore[attr-defined]  # as processes of multiprocessing end
        atexit._run_exitfuncs()
    os._exit(settled(code))


def _is_watched() -> bool:
    """Whether a debugger, a profiler or a measurement of coverage looks on, or the interpreter does not end yet."""
    monitoring = getattr(sys, "monitoring", None)
    tools = [] if monitoring is None else [tool for tool in range(6) if monitoring.get_tool(tool)]
    stays = sys.flags.inspect or os.environ.get("PYTHONINSPECT")
    return bool(sys.gettrace() or sys.getprofile() or tools or stays or sys.flags.dev_mode)
