"""Runs independent tasks of the CPU on one shared pool of threads."""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from typing import TYPE_CHECKING, Any, TypeVar

from zkgpu.errors import UsageError

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


_most: ContextVar[int | None] = ContextVar("zkgpu_threads", default=None)


@contextmanager
def at_most(threads: int | None) -> Iterator[None]:
    """Within the block, whatever is not given a number of threads uses at most this many; None changes nothing.

    For work beside a backend: digests of files, checks of constraints. Holds for the calling thread's context.
    """
    token = _most.set(threads or _most.get())
    try:
        yield
    finally:
        _most.reset(token)


def available_threads() -> int:
    """What `at_most` allows; else ZKGPU_THREADS if set, else the number of CPUs this process may use."""
    most = _most.get()
    return most if most is not None else _threads_of_process()


def _threads_of_process() -> int:
    wanted = os.environ.get("ZKGPU_THREADS")
    if not wanted:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not wanted.isdigit() or int(wanted) == 0:
        raise UsageError(f"ZKGPU_THREADS is {wanted!r}: set it to a positive number or unset it")
    return int(wanted)


def shared_pool() -> ThreadPoolExecutor:
    """The one executor of the process, made on first use."""
    global _pool
    with _lock:
        if _pool is None:
            from concurrent.futures import ThreadPoolExecutor

            _pool = ThreadPoolExecutor(
                max_workers=max(_threads_of_process(), os.cpu_count() or 1), thread_name_prefix="zkgpu"
            )
        return _pool


def _forget_pool() -> None:
    # a forked child has the executor but none of its threads
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def parallel(tasks: Iterable[Callable[[], T]], threads: int | None = None) -> list[T]:
    """[task() for task in tasks], by up to `threads` threads (all available ones by default), in order.

    Tasks must spend their time in kernels that release the GIL. The first exception is raised after the
    running tasks have ended; tasks not yet begun are dropped. The calling thread works too, so calls may nest. All
    run in the caller's context (contextvars).
    """
    work = deque(enumerate(tasks))
    workers = min(threads or available_threads(), len(work)) if len(work) > 1 else 1
    if workers <= 1:
        return [task() for _, task in work]
    results: list[Any] = [None] * len(work)
    helpers = [shared_pool().submit(copy_context().run, _drain, work, results) for _ in range(workers - 1)]
    try:
        _drain(work, results)
    finally:
        started = [helper for helper in helpers if not helper.cancel()]
        errors = [error for helper in started if (error := helper.exception())]
    if errors:
        raise errors[0]
    return results


def _drain(work: deque[tuple[int, Callable[[], T]]], results: list[T]) -> None:
    while item := _next(work):
        index, task = item
        try:
            results[index] = task()
        except BaseException:
            work.clear()
            raise


def _next(work: deque[tuple[int, Callable[[], T]]]) -> tuple[int, Callable[[], T]] | None:
    try:
        return work.popleft()
    except IndexError:  # another thread took the last one
        return None


def ranges(n: int, parts: int, multiple: int = 1) -> list[tuple[int, int]]:
    """[0, n) cut into at most `parts` ranges of about equal length, at multiples of `multiple`."""
    units = -(-n // multiple)
    cuts = [min(n, multiple * (units * k // parts)) for k in range(parts + 1)]
    return [(begin, end) for begin, end in itertools.pairwise(cuts) if begin < end]
