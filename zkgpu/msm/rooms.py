"""Tasks on several threads, each thread with working memory of its own that its tasks use one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from zkgpu.jit.threads import parallel

Room = TypeVar("Room")


def parallel_in_rooms(tasks: Sequence[Callable[[Room], None]], make_room: Callable[[], Room], threads: int) -> None:
    """Runs every task with a room that no other task is using; there are no more rooms than threads."""
    idle = deque(make_room() for _ in range(min(threads, len(tasks))))

    def run(task: Callable[[Room], None]) -> None:
        room = idle.pop()
        try:
            task(room)
        finally:
            idle.append(room)

    parallel([partial(run, task) for task in tasks], threads)
