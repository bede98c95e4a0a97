"""The bench of GPUs computes and checks each figure, here on the emulated device at tiny sizes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.emulation.driver import EmulatedDriver
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254, G1, Fr
from zkgpu.gpu.driver import Records

BENCHES = Path(__file__).parents[2] / "bench"


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(BENCHES))
    monkeypatch.setenv("OUT", str(tmp_path))
    for name in ("gpu", "rates", "floors", "gpu_costs"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    import gpu

    return gpu


def observed(driver: EmulatedDriver) -> Any:
    from gpu_run.devices import ObservedDriver

    return ObservedDriver(driver, None)


def test_an_observed_driver_replays_recordings_and_shows_their_launches_when_it_is_observed(
    gpu: Any, emulated: EmulatedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, replayed, ask_again = observed(emulated), [], emulated.ask_again
    monkeypatch.setattr(emulated, "ask_again", lambda work: (replayed.append(work), ask_again(work)))
    assert isinstance(driver, Records)
    backend = CudaBackend(driver, BN254, tables=True)
    points = backend.points(G1, G1.to_rows([G1.generator] * 8))

    def add(k: int) -> None:
        assert backend.msm(points, backend.vector(Fr.to_limbs([k] * 8))) == 8 * k * G1.generator

    first = driver.observed(lambda: add(1))
    add(2)
    add(3)
    assert len(replayed) == 2
    again = driver.observed(lambda: add(4))
    assert len(replayed) == 2
    assert {name: kernel["launches"] for name, kernel in again.items()} == {
        name: kernel["launches"] for name, kernel in first.items()
    }


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (folder / "gpu.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(("name", "log_size"), [("copy", 4), ("ntt", 5), ("msm_g1", 4), ("msm_g2", 2)])
def test_a_line_has_the_seconds_of_a_run_and_the_launches_of_its_kernels(
    gpu: Any, emulated: EmulatedDriver, name: str, log_size: int, tmp_path: Path
) -> None:
    from gpu_run.results import Results

    gpu.Bench(observed(emulated), Results("bench", device="emulated")).measure(name, log_size)
    (line, *_) = lines(tmp_path)
    assert (line["primitive"], line["log_size"], line["checked"]) == (name, log_size, True)
    assert line["best"] > 0
    assert all(kernel["launches"] > 0 for kernel in line["kernels"].values())
    assert line["kernels"].keys() & {"pointwise", "transform_pass", "add_pieces"}


@pytest.mark.parametrize(
    ("operation", "name", "problem"),
    [
        ("msm", "msm_g1", "wrong result: msm in BN254 G1"),
        ("ntt", "ntt", "wrong result: "),
        ("pointwise", "copy", "wrong result: sum of vectors"),
    ],
)
def test_a_figure_is_checked_before_it_is_measured(
    gpu: Any,
    emulated: EmulatedDriver,
    operation: str,
    name: str,
    problem: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from gpu_run.checks import WrongResult
    from gpu_run.results import Results

    bench = gpu.Bench(observed(emulated), Results("bench"))
    wrong = {"msm": lambda *_: G1.generator, "ntt": lambda _, v, domain: v, "pointwise": lambda _, f, *v: v[0]}
    monkeypatch.setattr(CudaBackend, operation, wrong[operation])
    with pytest.raises(WrongResult, match=problem):
        bench.measure(name, 4)
    assert not (tmp_path / "gpu.jsonl").exists()


def test_rates_are_recorded_with_their_clocks(gpu: Any, emulated: EmulatedDriver, tmp_path: Path) -> None:
    from gpu_run.results import Results

    multiplies = gpu.record_rates(Results("rates"), emulated, 1)
    kinds = ["IMAD", "IMAD.WIDE", "add with carry", "FP64 FMA", "product", "square"]
    found = lines(tmp_path)
    assert [line["primitive"] for line in found] == [f"rate of {kind}" for kind in kinds]
    assert all(line["per_clock"] > 0 and line["checked"] for line in found)
    assert multiplies == pytest.approx(found[0]["per_second"], rel=1e-3)


def test_no_kernel_of_the_benches_is_products_in_a_row_without_a_loop(gpu: Any) -> None:
    """What is measured with 256 products one after another is how fast instructions are fetched."""
    assert "product" not in gpu.LARGEST
    assert "#pragma unroll 1" in gpu.Rates.__init__.__globals__["source"]().text.split("run_scalars")[1]


def test_shares_are_what_the_size_needs_over_what_the_chip_can(gpu: Any) -> None:
    peaks = gpu.Peaks(multiplies=264e9, nbytes=1e12)
    # a transform of 2^20 values is 10 * 2^20 products, and three passes over 32 MiB
    of_ntt = peaks.shares(gpu.floor("ntt", 20), 0.1)
    assert of_ntt["share_of_multiplies"] == pytest.approx(10 * 2**20 / 1e8, rel=1e-2)
    assert of_ntt["share_of_bandwidth"] == pytest.approx(3 * 2**26 / 1e11, rel=1e-2)
    one, other = (gpu.floor(name, 20).slots for name in ("msm_g1", "msm_g2"))
    assert 2 * one < other < 3 * one  # three products with two reductions for one with one
    assert peaks.shares(gpu.floor("groth16", 20), 1) == {}


def test_sizes_grow_and_every_bench_is_in_the_plan(gpu: Any) -> None:
    steps = list(gpu.plan(gpu.SIZES))
    assert {name for name, _ in steps} == set(gpu.LARGEST)
    assert [size for _, size in steps] == sorted(size for _, size in steps)
    assert ("msm_g1", 24) in steps
    assert ("msm_g2", 20) in steps


def test_random_scalars_are_canonical(gpu: Any) -> None:
    assert BN254.scalar_field.is_canonical(gpu.random_scalars(1000, 1)).all()
    assert not np.array_equal(gpu.random_scalars(4, 1), gpu.random_scalars(4, 2))
