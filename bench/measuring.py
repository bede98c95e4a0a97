"""Seconds of several runs of one thing. Needs nothing but Python, so that machines without a compiler measure too."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

K = TypeVar("K")  # how a bench names what it compares
REPEATS = 5


@dataclass(frozen=True)
class Measurement:
    """Several runs of one thing: seconds by the clock, and of the processor, which a busy machine disturbs less."""

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...] = ()

    @staticmethod
    def joined(parts: Sequence[Measurement]) -> Measurement:
        return Measurement(sum((p.seconds for p in parts), ()), sum((p.cpu_seconds for p in parts), ()))

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def cpu_median(self) -> float:
        return statistics.median(self.cpu_seconds)

    def facts(self) -> dict[str, float | int]:
        cpu = {"cpu_seconds": self.cpu_median} if self.cpu_seconds else {}
        return {"seconds": self.median, "best": min(self.seconds), **cpu, "repeats": len(self.seconds)}


Run = Callable[[], object]


def measure(run: Run, repeats: int = REPEATS, warm_up: int = 1) -> Measurement:
    """`repeats` runs, after `warm_up` that are not counted."""
    for _ in range(warm_up):
        run()
    return Measurement.joined([measure_once(run) for _ in range(repeats)])


def measure_once(run: Run) -> Measurement:
    start, cpu = time.perf_counter(), time.process_time()
    run()
    return Measurement((time.perf_counter() - start,), (time.process_time() - cpu,))


def measure_interleaved(runs: Mapping[K, Callable[[], Measurement]], repeats: int = REPEATS) -> dict[K, Measurement]:
    """A B A B ...: each entry runs once a round and measures itself; the first round is not counted."""
    rounds = [{name: run() for name, run in runs.items()} for _ in range(repeats + 1)]
    return {name: Measurement.joined([r[name] for r in rounds[1:]]) for name in runs}


def seconds_of(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
