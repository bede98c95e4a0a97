"""The steps of a run, each in a process of its own: `python -m gpu_run.steps NAME`, with bench/ on the path.

A step begins nothing new after ZKGPU_STEP_SECONDS. With ZKGPU_GPU_DRIVER=emulated sizes are tiny.
"""

from __future__ import annotations

import importlib
import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from gpu_run.checks import (
    FACTORS,
    random_scalars,
    require,
    require_byte_products,
    require_points,
    require_sum,
    require_transform,
    require_vectors,
    sum_to_do,
)
from gpu_run.devices import EMULATED, ObservedDriver, backend_on, described, multiprocessors, open_driver
from gpu_run.results import Results
from zkgpu.curves.bn254 import G1, G2, Fr
from zkgpu.ntt.domain import Domain

SECONDS = float(os.environ.get("ZKGPU_STEP_SECONDS", "inf"))
BEGAN = time.monotonic()
Work = tuple[str, Callable[[], object]]
MODULES = ("numpy", "numba", "llvmlite", "cupy", "pytest", "hypothesis", "Crypto", "platformdirs", "onnx", "py_ecc")
TOOLS = ("nvcc", "compute-sanitizer", "ncu", "g++", "cuobjdump", "nvidia-smi")
FACTS = "name,driver_version,clocks.max.sm,clocks.max.mem,memory.total,power.limit,ecc.mode.current"


def left() -> float:
    """Seconds until this step's limit."""
    return SECONDS - (time.monotonic() - BEGAN)


def device_and_results(step: str) -> tuple[ObservedDriver, Results]:
    driver = open_driver()
    return driver, Results(step, device=described(driver))


def do_all(results: Results, plan: Iterator[Work]) -> None:
    """Each step in order, while there is time; a failure is a line, and so is what came to its end."""
    done = wrong = 0
    for what, run in plan:
        if left() < 3:
            results.add(what=what, skipped="out of time")
            break
        began = time.perf_counter()
        if results.attempt(what, run):
            done += 1
            results.add(what=what, ok=True, wall=round(time.perf_counter() - began, 3))
        else:
            wrong += 1
    results.add(what="all", ok=done, wrong=wrong)
    if wrong or not done:
        raise SystemExit(1)


# ---- what is there


def environment() -> None:
    """Versions of modules and tools, and the GPU as its driver describes it."""
    results = Results("environment")
    found = {name: _version(name) for name in MODULES}
    results.add(what="software", python=sys.version.split()[0], cpus=os.cpu_count(), **found)
    results.add(what="tools", **{tool: shutil.which(tool) for tool in TOOLS})
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", f"--query-gpu={FACTS}", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        results.add(what="gpu", smi=done.stdout.strip())


def _version(module: str) -> str:
    try:
        return str(getattr(importlib.import_module(module), "__version__", "there"))
    except Exception as error:  # a package that does not fit another fails in its own way
        return f"{type(error).__name__}: {error}"[:200]


def smoke() -> None:
    """Bytes there and back, then the test that the device `auto` has to pass; says how long modules took to load."""
    from zkgpu.backend.auto import require_right_results

    driver, results = device_and_results("smoke")
    data = np.random.default_rng(1).integers(0, 256, 5000 if EMULATED else (64 << 20) + 4096, dtype=np.uint8)

    def there_and_back() -> None:
        memory = driver.allocate(data.size)
        driver.write(memory, 0, data)
        require(np.array_equal(driver.read(memory, 0, data.size), data), "bytes there and back")

    plan = [("bytes", there_and_back), ("right results", lambda: require_right_results(backend_on(driver)))]
    try:
        do_all(results, iter(plan))
    finally:
        results.add(what="modules", free=driver.free_memory, seconds_to_load=dict(driver.compiled))


# ---- right at every size


def sizes() -> None:
    """Every operation over the sizes at which something changes: passes, levels of scans, rounds, streams, chunks."""
    driver, results = device_and_results("sizes")
    do_all(results, work_of_sizes(driver))


def work_of_sizes(driver: ObservedDriver) -> Iterator[Work]:
    backend, plain = backend_on(driver), backend_on(driver, tables=False)
    for n in (1, 33) if EMULATED else (1, 2, 31, 33, 127, 1000, 4097, 20000):
        yield f"vectors of {n}", partial(require_vectors, backend, n)
    for k in (0, 1, 5) if EMULATED else range(23):
        yield f"transform of 2^{k}", partial(require_transform, backend, k)
        if k % 3 == 2:
            yield f"transform of 2^{k} on a coset", partial(require_transform, backend, k, 7)
    for group, most in ((G1, 20), (G2, 18)):
        for k in (3,) if EMULATED else range(0, most + 1, 2):
            n = (1 << k) + (k > 3)
            yield f"sum of {n} in {group.name}", partial(require_sum, backend, group, n)
        for kind in FACTORS[1:]:
            n = 9 if EMULATED else 50_000
            yield f"sum in {group.name}, {kind}", partial(require_sum, backend, group, n, kind)
        n = 9 if EMULATED else 70_001
        yield f"sum in {group.name} without tables", partial(require_sum, plain, group, n)
        yield f"points of {group.name}", partial(require_points, backend, group, 5 if EMULATED else 3000)
    shape = (3, 5, 7) if EMULATED else (300, 1025, 130)
    yield "products of bytes", lambda: require_byte_products(driver, *shape)


# ---- rates


