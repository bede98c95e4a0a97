"""Working memory for tasks on several threads: a task takes scratch nobody else is using and leaves it to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from zkgpu.jit.threads import parallel

Scratch = TypeVar("Scratch")
Result = TypeVar("Result")


class ScratchPool(Generic[Scratch]):
    """Scratch of one kind, made when needed: never more than tasks that run at the same time."""

    def __init__(self, make: Callable[[], Scratch]):
        self._make = make
        self._idle: deque[Scratch] = deque()

    def run(self, task: Callable[[Scratch], Result]) -> Result:
        """task(scratch)."""
        try:
            scratch = self._idle.pop()
        except IndexError:
            scratch = self._make()
        result = task(scratch)
        self._idle.append(scratch)
        return result


def parallel_with_scratch(
    tasks: Sequence[Callable[[Scratch], None]], make: Callable[[], Scratch], threads: int
) -> None:
    """Runs every task with scratch of its own for as long as it runs."""
    pool = ScratchPool(make)
    parallel([partial(pool.run, task) for task in tasks], threads)
