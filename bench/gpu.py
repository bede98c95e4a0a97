"""Instructions, products, transforms, multi-scalar multiplications and proofs on a GPU, each checked, then timed.

`python bench/gpu.py [--device 0] [--largest 22] [--seconds 480]` prints a table and appends each line to
bench/results/gpu.jsonl as soon as it is measured: what is there when time runs out, stays.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from chain import chain, hashes_for, inputs_for
from floors import ELEMENT, SUFFIX, Peaks, floor
from harness import Measurement, Recorder, measure
from rates import STREAMS, Rates, require

from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G1, G2, Fr
from zkgpu.curves.points import Group
from zkgpu.fields.field import Limbs
from zkgpu.gpu.cupy_driver import CupyDriver
from zkgpu.gpu.driver import Driver
from zkgpu.groth16 import Prover, unsafe_setup
from zkgpu.ntt.domain import Domain

r = Fr.modulus
PRODUCTS = 256  # in a row, so that memory does not count
RATE_ROUNDS, RATE_PRODUCTS = 1 << 12, 1 << 14  # some milliseconds each
FIRST = {"product": 16, "ntt": 16, "msm_g1": 16, "msm_g1_xyzz": 16, "msm_g2": 14, "msm_g2_xyzz": 14, "groth16": 12}
LARGEST = {"product": 22, "ntt": 26, "msm_g1": 26, "msm_g1_xyzz": 26, "msm_g2": 22, "msm_g2_xyzz": 22, "groth16": 22}
LOG_COPY = 24


@dataclass(frozen=True)
class Bench:
    """A backend, and the driver that knows when its work is done."""

    backend: CudaBackend
    driver: Driver

    def timed(self, run: Callable[[], object]) -> Measurement:
        def finished() -> None:
            run()
            self.driver.synchronize()

        return measure(finished)

    def product(self, log_size: int) -> Measurement:
        """Seconds of one product: x y^k for every entry, in one kernel."""
        x, y = random_scalars(1 << log_size, 1), random_scalars(1 << log_size, 2)
        left, right = self.backend.vector(x), self.backend.vector(y)

        def powers() -> object:
            return self.backend.pointwise(lambda a, b: repeated(a, b, PRODUCTS), left, right)

        last = Fr.from_limbs(self.backend.limbs(powers())[-1:])
        a, b = Fr.from_limbs(x[-1:])[0], Fr.from_limbs(y[-1:])[0]
        require(last == [a * pow(b, PRODUCTS, r) % r], "product")
        taken = self.timed(powers)
        return Measurement(tuple(s / PRODUCTS / (1 << log_size) for s in taken.seconds))

    def copy(self, log_size: int) -> Measurement:
        """x + y for every entry: two vectors are read and one is written."""
        x, y = random_scalars(1 << log_size, 6), random_scalars(1 << log_size, 7)
        left, right = self.backend.vector(x), self.backend.vector(y)
        last = Fr.from_limbs(self.backend.limbs(self.backend.pointwise(lambda a, b: a + b, left, right))[-1:])
        require(last == [sum(Fr.from_limbs(np.stack([x[-1], y[-1]]))) % r], "sum of vectors")
        return self.timed(lambda: self.backend.pointwise(lambda a, b: a + b, left, right))

    def ntt(self, log_size: int) -> Measurement:
        """Coefficients to evaluations: one evaluation is checked, and that the inverse goes back."""
        domain, values = Domain(Fr, 1 << log_size), random_scalars(1 << log_size, 3)
        coefficients = self.backend.vector(values)
        evaluations = self.backend.ntt(coefficients, domain)
        at_one = Fr.from_limbs(self.backend.limbs(evaluations.part(0, 1)))
        require(at_one == [sum(Fr.from_limbs(values)) % r], "ntt at 1")
        require(np.array_equal(self.backend.limbs(self.backend.intt(evaluations, domain)), values), "ntt and back")
        return self.timed(lambda: self.backend.ntt(coefficients, domain))

    def msm(self, group: Group, log_size: int) -> Measurement:
        """Random multiples of the generator by random scalars: the sum's logarithm is known."""
        logs, factors = random_scalars(1 << log_size, 4), random_scalars(1 << log_size, 5)
        rows = self.backend.fixed_base(group.generator, self.backend.vector(logs))
        points, scalars = self.backend.points(group, rows), self.backend.vector(factors)
        pairs = zip(Fr.from_limbs(logs), Fr.from_limbs(factors), strict=True)
        total = sum(a * b for a, b in pairs) % r
        require(self.backend.msm(points, scalars) == total * group.generator, f"msm in {group.name}")
        return self.timed(lambda: self.backend.msm(points, scalars))

    def groth16(self, log_size: int) -> Measurement:
        """A proof of a chain of Poseidon hashes with the key resident; the prover verifies each."""
        hashes = max(1, hashes_for(log_size))
        compiled = chain(hashes).compile()
        assignment = compiled.witness(inputs_for(hashes))
        key = unsafe_setup(compiled.r1cs, self.backend)
        prover = Prover(key, self.backend, circuit=compiled.r1cs)
        return self.timed(lambda: prover.prove(assignment))

    def run(self, name: str, log_size: int) -> Measurement:
        """The bench of this name at this size."""
        if name.endswith(SUFFIX):
            plain = Bench(CudaBackend(self.driver, BN254, affine=False), self.driver)
            return plain.run(name.removesuffix(SUFFIX), log_size)
        groups = {"msm_g1": G1, "msm_g2": G2}
        return self.msm(groups[name], log_size) if name in groups else getattr(self, name)(log_size)


