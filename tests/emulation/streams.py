"""Queues of work, done as late and in as strange an order as streams and events allow."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(eq=False)
class Event:
    """Happens when the stream it was marked on gets there."""

    happened: bool = False


@dataclass(eq=False)
class Stream:
    """Work not done yet; an Event in the queue holds up what comes after it."""

    queue: deque[Callable[[], None] | Event] = field(default_factory=deque)

    @property
    def can_go_on(self) -> bool:
        if not self.queue:
            return False
        head = self.queue[0]
        return head.happened if isinstance(head, Event) else True

    def step(self) -> None:
        head = self.queue.popleft()
        if not isinstance(head, Event):
            head()


class Deadlock(Exception):
    """No stream can go on."""


class Scheduler:
    """All streams of a device. Nothing is done before somebody must have it done.

    Then an order of precedence of the streams is drawn, and as long as it takes, the first of them that can go on
    does: a dependency that is missing shows under some of the orders.
    """

    def __init__(self, seed: int):
        self._random = random.Random(seed)
        self._streams: list[Stream] = []
        self.first = self.current = self.stream()

    def stream(self) -> Stream:
        self._streams.append(Stream())
        return self._streams[-1]

    def ask(self, work: Callable[[], None]) -> None:
        self.current.queue.append(work)

    def mark(self) -> Event:
        event = Event()

        def happen() -> None:
            event.happened = True

        self.ask(happen)
        return event

    def wait(self, event: Event) -> None:
        self.current.queue.append(event)

    def finish(self, *streams: Stream) -> None:
        """Do all that these streams were given; all streams when none is named."""
        order = self._random.sample(self._streams, len(self._streams))
        while any(stream.queue for stream in streams or order):
            able = next((stream for stream in order if stream.can_go_on), None)
            if able is None:
                raise Deadlock
            able.step()
