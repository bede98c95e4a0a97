"""Rates of single instructions and of products on a GPU: how many a multiprocessor does in a clock and in a second.

Kernels are in rates.cu. Each rate is of a launch whose results were compared with Python's: those of the first and the
last thread, which have run every round.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from measuring import Measurement, measure
from numpy.typing import NDArray

from zkgpu.curves.bn254 import Fr
from zkgpu.gpu.driver import Driver
from zkgpu.gpu.elements import scalar
from zkgpu.gpu.program import U64, DeviceArray, Grid, Programs, allocate, upload
from zkgpu.gpu.source import Source, load

CHAINS, UNROLLED = 8, 8  # as in rates.cu
A, B = 0x9E3779B1, 0x85EBCA6B  # odd, with bits in all places
WORD, DOUBLE_WORD = (1 << 32) - 1, (1 << 64) - 1
THREADS = 1024
r = Fr.modulus


@dataclass(frozen=True)
class Stream:
    """A kernel that repeats x = step(x) on CHAINS numbers a thread, and how many instructions a step is."""

    kernel: str
    step: Callable[[Any], Any]
    finish: Callable[[list[Any]], int]
    constants: dict[str, int] = field(default_factory=dict)
    instructions: int = 1

    def result(self, thread: int, rounds: int) -> int:
        """What a thread writes."""
        chains = [self._start(thread + 65537 * k) for k in range(CHAINS)]
        for _ in range(rounds * UNROLLED):
            chains = [self.step(x) for x in chains]
        return self.finish(chains)

    def _start(self, number: int) -> Any:
        return float(number) if self.kernel == "rate_double" else number


@dataclass(frozen=True)
class Rate:
    """Instructions, or products, of one kind; `per_clock` is for one multiprocessor."""

    name: str
    per_clock: float
    per_second: float
    measurement: Measurement


def _sum(bits: int) -> Callable[[list[int]], int]:
    return lambda chains: sum(chains) & bits


def _carry_step(x: int) -> int:
    low, high = x & WORD, x >> 32
    total = low + high
    return ((high + low + (total >> 32)) & WORD) << 32 | total & WORD


def _fixed_point(chains: list[float]) -> int:
    total = 0.0
    for x in chains:
        total += x
    return int(total * 2.0**32)


FACTORS = {"a": A, "b": B}
STREAMS = {
    "IMAD": Stream("rate_multiply_add", lambda x: (x * A + B) & WORD, _sum(WORD), FACTORS),
    "IMAD.WIDE": Stream("rate_wide", lambda x: (x + A * B) & DOUBLE_WORD, _sum(DOUBLE_WORD), FACTORS),
    "add with carry": Stream("rate_carry", _carry_step, _sum(DOUBLE_WORD), instructions=2),
    "FP64 FMA": Stream("rate_double", lambda x: x * 0.5 + 1.0, _fixed_point, {"a": 1, "b": 1}),
}


def source() -> Source:
    """The kernels, with the numbers of BN254."""
    text = (Path(__file__).parent / "rates.cu").read_text()
    return load("grid.cuh", "bn254.cuh", text, name="bn254_rates.cu")


class Rates:
    """Measures on one device, with a block on each of its `multiprocessors`."""

    def __init__(self, driver: Driver, multiprocessors: int, threads: int = THREADS):
        self._driver, self._program = driver, Programs(driver)(source())
        self._grid = Grid(multiprocessors, threads)
        self._threads = multiprocessors * threads
        self._clocks = allocate(driver, U64, multiprocessors)

    def instruction(self, name: str, rounds: int) -> Rate:
        """The rate of one of STREAMS. Stops the program where a result is wrong."""
        stream, out = STREAMS[name], allocate(self._driver, U64, self._threads)
        arguments: dict[str, Any] = {"rounds": rounds, **stream.constants, "out": out, "clocks": self._clocks}
        self._launch(stream.kernel, arguments)
        last, found = self._threads - 1, out.read(np.uint64)
        require([int(found[0]), int(found[-1])] == [stream.result(i, rounds) for i in (0, last)], name)
        return self._rate(name, stream.kernel, arguments, rounds * CHAINS * UNROLLED * stream.instructions)

    def product(self, rounds: int) -> Rate:
        """Montgomery products of BN254's scalar field, one chain a thread."""
        factor = pow(3, 1000, r)
        arguments = {"rounds": rounds, "factor": self._scalars([factor])}
        return self._of_scalars("rate_product", arguments, rounds, lambda x: x * pow(factor, rounds, r) % r)

    def square(self, rounds: int) -> Rate:
        """Montgomery squares of the same field."""
        exponent = pow(2, rounds, r - 1)
        return self._of_scalars("rate_square", {"rounds": rounds}, rounds, lambda x: pow(x, exponent, r))

    def _of_scalars(self, kernel: str, arguments: dict[str, Any], rounds: int, result: Callable[[int], int]) -> Rate:
        starts = [i + 2 for i in range(self._threads)]
        out = self._scalars(starts)
        arguments |= {"out": out, "clocks": self._clocks}
        self._launch(kernel, arguments)
        first, last = (Fr.from_montgomery_limbs(row)[0] for row in self._ends(out))
        require([first % r, last % r] == [result(starts[0]), result(starts[-1])], kernel)
        return self._rate(kernel.removeprefix("rate_"), kernel, arguments, rounds)

    def _ends(self, scalars: DeviceArray) -> list[NDArray[Any]]:
        rows = scalars.read(np.uint64).reshape(-1, Fr.limbs)
        return [rows[:1], rows[-1:]]

    def _rate(self, name: str, kernel: str, arguments: dict[str, Any], each: int) -> Rate:
        """From the clocks of the median block, and from the seconds of all blocks."""
        taken = measure(lambda: self._launch(kernel, arguments))
        clocks = statistics.median(self._clocks.read(np.uint64).tolist())
        return Rate(name, self._grid.threads * each / clocks, self._threads * each / taken.median, taken)

    def _launch(self, kernel: str, arguments: dict[str, Any]) -> None:
        self._program.launch(kernel, self._grid, **arguments)
        self._driver.synchronize()

    def _scalars(self, values: list[int]) -> DeviceArray:
        return upload(self._driver, scalar(Fr), Fr.to_montgomery_limbs(values))


def require(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"wrong result: {what}")
