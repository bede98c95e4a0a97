"""Faults that circuits of models once had, to be put back: the fuzzer has to find each of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.zkml import oracle
from zkgpu.circuits import Wires
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError
from zkgpu.zkml import ranges, semantics
from zkgpu.zkml.layers import matrices, network, softmax
from zkgpu.zkml.layers.range_checks import Checks
from zkgpu.zkml.operations import Linear, Softmax
from zkgpu.zkml.ranges import Interval


def softmax_rounds_to_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances from the maximum that are less than half a step below zero round to zero: any such entry may stand."""
    monkeypatch.setattr(oracle, "step_of_softmax", oracle.rounded)
    if _softmax_rounds_to_nearest():
        return
    rounded_look_up, exponentials = softmax.rounded_look_up, semantics.exponentials

    def half(shift: int) -> int:
        return 1 << shift - 1 if shift else 0

    def look_up(*given: Any) -> Wires:
        *before, x, interval, shift = given
        return rounded_look_up(*before, x + half(shift), interval.map(lambda v: v + half(shift)), shift)

    def of_nearest(operation: Softmax, x: np.ndarray) -> np.ndarray:
        distance = semantics.round_half_up(x.max(axis=-1, keepdims=True) - x, operation.shift)
        return exponentials(Softmax("", (), "", 0, operation.table, operation.bits), -distance)

    monkeypatch.setattr(softmax, "rounded_look_up", look_up)
    monkeypatch.setattr(semantics, "exponentials", of_nearest)


def _softmax_rounds_to_nearest() -> bool:
    coarse = Softmax("", (), "", 1, np.array([2, 1]), 4)
    return semantics.exponentials(coarse, np.array([1, 0])).tolist() == [2, 1]


def wide_tensors_wrap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values may have all but one of the field's bits, though range checks up to whole limbs need more room."""

    def within_field(_layer: object, found: Interval, *_limb: int) -> Interval:
        if 2 * found.magnitude >= Fr.modulus:
            raise FormatError("too wide")
        return found

    monkeypatch.setattr(ranges, "_within_field", within_field)
    monkeypatch.setattr(Checks, "require_room", lambda *_: None, raising=False)


def weights_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights and biases times multipliers are int64, and those beyond wrap in silence."""

    def effective_weights(operation: Linear) -> tuple[np.ndarray, np.ndarray]:
        return operation.weight * operation.multiplier[:, None, :], operation.bias * operation.multiplier

    monkeypatch.setattr(matrices, "effective_weights", effective_weights)


def clamps_outside_an_interval_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals are those of the model's own weights, and taken for those of the prover's."""
    monkeypatch.setattr(network, "Checks", lambda limb, _: Checks(limb))
