"""What asks a command to end leaves nothing half-made, and is told of as an interruption from the keyboard is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WAITING = """
import os
import time

from zkgpu import Circuit
from zkgpu.formats.atomic import replacing


def circuit():
    with replacing("half-made"):
        print("begun", flush=True)  # on standard error, as all that a circuit's file prints
        time.sleep(float(os.environ["SECONDS"]))
    return Circuit()
"""


KINDS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def hear_all() -> None:
    """Whoever runs the tests may have all they start ignore some of these, as nohup and a shell's & do."""
    for kind in KINDS:
        signal.signal(kind, signal.SIG_DFL)


def begun(folder: Path, seconds: float, *before: str) -> subprocess.Popen[str]:
    """A command in the middle of its work, of which there is a file that is not done."""
    (folder / "waiting.py").write_text(WAITING)
    program = [*before, sys.executable, "-m", "zkgpu", "compile", "waiting.py:circuit", "-o", "waiting.r1cs"]
    environment = {**os.environ, "SECONDS": str(seconds), "PYTHONDONTWRITEBYTECODE": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        program, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment, preexec_fn=hear_all
    )
    assert process.stderr is not None
    assert process.stderr.readline() == "begun\n"
    assert len(list(folder.glob(".half-made*"))) == 1
    return process


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_command_that_is_asked_to_end_removes_what_is_half_made_and_says_so(
    tmp_path: Path, kind: signal.Signals
) -> None:
    process = begun(tmp_path, 60)
    process.send_signal(kind)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert said == "error: interrupted: nothing half-made stays: run the command again\n"
    assert [path.name for path in tmp_path.iterdir()] == ["waiting.py"]


def test_a_signal_that_is_to_be_ignored_stays_ignored(tmp_path: Path) -> None:
    process = begun(tmp_path, 1, "nohup")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert (tmp_path / "waiting.r1cs").exists()
