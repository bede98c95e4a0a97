"""Long sums that one rounding reads: no wires, the same integers, one witness; and where wires stay."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.zkml.networks import assert_same_as_semantics, compiled, model_of
from tests.zkml.test_counting import assert_same, sizes
from tests.zkml.test_second_witnesses import INVERSE_OF_8, constantly_shaped, forged
from tests.zkml.test_stored_circuits import assert_kept
from zkgpu.testing import attack_circuit
from zkgpu.zkml.layers import products
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Linear, Lookup, Operation, Requantize, Rescale, Tensor
from zkgpu.zkml.visibility import Visibilities

K, N = 6, 4
WEIGHT = np.random.default_rng(1).integers(-9, 10, (1, K, N))
LAYER = Linear("l", ("x",), "sums", WEIGHT, np.array([[1, 2, 1, 3]]), np.array([[5, -7, 0, 2]]))
ROW = Arrange("a", ("sums",), "row", np.arange(N).reshape(1, N))
RELU = Requantize("r", ("row",), "out", 3, 0)
X = np.random.default_rng(2).integers(-8, 8, (1, 1, K))


def network(*after: Operation) -> IntegerModel:
    return model_of([LAYER, ROW, *after], 4, x=((1, 1, K), -8, 7))


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "LONG", 1)


def wires_of_sums(model: IntegerModel) -> bool:
    return any(getattr(step, "label", "").endswith("l/sums") for step in compiled(model)._steps)


ROUNDINGS: dict[str, tuple[Operation, ...]] = {
    "relu": (RELU,),
    "both ends": (Requantize("r", ("row",), "out", 3, -3, 9),),
    "none": (Requantize("r", ("row",), "out", 4),),
    "rescale": (Rescale("r", ("row",), "out", 2, -512, 511),),
    "function": (
        Requantize("r", ("row",), "q", 3, -4, 4),
        Lookup("f", ("q",), "out", np.arange(9) ** 2, -4),
    ),
}


@pytest.mark.parametrize("name", ROUNDINGS)
def test_sums_that_a_rounding_reads_need_no_wires(long: None, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = network(*ROUNDINGS[name])
    assert not wires_of_sums(model)
    assert_same_as_semantics(model, {"x": X})
    assert_same(*sizes(model, Visibilities()))
    assert_kept(model, {"x": X})
    without = sizes(model, Visibilities())[0].constraints
    monkeypatch.setattr("zkgpu.zkml.layers.plan.rounded_at_once", lambda *_: frozenset())
    assert sizes(model, Visibilities())[0].constraints == without + N


OTHERS: dict[str, tuple[Operation, ...]] = {
    "two roundings": (
        Requantize("r", ("row",), "q", 3, 0),
        Requantize("s", ("row",), "p", 2, 0),
        Combine("c", ("q", "p"), "out", (np.array(1), np.array(1)), np.array(0)),
    ),
    "more than a limb": (Requantize("r", ("row",), "out", 5, 0),),
    "not rounded": (Requantize("r", ("row",), "out", 0, 0),),
    "another order": (
        Arrange("b", ("row",), "turned", np.arange(N)[::-1].reshape(1, N)),
        Requantize("r", ("turned",), "out", 3, 0),
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_sums_that_are_read_more_than_once_keep_their_wires(long: None, name: str) -> None:
    model = network(*OTHERS[name])
    assert wires_of_sums(model)
    assert_same_as_semantics(model, {"x": X})
    assert_same(*sizes(model, Visibilities()))


def test_sums_that_are_shown_as_well_keep_their_wires(long: None) -> None:
    model = network(RELU)
    shown = Tensor("sums", (1, 1, N), 1.0, -4096, 4095)
    assert wires_of_sums(replace(model, outputs=(*model.outputs, shown)))


@pytest.mark.parametrize("name", ROUNDINGS)
def test_every_wire_behind_long_sums_is_pinned(long: None, name: str) -> None:
    attack_circuit(compiled(network(*ROUNDINGS[name])), {"x": X}, tries=60).require_sound()


@pytest.mark.parametrize("delta", [1, -1, INVERSE_OF_8, -INVERSE_OF_8])
@pytest.mark.parametrize("moves_both", [False, True])
def test_a_rounded_sum_cannot_be_off(long: None, delta: int, moves_both: bool) -> None:
    one = Linear("l", ("x",), "sums", np.array([[[3], [-2]]]), np.array([[5]]), np.array([[4]]))
    q = (5 * (21 - 12 + 4) + 4) >> 3
    hints: dict[str, Any] = {"rounded": constantly_shaped(q + delta, (1, 1, 1))}
    hints |= {"clamped": constantly_shaped(q + delta, (1, 1, 1))} if moves_both else {}
    forged([one, Requantize("r", ("sums",), "out", 3, 0)], [[[7, 6]]], -8, 7, **hints)
