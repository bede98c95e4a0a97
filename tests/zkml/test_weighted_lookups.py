"""Lookups whose products weigh what challenged layers read: right values pass, others do not, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.circuits.mutation import assert_every_wire_is_pinned, assert_forgery_fails
from tests.zkml.networks import assert_same_as_semantics, compiled, model_of, unpublished
from tests.zkml.test_challenged_layers import dense
from tests.zkml.test_counting import assert_same, sizes
from tests.zkml.test_layers_have_one_witness import assert_one_witness
from tests.zkml.test_stored_circuits import assert_kept
from zkgpu.circuits import Circuit
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError
from zkgpu.zkml import semantics
from zkgpu.zkml.counting import account_of
from zkgpu.zkml.layers import products, weighted_lookups
from zkgpu.zkml.layers.challenged import PLAIN
from zkgpu.zkml.layers.plan import plan_of
from zkgpu.zkml.layers.weighted_lookups import WeightedLookup, _best_period
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Lookup, MatMul, Operation, Requantize, Rescale
from zkgpu.zkml.visibility import Visibilities

draw = np.random.default_rng(5)
PRIVATE = Visibilities(inputs={"x": "private"})
TABLE = np.arange(-8, 8) ** 2 // 3 - 5
PERIODS = 1, 2, 3, 5


@pytest.fixture(autouse=True)
def _tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers of several rows are tested, however small they are."""
    monkeypatch.setattr(products, "_challenged", lambda readers, shape: {r.output for r in readers if shape[1] > 1})


def with_period(monkeypatch: pytest.MonkeyPatch, period: int) -> None:
    monkeypatch.setattr(weighted_lookups, "_best_period", lambda lookups, rows: period * bool(lookups))


def function(source: str, output: str) -> Lookup:
    return Lookup("f", (source,), output, TABLE, -8)


def one_layer() -> IntegerModel:
    return model_of([function("x", "y"), dense("y", "out", 1, 3, 2)], x=((1, 5, 3), -8, 7))


def groups() -> IntegerModel:
    return model_of([function("x", "y"), dense("y", "out", 2, 2, 3, bias=False)], x=((2, 4, 2), -8, 7))


def several_layers() -> IntegerModel:
    """Two layers read one lookup, a third one another lookup of the same table, of fewer rows, and a sum reads both."""
    layers: list[Operation] = [
        Rescale("round", ("x",), "rounded", 2, -8, 7),
        function("rounded", "flat"),
        Arrange("shape", ("flat",), "y", np.arange(15).reshape(1, 5, 3)),
        dense("y", "a", 1, 3, 2),
        dense("y", "b", 1, 3, 2, multipliers=1),
        Requantize("round", ("z",), "z rounded", 3, -8, 7),
        function("z rounded", "w"),
        dense("w", "c", 1, 3, 2),
        Arrange("rows", ("c",), "repeated", np.arange(10).reshape(1, 5, 2) % 4),
        Arrange("columns", ("flat",), "two", np.arange(10).reshape(1, 5, 2)),
        Combine("sum", ("a", "b", "repeated", "two"), "out", (np.array(1),) * 4, np.array(0)),
    ]
    return model_of(layers, x=((5, 3), -30, 27), z=((1, 2, 3), -200, 200))


def side_by_side() -> IntegerModel:
    """Nine rows, three of them tested in one product, as their rounded outputs are small enough (layers.packing)."""
    layers: list[Operation] = [
        function("x", "y"),
        dense("y", "z", 1, 3, 2, multipliers=1),
        Combine("units", ("z",), "units", (np.array(1 << 40),), np.array(0)),
        Rescale("round", ("units",), "out", 45, -(1 << 17), (1 << 17) - 1),
    ]
    return model_of(layers, x=((1, 9, 3), -8, 7))


MODELS: dict[str, Callable[[], IntegerModel]] = {
    "one": one_layer,
    "groups": groups,
    "several": several_layers,
    "side by side": side_by_side,
}


def inputs_of(model: IntegerModel) -> dict[str, Any]:
    return {t.name: draw.integers(t.low, t.high + 1, t.shape) for t in model.inputs}


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("name", MODELS)
def test_outputs_are_those_of_the_semantics_and_wires_are_counted_exactly(
    monkeypatch: pytest.MonkeyPatch, name: str, period: int
) -> None:
    with_period(monkeypatch, period)
    model = MODELS[name]()
    assert_same_as_semantics(model, inputs_of(model))
    assert_same(*sizes(model, Visibilities(inputs={t.name: "private" for t in model.inputs})))


