"""Whole processes: from the start of a program to its end."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence

from harness import ROOT
from measuring import Measurement, seconds_of

ZKGPU = (sys.executable, "-c", "from zkgpu.cli import command; command()")
Program = Sequence[object]
LIMIT = 3600  # seconds after which a program hangs


def run(program: Program) -> str:
    """What it prints. Exits when it fails; nothing is there for it to read."""
    done = subprocess.run(
        list(map(str, program)),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    if done.returncode != 0:
        raise SystemExit(f"{program[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def run_program(program: Program) -> Measurement:
    cpu = cpu_of_ended_children()
    seconds = seconds_of(lambda: run(program))
    return Measurement((seconds,), (cpu_of_ended_children() - cpu,))


def cpu_of_ended_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
