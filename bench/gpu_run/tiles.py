"""Products of bytes by the tile language's kernel beside our own, where `bench/tiles.py --keep .wheels/tiles` left it.

The tile kernel is launched without its package: its arguments are each array's address, shape and strides, as the list
of parameters in the cubin says.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gpu_run.checks import require
from gpu_run.devices import EMULATED, ObservedDriver
from gpu_run.results import ROOT, Results
from zkgpu.gpu.matmul import ByteProducts
from zkgpu.gpu.program import Programs

CUBINS = ROOT / ".wheels" / "tiles"
SIZES = ((4096, 4096, 4096), (16, 4096, 4096), (1024, 1152, 128))  # (m, k, n): square, a few positions, a convolution
TILE = 128  # rows and columns of a block, as bench/tiles.py compiles it


def work(driver: ObservedDriver, results: Results) -> Iterator[tuple[str, Any]]:
    cubin = None if EMULATED else carried(driver)
    if cubin is None:
        results.add(what="tile kernels", skipped="no cubin was carried along")
    for m, k, n in ((3, 16, 16),) if EMULATED else SIZES:
        rng = np.random.default_rng(4)
        x, y = (rng.integers(-128, 128, shape, dtype=np.int8) for shape in ((m, k), (n, k)))
        yield f"ours {m} x {k} x {n}", partial(ours, driver, results, x, y)
        if cubin:
            yield f"tiles {m} x {k} x {n}", partial(theirs, results, cubin, x, y)


def carried(driver: ObservedDriver) -> Path | None:
    import cupy

    path = CUBINS / f"multiply_bytes.sm_{cupy.cuda.Device(0).compute_capability}.cubin"
    return path if path.exists() else None


def ours(driver: ObservedDriver, results: Results, x: Any, y: Any) -> None:
    products = ByteProducts(Programs(driver))
    columns = products.columns(y.T)
    require(np.array_equal(products(x, columns), exact(x, y)), "product of bytes")
    kernels = driver.observed(lambda: products(x, columns))
    add(results, "CUDA", x, y, kernels["multiply_bytes"]["ms"] / 1e3)


def theirs(results: Results, cubin: Path, x: Any, y: Any) -> None:
    import cupy

    kernel = cupy.RawModule(path=str(cubin)).get_function("multiply_bytes")
    left, right = cupy.asarray(x), cupy.asarray(y)
    out = cupy.full((len(x), len(y)), -1, np.int32)
    arguments = [part for array in (left, right, out) for part in (array, *described(array))]
    grid = (-(-len(x) // TILE), -(-len(y) // TILE))
    launch = partial(kernel, grid, (kernel.max_threads_per_block,), tuple(arguments))
    launch()
    require(np.array_equal(out.get(), exact(x, y)), "product of bytes by tiles")
    begin, end = cupy.cuda.Event(), cupy.cuda.Event()
    times = []
    for _ in range(5):
        begin.record()
        launch()
        end.record()
        end.synchronize()
        times.append(cupy.cuda.get_elapsed_time(begin, end) / 1e3)
    add(results, "tile", x, y, min(times))


def described(array: Any) -> list[Any]:
    """Shape, and strides in elements."""
    return [np.int32(n) for n in (*array.shape, *(s // array.itemsize for s in array.strides))]


def exact(x: Any, y: Any) -> Any:
    """x y^T: sums of so few products of bytes are exact in float64."""
    return (x.astype(np.float64) @ y.T.astype(np.float64)).astype(np.int64)


def add(results: Results, language: str, x: Any, y: Any, seconds: float) -> None:
    rate = {"products_per_second": float(f"{x.size * len(y) / seconds:.4g}")} if seconds else {}
    results.add(primitive="bytes", language=language, shape=[*x.shape, len(y)], best=seconds, **rate, checked=True)
