"""Rows of a layer that are tested side by side, as a rounding keeps its outputs small: right, counted, and pinned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned, assert_forgery_fails
from tests.zkml import test_challenged_layers as challenged
from tests.zkml.networks import assert_same_as_semantics, compiled, model_of, unpublished
from tests.zkml.test_challenged_layers import LIES, PRIVATE, dense
from tests.zkml.test_counting import assert_same, sizes
from tests.zkml.test_layers_have_one_witness import assert_one_witness
from tests.zkml.test_stored_circuits import assert_kept
from zkgpu.curves.bn254 import Fr
from zkgpu.zkml.counting import size_of
from zkgpu.zkml.layers.plan import plan_of
from zkgpu.zkml.layers.weighing import Weighing
from zkgpu.zkml.operations import (
    Arrange,
    Combine,
    IntegerModel,
    Linear,
    Lookup,
    MatMul,
    Multiply,
    Operation,
    Requantize,
    Rescale,
)

tested = challenged.tested  # fixture
draw = np.random.default_rng(6)
ROWS, ONE, ZERO = 7, np.array(1), np.array(0)
FACTORS = np.array([[3], [1], [1], [5], [1], [2], [1]])  # of the rows


def operations(rounding: Operation | None = None) -> list[Operation]:
    """A layer's outputs, times a factor a row, and numbers of a table are rounded, with a limb to drop."""
    return [
        dense("x", "y", 1, 3, 2),
        Arrange("first", ("x",), "x1", np.arange(3 * ROWS).reshape(ROWS, 3)[:, :2]),
        Lookup("table", ("x1",), "z", np.arange(16) ** 2, -8),
        Arrange("reshape", ("y",), "y2", np.arange(2 * ROWS).reshape(ROWS, 2)),
        Combine("sum", ("y2", "z"), "s", (FACTORS, np.array(-7)), np.array(11)),
        rounding or Rescale("round", ("s",), "out", 4, -512, 511),
    ]


def model_with(given: list[Operation]) -> IntegerModel:
    return model_of(given, x=((1, ROWS, 3), -8, 7))


def weighings(model: IntegerModel) -> dict[str, Weighing]:
    return dict(plan_of(model, PRIVATE).weighings)


def for_a_table() -> IntegerModel:
    """The rounding is a part of a function's lookup, and nothing else is added."""
    layer = replace(dense("x", "y", 1, 3, 2), multiplier=np.ones((1, 2), dtype=np.int64))
    table = np.arange(-64, 64) ** 2
    return model_with([layer, Rescale("round", ("y",), "q", 2, -64, 63), Lookup("f", ("q",), "out", table, -64)])


def of_two_layers() -> IntegerModel:
    """Of one input, of which the outputs of one are rounded, and those of the other are not."""
    other = replace(dense("x", "w", 1, 3, 2), layer="other")
    return model_with([*operations()[:-1], Rescale("round", ("s",), "q", 4, -512, 511), other, *joined("q", "w")])


def joined(*names: str) -> list[Operation]:
    return [Arrange("join", names, "out", np.arange(4 * ROWS))]


def mixed() -> IntegerModel:
    """The layer reads a product of two tensors that is not written."""
    own = np.arange(24).reshape(2, 4, 3).swapaxes(0, 1).reshape(1, 4, 6)
    layers = [MatMul("mixed", ("x", "y"), "m"), Arrange("join", ("m",), "joined", own), dense("joined", "o", 1, 6, 5)]
    rounded = Rescale("round", ("o",), "out", 4, -4096, 4095)
    return model_of([*layers, rounded], x=((2, 4, 3), -8, 7), y=((2, 3, 3), -8, 7))


def _replaced(name: str, made: Operation) -> list[Operation]:
    return [made if op.output == name else op for op in operations()]


MODELS: dict[str, Callable[[], IntegerModel]] = {
    "sum": lambda: model_with(operations()),
    "rounded": lambda: model_with(operations(Requantize("round", ("s",), "out", 4))),
    "clamped": lambda: model_with(operations(Requantize("round", ("s",), "out", 4, 0))),
    "clamped twice": lambda: model_with(operations(Requantize("round", ("s",), "out", 4, -3, 20))),
    "in another order": lambda: model_with(
        _replaced("y2", Arrange("turn", ("y",), "y2", np.arange(2 * ROWS).reshape(ROWS, 2)[:, ::-1]))
    ),
    "table": for_a_table,
    "two layers": of_two_layers,
    "mixed": mixed,
}


def inputs(model: IntegerModel) -> dict[str, Any]:
    return {tensor.name: draw.integers(-8, 8, tensor.shape) for tensor in model.inputs}


@pytest.mark.parametrize("name", MODELS)
def test_rows_side_by_side_are_right_counted_and_pinned(tested: None, name: str) -> None:
    model = MODELS[name]()
    assert len(weighings(model)) == 1
    for _ in range(2):
        assert_same_as_semantics(model, inputs(model))
    assert_same(*sizes(model, PRIVATE))
    assert_every_wire_is_pinned(unpublished(model), inputs(model))


def test_they_come_back_from_a_file_and_have_one_witness(tested: None) -> None:
    model = MODELS["sum"]()
    assert_kept(model, inputs(model))
    assert_one_witness(compiled(model), inputs(model), tries=40)


