"""Named stages of long work, for whoever shows progress or timings. Nobody listening costs nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

Listener: TypeAlias = Callable[[str, "float | None"], None]

_listener: ContextVar[Listener | None] = ContextVar("stage listener", default=None)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Tells the listener (name, None) when the block begins and (name, seconds) when it ends without an error."""
    listener = _listener.get()
    if listener is None:
        yield
        return
    listener(name, None)
    start = time.perf_counter()
    yield
    listener(name, time.perf_counter() - start)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Stages begun in the block are told to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)
