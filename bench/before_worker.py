"""A process that times transforms and sums of the zkgpu it finds: `python bench/before_worker.py THREADS`.

Reads lines "ntt 16" or "msm 14" and answers each with one line of JSON: the seconds of one run, by the clock and of the
processor, and a hash of what came out, by which two versions are compared.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from zkgpu import open_backend
from zkgpu.backend import Backend
from zkgpu.curves.bn254 import G1, Fr
from zkgpu.ntt.domain import Domain

BACKEND = open_backend("cpu", threads=int(sys.argv[1]))


def scalars(n: int, seed: int) -> np.ndarray:
    """(n, 4) uint64: canonical elements, the same ones each time."""
    limbs = np.random.default_rng(seed).integers(0, 1 << 61, (n, 4), dtype=np.uint64)
    limbs[:, :3] *= np.uint64(7)
    return limbs


def transform(backend: Backend, log_size: int) -> Callable[[], object]:
    vector, domain = backend.vector(scalars(1 << log_size, 1)), Domain(Fr, 1 << log_size)
    return lambda: backend.ntt(vector, domain)


def total(backend: Backend, log_size: int) -> Callable[[], object]:
    rows = backend.fixed_base(G1.generator, backend.vector(scalars(1 << log_size, 2)))
    points, vector = backend.points(G1, rows), backend.vector(scalars(1 << log_size, 3))
    return lambda: backend.msm(points, vector)


@lru_cache(maxsize=1)
def prepared(what: str, log_size: int) -> tuple[Callable[[], object], str]:
    """What is to be timed, and the hash of what it gives."""
    run = {"ntt": transform, "msm": total}[what](BACKEND, log_size)
    value: Any = run()
    data = BACKEND.limbs(value).tobytes() if what == "ntt" else repr(value).encode()
    return run, hashlib.sha256(data).hexdigest()


def main() -> None:
    print(json.dumps({"device": BACKEND.name}), flush=True)
    for line in sys.stdin:
        what, log_size = line.split()
        run, digest = prepared(what, int(log_size))
        start, cpu = time.perf_counter(), time.process_time()
        run()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "digest": digest}), flush=True)


if __name__ == "__main__":
    main()
