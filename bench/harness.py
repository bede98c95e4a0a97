"""How every bench measures and records: a checked result first, warm-up, medians, one JSON line a figure.

Each line of bench/results/*.jsonl holds the commit, the machine, its cores, the threads, the median seconds and a
calibration: the nanoseconds of a scalar 64-bit Montgomery product in the same minute. Clocks of shared machines drift,
so compare seconds of two lines only after dividing by their calibrations. `load` is how many processes used the
cores: above the number of cores, trust `cpu_seconds`, the processor's time, and the best run rather than the median.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lines import RESULTS, duration
from measuring import Measurement, seconds_of

from zkgpu.curves.bn254 import Fr
from zkgpu.jit.isa import PORTABLE
from zkgpu.jit.kernel import kernel, operation

ROOT = Path(__file__).parents[1]
CALIBRATION_PRODUCTS = 1 << 10  # three arrays of them stay in the second-level cache


class Recorder:
    """Prints figures and appends them to bench/results/NAME.jsonl."""

    def __init__(self, name: str):
        self.name = name
        self.path = RESULTS / f"{name}.jsonl"

    def add(self, measurement: Measurement, **facts: Any) -> None:
        """One line, of one thread unless `threads` is given. The caller has checked the result: `checked` says so."""
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
    rng, words = np.random.default_rng(1), PORTABLE.over(Fr.modulus).limbs
    x, y = (rng.integers(0, 1 << 62, (CALIBRATION_PRODUCTS, words), dtype=np.uint64) for _ in range(2))
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

    words = PORTABLE.over(modulus).limbs

    def multiply_all(out: Any, left: Any, right: Any, count: int, rounds: int) -> None:
        for _ in range(rounds):
            for i in range(count):
                multiply(out, left, right, i * words)

    return multiply_all
