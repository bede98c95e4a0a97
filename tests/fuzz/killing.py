"""Runs commands and kills them: a process of its own, which imports zkgpu once and forks for each command.

`python killing.py < jobs.json` takes a list of {"folder", "line", "calls", "seconds"}: a command line, run in its
folder and killed at its calls-th call that flushes, renames or removes a file, or after some seconds, or not at all. It
prints the list of [exit code, seconds]; -9 for a killed one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from zkgpu.cli import main

CALLS = ("fsync", "unlink", "replace")
Job = dict[str, Any]


def dying(call: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    """The call, which kills the process when it is the last of those left."""

    def die(*arguments: Any, **options: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **options)

    return die


def begin(job: Job) -> int:
    """The id of a child that runs the command."""
    child = os.fork()
    if child:
        return child
    os.chdir(job["folder"])
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    left = [job["calls"]] if job.get("calls") is not None else [10**9]
    for name in CALLS:
        setattr(os, name, dying(getattr(os, name), left))
    try:
        main(job["line"])
    except SystemExit as ended:
        os._exit(int(ended.code or 0))
    os._exit(70)


def ended(child: int, seconds: float | None) -> int:
    """The exit code; the child is killed after so many seconds."""
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(job: Job) -> tuple[int, float]:
    start = time.monotonic()
    return ended(begin(job), job.get("seconds")), time.monotonic() - start


if __name__ == "__main__":
    print(json.dumps([run(job) for job in json.load(sys.stdin)]))