def rates() -> None:
    """Instructions a clock of a multiprocessor; bytes copied a second; microseconds of a launch."""
    import gpu

    driver, results = device_and_results("rates")
    plan: list[Work] = [("instructions", lambda: gpu.record_rates(results, driver, multiprocessors()))]
    if not EMULATED:
        plan.append(("copies", lambda: _record_copies(results, driver)))
    plan.append(("launches", lambda: _record_launches(results, driver, 10 if EMULATED else 1000)))
    do_all(results, iter(plan))


def _record_copies(results: Results, driver: ObservedDriver) -> None:
    """Bytes a second on the device, read and written; up from ordinary memory, and down to it."""
    import cupy
    import gpu

    data = np.random.default_rng(1).integers(0, 256, 1 << 28, dtype=np.uint8)
    memory, source = driver.allocate(data.size), cupy.tile(cupy.asarray(data), 4)
    target = cupy.empty_like(source)
    ways = {
        gpu.COPY: (2 * source.size, lambda: cupy.copyto(target, source)),
        "copy up": (data.size, lambda: driver.write(memory, 0, data)),
        "copy down": (data.size, lambda: driver.read(memory, 0, data.size)),
    }
    taken = {name: (nbytes, driver.timed(run)) for name, (nbytes, run) in ways.items()}
    require(bool((target == source).all()), gpu.COPY)
    require(np.array_equal(driver.read(memory, 0, data.size), data), "bytes there and back")
    for name, (nbytes, seconds) in taken.items():
        speed = float(f"{nbytes / min(seconds.seconds):.4g}")
        results.add(primitive=name, bytes_per_second=speed, **seconds.facts(), checked=True)


def _record_launches(results: Results, driver: ObservedDriver, n: int) -> None:
    """Microseconds of the host for a launch and for an allocation, and of a launch until it is done."""
    from zkgpu.curves import BN254
    from zkgpu.gpu.elements import scalar_source
    from zkgpu.gpu.program import U32, Grid, Programs, allocate

    program, words = Programs(driver)(scalar_source(BN254, "sort.cu")), allocate(driver, U32, 64)

    def launch() -> None:
        for _ in range(n):
            program.launch("clear_words", Grid.over(64, 256), n=64, words=words)

    launch()
    driver.synchronize()
    moments = [time.perf_counter()]
    for run in (launch, driver.synchronize, lambda: [allocate(driver, U32, 64) for _ in range(n)]):
        run()
        moments.append(time.perf_counter())
    enqueued, waited, allocated = (b - a for a, b in itertools.pairwise(moments))
    per = {"host_us": enqueued, "with_device_us": enqueued + waited, "allocation_us": allocated}
    results.add(primitive="launch", **{name: round(seconds / n * 1e6, 2) for name, seconds in per.items()})


# ---- small, for sanitizers and ncu


def tiny() -> None:
    """Every kernel once or more, at sizes that a sanitizer gets through."""
    driver, results = device_and_results(f"tiny {os.environ.get('ZKGPU_STEP_TOOL', '')}".strip())
    do_all(results, work_of_tiny(driver, 20 if EMULATED else 1))


def work_of_tiny(driver: ObservedDriver, divisor: int) -> Iterator[Work]:
    small, plain = backend_on(driver, log_tile=4, tables=True), backend_on(driver, tables=False)
    yield "vectors", lambda: require_vectors(small, 300 // divisor)
    for k in (1, 6, 9):
        yield f"transform of 2^{k}", partial(require_transform, small, k, 7)
    yield "transform of 2^12 in large tiles", lambda: require_transform(plain, 12 if divisor == 1 else 4)
    for kind in ("random", "same", "bits"):
        yield f"sum in {G1.name}, {kind}", partial(require_sum, small, G1, 700 // divisor, kind)
    yield f"sum in {G1.name} without tables", lambda: require_sum(plain, G1, 300 // divisor)
    yield f"sum in {G2.name}", lambda: require_sum(small, G2, 300 // divisor)
    for group, n in ((G1, 100), (G2, 40)):
        yield f"points of {group.name}", partial(require_points, small, group, n // divisor)
    yield "products of bytes", lambda: require_byte_products(driver, 70, 33, 65)


def once() -> None:
    """One transform and one sum, for ncu to look at."""
    driver, results = device_and_results("once")
    backend, k = backend_on(driver), 4 if EMULATED else 20
    points, scalars, _ = sum_to_do(backend, G1, 1 << k)
    coefficients = backend.vector(random_scalars(1 << k, 3))
    backend.ntt(coefficients, Domain(Fr, 1 << k))
    backend.msm(points, scalars)
    driver.synchronize()
    results.add(what="all", ok=1)


def bench() -> None:
    """Figures of transforms and sums, by bench/gpu.py."""
    import gpu

    driver, results = device_and_results("bench")
    do_all(results, gpu.work(driver, results, (4,) if EMULATED else gpu.SIZES, gpu.peaks_in(results.path)))


def tiles() -> None:
    """Products of bytes, by our kernel and by the tile language's."""
    from gpu_run.tiles import work

    driver, results = device_and_results("tiles")
    do_all(results, work(driver, results))


def proofs(name: str) -> None:
    """Figures of whole proofs, by gpu_run/proofs.py."""
    from gpu_run.proofs import WORK

    driver, results = device_and_results(name)
    do_all(results, WORK[name](driver, results, left))


STEPS: dict[str, Callable[[], None]] = {
    **{step.__name__: step for step in (environment, smoke, sizes, rates, bench, tiles, tiny, once)},
    **{name: partial(proofs, name) for name in ("groth16", "zkml", "plonk")},
}

if __name__ == "__main__":
    STEPS[sys.argv[1]]()
