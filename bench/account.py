"""Where the time of a transform and of a multi-scalar multiplication goes, on one thread.

Products are counted from the plans, their nanoseconds measured in the same run on operands in the first-level cache;
what is left over is given by parts. `python bench/account.py [--quick]` prints a table for each and appends to
bench/results/account.jsonl: a line a part, with its seconds, and for arithmetic its products.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from harness import Recorder
from lines import duration
from measuring import Measurement, Run, measure_interleaved, measure_once
from primitives import require, scalars

from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.curves.points import Group
from zkgpu.fields.cpu import CpuField
from zkgpu.jit.element import dot
from zkgpu.jit.isa import InstructionSet, supported
from zkgpu.jit.kernel import kernel, operation
from zkgpu.jit.memory import aligned_empty
from zkgpu.msm.cpu import COSTS
from zkgpu.msm.fixed_base import fixed_base
from zkgpu.msm.fold import fold
from zkgpu.msm.formulas import Coordinates
from zkgpu.msm.group import KernelGroup
from zkgpu.msm.inversion import invert_totals
from zkgpu.msm.plan import bucket_sets, bucket_width
from zkgpu.msm.points import load_points
from zkgpu.msm.projective import reduce_buckets
from zkgpu.msm.scalars import balanced, digits
from zkgpu.msm.segments import BATCH, add_segments, workspace
from zkgpu.msm.sorting import sort_task
from zkgpu.ntt import kernels
from zkgpu.ntt.domain import Domain
from zkgpu.ntt.plan import FIRST, RADIX, TAIL, plan
from zkgpu.ntt.twiddles import twiddles

BLOCKS, ROUNDS = 32, 2000  # of the loops that time products: operands of 10 KiB


# -- products

Products = Counter[str]

KINDS: dict[str, Callable[[Coordinates, Any, Any], Any]] = {
    "product": lambda curve, x, y: x * y,
    "square": lambda curve, x, y: x.square(),
    "sum of two products": lambda curve, x, y: dot([(1, x, y), (1, x + y, y)]),
    "table factor": lambda curve, x, y: x.times(curve.e.broadcast_factor(*y)),
    "constant factor": lambda curve, x, y: x.times(curve.e.constant_factor(curve.e.modulus // 3)),
}


@kernel
def repeat_product(shape: KernelGroup, kind: str) -> Any:
    """run(out, x, y, rounds): `rounds` times BLOCKS products of one kind, block by block."""

    @operation(shape.isa, shape.modulus)
    def multiply(e: Any, out: Any, left: Any, right: Any, at: Any) -> None:
        curve = Coordinates(e, shape)
        y = (right, e.integer(0)) if kind == "table factor" else curve.load(right, at, 1)
        curve.store(KINDS[kind](curve, curve.load(left, at, 1), y), out, at)

    words = shape.coordinate_words

    def run(out: Any, x: Any, y: Any, rounds: int) -> None:
        for _ in range(rounds):
            for k in range(BLOCKS):
                multiply(out, x, y, k * words)

    return run


def nanoseconds_of_products(shape: KernelGroup, kinds: list[str]) -> dict[str, float]:
    """Of one product of each kind, in the first-level cache, the best of some runs of all kinds in turns."""
    x, y, out = (aligned_empty(BLOCKS * shape.coordinate_words) for _ in range(3))
    x[:], y[:] = 12345, 54321  # small limbs: canonical
    loops = {k: partial(repeat_product(shape, k), out, x, y, ROUNDS) for k in kinds}
    taken = measure_interleaved({k: partial(measure_once, loop) for k, loop in loops.items()})
    return {k: min(t.cpu_seconds) / (ROUNDS * BLOCKS * shape.isa.lanes) * 1e9 for k, t in taken.items()}


def streamed_product(cpu: CpuField, n: int) -> float:
    """Nanoseconds of one product x[i] *= x[i] over a vector of n."""
    vector = cpu.vector(Fr.to_limbs(scalars(n, 3)))
    taken = measure_interleaved({"": lambda: measure_once(lambda: cpu.pointwise(lambda x: x * x, vector, out=vector))})
    return min(taken[""].cpu_seconds) / n * 1e9


@dataclass(frozen=True)
class Account:
    """One thing's time: what its products take by themselves, and its parts as measured."""

    name: str
    log_size: int
    isa: InstructionSet
    products: Products
    nanoseconds: dict[str, float]
    total: Measurement
    parts: dict[str, float]
    streaming: float | None = None

    @property
    def arithmetic(self) -> float:
        return sum(count * self.nanoseconds[kind] for kind, count in self.products.items()) * 1e-9

    def record(self, recorder: Recorder) -> None:
        """One line: the whole, with products, nanoseconds and parts in it; and a table on the screen."""
        seconds = min(self.total.cpu_seconds)
        rest = seconds - sum(self.parts.values())
        facts = {"products": dict(self.products), "product_ns": {k: round(v, 3) for k, v in self.nanoseconds.items()}}
        facts |= {"streaming_ns": round(self.streaming, 3)} if self.streaming else {}
        parts = {**self.parts, "all else": rest}
        recorder.add(
            self.total,
            primitive=self.name,
            log_size=self.log_size,
            path=self.isa.name,
            arithmetic_seconds=round(self.arithmetic, 6),
            parts={name: round(value, 6) for name, value in parts.items()},
            checked=True,
            **facts,
        )
        self.print_table(seconds, parts)

    def print_table(self, seconds: float, parts: dict[str, float]) -> None:
        for kind, count in self.products.items():
            share = count * self.nanoseconds[kind] * 1e-9
            print(f"    {kind:<44} {count:>12,} x {self.nanoseconds[kind]:.2f} ns {duration(share):>10}")
        print(f"    {'all products':<44} {duration(self.arithmetic):>10} {self.arithmetic / seconds:>6.0%}")
        for name, value in parts.items():
            print(f"      {name:<42} {duration(value):>10} {value / seconds:>6.0%}")


