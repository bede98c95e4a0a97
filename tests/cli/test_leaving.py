"""The program ends its process itself: nothing that waits for the end is lost, and where more may wait it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INFO = ("cache", "info", "--json")
GOES_ON = "from zkgpu.cli import command\ntry: command()\nexcept SystemExit as end: print('goes on with', end.code)"


def run(program: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    given = [sys.executable, "-c", program, *map(str, arguments)]
    within = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    return subprocess.run(given, env=within, capture_output=True, text=True, check=False)


def test_it_ends_the_process() -> None:
    done = run(GOES_ON, *INFO)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["ok"]
    assert run(GOES_ON, "inspect", "missing").returncode == 2


def test_main_does_not() -> None:
    assert run(GOES_ON.replace("command", "main"), *INFO).stdout.endswith("\ngoes on with 0\n")


@pytest.mark.parametrize(
    "watching",
    [
        "sys.settrace(lambda *_: None)",
        "sys.setprofile(lambda *_: None)",
        "os.environ['PYTHONINSPECT'] = '1'; sys.stdin.close()",
        "sys.modules['zkgpu_circuit_file'] = sys",
        pytest.param(
            "sys.monitoring.use_tool_id(1, 'coverage')",
            marks=pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="needs Python 3.12"),
        ),
    ],
)
def test_where_something_looks_on_it_does_not(watching: str) -> None:
    assert run(f"import os, sys; {watching}\n{GOES_ON}", *INFO).stdout.endswith("\ngoes on with 0\n")
    assert run(GOES_ON, *INFO, PYTHONDEVMODE="1").stdout.endswith("\ngoes on with 0\n")


WAITING = """
import atexit, sys, threading, time
def late():
    while "zkgpu.cli.leaving" not in sys.modules and threading.main_thread().is_alive():
        time.sleep(0.01)
    time.sleep(0.5)
    print("thread")
atexit.register(print, "registered")
threading.Thread(target=late).start()
"""


def test_threads_and_what_is_registered_come_first() -> None:
    done = run(WAITING + GOES_ON, *INFO)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == ["thread", "registered"]


def test_a_file_that_a_circuit_leaves_open_is_written(work: Any) -> None:
    with (work / "cubic.py").open("a") as file:
        file.write(f"log = open({str(work / 'log')!r}, 'w')\nlog.write('written')\n")
    done = run(GOES_ON, "check", work.source(), work.input(x=3, y=35))
    assert done.returncode == 0, done.stderr
    assert (work / "log").read_text() == "written"
