"""Instructions, transforms and multi-scalar multiplications on a GPU, each checked, then timed; their kernels too.

`python bench/gpu.py [--largest 24] [--seconds 300]` appends each line to $OUT/gpu.jsonl, or bench/results/gpu.jsonl, as
soon as it is measured: what is there when time runs out, stays. A line has the seconds of a run, and from one more run
the launches and milliseconds of each kernel. `.ci/gpu` does this and all else that only a GPU can show.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from floors import ELEMENT, Peaks, floor  # noqa: E402
from gpu_run.checks import random_scalars, require, require_transform, sum_to_do, values_of  # noqa: E402
from gpu_run.devices import ObservedDriver, backend_on, described, multiprocessors, open_driver  # noqa: E402
from gpu_run.results import Results, lines_of  # noqa: E402
from rates import STREAMS, Rates  # noqa: E402

from zkgpu.curves.bn254 import G1, G2, Fr  # noqa: E402
from zkgpu.gpu.program import DeviceArray  # noqa: E402
from zkgpu.ntt.domain import Domain  # noqa: E402

RATE_ROUNDS, RATE_PRODUCTS = 1 << 12, 1 << 14  # some milliseconds each
SIZES = (16, 18, 20, 22, 24)
LARGEST = {"copy": 24, "ntt": 26, "msm_g1": 26, "msm_g2": 22}
MULTIPLY_ADD, COPY = "IMAD", "copy on the device"  # of the lines of rates, those that peaks are read from
GROUPS = {"msm_g1": G1, "msm_g2": G2}
Work = tuple[str, Callable[[], object]]


class Bench:
    """What is measured on one device; the rates measured first are what the figures are held against.

    peaks  None until rates and copies are known: lines then have no shares
    """

    def __init__(self, driver: ObservedDriver, results: Results, peaks: Peaks | None = None):
        self.driver, self.results, self.peaks = driver, results, peaks
        self.backend = backend_on(driver)

    def copy(self, log_size: int) -> None:
        """x + y for every entry: two vectors are read and one is written."""
        left, right = (self.backend.vector(random_scalars(1 << log_size, seed)) for seed in (6, 7))

        def total() -> DeviceArray:
            return self.backend.pointwise(lambda a, b: a + b, left, right)

        ends = [values_of(self.backend, v.part(len(v) - 1, len(v)))[0] for v in (left, right, total())]
        require((ends[0] + ends[1]) % Fr.modulus == ends[2], "sum of vectors")
        self._record("copy", log_size, total, bytes=3 * ELEMENT << log_size)

    def ntt(self, log_size: int) -> None:
        """Coefficients to evaluations, and back, and to those on a coset."""
        domain = Domain(Fr, 1 << log_size)
        coset = domain.coset(Fr.root_of_unity(2 * domain.size))
        require_transform(self.backend, log_size)
        vector = self.backend.vector(random_scalars(1 << log_size, 3))
        self._record("ntt", log_size, lambda: self.backend.ntt(vector, domain))
        self._record("intt", log_size, lambda: self.backend.intt(vector, domain))
        self._record("ntt on a coset", log_size, lambda: self.backend.ntt(vector, coset))

    def msm(self, name: str, log_size: int) -> None:
        """Random multiples of the generator by random scalars: the sum's logarithm is known.

        Timed when it has been recorded, as in a prover's later proofs.
        """
        group, backend = GROUPS[name], self.backend
        points, scalars, total = sum_to_do(backend, group, 1 << log_size)
        for _ in range(3):
            require(backend.msm(points, scalars) == total * group.generator, f"msm in {group.name}")
        self._record(name, log_size, lambda: backend.msm(points, scalars), tables=points.has_tables)

    def _record(self, name: str, log_size: int, run: Callable[[], object], **facts: object) -> None:
        taken = self.driver.timed(run)
        shares = self.peaks.shares(floor(name, log_size), min(taken.seconds)) if self.peaks else {}
        kernels = self.driver.observed(run)
        facts = {"primitive": name, "log_size": log_size, **taken.facts(), **shares, **facts}
        self.results.add(**facts, kernels=kernels, checked=True)

    def measure(self, name: str, log_size: int) -> None:
        """The bench of this name at this size."""
        if name.startswith("msm"):
            self.msm(name, log_size)
        else:
            getattr(self, name)(log_size)


def work(
    driver: ObservedDriver, results: Results, sizes: Iterator[int] | tuple[int, ...], peaks: Peaks | None = None
) -> Iterator[Work]:
    """All benches of a size before any of the next: a run that is cut has seen them all."""
    bench = Bench(driver, results, peaks)
    for name, log_size in plan(sizes):
        yield f"{name} of 2^{log_size}", partial(bench.measure, name, log_size)


def plan(sizes: Iterator[int] | tuple[int, ...]) -> Iterator[tuple[str, int]]:
    for log_size in sizes:
        for name, largest in LARGEST.items():
            if log_size <= largest:
                yield name, log_size


def record_rates(results: Results, driver: ObservedDriver, processors: int) -> float:
    """A line for each kind of instruction, and for a field's products and squares; the multiply-adds a second."""
    emulated = driver.name == "emulated"
    rates = Rates(driver, processors, **({"threads": 32} if emulated else {}))
    rounds, products = (1, 3) if emulated else (RATE_ROUNDS, RATE_PRODUCTS)
    of_instructions = [rates.instruction(name, rounds) for name in STREAMS]
    for rate in (*of_instructions, rates.product(products), rates.square(products)):
        speeds = {"per_clock": four_digits(rate.per_clock), "per_second": four_digits(rate.per_second)}
        results.add(primitive=f"rate of {rate.name}", **speeds, **rate.measurement.facts(), checked=True)
    return next(rate.per_second for rate in of_instructions if rate.name == MULTIPLY_ADD)


def peaks_in(path: Path) -> Peaks | None:
    """What the last rates and copies among a run's lines say; None before they were measured."""
    lines = {line["primitive"]: line for line in lines_of(path) if "primitive" in line}
    multiplies, copies = lines.get(f"rate of {MULTIPLY_ADD}"), lines.get(COPY)
    return Peaks(multiplies["per_second"], copies["bytes_per_second"]) if multiplies and copies else None


def four_digits(x: float) -> float:
    return float(f"{x:.4g}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--largest", type=int, default=24, help="log2 of the largest size")
    options.add_argument("--seconds", type=float, default=300, help="begin nothing new after so long")
    chosen, began = options.parse_args(), time.monotonic()
    driver = open_driver()
    results = Results("bench", device=described(driver))
    record_rates(results, driver, multiprocessors())
    for what, run in work(driver, results, tuple(range(SIZES[0], chosen.largest + 1, 2))):
        if time.monotonic() - began > chosen.seconds:
            break
        results.attempt(what, run)


if __name__ == "__main__":
    main()