# -- transforms


def transform(isa: InstructionSet, log_size: int) -> Account:
    """A forward transform over the roots of unity, in place."""
    cpu, domain = CpuField(Fr, isa, threads=1), Domain(Fr, 1 << log_size)
    coefficients = scalars(domain.size, 3)
    vector = cpu.vector(Fr.to_limbs(coefficients))
    run = kernels.forward(isa, Fr.modulus, Fr.root_of_unity(RADIX))
    tables = twiddles(Fr, isa, log_size, 0, False)
    phases = plan(log_size, isa.lanes.bit_length() - 1, 0, False).phases

    def do(phase: tuple[Any, ...]) -> None:
        for passes in phase:
            run(vector.blocks, passes, tables.powers, tables.tiles, tables.scale)

    for phase in phases:
        do(phase)
    require(Fr.from_limbs(cpu.limbs(vector)[-1:]) == [value_at_last(domain, coefficients)], "ntt")
    runs: dict[str, Run] = {f"stages over the array, pass {k}": partial(do, p) for k, p in enumerate(phases[:-1], 1)}
    runs["stages within sub-transforms"] = partial(do, phases[-1])
    taken = measure_interleaved({name: partial(measure_once, r) for name, r in runs.items()})
    total = Measurement(*(tuple(map(sum, zip(*(getattr(m, f) for m in taken.values()), strict=True))) for f in FIELDS))
    products = products_of_passes(phases, isa.lanes)
    nanoseconds = nanoseconds_of_products(replace(KernelGroup.of(G1, isa), modulus=Fr.modulus), list(products))
    parts = {name: min(m.cpu_seconds) for name, m in taken.items()}
    streaming = streamed_product(cpu, domain.size)
    return Account("ntt", log_size, isa, products, nanoseconds, total, parts, streaming)


FIELDS = ("seconds", "cpu_seconds")


def value_at_last(domain: Domain, coefficients: list[int]) -> int:
    x, value = pow(domain.omega, int(domain.bit_reversal[-1]), Fr.modulus), 0
    for c in reversed(coefficients):
        value = (value * x + c) % Fr.modulus
    return value


def products_of_passes(phases: Any, lanes: int) -> Products:
    """Products of a forward transform: z^1 .. of a pass from its table, and its butterflies by constants."""
    count: Products = Counter()
    constants = {0: 5, 1: 0, 2: 1, 3: 5, FIRST: 5}
    for kind, _, _, columns, _, groups in np.concatenate([item for phase in phases for item in phase]).tolist():
        blocks = lanes * groups * (1 if kind == TAIL else columns)
        if kind == TAIL:
            count["product"] += (RADIX - 1) * blocks
        elif kind != FIRST:
            count["table factor"] += ((1 << kind) - 1) * blocks
        count["constant factor"] += constants[kind] * blocks
    return count


# -- multi-scalar multiplications


