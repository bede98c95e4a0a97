"""Named stages of long work: a listener is called at each, and between two of them the work can be stopped.

Both follow the context (contextvars) of whoever asks for the work, into zkgpu's own threads and into those of
`asyncio.to_thread`. A ThreadPoolExecutor starts its work in a context of its own: `carried` brings this one along.

    with zkgpu.stages.listening(print):
        executor.submit(zkgpu.stages.carried(prover.prove), witness)
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import field
from typing import ParamSpec, Protocol, TypeAlias, TypeVar

from zkgpu.errors import CancelledError
from zkgpu.records import dataclass

P = ParamSpec("P")
T = TypeVar("T")
Listener: TypeAlias = Callable[[str, "float | None"], None]


class Cancel(Protocol):
    """What says that work is to stop; a `threading.Event` is one."""

    def is_set(self) -> bool: ...


_compiling: list[Callable[[str], None]] = []  # of the process: whichever thread comes to a kernel first compiles it
_listener: ContextVar[Listener | None] = ContextVar("stage listener", default=None)
_meter: ContextVar[Callable[[Steps], None] | None] = ContextVar("listener to steps", default=None)
_steps: ContextVar[Steps | None] = ContextVar("steps of a stage", default=None)
_cancels: ContextVar[tuple[Cancel, ...]] = ContextVar("cancels of stages", default=())


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Calls the listener with (name, None) when the block begins and (name, seconds) when it ends without an error.

    Raises CancelledError where the work is to stop, and what the listener raises.
    """
    _stop_before(name)
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
    """Stages begun in the block call `listener`. What it raises stops the work."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


@dataclass
class Steps:
    """How far a stage is.

    Attributes:
        total: steps that there are to do; what they are is the stage's business
        done: those that are done
        started: seconds of `time.perf_counter`
    """

    total: int
    done: int = 0
    started: float = field(default_factory=time.perf_counter)

    def __str__(self) -> str:
        """12 %, 340,000 a second, 25 s left."""
        seconds = time.perf_counter() - self.started
        rate = self.done / seconds if seconds else 0.0
        percent = f"{100 * self.done // max(self.total, 1)} %"
        return f"{percent}, {rate:,.0f} a second, {(self.total - self.done) / rate:,.0f} s left" if rate else percent


@contextmanager
def measuring(listener: Callable[[Steps], None]) -> Iterator[None]:
    """Whenever work in the block is some steps further in a stage that counts them, the listener hears of it."""
    token = _meter.set(listener)
    try:
        yield
    finally:
        _meter.reset(token)


@contextmanager
def steps(total: int) -> Iterator[None]:
    """The block has that many steps, of which `advance` tells. Steps of whoever is called are parts of them."""
    token = _steps.set(_steps.get() or Steps(total))
    try:
        yield
    finally:
        _steps.reset(token)


def advance(count: int) -> None:
    """Some steps are done. Raises CancelledError where the work is to stop, and what the listener raises."""
    current, listener = _steps.get(), _meter.get()
    if current is None:
        return
    current.done += count
    if any(cancel.is_set() for cancel in _cancels.get()):
        raise CancelledError(f"stopped after {current}, as was asked")
    if listener is not None:
        listener(current)


@contextmanager
def cancellable(cancel: Cancel | None) -> Iterator[None]:
    """Work in the block stops where its next stage would begin, once `cancel` is set; None changes nothing."""
    token = _cancels.set(_cancels.get() if cancel is None else (*_cancels.get(), cancel))
    try:
        yield
    finally:
        _cancels.reset(token)


@contextmanager
def hearing_of_compiling(listener: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, the listener hears the name of each kernel that any thread is about to compile."""
    _compiling.append(listener)
    try:
        yield
    finally:
        _compiling.remove(listener)


def tell_of_compiling(kernel: str) -> None:
    """A kernel is about to be compiled, which takes up to seconds."""
    for listener in _compiling:
        listener(kernel)


def carried(function: Callable[P, T]) -> Callable[P, T]:
    """The function, for another thread to call in the context of this moment: the same listener, the same cancels."""
    context = copy_context()

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        return context.copy().run(function, *args, **kwargs)

    return call


def _stop_before(name: str) -> None:
    if any(cancel.is_set() for cancel in _cancels.get()):
        raise CancelledError(f"stopped before the stage '{name}', as was asked")
