"""Field products, transforms and multi-scalar multiplications of the CPU backend, by threads and instruction set.

`python bench/primitives.py [--quick]` prints a table and appends to bench/results/primitives.jsonl. On a machine that
others use too, `--repeats 25` finds a run that nobody disturbed.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any

from harness import Recorder
from measuring import REPEATS, Measurement, Run, measure_interleaved, measure_once

from zkgpu import open_backend
from zkgpu.backend import Backend
from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.curves.points import Group
from zkgpu.jit.isa import supported
from zkgpu.ntt.domain import Domain

SIZES = {
    "product": [20],
    "ntt": range(12, 21, 2),
    "intt": range(12, 21, 2),
    "msm_g1": range(12, 21, 2),
    "msm_g2": [12, 14, 16],
}
QUICK_SIZES = {"product": [16], "ntt": [12], "intt": [12], "msm_g1": [12], "msm_g2": [12]}
Bench = Callable[[Backend, int], Run]  # the size's logarithm; checks a result, and returns what is to be timed
r = Fr.modulus


def require(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"wrong result: {what}")


@lru_cache(maxsize=2)
def scalars(n: int, seed: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(r) for _ in range(n)]


def product(backend: Backend, log_size: int) -> Run:
    """Products of two vectors, entry by entry."""
    n = 1 << log_size
    x, y = (scalars(n, seed) for seed in (1, 2))
    left, right = (backend.vector(Fr.to_limbs(v)) for v in (x, y))

    def run() -> Any:
        return backend.pointwise(lambda a, b: a * b, left, right)

    require(Fr.from_limbs(backend.limbs(run())) == [a * b % r for a, b in zip(x, y, strict=True)], "product")
    return run


def ntt(backend: Backend, log_size: int) -> Run:
    """Coefficients to evaluations, checked at one point."""
    domain, values = Domain(Fr, 1 << log_size), scalars(1 << log_size, 3)
    coefficients = backend.vector(Fr.to_limbs(values))
    evaluations = Fr.from_limbs(backend.limbs(backend.ntt(coefficients, domain))[-1:])
    x, expected = pow(domain.omega, int(domain.bit_reversal[-1]), r), 0
    for c in reversed(values):
        expected = (expected * x + c) % r
    require(evaluations == [expected], "ntt")
    return lambda: backend.ntt(coefficients, domain)


def intt(backend: Backend, log_size: int) -> Run:
    """Evaluations to coefficients, checked by a round trip."""
    domain, limbs = Domain(Fr, 1 << log_size), Fr.to_limbs(scalars(1 << log_size, 4))
    evaluations = backend.ntt(backend.vector(limbs), domain)
    require(bool((backend.limbs(backend.intt(evaluations, domain)) == limbs).all()), "intt")
    return lambda: backend.intt(evaluations, domain)


def msm(backend: Backend, group: Group, log_size: int) -> Run:
    """Points whose multiples of the generator are known, so that the sum is."""
    n = 1 << log_size
    multiples, factors = scalars(n, 5), scalars(n, 6)
    points = backend.points(group, backend.fixed_base(group.generator, backend.vector(Fr.to_limbs(multiples))))
    vector = backend.vector(Fr.to_limbs(factors))
    total = sum(m * k for m, k in zip(multiples, factors, strict=True)) % r
    require(backend.msm(points, vector) == total * group.generator, f"msm in {group.name}")
    return lambda: backend.msm(points, vector)


BENCHES: dict[str, Bench] = {
    "product": product,
    "ntt": ntt,
    "intt": intt,
    "msm_g1": lambda backend, log_size: msm(backend, G1, log_size),
    "msm_g2": lambda backend, log_size: msm(backend, G2, log_size),
}


def time_size(name: str, log_size: int, paths: Sequence[str], repeats: int, recorder: Recorder) -> None:
    """Instruction paths on one thread and on two, in turns."""
    kinds = [(path, threads) for path in paths for threads in (1, 2)]
    runs = {kind: BENCHES[name](_backend(*kind), log_size) for kind in kinds}
    taken = measure_interleaved({kind: partial(measure_once, run) for kind, run in runs.items()}, repeats)
    for (path, threads), measurement in taken.items():
        facts = {"primitive": name, "log_size": log_size, "path": path, "threads": threads}
        recorder.add(_of_one(name, measurement, 1 << log_size), **facts, checked=True)


def _backend(path: str, threads: int) -> Backend:
    return open_backend("cpu", threads=threads, instructions=path)


def _of_one(name: str, taken: Measurement, n: int) -> Measurement:
    """Seconds of a single product; transforms and sums are given as a whole."""
    if name != "product":
        return taken
    return Measurement(tuple(s / n for s in taken.seconds), tuple(s / n for s in taken.cpu_seconds))


def main() -> None:
    paths = [path.name for path in supported()]
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="small sizes only")
    options.add_argument("--only", choices=BENCHES, nargs="+", default=list(BENCHES), help="these primitives only")
    options.add_argument("--sizes", type=int, nargs="+", help="these sizes only, as logarithms")
    options.add_argument("--paths", choices=paths, nargs="+", default=paths, help="these instruction sets only")
    options.add_argument("--repeats", type=int, default=REPEATS)
    chosen = options.parse_args()
    recorder = Recorder("primitives")
    for name in chosen.only:
        for log_size in chosen.sizes or (QUICK_SIZES if chosen.quick else SIZES)[name]:
            time_size(name, log_size, chosen.paths, chosen.repeats, recorder)


if __name__ == "__main__":
    main()