def sum_of_points(isa: InstructionSet, group: Group, log_size: int) -> Account:
    """Random scalars, the windows one after the other as one thread does them."""
    n, shape = 1 << log_size, KernelGroup.of(group, isa)
    multiples, factors = scalars(n, 5), Fr.to_limbs(scalars(n, 6))
    points = load_points(group, fixed_base(group.generator, Fr.to_limbs(multiples), isa), isa)
    width = width_of(group, isa, n)
    one = _Sum(isa, group, points, factors, width)
    expected = sum(m * k for m, k in zip(multiples, scalars(n, 6), strict=True)) % Fr.modulus
    require(one.run(Counter())[0] == expected * group.generator, f"msm in {group.name}")
    runs = []
    for _ in range(5):
        times: Counter[str] = Counter()
        whole = measure_once(partial(one.run, times))
        runs.append((whole, times))
    total = Measurement.joined([whole for whole, _ in runs])
    best = min(runs, key=lambda r: r[0].cpu_seconds)[1]
    additions, buckets = one.additions(), one.windows() << (width - 1)
    # of a mixed addition and a full one; by 3b, which is large in G2, four more
    in_bucket = {1: 11, 2: 15}[shape.degree]
    counts = {"product": 5 * additions + in_bucket * buckets, "square": additions, "sum of two products": 6 * buckets}
    products: Products = Counter(counts)
    nanoseconds = nanoseconds_of_products(shape, list(products))
    parts: dict[str, float] = dict(best)
    inversions = -(-additions // BATCH) * inversion_seconds(shape)
    parts["additions of points"] -= inversions
    parts["their inversions, at the least"] = inversions
    return Account(f"msm_{group.name[-2:].lower()}", log_size, isa, products, nanoseconds, total, parts)


def inversion_seconds(shape: KernelGroup) -> float:
    totals = aligned_empty(2 * shape.coordinate_words)
    totals[:] = 12345
    run = repeat_inversion(shape)
    taken = measure_interleaved({"": partial(measure_once, partial(run, totals, ROUNDS))})
    return min(taken[""].cpu_seconds) / ROUNDS


@kernel
def repeat_inversion(shape: KernelGroup) -> Any:
    """run(totals, rounds): the inversion of a batch, again and again."""
    invert = invert_totals(shape)

    def run(totals: Any, rounds: int) -> None:
        for _ in range(rounds):
            invert(totals)

    return run


@dataclass(frozen=True)
class _Sum:
    """A multi-scalar multiplication put together from the parts that msm uses."""

    isa: InstructionSet
    group: Group
    points: Any
    scalars: Any
    width: int

    def run(self, times: Counter[str]) -> tuple[Any]:
        """(the sum,), with the processor's time of each part added to times."""
        shape, lanes, count = KernelGroup.of(self.group, self.isa), self.isa.lanes, 1 << (self.width - 1)
        with timed(times, "digits of scalars"):
            cut = digits(balanced(self.scalars, self.group.order), self.width, 1)
        size = max(cut.sizes)
        start, references = np.empty(count + 1, np.int64), np.empty(size, np.int32)
        filled, space = shape.empty_rows(count), workspace(shape, size, count)
        sums = np.empty((len(cut.sizes), 2, 3 * shape.degree, shape.layout.limbs, lanes), np.uint64)
        reduce_set = reduce_buckets(shape)
        sets = bucket_sets(cut.sizes, len(cut.sizes))
        for k, s in enumerate(sets):
            with timed(times, "sorting by digit"):
                sort_task(cut, [s], count, [0] * len(cut.sizes), start, references)
            with timed(times, "additions of points"):
                add_segments(shape, self.points.rows, references, start, filled, space)
            with timed(times, "reduction of buckets"):
                reduce_set(filled.ctypes.data, 1, count // lanes, sums[k].reshape(-1))
        with timed(times, "windows together"):
            return (fold(shape, sums, [s.weight for s in sets], self.width, count // lanes),)

    def windows(self) -> int:
        return len(self._digits())

    def additions(self) -> int:
        """Additions of points in all buckets: digits that are not zero, less one a bucket that has any."""
        return sum(int((row != 0).sum()) - len(np.unique(np.abs(row[row != 0]))) for row in self._digits())

    def _digits(self) -> list[Any]:
        cut = digits(balanced(self.scalars, self.group.order), self.width, 1)
        return [row[:size] for row, size in zip(cut.values, cut.sizes, strict=True)]


@contextmanager
def timed(times: Counter[str], part: str) -> Iterator[None]:
    begin = time.process_time()
    yield
    times[part] += time.process_time() - begin  # type: ignore[assignment]


SIZES = {"ntt": 20, "msm_g1": 18, "msm_g2": 16}
QUICK_SIZES = {"ntt": 14, "msm_g1": 12, "msm_g2": 10}


def width_of(group: Group, isa: InstructionSet, n: int) -> int:
    """The window width that the prover would choose."""
    factors = balanced(Fr.to_limbs(scalars(n, 6)), group.order)
    return bucket_width(factors.histogram, COSTS[isa.name, group.degree], isa.lanes.bit_length() + 1)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="small sizes only")
    options.add_argument("--only", choices=SIZES, help="one account only")
    chosen = options.parse_args()
    recorder, isa = Recorder("account"), supported()[0]
    for name, log_size in (QUICK_SIZES if chosen.quick else SIZES).items():
        if chosen.only in (None, name):
            make = (
                partial(transform)
                if name == "ntt"
                else partial(sum_of_points, group={"msm_g1": G1, "msm_g2": G2}[name])
            )
            make(isa, log_size=log_size).record(recorder)


if __name__ == "__main__":
    main()
