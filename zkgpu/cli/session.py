"""What the global options set, and the one way commands print: text or one JSON object, progress on the side."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import math
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import field
from typing import TYPE_CHECKING, Any, TextIO

import zkgpu
from zkgpu.cli.process import require_addresses, require_threads
from zkgpu.cli.terminal import complain, message, say
from zkgpu.errors import UsageError
from zkgpu.records import dataclass
from zkgpu.stages import Steps, hearing_of_compiling, listening, measuring

if TYPE_CHECKING:
    from rich.console import Console

    from zkgpu.backend.protocol import Backend
    from zkgpu.cli.progress import Display

SCHEMA = 1  # of what --json prints: another number when a key goes or means something else (docs/cli.md)
COMPILING = "compiling kernels once for this machine"
_EXPECTED = 24  # kernels of a first proof
_SECONDS = 0.5  # to compile one of them
_BY_SERVICES = ("prove", "verify", "zkml prove", "audit answer")
UNSAFE_WARNING = "UNSAFE key: one party made it and could forge proofs. For tests only."
_PACKAGE = os.path.dirname(zkgpu.__file__)
VALUES = "zkgpu.values"  # the log of what may be secret


@dataclass
class Session:
    """One run of the command line.

    Attributes:
        device, threads, ..: what the global options say (cli.parsing)
        show_values: errors and logs may show values of witnesses and inputs
        given: by option, the value that it was given with
        server, token_file: the service that is to do the work, and the file with what it wants to be shown
    """

    device: str = "auto"
    threads: int | None = None
    json: bool = False
    quiet: bool = False
    verbosity: int = 0
    progress: bool = True
    timings: bool = False
    show_values: bool = False
    server: str | None = None
    token_file: str | None = None
    stage_seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    _backend: Backend | None = None
    given: dict[str, Any] = field(default_factory=dict)
    _work: contextlib.ExitStack | None = None
    _display: Display | None = None
    _kernels: Steps = field(default_factory=lambda: Steps(0))
    _compiling: str = COMPILING
    _stage: str = "starting"
    _has_begun: bool = False

    @functools.cached_property
    def console(self) -> Console:
        from rich.console import Console

        return Console(stderr=True, highlight=False, quiet=self.quiet)

    def begin(self, command: str, enter: Callable[[AbstractContextManager[Any]], Any]) -> None:
        """Does what the global options ask for, once: they may stand before and after the command.

        Args:
            enter: enters what lasts until the command has ended
        """
        if self._has_begun:
            return
        self._has_begun = True
        for option in (name for name in ("server", "token_file") if getattr(self, name) == ""):
            raise UsageError(f"--{option.replace('_', '-')}: it is empty: is a variable of the shell not set?")
        if self.server and command not in _BY_SERVICES:
            raise UsageError("--server: services do prove, verify, zkml prove and audit answer: leave it out")
        self.start_logging()
        enter(hearing_of_compiling(self.on_compiling))
        enter(self.showing_warnings())
        require_addresses()
        if self.threads is not None:
            from zkgpu.backend.beside import at_most

            require_threads(self.threads)
            enter(at_most(self.threads))

    def backend(self) -> Backend:
        """The device of the options, opened once."""
        from zkgpu.backend import open_backend
        from zkgpu.backend.machine import kernels_in_use
        from zkgpu.cli.warm import second_process

        if self._backend is None:
            self._backend = open_backend(self.device, threads=self.threads)
            log = logging.getLogger("zkgpu")
            log.info("computing on %s", self._backend.name)
            if log.isEnabledFor(logging.INFO) and self._backend.name.startswith("cpu"):
                log.info("kernels: %s", kernels_in_use())
            if self._work is not None:
                self._work.enter_context(second_process(self._backend))
            said = self.quiet or log.isEnabledFor(logging.INFO)
            if self.device == "auto" and self._backend.name.startswith("cuda") and not said:
                complain(f"auto: computing on {self._backend.name}")
        return self._backend

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Stages of the block are shown while they run (on a terminal) and their seconds kept."""
        with contextlib.ExitStack() as stack:
            if self.progress and not self.quiet and _is_terminal(sys.stderr):
                self._display = self._shown(stack)
            stack.enter_context(listening(self._on_stage))
            self._work = stack
            try:
                yield
            finally:
                self._work = self._display = None

    def _shown(self, stack: contextlib.ExitStack) -> Display | None:
        if not self.console.is_terminal or self.console.is_dumb_terminal:
            return None
        from zkgpu.cli.progress import Display

        display = Display(self.console)
        stack.enter_context(display.shown())
        stack.enter_context(measuring(lambda done: display.steps(self._stage, done)))
        return display

    def _on_stage(self, name: str, seconds: float | None) -> None:
        if seconds is None:
            self._stage = name
            if self._display:
                self._display.stage(name)
            return
        self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + seconds
        logging.getLogger("zkgpu.stages").info("%s: %.3f s", name, seconds)

    def on_compiling(self, kernel: str = "") -> None:
        """Says that kernels are compiled, once, or on a terminal how far that is; and with -v which."""
        kernels = self._kernels
        kernels.done += 1
        if kernels.done == 1:
            kernels.total, self._compiling = _expected()
        kernels.total = max(kernels.total, kernels.done)
        if self._display:
            self._display.steps(self._compiling, kernels)
        elif kernels.done == 1 and not self.quiet:
            complain(self._compiling)
        logging.getLogger("zkgpu").info("compiling kernel %d: %s", kernels.done, kernel)

    def show(self, text: str) -> None:
        """Replaces what a terminal shows of the work that is done."""
        if self._display:
            self._display.stage(message(text))

    def finish(self, result: dict[str, Any], *lines: str) -> None:
        """Print the outcome: `lines` for people, `result` as the one JSON object."""
        if self.json:
            timings = {"seconds": self.seconds(), "stages": self.stages()} if self.timings else {}
            say([json.dumps(finite({"schema": SCHEMA, "ok": True, **result, **timings}), allow_nan=False)])
            return
        if not self.quiet:
            say(lines)
        if self.timings:
            self._print_timings()

    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def stages(self) -> list[dict[str, Any]]:
        """What each stage took, as JSON has it."""
        return [{"stage": name, "seconds": seconds} for name, seconds in self.stage_seconds.items()]

    def _print_timings(self) -> None:
        width = max((len(name) for name in self.stage_seconds), default=5)
        for name, seconds in {**self.stage_seconds, "total": self.seconds()}.items():
            complain(f"{name:<{width}}  {seconds:8.3f} s")

    def warn(self, text: str, *, even_quiet: bool = False) -> None:
        """A line on standard error that no option but -q silences; nor does that with `even_quiet`."""
        if even_quiet or not self.quiet:
            complain(message(f"warning: {text}"))

    def warn_of_key(self, is_unsafe: bool, weakness: str | None) -> None:
        """Says on stderr what is wrong with a key that is used all the same."""
        if is_unsafe:
            self.warn(UNSAFE_WARNING, even_quiet=True)
        if weakness is not None:
            text = f"INSECURE key: {weakness}; anyone can forge proofs for it, or read what they hide"
            self.warn(text, even_quiet=True)

    @contextlib.contextmanager
    def showing_warnings(self) -> Iterator[None]:
        """In the block Python's warnings, of a circuit's file say, are lines as others."""
        with warnings.catch_warnings():
            warnings.showwarning = lambda text, kind, file, line, *_: self.warn(
                str(text) if file.startswith(_PACKAGE) else f"{file}:{line}: {text}"
            )
            yield

    def start_logging(self) -> None:
        level = {0: logging.WARNING, 1: logging.INFO}.get(self.verbosity, logging.DEBUG)
        for name in ("zkgpu", VALUES):
            logger = logging.getLogger(name)
            logger.handlers[:] = [_Handler(self)]
            logger.setLevel(logging.ERROR if self.quiet else level)


