"""Values far beyond what calibration saw are told where a clamp changes them, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.models import model, node, normal
from zkgpu.zkml.clamps import limits
from zkgpu.zkml.compiled import CompiledModel, compile_model
from zkgpu.zkml.operations import SEEN, SEEN_HIGH, SEEN_LOW, IntegerModel, Lookup, Requantize, Tensor
from zkgpu.zkml.storage import dump, parse

LOGGER = "zkgpu.zkml.compiled"


FAR = np.full((1, 6), 2.0)


def compiled_to(nodes: list, weights: dict, held_out: np.ndarray = -FAR / 9) -> CompiledModel:
    """Of sums of numbers up to 3 that are at most 1 in the calibration, but for those of one sample."""
    samples = np.clip(normal(64, 6), -3, 3)
    samples -= (samples.mean(axis=1) - np.linspace(-1, 1, 64) / 6)[:, None]
    samples[3] = held_out
    proto = model([node("MatMul", "x w", "h"), *nodes], {"x": ("N", 6)}, weights={"w": np.ones((6, 2)), **weights})
    return compile_model(proto, samples, limb=6, allow_error=np.inf, bits=8)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_value_beyond_a_table_is_told_by_its_layer(sign: int, caplog) -> None:
    compiled = compiled_to([node("Sinh", "h", "out")], {})
    compiled.predict(sign * FAR, clamp=True)
    assert caplog.messages[0].startswith("layer '/out': 2 of its values lie far beyond what calibration saw, and are")
    assert {record.name for record in caplog.records} == {LOGGER}


@pytest.mark.parametrize("operator", ["Sigmoid", "Relu", "HardSigmoid"])
def test_what_the_float_model_clamps_too_is_not_told(operator: str, caplog) -> None:
    compiled = compiled_to([node("Mul", "h k", "m"), node(operator, "m", "out")], {"k": np.array(9.0)})
    compiled.predict(-FAR, clamp=True)
    assert not caplog.messages


def test_ends_of_a_clip_are_no_ends_of_the_calibration(caplog) -> None:
    compiled = compiled_to([node("Clip", "h lo hi", "out")], {"lo": np.array(-1.0), "hi": np.array(1.0)})
    assert compiled.predict(FAR, clamp=True)["out"] == pytest.approx(1, abs=0.02)
    assert not caplog.messages


def test_the_report_counts_samples_with_such_values() -> None:
    assert compiled_to([node("Sinh", "h", "out")], {}).accuracy.clamped == 0
    compiled = compiled_to([node("Sinh", "h", "out")], {}, FAR)
    assert compiled.accuracy.clamped == 1
    assert any(line.startswith("1 of 16 samples have values in the network far") for line in compiled.accuracy.warnings)
    assert parse(dump(compiled), "model").accuracy.clamped == 1


def test_a_stored_model_tells_the_same(caplog) -> None:
    stored = parse(dump(compiled_to([node("Sinh", "h", "out")], {})), "model")
    stored.predict(FAR, clamp=True)
    assert len(caplog.messages) == 1


def model_of(*operations) -> IntegerModel:
    return IntegerModel((Tensor("x", (4,), 1.0, -999, 999),), (Tensor("out", (4,), 1.0, -999, 999),), operations, 6)


TABLE = np.minimum(np.arange(33), 25)


@pytest.mark.parametrize(
    ("seen", "ends"), [(0, []), (SEEN_LOW, [(-19, None)]), (SEEN_HIGH, [(None, 19)]), (SEEN, [(-19, 19)])]
)
def test_limits_lie_a_sixteenth_beyond_the_ends_that_calibration_has_set(seen, ends) -> None:
    found = limits(model_of(Requantize("c", ("x",), "out", 0, -16, 16, seen)))
    assert [(one.low, one.high) for one in found] == ends


def test_a_table_that_is_constant_at_an_end_has_no_limit_there() -> None:
    clamp = Requantize("c", ("x",), "y", 0, -16, 16, SEEN)
    (found,) = limits(model_of(clamp, Lookup("t", ("y",), "out", TABLE, -16)))
    assert (found.low, found.high) == (-19, None)
    both = limits(model_of(clamp, Lookup("t", ("y",), "z", TABLE, -16), Requantize("r", ("y",), "out", 1)))
    assert [(one.low, one.high) for one in both] == [(-19, 19)]
