"""Launches counted without a GPU are those of a real proof, and every kernel that a proof launches has a formula."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.emulation.driver import EmulatedDriver, missing
from zkgpu import Circuit
from zkgpu.backend.cuda import CudaBackend
from zkgpu.curves.bn254 import BN254
from zkgpu.gpu import catalogue
from zkgpu.groth16 import Prover, unsafe_setup

BENCHES = Path(__file__).parents[2] / "bench"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHES))
    import gpu_model

    return gpu_model


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_the_shape_of_a_proof_asks_a_device_for_what_a_proof_asks_for(model: Any) -> None:
    from counting import CountingDriver
    from gpu_run.devices import ObservedDriver
    from shapes import Size, groth16

    circuit = Circuit()
    x = circuit.private("x")
    for _ in range(10):
        x = x * x + 1
    circuit.output("y", x)
    compiled = circuit.compile()
    emulated = EmulatedDriver()
    driver = ObservedDriver(emulated, None)
    key = unsafe_setup(compiled.r1cs, CudaBackend(driver, BN254))
    prover, assignment = Prover(key, CudaBackend(driver, BN254)), compiled.witness({"x": 3})
    prover.prove(assignment)
    seen = {name: int(kernel["launches"]) for name, kernel in driver.observed(lambda: prover.prove(assignment)).items()}
    emulated.close()
    counter = CountingDriver()
    run = groth16(counter, key.domain_size.bit_length() - 1, Size(key.n_wires))
    with counter.counting() as counts:
        run()
    assert dict(counts.by_kernel()) == seen


@pytest.mark.parametrize(("name", "log_size"), [("ntt", 20), ("msm_g1", 20), ("msm_g2", 20), ("groth16", 12)])
def test_every_kernel_of_a_run_has_a_formula(model: Any, name: str, log_size: int) -> None:
    """A kernel that is new or takes other parameters needs a line in bench/gpu_costs.py."""
    assert model.predicted(name, log_size, model.CHIPS[0]).unknown == ()


def test_every_formula_is_of_a_kernel_that_there_is(model: Any) -> None:
    import gpu_costs

    assert gpu_costs.FORMULAS.keys() <= {name for source in catalogue.sources() for name in source.signatures()}


def test_a_kernel_without_a_formula_is_named(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu_costs

    monkeypatch.delitem(gpu_costs.FORMULAS, "scan_tiles")
    assert model.predicted("msm_g1", 20, model.CHIPS[0]).unknown == ("scan_tiles",)


def test_a_transform_needs_no_less_than_its_butterflies(model: Any) -> None:
    """n / 2 log2 n products, and each pass reads and writes every element; beside them it reads roots."""
    from floors import floor

    share = model.predicted("ntt", 20, model.CHIPS[0]).kernels["transform_pass"]
    least = floor("ntt", 20)
    assert least is not None
    assert least.slots <= share.slots < 3 * least.slots
    assert least.nbytes <= share.nbytes < 1.6 * least.nbytes


def test_a_sum_needs_no_less_than_its_floor_and_more_when_it_is_longer(model: Any) -> None:
    from floors import floor

    runs = [model.predicted("msm_g1", k, model.CHIPS[0]) for k in (20, 22, 24)]
    least = floor("msm_g1", 20)
    assert least is not None
    assert sum(share.slots for share in runs[0].kernels.values()) > 0.8 * least.slots
    assert runs[0].ms < runs[1].ms < runs[2].ms


def test_a_chip_with_more_bandwidth_is_no_slower(model: Any) -> None:
    assert model.predicted("msm_g1", 22, model.CHIPS[1]).ms <= model.predicted("msm_g1", 22, model.CHIPS[0]).ms


def test_predictions_stand_beside_what_a_run_recorded(model: Any, tmp_path: Path) -> None:
    kernels = {"transform_pass": {"launches": 3, "ms": 0.7, "longest_ms": 0.3}}
    line = {"primitive": "ntt", "log_size": 20, "best": 7.5e-4, "device": "NVIDIA H100 80GB HBM3", "kernels": kernels}
    (tmp_path / "gpu.jsonl").write_text(json.dumps(line) + "\n")
    measured = model.measured_in(tmp_path / "gpu.jsonl")
    predictions = [model.predicted("ntt", 20, chip) for chip in model.CHIPS]
    h100, h200 = model.table(predictions, measured).splitlines()[2:]
    assert "| 0.75 |" in h100
    assert "| 0.75 |" not in h200
    assert "transform_pass             3" in model.kernels_beside(predictions[0], line)


def test_the_host_is_counted_apart_from_the_device(model: Any) -> None:
    small = model.predicted("groth16", 12, model.CHIPS[0])
    assert small.calls < small.launches / 2  # sums are replayed
    assert small.host_ms == pytest.approx(small.calls * model.LAUNCH_US * 1e-3, rel=0.01)
    assert 0 < small.host_ms < small.device_ms
    assert small.ms > small.host_ms + model.SELF_CHECK_MS
