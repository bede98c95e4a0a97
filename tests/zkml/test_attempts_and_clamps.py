"""An attempt at quantizing whose clamps refuse many samples is not close enough, however right its answers are."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from zkgpu.zkml.accuracy import Accuracy, OutputAccuracy
from zkgpu.zkml.calibrated import Calibration
from zkgpu.zkml.choosing import Attempt, Trials
from zkgpu.zkml.lowering.settings import Settings

UNEVEN = Calibration({"x": -1.0}, {"x": 900.0}, frozenset(), {"x": (0.5, 900.0)})


def attempt(wanted: Settings, clamped: int, error: float = 0.0) -> Attempt:
    told = Accuracy(30, (OutputAccuracy("out", 1.0, error),), ("out", error), {"out": error}, clamped=clamped)
    return Attempt(SimpleNamespace(), wanted, told)


@pytest.mark.parametrize(("clamped", "is_close"), [(0, True), (1, True), (4, True), (5, False), (30, False)])
def test_one_that_refuses_more_than_a_tenth_is_not_close(clamped: int, is_close: bool) -> None:
    assert attempt(Settings(8), clamped).is_close == is_close


def test_the_one_that_proves_more_samples_is_closer() -> None:
    few, many = attempt(Settings(8), 6, error=0.03), attempt(Settings(8), 30)
    assert min(many, few, key=lambda made: made.amiss) is few


def test_columns_of_their_own_are_tried_where_one_scale_refuses_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = SimpleNamespace(inputs=("x",), constants={}, nodes=(), shapes={"out": (1, 2)})
    trials = Trials(graph, UNEVEN, None, (), {}, True, None)
    monkeypatch.setattr(Trials, "attempt", lambda _, wanted: attempt(wanted, 0 if wanted.by_column else 30))
    assert trials.closest("auto", open_weights=False).settings.by_column
