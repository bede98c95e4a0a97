"""What a terminal shows while a command works, and that nothing else lands on its line or goes where it does."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from zkgpu.cli.progress import Display
from zkgpu.cli.session import COMPILING, Session
from zkgpu.cli.terminal import complain, say
from zkgpu.stages import advance, stage, steps

ROOT = Path(__file__).parents[2]
SEQUENCE = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])|(\r)|(\n)|([^\x1b\r\n]+)")


def screen(printed: str) -> list[str]:
    """The lines that a terminal shows after all of it. Raises KeyError for a sequence that it does not know."""
    lines, row, column = [""], 0, 0
    for count, code, carriage, newline, text in SEQUENCE.findall(printed):
        if code == "A":
            row = max(row - int(count or 1), 0)
        elif code == "K":
            lines[row] = {"2": "", "": lines[row][:column]}[count]
        elif carriage:
            column = 0
        elif newline:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text:
            lines[row] = lines[row][:column].ljust(column) + text + lines[row][column + len(text) :]
            column += len(text)
        elif code not in "mhl":
            raise KeyError(code)
    return [line.rstrip() for line in lines if line.strip()]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return super().write(text.replace("\n", "\r\n"))


@pytest.fixture
def as_terminal(monkeypatch: Any) -> Callable[[], Terminal]:
    """as_terminal(): what standard error is from then on."""
    for name, value in {"TERM": "xterm", "COLUMNS": "100", "LINES": "30"}.items():
        monkeypatch.setenv(name, value)

    def become() -> Terminal:
        monkeypatch.setattr(sys, "stderr", Terminal())
        return sys.stderr

    return become


def test_warnings_from_anywhere_get_lines_of_their_own(as_terminal: Any, capsys: Any) -> None:
    terminal, session = as_terminal(), Session()
    session.start_logging()
    long = "and this one is long " * 9
    with session.working(), stage("prove"), session.showing_warnings():
        warnings.simplefilter("always")
        session.warn("one")
        say(["a line of standard output"])
        logging.getLogger("zkgpu.jit").warning("two")
        complain(long)
        warnings.warn("three", stacklevel=1)
    shown = screen(terminal.getvalue())
    assert shown[0] == "warning: one"
    assert long.strip() in shown
    for text in ("two", "three"):
        (line,) = (line for line in shown if text in line)
        assert "prove" not in line
    assert not any("0:00" in line for line in shown), "the display is gone at the end"
    assert capsys.readouterr().out == "a line of standard output\n"


def test_a_stage_that_counts_shows_percent_and_time_left_and_all_show_the_time(as_terminal: Any) -> None:
    terminal = as_terminal()
    with Session().working():
        with stage("write points"), steps(200):
            advance(50)
        seen = terminal.getvalue()
    display = Display(Console(file=terminal, force_terminal=True, width=100))
    with display.shown():
        display.stage("write points")
        for done in (0, 50, 200):
            display._progress.update(display._task, total=200, completed=done, left=3700.0)
            display._progress.refresh()
    text = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert "0:00:00" in seen
    assert re.search(r"write points +\S+ +25 %, 1:01:40 left +0:00:00", text)


def test_the_display_follows_steps(as_terminal: Any) -> None:
    as_terminal()
    session = Session()
    with session.working(), stage("write points"), steps(200):
        display = session._display
        assert display is not None
        task = display._progress.tasks[0]
        assert task.total is None
        session.on_compiling("sum")
        assert task.description.startswith(COMPILING)
        advance(50)
        assert (task.total, task.completed, task.fields["left"] > 0) == (200, 50, True)
        assert task.description == "write points"
        display.stage("another")
        assert (task.total, task.completed) == (None, 0)


@pytest.mark.parametrize("variable", [{"TERM": "dumb"}, {"TERM": "unknown"}])
def test_a_terminal_without_a_cursor_gets_no_display(as_terminal: Any, monkeypatch: Any, variable: Any) -> None:
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    terminal = as_terminal()
    with Session().working(), stage("prove"):
        pass
    assert "\x1b" not in terminal.getvalue()


@pytest.fixture
def beside_terminal(samples: Path, tmp_path: Path) -> tuple[subprocess.CompletedProcess[str], str]:
    """A proof whose standard error is a terminal, and standard output a pipe; and what the terminal got."""
    files = [str(samples / "multiplier" / name) for name in ("m_0.zkey", "witness.wtns")]
    here, there = os.openpty()
    program = [sys.executable, "-m", "zkgpu", "prove", *files, "--allow-insecure-key", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "90"}
    done = subprocess.run(
        program, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=there, text=True, check=False
    )
    os.close(there)
    printed = b""
    while True:
        try:
            part = os.read(here, 1 << 16)
        except OSError:
            break
        if not part:
            break
        printed += part
    os.close(here)
    return done, printed.decode()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_json_goes_to_standard_output_beside_a_display_and_warnings_above_it(beside_terminal: Any) -> None:
    done, printed = beside_terminal
    assert done.returncode == 0
    assert json.loads(done.stdout)["verified"] is True
    assert "open key" in printed
    shown = [line for line in screen(printed) if not line.startswith("compiling")]
    assert shown[0].startswith("warning: INSECURE key: ")
    assert len("".join(shown)) < 300
    assert not any("key   " in line or "0:00" in line for line in shown)
