"""The command line, run inside the test's process."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings

from tests import soundness
from tests.json_objects import require_documented
from zkgpu.cli import main
from zkgpu.cli.session import COMPILING, VALUES

# an example that compiles a kernel takes seconds; the same examples every time, and fresh ones nightly
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("fresh", deadline=None, derandomize=False, print_blob=True)


def pytest_configure(config: pytest.Config) -> None:
    nightly = config.getoption("markexpr", "") == "slow"
    settings.load_profile("fresh" if nightly else "same")


@dataclass(frozen=True)
class Outcome:
    """What one command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        return json.loads(self.out)

    def error(self, code: int) -> str:
        """The one line of an error, which must have exited with `code` and printed no traceback."""
        assert (self.code, self.out) == (code, ""), self
        lines = [line for line in self.err.splitlines() if line and not line.startswith(("warning: ", "auto: "))]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0]


Command = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def _loggers_of_no_command() -> None:
    """What a command set its loggers to, -q for one, ends with the test or fixture that ran it."""
    logging.disable(logging.NOTSET)
    for name in ("zkgpu", VALUES):
        logging.getLogger(name).handlers[:] = []
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == "zkgpu" and isinstance(logger, logging.Logger):
            logger.disabled, logger.propagate = False, name != VALUES
            logger.setLevel(logging.NOTSET)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """command("verify", path, ...): the outcome of `zkgpu verify path ...`."""

    def run(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        printed = capsys.readouterr()
        said = re.sub(rf"{COMPILING} \(.*\)\n", "", printed.err)  # by whichever test needs a kernel first
        outcome = Outcome(int(ended.value.code or 0), printed.out, said)
        if "--json" in arguments and outcome.out.startswith("{"):
            require_documented([str(a) for a in arguments], outcome.json)
        return outcome

    return run


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands over what it counted."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["soundness"] = soundness.counted()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    soundness.add(*getattr(node, "workeroutput", {}).get("soundness", ({}, [])))


@pytest.fixture
def ctrl_c() -> Iterator[Callable[[float], None]]:
    """ctrl_c(seconds): SIGINT to this process after so long. It counts, though a shell's background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield lambda seconds: threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGINT]).start()
    signal.signal(signal.SIGINT, before)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if soundness.summary():
        terminalreporter.write_line(soundness.summary())
