"""Limits for WebAssembly from elsewhere: it may take so much memory and time, and Ctrl+C ends it.

Source: wasmtime, "Interrupting Wasm Execution": code looks at its engine's epoch wherever it loops, and stops when it
has advanced. An epoch is the engine's, so that it stops the code of other threads too, which begins again: a witness
is computed from its inputs alone.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from types import ModuleType
from typing import Any, TypeVar

from zkgpu.errors import FormatError, ResourceError
from zkgpu.records import dataclass

T = TypeVar("T")

MEMORY = 2 << 30  # bytes that a calculator, and what it hands over, may take each
SECONDS = 600.0
_TABLE_ELEMENTS = 1 << 20
_PATIENCE = 0.05  # seconds between two attempts to stop what runs
_ATTEMPTS = 100  # compiling looks at no epoch: after so many it is left alone, in a thread that holds nothing up
_MORE_THAN_MEMORIES = ("wasm_threads", "wasm_memory64", "wasm_gc")  # would take memory that no limit counts


class Interrupted(Exception):
    """The code was stopped in the middle."""


@dataclass(frozen=True)
class Limits:
    """What a calculator may take.

    Attributes:
        memory: bytes of its memory, and as many for what it hands over
        seconds: for compiling it, and for each witness
        wires: how many values a witness has, where that is known
    """

    memory: int = MEMORY
    seconds: float = SECONDS
    wires: int | None = None

    def require_wires(self, path: str, count: int, size: int) -> None:
        """Raises FormatError for another number of values than is known, ResourceError for more than the memory."""
        if self.wires is not None and count != self.wires:
            raise FormatError(
                f"{path}: a witness of {count:,} values, but the key is for {self.wires:,}: take the .wasm and the key "
                "of one circuit"
            )
        if 2 * count * size > self.memory:  # in WebAssembly, and a copy here
            raise ResourceError(
                f"{path}: {count:,} values take more than {self.memory:,} bytes: give it more with --memory"
            )


def engine(wasmtime: ModuleType) -> Any:
    """An engine whose code can be stopped."""
    config = wasmtime.Config()
    for name, value in settings().items():
        setattr(config, name, value)
    return wasmtime.Engine(config)


def settings() -> dict[str, bool | int]:
    """The configuration of engines: code compiled with one is of no use with another."""
    chosen: dict[str, bool | int] = {"epoch_interruption": True, **dict.fromkeys(_MORE_THAN_MEMORIES, False)}
    if _addresses_are_short():  # by default each memory has gigabytes of addresses set aside, which makes it faster
        chosen |= {
            "memory_reservation": 1 << 16,
            "memory_guard_size": 1 << 16,
            "memory_reservation_for_growth": 1 << 20,
        }
    return chosen


def store(wasmtime: ModuleType, engine: Any, limits: Limits) -> Any:
    """A store for one instance with one memory; `allow_movers` lets more in beside it."""
    made = wasmtime.Store(engine)
    made.set_epoch_deadline(1)
    made.set_limits(limits.memory, _TABLE_ELEMENTS, instances=1, tables=4, memories=1)
    return made


def allow_movers(store: Any, limits: Limits) -> None:
    """Two instances more: what takes values in, and what takes them out."""
    store.set_limits(limits.memory, _TABLE_ELEMENTS, instances=3, tables=4, memories=3)


def within(limits: Limits, path: str, engine: Any, task: Callable[[], T]) -> T:
    """task(), which may raise Interrupted, in a thread of its own.

    Raises ResourceError after the limit's seconds, KeyboardInterrupt as soon as there is one, and what the task raises.
    """
    future: Future[T] = Future()
    threading.Thread(target=_settle, args=(future, task), daemon=True).start()
    try:
        return future.result(min(limits.seconds, threading.TIMEOUT_MAX))
    except Interrupted:  # for the sake of another thread's
        return within(limits, path, engine, task)
    except BaseException as error:
        late = not future.done()
        _stop(engine, future)
        if late and isinstance(error, TimeoutError | FutureTimeout):
            raise ResourceError(
                f"{path}: it runs for more than {limits.seconds:g} s: give it longer with --witness-timeout, if it ends"
            ) from None
        raise


def _settle(future: Future[T], task: Callable[[], T]) -> None:
    try:
        future.set_result(task())
    except BaseException as error:
        future.set_exception(error)


def _stop(engine: Any, future: Future[Any]) -> None:
    """Stops a task. A stop that comes before its deadline is set would be missed: hence again and again."""
    for _ in range(_ATTEMPTS):
        if future.done():
            return
        engine.increment_epoch()
        wait([future], _PATIENCE)


def _addresses_are_short() -> bool:
    """Whether the process may not map as much as it likes (ulimit -v), or there are few addresses."""
    if sys.maxsize < 1 << 32:
        return True
    try:
        import resource
    except ImportError:
        return False
    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
