"""The jobs of a service: accepted into the spool, handed to places, watched, and brought to their one end."""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import logging
import math
import os
import sqlite3
import time
from collections.abc import Callable, Container, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, TypeVar

from zkgpu.errors import CancelledError, ResourceError, ZkgpuError, described
from zkgpu.service.metrics import Metrics
from zkgpu.service.places import Order, Outcome, Place, PlaceLost
from zkgpu.service.scheduling import choose
from zkgpu.service.spool import CANCELLED, DONE, FAILED, RUNNING, WAITING, Job, Spool

log = logging.getLogger(__name__)
T = TypeVar("T")

MOST_LOSSES = 3  # places that may die over a job
_PAUSE = 1.0  # seconds between two attempts to write an outcome
_SWEEP = 60.0  # seconds between two looks for results that are too old
_AVERAGE = 0.1  # weight of the latest proof's seconds


class Jobs:
    """All that is not over, in memory and in the spool; places prove it. For one event loop.

    Args:
        served: names of keys; a job of an earlier service by another key stays in the spool for one that has it
        most: how many may wait
        keep: seconds for which results are kept
    """

    def __init__(self, spool: Spool, metrics: Metrics, served: Container[str], *, most: int, keep: float) -> None:
        self._spool, self._metrics, self._served, self._most, self._keep = spool, metrics, served, most, keep
        self._disk = ThreadPoolExecutor(1, "zkgpu-spool")
        self._places: list[Place] = []
        self._hands: ThreadPoolExecutor | None = None
        self._waiting: list[Job] = []
        self._keyless: list[Job] = []
        self._running: dict[str, tuple[Job, Place]] = {}
        self._live: dict[str, Job] = {}
        self._ends: dict[str, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._stopped: dict[str, tuple[str, ZkgpuError]] = {}  # running jobs that are to stop, and what is said then
        self._large: set[str] = set()
        self._uploads, self._seconds = 0, 1.0
        self._sweeper: asyncio.Task[Any] | None = None
        self.is_draining = False

    # what comes and goes

    async def recover(self) -> None:
        """Takes up what an earlier service left."""
        self._sweeper = self._spawn(self._sweep())
        for job in await self._on_disk(self._spool.recover):
            self._take_up(job)
        if self._waiting:
            log.warning("%d jobs of an earlier service are taken up", len(self._waiting))
        if self._keyless:
            names = ", ".join(sorted({job.key for job in self._keyless}))
            log.warning("%d jobs wait for a service that has their keys: %s", len(self._keyless), names)

    def begin(self, places: list[Place], large: set[str]) -> None:
        """From now on jobs are proven."""
        self._places, self._large = places, large
        self._hands = ThreadPoolExecutor(len(places), "zkgpu-place")
        self._hand_out()

    def reserve(self) -> float | None:
        """A seat in the queue for a body that is about to come: None, or the seconds after which to ask again."""
        if len(self._waiting) + self._uploads >= self._most:
            self._metrics.refused.labels("full").inc()
            return self.patience
        self._uploads += 1
        return None

    def release(self) -> None:
        """The seat is a job's now, or nobody's."""
        self._uploads -= 1

    @property
    def patience(self) -> float:
        """About when a place in a full queue is free, in whole seconds."""
        return float(min(max(math.ceil(self._seconds / max(len(self._places), 1)), 1), 60))

    async def accept(self, job: Job, upload: str) -> Job:
        """The job, which is on disk then; or an earlier one with its idempotency key. Raises as `Spool.accept`."""
        return await asyncio.shield(self._spawn(self._accepted(job, upload)))  # on disk it is a job, whoever waits

    async def _accepted(self, job: Job, upload: str) -> Job:
        accepted = await self._on_disk(self._spool.accept, job, upload)
        if accepted is not job:
            return self._live.get(accepted.id, accepted)
        self._take_up(job)
        self._hand_out()
        return job

    def digest(self) -> Any:
        """As of `Spool.digest`."""
        return self._spool.digest()

    def upload(self) -> tuple[str, BinaryIO]:
        """As of `Spool.upload`."""
        return self._spool.upload()

    async def flushed(self, file: BinaryIO) -> None:
        """Returns when what was written is on disk."""
        await asyncio.get_running_loop().run_in_executor(None, os.fsync, file.fileno())

    async def find(self, id_: str) -> Job | None:
        return self._live.get(id_) or await self._on_disk(self._spool.find, id_)

    async def by_idempotency(self, key: str) -> Job | None:
        return await self._on_disk(self._spool.by_idempotency, key)

    async def wait(self, job: Job, seconds: float) -> None:
        """Returns when the job is over, after so many seconds, or when the service drains."""
        event = self._ends.get(job.id)
        if event is not None and not self.is_draining:
            try:
                await asyncio.wait_for(event.wait(), seconds)
            except asyncio.TimeoutError:
                return

    async def cancel(self, job: Job) -> None:
        """Stops a job that is not over: at once while it waits, before its next stage while it is proven."""
        await self._stop(job.id, CANCELLED, CancelledError("cancelled, as was asked"))

    # the way of a job

    def _take_up(self, job: Job) -> None:
        self._live[job.id], self._ends[job.id] = job, asyncio.Event()
        bisect.insort(self._waiting if job.key in self._served else self._keyless, job, key=lambda one: one.rank)
        if job.deadline is not None:
            late = ResourceError("the job's deadline has passed: give it longer, or the service more places")
            self._timers[job.id] = asyncio.get_running_loop().call_later(
                max(job.deadline - time.time(), 0), lambda: self._spawn(self._stop(job.id, FAILED, late))
            )

    def _hand_out(self) -> None:
        """Begins whatever can be begun."""
        while not self.is_draining and self._hands is not None:
            running = list(self._running.values())
            busy = [place for _, place in running]
            free = [place for place in self._places if place not in busy]
            found = choose(self._waiting, free, running, self._large.__contains__)
            if found is None:
                return
            job, place = found
            self._waiting[0].passed += job is not self._waiting[0]
            self._waiting.remove(job)
            self._running[job.id] = job, place
            job.state, job.started = RUNNING, time.time()
            self._metrics.wait.observe(job.started - job.created)
            self._metrics.running.set(len(self._running))
            self._spawn(self._prove(job, place))

    async def _prove(self, job: Job, place: Place) -> None:
        loop = asyncio.get_running_loop()
        order = Order(job.id, job.key, self._spool.path_of(job), job.options)
        stages = job.stages

        def hear(name: str, seconds: float | None) -> None:
            loop.call_soon_threadsafe(partial(stages.__setitem__, name, seconds))

        try:
            outcome = await loop.run_in_executor(self._hands, place.prove, order, hear)
        except PlaceLost as error:
            await self._lost(job, place, error)
        except Exception as error:
            await self._end(job, place, _failure(error))
        else:
            await self._end(job, place, outcome)

    async def _end(self, job: Job, place: Place, outcome: Outcome) -> None:
        self._leave(job)
        self._metrics.end(job.key, place.name, outcome)
        self._seconds += _AVERAGE * (time.time() - (job.started or 0) - self._seconds)
        state, error = self._stopped.get(job.id, ("", None))
        if outcome["ok"]:
            state = DONE
        elif error is not None and outcome["exit_code"] == CancelledError.exit_code:
            outcome = {**outcome, **_failure(error)}
        await self._over(job, state or FAILED, outcome)

    async def _lost(self, job: Job, place: Place, error: PlaceLost) -> None:
        """The job goes back to where it was in the queue, unless it is what places die of."""
        self._leave(job)
        if self.is_draining:
            return
        job.lost, job.state, job.stages = job.lost + 1, WAITING, {}
        self._metrics.retries.labels(place.name, "lost").inc()
        log.warning("%s: %s", job.id, error)
        if job.id in self._stopped:
            await self._over(job, self._stopped[job.id][0], _failure(self._stopped[job.id][1]))
        elif job.lost >= MOST_LOSSES:
            died = ResourceError(f"whatever proved this died, {job.lost} times: give the service more memory")
            await self._over(job, FAILED, _failure(died))
        else:
            bisect.insort(self._waiting, job, key=lambda one: one.rank)
            self._hand_out()
            with contextlib.suppress(sqlite3.Error):  # the next service counts from less
                await self._on_disk(self._spool.note_loss, job)

    def _leave(self, job: Job) -> None:
        """The job has left its place, which is free for another."""
        self._running.pop(job.id, None)
        self._metrics.running.set(len(self._running))
        self._hand_out()

    async def _stop(self, id_: str, state: str, error: ZkgpuError) -> None:
        job = self._live.get(id_)
        queue = next((queue for queue in (self._waiting, self._keyless) if job in queue), None)
        if job is not None and queue is not None:
            queue.remove(job)
            await self._over(job, state, _failure(error))
            self._hand_out()
        elif id_ in self._running:
            self._stopped.setdefault(id_, (state, error))
            _, place = self._running[id_]
            await asyncio.get_running_loop().run_in_executor(None, place.cancel, id_)

    async def _over(self, job: Job, state: str, outcome: Outcome) -> None:
        """The outcome, which nobody sees before it is on disk: two that differ would be two results."""
        over = replace(job, state=state, finished=time.time(), outcome=outcome)
        while not await self._is_kept(over):
            if self.is_draining:  # the next service makes it again: nobody has seen this one
                return
            await asyncio.sleep(_PAUSE)
        job.state, job.finished, job.outcome = over.state, over.finished, over.outcome
        self._metrics.jobs.labels(job.key, state, outcome["exit_code"]).inc()
        self._stopped.pop(job.id, None)
        self._live.pop(job.id, None)
        timer = self._timers.pop(job.id, None)
        if timer is not None:
            timer.cancel()
        self._ends.pop(job.id).set()

    async def _is_kept(self, over: Job) -> bool:
        try:
            await self._on_disk(self._spool.finish, over)
        except (OSError, sqlite3.Error) as error:
            log.error("%s: what came of it cannot be written (%s): tried again until it can", over.id, error)
            return False
        return True

    # the end

    async def drain(self, grace: float) -> None:
        """Nothing new begins. What is proven may end within so many seconds; what does not is left in the spool."""
        self.is_draining = True
        for event in self._ends.values():
            event.set()
        until = time.monotonic() + grace
        while self._running and time.monotonic() < until:
            await asyncio.sleep(0.02)

    async def close(self) -> None:
        """Ends the places, with what they do, and the spool."""
        self.is_draining = True
        for place in self._places:
            await asyncio.get_running_loop().run_in_executor(None, place.close)
        if self._sweeper is not None:
            self._sweeper.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._on_disk(self._spool.close)
        self._disk.shutdown()
        if self._hands is not None:
            self._hands.shutdown()

    def page(self) -> bytes:
        """The metrics."""
        return self._metrics.text(len(self._waiting), self._places)

    async def _sweep(self) -> None:
        while True:
            with contextlib.suppress(sqlite3.Error):
                await self._on_disk(self._spool.forget, time.time() - self._keep)
            await asyncio.sleep(_SWEEP)

    async def _on_disk(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, partial(call, *arguments))

    def _spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task that is held until it is done."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _failure(error: BaseException) -> Outcome:
    text, code = described(error)
    return {"ok": False, "error": text, "exit_code": code}