def _expected() -> tuple[int, str]:
    """How many kernels a first proof has yet to compile, and what to say of it.

    Where most are there already it is some other command's few that are missing, nobody knows how many.
    """
    from zkgpu.backend.machine import kernels_at_hand

    missing = _EXPECTED - kernels_at_hand()
    if missing <= 1:
        return 1, f"{COMPILING} (about a second each)"
    return missing, f"{COMPILING} (about {math.ceil(_SECONDS * missing)} s)"


class _Handler(logging.Handler):
    """Prints warnings as a command's own, in a line; what -v asks for as Rich does, which is imported then."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._told = False  # that there are values

    @functools.cached_property
    def _rich(self) -> logging.Handler:
        from rich.logging import RichHandler

        return RichHandler(console=self._session.console, show_path=False, show_time=self._session.verbosity > 1)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != VALUES and record.levelno >= logging.WARNING:
            kind = "error" if record.levelno >= logging.ERROR else "warning"
            complain(message(f"{kind}: {record.getMessage()}"))  # -q has set the level
        elif record.name != VALUES:
            record.msg, record.args = message(record.getMessage()), ()
            self._rich.emit(record)
        elif self._session.show_values:
            complain(message(record.getMessage()))
        elif record.levelno >= logging.WARNING and not self._told:
            self._told = True
            self._session.warn("what the circuit's log() printed may be secret: --show-values shows it")


def finite(value: Any) -> Any:
    """The same without numbers that JSON does not have: null in their places."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    return [finite(item) for item in value] if isinstance(value, list | tuple) else value


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()