def repeated(a: object, b: object, times: int) -> object:
    for _ in range(times):
        a = a * b  # type: ignore[operator]
    return a


def random_scalars(n: int, seed: int) -> Limbs:
    """(n, 4) canonical limbs below 2^253."""
    limbs = np.random.default_rng(seed).integers(0, 1 << 64, (n, 4), dtype=np.uint64)
    limbs[:, 3] >>= np.uint64(11)
    return limbs


def record_rates(recorder: Recorder, rates: Rates, device: str) -> float:
    """A line for each kind of instruction, and for a field's products and squares; the multiply-adds a second."""
    of_instructions = [rates.instruction(name, RATE_ROUNDS) for name in STREAMS]
    for rate in (*of_instructions, rates.product(RATE_PRODUCTS), rates.square(RATE_PRODUCTS)):
        speeds = {"per_clock": four_digits(rate.per_clock), "per_second": four_digits(rate.per_second)}
        recorder.add(rate.measurement, primitive=f"rate of {rate.name}", **speeds, device=device, checked=True)
    return next(rate.per_second for rate in of_instructions if rate.name == "IMAD")


def record_copy(recorder: Recorder, bench: Bench, log_size: int, device: str) -> float:
    """A line for memory traffic; the bytes a second."""
    taken, nbytes = bench.copy(log_size), 3 * ELEMENT << log_size
    speed = nbytes / min(taken.seconds)
    facts = {"log_size": log_size, "bytes_per_second": four_digits(speed)}
    recorder.add(taken, primitive="copy", **facts, device=device, checked=True)
    return speed


def plan(largest: int) -> Iterator[tuple[str, int]]:
    """(name, log size), all benches of a size before any of the next but one: a run that is cut has seen them all."""
    for log_size in range(min(FIRST.values()), largest + 1, 2):
        for name in FIRST:
            if FIRST[name] <= log_size <= LARGEST[name]:
                yield name, log_size


def four_digits(x: float) -> float:
    return float(f"{x:.4g}")


def multiprocessors(device: int) -> int:
    import cupy

    return int(cupy.cuda.Device(device).attributes["MultiProcessorCount"])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--device", type=int, default=0, help="number of the GPU")
    options.add_argument("--largest", type=int, default=22, help="log2 of the largest size")
    options.add_argument("--seconds", type=float, default=480, help="begin nothing new after so long")
    chosen = options.parse_args()
    driver = CupyDriver(chosen.device)
    bench, recorder, device = Bench(CudaBackend(driver, BN254), driver), Recorder("gpu"), driver.description
    began = time.monotonic()
    multiplies = record_rates(recorder, Rates(driver, multiprocessors(chosen.device)), device)
    peaks = Peaks(multiplies, record_copy(recorder, bench, LOG_COPY, device))
    for name, log_size in plan(chosen.largest):
        if time.monotonic() - began > chosen.seconds:
            break
        taken = bench.run(name, log_size)
        shares = peaks.shares(floor(name, log_size), min(taken.seconds))
        recorder.add(taken, primitive=name, log_size=log_size, **shares, device=device, checked=True)


if __name__ == "__main__":
    main()
