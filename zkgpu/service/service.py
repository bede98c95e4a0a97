"""A service: its keys opened at their places, its jobs, its verdicts; no HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from typing import Any

from zkgpu.errors import ResourceError, UsageError, described
from zkgpu.service.jobs import Jobs
from zkgpu.service.metrics import Metrics
from zkgpu.service.places import Outcome, Place, PlaceLost
from zkgpu.service.processes import Process, verifier_of
from zkgpu.service.settings import Settings
from zkgpu.service.spool import Spool

log = logging.getLogger(__name__)

MOST_VERDICTS = 32  # that wait for their turn


class UnknownName(UsageError):
    """A key that the service does not have, or a job."""


class Service:
    """A resident prover: jobs come in, wait in the spool, and are proven at places.

    Args:
        settings: which keys are served, where jobs wait, and how many
        places: starts the places, once; they open the keys

    Attributes:
        facts: of the keys that are open, by name
        failure: why keys cannot be opened; `on_failure` is called then

    Raises as `Spool`.
    """

    def __init__(self, settings: Settings, places: Callable[[], list[Place]]) -> None:
        self.settings, self.metrics = settings, Metrics()
        spool = Spool(settings.spool)
        self.jobs = Jobs(spool, self.metrics, settings.served, most=settings.most_waiting, keep=settings.keep)
        self.facts: dict[str, dict[str, Any]] = {}
        self.failure: Exception | None = None
        self.on_failure: Callable[[], None] = self._log_failure
        self._is_open, self._start_places = False, places
        self._opening: asyncio.Task[None] | None = None
        self._places: list[Place] = []
        self._verifier: Process | None = None
        self._verdicts, self._turn = 0, asyncio.Lock()

    @property
    def is_ready(self) -> bool:
        """Whether all keys are open and jobs are taken."""
        return self._is_open and not self.jobs.is_draining

    async def start(self) -> None:
        """Jobs are taken from now on, and proven once all keys are open."""
        await self.jobs.recover()
        self._opening = asyncio.create_task(self._open())

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            self._places = await loop.run_in_executor(None, self._start_places)
            _keep_signals()
            for name in self.settings.served:
                self.facts[name] = await loop.run_in_executor(None, self._places[0].open, name)
        except Exception as error:
            self.failure = error
            self.on_failure()
            return
        self._is_open = True
        self.jobs.begin(self._places, {name for name, facts in self.facts.items() if facts["large"]})
        log.info("ready: %s", ", ".join(self.facts))

    def _log_failure(self) -> None:
        """Where no server hands the failure on."""
        if self.failure is not None:
            log.error("%s", described(self.failure)[0])

    async def stop(self) -> None:
        """Ends all that runs; jobs that are not over stay in the spool."""
        if self._opening is not None:
            self._opening.cancel()
        for place in (*self._places, *([self._verifier] if self._verifier else [])):
            await asyncio.get_running_loop().run_in_executor(None, place.close)
        await self.jobs.close()

    async def verify(self, text: str, own_key: Any = None) -> Outcome:
        """As `verdicts.verdict`; its errors are outcomes. Raises ResourceError where too many wait for one."""
        if self._verdicts >= MOST_VERDICTS:
            raise ResourceError("too many proofs wait to be verified: ask again in a while")
        self._verdicts += 1
        try:
            async with self._turn:
                return await asyncio.get_running_loop().run_in_executor(None, self._verdict, text, own_key)
        finally:
            self._verdicts -= 1

    def _verdict(self, text: str, own_key: Any) -> Outcome:
        self._verifier = self._verifier or verifier_of(threads=1)
        try:
            return self._verifier.verify(text, own_key)
        except PlaceLost:  # it ended while nobody looked; the next one has begun
            return self._verifier.verify(text, own_key)

    def facts_of(self, name: str) -> dict[str, Any]:
        """What a client may know of a key. Raises UnknownName, and ResourceError until it was opened."""
        if name not in self.settings.served:
            raise UnknownName(f"there is no such key: the service has {', '.join(self.settings.served)}")
        if name not in self.facts:
            raise ResourceError(f"{name}: the key is not open yet: ask again in a while")
        return self.facts[name]


def _keep_signals() -> None:
    """Puts Python's handlers back, which Ray's core replaces by one that prints a stack and aborts."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, TypeError):  # where this is no main thread, or the handler is not Python's
            signal.signal(number, signal.getsignal(number))
