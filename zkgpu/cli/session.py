"""What the global options set, and the one way commands print: text or one JSON object, progress on the side."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from zkgpu.cli.terminal import complain, message, say
from zkgpu.stages import listening, measuring

if TYPE_CHECKING:
    from rich.console import Console

    from zkgpu.backend.protocol import Backend


COMPILING = "compiling kernels once for this machine (about 12 s)"
_EXPECTED, _BAR = 24, 16  # kernels of a first proof; characters of the bar
VALUES = "zkgpu.values"  # the log of what may be secret


@dataclass
class Session:
    """One run of the command line.

    Attributes:
        show_values: errors and logs may show values of witnesses and inputs
    """

    device: str = "auto"
    threads: int | None = None
    json: bool = False
    quiet: bool = False
    verbosity: int = 0
    progress: bool = True
    timings: bool = False
    show_values: bool = False
    stage_seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)
    _backend: Backend | None = None
    _work: contextlib.ExitStack | None = None
    _show: Callable[[str], None] | None = None
    _kernels: int = 0
    _stage: str = ""

    @functools.cached_property
    def console(self) -> Console:
        from rich.console import Console

        return Console(stderr=True, highlight=False, quiet=self.quiet)

    def backend(self) -> Backend:
        """The device of the options, opened once."""
        from zkgpu.backend import open_backend
        from zkgpu.cli.warm import second_process

        if self._backend is None:
            self._backend = open_backend(self.device, threads=self.threads)
            log = logging.getLogger("zkgpu")
            log.info("computing on %s", self._backend.name)
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
            wanted = self.progress and not self.quiet and sys.stderr.isatty()
            show = self._spinner(stack) if wanted and self.console.is_terminal else None
            stack.enter_context(listening(lambda name, seconds: self._on_stage(name, seconds, show)))
            if show:
                stack.enter_context(measuring(lambda done: show(f"{self._stage}: {done}")))
            self._show = show
            self._work = stack
            yield
            self._work = self._show = None

    def _spinner(self, stack: contextlib.ExitStack) -> Callable[[str], None]:
        status = stack.enter_context(self.console.status("starting"))
        return status.update

    def _on_stage(self, name: str, seconds: float | None, show: Callable[[str], None] | None) -> None:
        if seconds is None:
            self._stage = name
            if show:
                show(name)
            return
        self.stage_seconds[name] = self.stage_seconds.get(name, 0.0) + seconds
        logging.getLogger("zkgpu.stages").info("%s: %.3f s", name, seconds)

    def on_compiling(self) -> None:
        """Says that a kernel is compiled, once, or on a terminal how far it is."""
        done = min(_BAR * self._kernels // _EXPECTED, _BAR)
        if self._show:
            self._show(f"{COMPILING} {'█' * done}{'░' * (_BAR - done)}")
        elif not self._kernels and not self.quiet:
            complain(COMPILING)
        self._kernels += 1

    def finish(self, result: dict[str, Any], *lines: str) -> None:
        """Print the outcome: `lines` for people, `result` as the one JSON object."""
        if self.json:
            timings = {"seconds": self.seconds(), "stages": self.stage_seconds} if self.timings else {}
            say([json.dumps({"ok": True, **result, **timings})])
            return
        if not self.quiet:
            say(lines)
        if self.timings:
            self._print_timings()

    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def _print_timings(self) -> None:
        width = max((len(name) for name in self.stage_seconds), default=5)
        for name, seconds in {**self.stage_seconds, "total": self.seconds()}.items():
            complain(f"{name:<{width}}  {seconds:8.3f} s")

    def warn(self, text: str) -> None:
        """A line on standard error that no option but -q silences."""
        if not self.quiet:
            complain(message(f"warning: {text}"))

    def start_logging(self) -> None:
        level = {0: logging.WARNING, 1: logging.INFO}.get(self.verbosity, logging.DEBUG)
        for name in ("zkgpu", VALUES):
            logger = logging.getLogger(name)
            logger.handlers[:] = [_Handler(self)]
            logger.setLevel(logging.ERROR if self.quiet else level)


class _Handler(logging.Handler):
    """Prints records as Rich does, which is imported when there is one."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._told = False  # that there are values

    @functools.cached_property
    def _rich(self) -> logging.Handler:
        from rich.logging import RichHandler

        return RichHandler(console=self._session.console, show_path=False, show_time=self._session.verbosity > 1)

    def emit(self, record: logging.LogRecord) -> None:
        if record.name != VALUES:
            record.msg, record.args = message(record.getMessage()), ()
            self._rich.emit(record)
        elif self._session.show_values:
            complain(message(record.getMessage()))
        elif record.levelno >= logging.WARNING and not self._told:
            self._told = True
            self._session.warn("what the circuit's log() printed may be secret: --show-values shows it")


def _show_values(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    context.ensure_object(Session).show_values |= wanted


show_values_option = click.option(
    "--show-values",
    is_flag=True,
    expose_value=False,
    callback=_show_values,
    help="Show values of witnesses and inputs in errors and logs.",
)
pass_session = click.make_pass_decorator(Session, ensure=True)
