"""How every bench measures and records: a checked result first, warm-up, medians, one JSON line a figure.

Each line of bench/results/*.jsonl holds the commit, the machine, its cores, the threads, the median seconds and a
calibration: the nanoseconds of a scalar 64-bit Montgomery product in the same minute. Clocks of shared machines drift,
so compare seconds of two lines only after dividing by their calibrations. `load` is how many processes wanted the
cores: above the number of cores, trust `cpu_seconds`, the processor's time, and the best run rather than the median.
"""

from __future__ import annotations

import functools
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from lines import RESULTS, duration

from zkgpu.curves.bn254 import Fr
from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.path import PORTABLE

K = TypeVar("K")  # how a bench names what it compares
ROOT = Path(__file__).parents[1]
REPEATS = 5
CALIBRATION_PRODUCTS = 1 << 10  # three arrays of them stay in the second-level cache


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


class Recorder:
    """Prints figures and appends them to bench/results/NAME.jsonl."""

    def __init__(self, name: str):
        self.name = name
        self.path = RESULTS / f"{name}.jsonl"

    def add(self, measurement: Measurement, **facts: Any) -> None:
        """One line, of one thread unless `threads` is told. The caller has checked the result: `checked` says so."""
        if not facts.get("checked"):
            raise SystemExit(f"{self.name}: a figure without a checked result is not recorded")
        conditions = {"calibration_ns": calibration(), "load": round(os.getloadavg()[0], 1)}
        line = {"bench": self.name, **context(), "threads": 1, **facts, **measurement.facts(), **conditions}
        self.path.parent.mkdir(exist_ok=True)
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        shown = (value for name, value in facts.items() if name != "checked" and not isinstance(value, dict))
        described = "  ".join(str(value) for value in shown)
        print(f"{described:<60} {duration(measurement.median):>10}", flush=True)


@functools.cache
def context() -> dict[str, Any]:
    """What all lines of a run share."""
    return {"commit": commit(), "date": time.strftime("%Y-%m-%d"), "cpu": cpu_model(), "cores": os.cpu_count()}


def commit() -> str:
    """Short hash of the commit, with "-dirty" when the package differs from it."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "zkgpu", "cuda")
    return _git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "unknown"


def calibration() -> float:
    """Nanoseconds of one Montgomery product on 64-bit limbs, the best of some short runs."""
    rng = np.random.default_rng(1)
    x, y = (rng.integers(0, 1 << 62, (CALIBRATION_PRODUCTS, PORTABLE.limbs), dtype=np.uint64) for _ in range(2))
    for operand in (x, y):
        operand[:, -1] >>= np.uint64(9)  # below the modulus
    out, multiply, rounds = np.zeros_like(x), _multiply_all(Fr.modulus), 20
    multiply(out, x, y, CALIBRATION_PRODUCTS, 1)
    best = min(seconds_of(lambda: multiply(out, x, y, CALIBRATION_PRODUCTS, rounds)) for _ in range(5))
    return round(best / rounds / CALIBRATION_PRODUCTS * 1e9, 2)


@kernel
def _multiply_all(modulus: int) -> Callable[..., Any]:
    @operation(PORTABLE, modulus)
    def multiply(e: Any, out: Any, left: Any, right: Any, offset: Any) -> None:
        e.store(e.load(left, offset) * e.load(right, offset), out, offset)

    words = PORTABLE.limbs

    def multiply_all(out: Any, left: Any, right: Any, count: int, rounds: int) -> None:
        for _ in range(rounds):
            for i in range(count):
                multiply(out, left, right, i * words)

    return multiply_all
