"""Clamps by tables that requantizations share: the account of them, their answers, and which layers share one."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.networks import all_inputs, assert_same_as_semantics, compiled, model_of, proven_output
from tests.zkml.test_layers import ROUNDINGS
from tests.zkml.test_layers_have_one_witness import assert_one_witness
from zkgpu.circuits import Circuit
from zkgpu.circuits.gadgets.lookup import Table
from zkgpu.errors import UnsatisfiedError
from zkgpu.zkml.counting import size_of
from zkgpu.zkml.layers import clamp_tables as tables
from zkgpu.zkml.layers.clamp_tables import clamp_tables
from zkgpu.zkml.layers.network import Network
from zkgpu.zkml.layers.tables import table_for_all
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Linear, Requantize
from zkgpu.zkml.ranges import analyze
from zkgpu.zkml.visibility import Visibilities

BYTES = np.arange(-128, 128)


def looked_up(model: IntegerModel, given: bool = False) -> dict[str, tables.ClampTable]:
    return clamp_tables(model, analyze(model, margin=given), {}, given)


def tables_of(model: IntegerModel, weights: str = "public") -> list[Table]:
    circuit = Circuit()
    network = Network(circuit, model, Visibilities(weights=weights))
    for tensor in model.inputs:
        network.declare(tensor)
    for operation in model.operations:
        network.write(operation)
    return [key for key in circuit.builder.rounds.collected() if isinstance(key, Table)]


@pytest.mark.parametrize("operation", ROUNDINGS, ids=lambda r: f"{r.shift},{r.low},{r.high}")
def test_a_looked_up_clamp_agrees_on_every_byte(operation: Requantize) -> None:
    model = model_of(operation, 3, x=((1024,), -128, 127))  # more than a limb to an end
    rounded = (BYTES + (1 << operation.shift >> 1)) >> operation.shift
    is_open = (operation.low, operation.high) == (None, None)
    clamped = rounded if is_open else np.clip(rounded, operation.low, operation.high)
    assert bool(looked_up(model)) == (len(set(clamped.tolist())) > 1 and not np.array_equal(clamped, rounded))
    assert_same_as_semantics(model, {"x": np.tile(BYTES, 4)})


@pytest.mark.parametrize("operation", ROUNDINGS, ids=lambda r: f"{r.shift},{r.low},{r.high}")
def test_clamps_by_limbs_agree_on_every_byte(operation: Requantize, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "LONGEST", 0)
    model = model_of(operation, 8, x=((256,), -128, 127))
    assert not looked_up(model)
    assert_same_as_semantics(model, {"x": BYTES})


@pytest.mark.parametrize(("low", "high"), [(0, None), (None, 3), (-2, 5), (0, 200)])
@pytest.mark.parametrize("shift", [0, 2])
def test_a_looked_up_clamp_has_one_witness(low: int | None, high: int | None, shift: int) -> None:
    model = model_of(Requantize("r", ("x",), "out", shift, low, high), 2, x=((60,), -32, 31))
    assert looked_up(model)
    assert_one_witness(compiled(model), {"x": np.random.default_rng(1).integers(-32, 32, 60)}, tries=60)


def test_a_requantized_relu_takes_three_constraints_where_there_are_many() -> None:
    """The lookup of the remainder, the choice, and the lookup of the distance from 0; one table for both besides."""
    n, reach = 1 << 19, 1 << 30
    model = model_of(Requantize("relu", ("x",), "out", 16, 0), 16, x=((n,), -reach, reach - 1))
    assert not looked_up(model)
    inputs = Visibilities(inputs={"x": "public"}, outputs={"out": "private"})
    told = size_of(model, inputs).constraints - n  # the digest of the input
    assert told == 3 * n + (1 << 16) + 1 + 1


def test_two_ends_are_looked_up_where_there_are_many() -> None:
    n, reach = 1 << 19, 1 << 30
    model = model_of(Requantize("clip", ("x",), "out", 16, 0, 255), 16, x=((n,), -reach, reach - 1))
    (table,) = looked_up(model).values()
    assert len(table.values) == (reach >> 15) + 1


def layers(*ranges: int, low: int | None = 0, high: int | None = None) -> IntegerModel:
    """Requantizations of x times some factors, added up."""
    operations, names = [], []
    for i, factor in enumerate(ranges):
        operations.append(Combine(f"c{i}", ("x",), f"h{i}", (np.array(factor),), np.array(1)))
        operations.append(Requantize(f"r{i}", (f"h{i}",), f"y{i}", 2, low, high))
        names.append(f"y{i}")
    ones = tuple(np.array(1) for _ in names)
    return model_of([*operations, Combine("sum", tuple(names), "out", ones, np.array(0))], 4, x=((300,), -40, 40))


def test_clamps_with_the_same_ends_share_the_table_of_the_longest_reach() -> None:
    model = layers(1, 3, 9)
    found = looked_up(model)
    assert len({id(table) for table in found.values()}) == 1
    assert (found["y0"].first, found["y0"].last) == (-90, 90)
    assert len(tables_of(model)) == 1
    assert_same_as_semantics(model, {"x": np.random.default_rng(2).integers(-40, 41, 300)})


def test_other_ends_have_another_table_and_a_long_reach_is_left_to_limbs() -> None:
    assert looked_up(layers(1, 9, 1 << 20)).keys() == {"y0", "y1"}
    both = layers(3, low=-3, high=7)
    more = Requantize("r", ("h0",), "z", 2, 0, None)
    out = Combine("sum", ("y0", "z"), "out", (np.array(1), np.array(1)), np.array(0))
    model = model_of([*both.operations[:2], more, out], 4, x=((300,), -40, 40))
    assert len({id(table) for table in looked_up(model).values()}) == 2
    assert len(tables_of(model)) == 2


def given(factors: tuple[int, ...]) -> IntegerModel:
    """A Relu of x times each factor, which are weights."""
    ones = np.ones((1, 1), dtype=np.int64)
    zeros = np.zeros((1, 1), dtype=np.int64)
    operations: list = []
    for i, factor in enumerate(factors):
        operations.append(Linear(f"d{i}", ("x",), f"h{i}", np.full((1, 1, 1), factor), ones, zeros))
        operations.append(Requantize(f"r{i}", (f"h{i}",), f"y{i}", 2, 0))
    names = tuple(f"y{i}" for i in range(len(factors)))
    positions = np.arange(400 * len(factors))
    return model_of([*operations, Arrange("all", names, "out", positions)], 4, x=((1, 400, 1), -40, 40))


@pytest.mark.parametrize("weights", ["private", "hashed"])
def test_a_table_refuses_weights_that_leave_their_layer_s_interval(weights: str) -> None:
    """Even where the table of another layer would hold what they make."""
    model = given((3, 8))
    assert len({id(table) for table in looked_up(model, given=True).values()}) == 2
    circuit, x = compiled(model, weights), {"x": np.arange(400).reshape(1, 400, 1) % 81 - 40}
    for factors in ((3, 8), (0, 1), (-2, -8)):
        wanted = np.maximum(np.floor_divide(np.outer(factors, x["x"].ravel()) + 2, 4), 0).ravel()
        assert (proven_output(circuit, all_inputs(given(factors), x, weights)) == wanted).all()
    with pytest.raises(UnsatisfiedError, match="table"):
        circuit.witness(all_inputs(given((8, 8)), x, weights))


@pytest.mark.parametrize(("least", "greatest", "is_longer"), [(0, 3200, True), (0, 6200, False), (-3000, 3200, True)])
def test_a_functions_table_is_made_longer_where_that_is_less_than_clamps_at_the_ends(
    least: int, greatest: int, *, is_longer: bool
) -> None:
    found = table_for_all(np.arange(300), 0, 1000, least, greatest)
    assert (found is not None) == is_longer
    if found is not None:
        values, first = found
        assert (first, len(values)) == (least, greatest - least + 1)
        assert (values == np.clip(np.arange(least, greatest + 1), 0, 299)).all()
