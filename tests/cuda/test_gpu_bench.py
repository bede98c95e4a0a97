"""The bench of GPUs computes and checks each figure, here on the emulated device at tiny sizes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G1

BENCHES = Path(__file__).parents[2] / "bench"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHES))
    for name in ("gpu", "rates", "floors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import gpu

    monkeypatch.setattr(gpu, "PRODUCTS", 4)
    monkeypatch.setattr(gpu, "measure", lambda run: run())
    return gpu


@pytest.mark.parametrize(
    ("name", "log_size"), [("copy", 4), ("ntt", 5), ("msm_g1", 4), ("msm_g1_xyzz", 4), ("msm_g2", 2)]
)
def test_a_figure_is_checked_before_it_is_measured(
    gpu: Any, driver: EmulatedDriver, name: str, log_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = gpu.Bench(CudaBackend(driver, BN254), driver)
    bench.run(name, log_size)
    if name == "msm_g1":
        monkeypatch.setattr(CudaBackend, "msm", lambda *_: G1.generator)
        with pytest.raises(SystemExit, match="wrong result: msm in BN254 G1"):
            bench.run(name, log_size)


def test_rates_are_recorded_with_their_clocks(
    gpu: Any, driver: EmulatedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu, "RATE_ROUNDS", 1)
    monkeypatch.setattr(gpu, "RATE_PRODUCTS", 3)
    lines: list[dict[str, Any]] = []

    class Memory:
        def add(self, measurement: Any, **facts: Any) -> None:
            lines.append(facts)

    multiplies = gpu.record_rates(Memory(), gpu.Rates(driver, 1, threads=32), "emulated")
    kinds = ["IMAD", "IMAD.WIDE", "add with carry", "FP64 FMA", "product", "square"]
    assert [line["primitive"] for line in lines] == [f"rate of {kind}" for kind in kinds]
    assert all(line["per_clock"] > 0 and line["checked"] for line in lines)
    assert multiplies == pytest.approx(lines[0]["per_second"], rel=1e-3)


def test_shares_are_what_the_size_needs_over_what_the_chip_can(gpu: Any) -> None:
    peaks = gpu.Peaks(multiplies=264e9, nbytes=1e12)
    # a transform of 2^20 values is 10 * 2^20 products, and three passes over 32 MiB
    of_ntt = peaks.shares(gpu.floor("ntt", 20), 0.1)
    assert of_ntt["share_of_multiplies"] == pytest.approx(10 * 2**20 / 1e8, rel=1e-2)
    assert of_ntt["share_of_bandwidth"] == pytest.approx(3 * 2**26 / 1e11, rel=1e-2)
    more, less = (gpu.floor(name, 20).products for name in ("msm_g1_xyzz", "msm_g1"))
    assert 1.3 < more / less < 10 / 6
    assert peaks.shares(gpu.floor("groth16", 20), 1) == {}


def test_sizes_grow_and_every_bench_is_in_the_plan(gpu: Any) -> None:
    steps = list(gpu.plan(22))
    assert {name for name, _ in steps} == set(gpu.FIRST)
    assert [size for _, size in steps] == sorted(size for _, size in steps)


def test_random_scalars_are_canonical(gpu: Any) -> None:
    assert BN254.scalar_field.is_canonical(gpu.random_scalars(1000, 1)).all()
    assert not np.array_equal(gpu.random_scalars(4, 1), gpu.random_scalars(4, 2))