@pytest.mark.parametrize("period", PERIODS)
def test_a_product_of_each_value_but_the_first_row_is_spared_and_a_table_for_each_power_paid(
    monkeypatch: pytest.MonkeyPatch, period: int
) -> None:
    model, (m, k, n) = one_layer(), (5, 3, 2)
    apart = account_of(model, PRIVATE).size
    with_period(monkeypatch, period)
    together = account_of(model, PRIVATE).size
    blocks = -(-m // period)
    powers = max(period, m) + 1 - m + max(0, blocks - 2) * (period > 1)
    more = (period - 1) * (len(TABLE) + 1) + k * max(1, blocks - 1) + n + powers
    assert together.constraints - apart.constraints == more - (m - 1) * k
    assert together.degree > apart.degree


@pytest.mark.parametrize("period", [1, 2, 5])
def test_every_wire_is_pinned_by_the_layers_alone(monkeypatch: pytest.MonkeyPatch, period: int) -> None:
    with_period(monkeypatch, period)
    model = one_layer()
    assert_every_wire_is_pinned(unpublished(model), inputs_of(model))


@pytest.mark.parametrize("name", MODELS)
def test_there_is_one_witness(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with_period(monkeypatch, 2)
    model = MODELS[name]()
    assert_one_witness(compiled(model), inputs_of(model))


X = np.arange(15).reshape(1, 5, 3) - 7
LIES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "first": lambda y: y + (np.arange(y.size).reshape(y.shape) == 0),
    "last": lambda y: y - (np.arange(y.size).reshape(y.shape) == y.size - 1),
    "the sum of key and value kept": lambda y: np.roll(X, 1, axis=2) + np.roll(y, 1, axis=2) - X,
    "rows swapped": lambda y: y[:, ::-1],
    "moved from a row to the one of the same power": lambda y: y + np.array([1, 0, -1, 0, 0])[:, None],
    "beyond all ranges": lambda y: y.astype(object) + (Fr.modulus // 2),
}


@pytest.mark.parametrize("lie", LIES)
def test_no_value_can_be_another(monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    with_period(monkeypatch, 2)
    honest = TABLE[X + 8]
    forged = LIES[lie](honest)
    assert (forged != honest).any()

    def counts(*columns: np.ndarray) -> np.ndarray:
        """Multiplicities of the keys, whatever values came with them."""
        return np.bincount(np.asarray(columns[0], dtype=np.int64) + 8, minlength=len(TABLE))

    hints = {f"table function {j}/multiplicities": counts for j in range(2)}
    circuit = unpublished(model_of([function("x", "y"), dense("y", "out", 1, 3, 2)], x=((1, 5, 3), -8, 7)))
    assert_forgery_fails(circuit, {"x": X}, {"f/value of a table": lambda _: forged, **hints})


@pytest.mark.parametrize("row", range(5))
def test_no_output_of_any_row_can_be_another(monkeypatch: pytest.MonkeyPatch, row: int) -> None:
    with_period(monkeypatch, 2)
    layer = dense("y", "out", 1, 3, 2)
    forged = semantics.apply(layer, [TABLE[X + 8]]) + (np.arange(5) == row)[:, None]
    circuit = unpublished(model_of([function("x", "y"), layer], x=((1, 5, 3), -8, 7)))
    assert_forgery_fails(circuit, {"x": X}, {"dense/sums": lambda _: forged})


@pytest.mark.parametrize("left_out", ["table", "sums"])
def test_what_the_challenge_weighs_is_committed(monkeypatch: pytest.MonkeyPatch, left_out: str) -> None:
    with_period(monkeypatch, 2)
    commit = Circuit.commit
    monkeypatch.setattr(
        Circuit,
        "commit",
        lambda c, x, label=None: None if str(label).endswith(left_out) else commit(c, x, label),
    )
    with pytest.raises(UsageError, match="could choose after it"):
        unpublished(one_layer())


# what is chosen


def lookups(*shapes: tuple[int, int, int], outputs: int = 4) -> list[WeightedLookup]:
    return [WeightedLookup((i,), PLAIN, shape, ("out",), outputs) for i, shape in enumerate(shapes)]


@pytest.mark.parametrize(
    ("shapes", "rows", "period"),
    [
        ([], 10, 0),
        ([(1, 16, 3072)], 8193, 2),
        ([(1, 16, 3072)] * 12, 8193, 8),
        ([(1, 16, 32)], 8193, 0),
        ([(1, 2, 1000), (1, 2, 1000)], 100, 0),
    ],
)
def test_the_number_of_tables_is_that_of_the_fewest_constraints(
    shapes: list[tuple[int, int, int]], rows: int, period: int
) -> None:
    assert _best_period(lookups(*shapes), rows) == period


def test_rows_side_by_side_have_one_power_and_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    for period, first in ((1, [0, 1, 2, 3]), (2, [0, 1, 2, 6]), (3, [0, 1, 2])):
        with_period(monkeypatch, period)
        (lookup,) = plan_of(side_by_side(), PRIVATE).weighted_lookups.values()
        assert (lookup.powers, lookup.weighing.size) == (3, 3)
        assert lookup.weighing.factors
        assert list(lookup.rows_of(0))[:4] == first
        assert lookup.tables == period


def test_values_in_another_order_are_weighted_on_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with_period(monkeypatch, 2)
    turned = Arrange("turn", ("y",), "z", np.arange(15).reshape(1, 5, 3)[:, ::-1])
    model = model_of([function("x", "y"), turned, dense("z", "out", 1, 3, 2)], x=((1, 5, 3), -8, 7))
    assert not plan_of(model, PRIVATE).weighted_lookups
    assert_same_as_semantics(model, inputs_of(model))


def test_what_scores_weigh_is_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    with_period(monkeypatch, 2)
    columns = np.arange(15).reshape(1, 5, 3).swapaxes(1, 2)
    steps: list[Operation] = [
        function("x", "y"),
        dense("y", "q", 1, 3, 3),
        dense("y", "k", 1, 3, 3),
        Arrange("turn", ("k",), "t", columns),
        MatMul("scores", ("q", "t"), "out"),
    ]
    model = model_of(steps, x=((1, 5, 3), -8, 7))
    plan = plan_of(model, PRIVATE)
    assert plan.scores
    assert not plan.weighted_lookups
    assert_same_as_semantics(model, inputs_of(model))


def test_a_circuit_comes_back_from_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with_period(monkeypatch, 2)
    model = one_layer()
    assert_kept(model, inputs_of(model))
