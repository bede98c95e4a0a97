"""What a terminal shows while a command works: stage, time since the start, and how far a stage is that counts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from zkgpu.cli.terminal import lines_apart
from zkgpu.stages import Steps

_BAR = 16  # characters


class _Bar(BarColumn):
    """A bar where there is something to count."""

    def render(self, task: Task) -> Text:  # type: ignore[override]  # a bar is as good
        return Text() if task.total is None else super().render(task)  # type: ignore[return-value]


class _Left(ProgressColumn):
    """12 %, 0:25 left."""

    def render(self, task: Task) -> Text:
        left: float | None = task.fields["left"]
        if task.total is None:
            return Text()
        percent = f"{min(task.percentage, 100):.0f} %"
        return Text(percent if left is None else f"{percent}, {_clock(left)} left")


class Display:
    """One line at the bottom of a terminal. What is printed meanwhile goes above it."""

    def __init__(self, console: Console) -> None:
        self._lock = threading.RLock()
        stage = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
        self._progress = Progress(
            SpinnerColumn(),
            stage,
            _Bar(_BAR),
            _Left(),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,  # it may be a file
        )
        self._task = self._progress.add_task("starting", total=None, left=None)

    def stage(self, name: str) -> None:
        """Another stage, of which it is not known how far it is."""
        self._progress.update(self._task, description=name, completed=0, left=None)
        self._progress.tasks[0].total = None

    def steps(self, name: str, steps: Steps) -> None:
        """How far a stage is."""
        seconds = time.perf_counter() - steps.started
        left = (steps.total - steps.done) * seconds / steps.done if steps.done else None
        total = max(steps.total, 1)
        self._progress.update(self._task, description=name, total=total, completed=steps.done, left=left)

    @contextmanager
    def shown(self) -> Iterator[None]:
        with lines_apart(self._apart):
            self._progress.start()
            try:
                yield
            finally:
                self._progress.stop()

    @contextmanager
    def _apart(self) -> Iterator[None]:
        """In the block the terminal's last line is empty, for others to print."""
        with self._lock:
            self._progress.stop()
            try:
                yield
            finally:
                self._progress.start()


def _clock(seconds: float) -> str:
    """0:25, 12:00, 1:02:03."""
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{left:02}" if hours else f"{minutes}:{left:02}"
