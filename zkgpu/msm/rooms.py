"""Working memory for tasks on several threads: a task takes a room nobody else is using and leaves it to the next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

from zkgpu.jit.threads import parallel

Room = TypeVar("Room")
Result = TypeVar("Result")


class Rooms(Generic[Room]):
    """Rooms of one kind, made when needed: never more than tasks that run at the same time."""

    def __init__(self, make: Callable[[], Room]):
        self._make = make
        self._idle: deque[Room] = deque()

    def run(self, task: Callable[[Room], Result]) -> Result:
        """task(a room)."""
        try:
            room = self._idle.pop()
        except IndexError:
            room = self._make()
        result = task(room)
        self._idle.append(room)
        return result


def parallel_in_rooms(tasks: Sequence[Callable[[Room], None]], make: Callable[[], Room], threads: int) -> None:
    """Runs every task with a room of its own for as long as it runs."""
    rooms = Rooms(make)
    parallel([partial(rooms.run, task) for task in tasks], threads)