def test_as_many_rows_as_the_field_holds_take_one_product(tested: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the bits that a rounding leaves, with those of the layer and of what is added; the degree is of the powers."""
    (weighing,) = weighings(MODELS["sum"]()).values()
    left = (513 << 4) + 7 * 64 + 11
    bits = weighing.factors[1].bit_length() - 1
    assert left.bit_length() + 1 <= bits <= left.bit_length() + 3
    assert weighing.size == ROWS
    assert [f >> bits * t for t, f in enumerate(weighing.factors)] == FACTORS.ravel().tolist()
    wide = operations(Rescale("round", ("s",), "out", 4, -(1 << 50), (1 << 50) - 1))
    (weighing,) = weighings(model_with(wide)).values()
    assert (weighing.size, weighing.groups(ROWS)) == (4, 2)
    few, powers = size_of(MODELS["sum"](), PRIVATE).constraints, ROWS - 2
    monkeypatch.setattr("zkgpu.zkml.layers.plan.weighings_of", lambda *_: {})
    assert size_of(MODELS["sum"](), PRIVATE).constraints - few == (ROWS - 2) * (3 + 2) + powers


@pytest.mark.parametrize("lie", LIES)
def test_no_output_of_rows_side_by_side_can_be_another(tested: None, lie: str) -> None:
    model = MODELS["sum"]()
    given = inputs(model)
    (layer,) = (op for op in model.operations if isinstance(op, Linear))
    honest = given["x"] @ layer.weight[0] + layer.bias[:, None]
    of_two = {"moved from a channel to the next": np.array([1, -1]), "along a diagonal": np.eye(ROWS, 2, dtype=int)}
    forged = honest + of_two[lie] if lie in of_two else LIES[lie](honest)
    assert_forgery_fails(unpublished(model), given, {"dense/sums": lambda *_: forged})


@pytest.mark.parametrize("name", ["sum", "rounded", "clamped", "clamped twice"])
@pytest.mark.parametrize("row", [0, 2, ROWS - 2])
@pytest.mark.parametrize("is_small", [False, True], ids=["whole", "fraction"])
def test_what_rows_side_by_side_could_lend_each_other_is_refused(
    tested: None, name: str, row: int, is_small: bool
) -> None:
    """Two outputs whose changes take each other out in the combination; the rest follows from these.

    The change of the next row is the least, one, or that of this row is, and then the next row's is a fraction.
    """
    model = MODELS[name]()
    given = inputs(model)
    (layer,) = (op for op in model.operations if isinstance(op, Linear))
    (weighing,) = weighings(model).values()
    here, there = weighing.factors[row : row + 2]
    change = [there, -here]
    if is_small:
        change = [1, -here * pow(there, -1, Fr.modulus) % Fr.modulus]
    forged = (given["x"] @ layer.weight[0] + layer.bias[:, None]).astype(object)
    forged[0, row : row + 2, 0] += change
    assert sum(w * int(c) for w, c in zip(weighing.factors[row : row + 2], change, strict=True)) % Fr.modulus == 0
    assert_forgery_fails(unpublished(model), given, {"dense/sums": lambda *_: forged})


OTHERS: dict[str, Callable[[], list[Operation]]] = {
    "clamped to one value": lambda: operations(Requantize("round", ("s",), "out", 4, -9000, -9000)),
    "not rounded": lambda: operations(Requantize("round", ("s",), "out", 0)),
    "a part of a lookup": lambda: [
        *operations(Requantize("round", ("s",), "q", 4, -20, 19)),
        Lookup("f", ("q",), "out", np.arange(40), -20),
    ],
    "an addend without a range": lambda: [
        replace(dense("x", "w", 1, 3, 2), layer="other"),
        Arrange("reshape", ("w",), "w2", np.arange(2 * ROWS).reshape(ROWS, 2)),
        *_replaced("s", Combine("sum", ("y2", "w2"), "s", (FACTORS, ONE), ZERO)),
    ],
    "a factor each": lambda: _replaced(
        "s", Combine("sum", ("y2", "z"), "s", (np.arange(1, 2 * ROWS + 1).reshape(ROWS, 2), ONE), ZERO)
    ),
    "negative": lambda: _replaced("s", Combine("sum", ("y2", "z"), "s", (-FACTORS, ONE), ZERO)),
    "a factor of 0": lambda: _replaced("s", Combine("sum", ("y2", "z"), "s", (FACTORS - 1, ONE), ZERO)),
    "left out": lambda: _replaced(
        "y2", Arrange("reshape", ("y",), "y2", np.array([-1, *range(1, 2 * ROWS)]).reshape(ROWS, 2))
    ),
    "a product": lambda: [
        *_replaced("s", Multiply("sum", ("y2", "z"), "s"))[:-1],
        Rescale("round", ("s",), "out", 4, -(1 << 20), (1 << 20) - 1),
    ],
    "twice": lambda: _replaced("s", Combine("sum", ("y2", "y2"), "s", (FACTORS, ONE), ZERO)),
    "too wide": lambda: operations(Rescale("round", ("s",), "out", 70, -(1 << 60), (1 << 60) - 1)),
}


def test_layers_of_several_groups_are_tested_row_by_row(tested: None) -> None:
    model = model_of([dense("x", "y", 2, 3, 2), Rescale("round", ("y",), "out", 4, -512, 511)], x=((2, ROWS, 3), -8, 7))
    assert not weighings(model)
    assert_same(*sizes(model, PRIVATE))


@pytest.mark.parametrize("name", OTHERS)
def test_outputs_that_nothing_keeps_small_are_tested_row_by_row(tested: None, name: str) -> None:
    model = model_with(OTHERS[name]())
    assert not weighings(model)
    assert_same_as_semantics(model, inputs(model))
    assert_same(*sizes(model, PRIVATE))
