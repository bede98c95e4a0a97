"""Linear operations in a row: a wire between them where the product of their matrices would have more terms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.zkml.networks import all_inputs, assert_same_as_semantics, compiled, model_of
from tests.zkml.test_layers_have_one_witness import assert_one_witness
from zkgpu.zkml.counting import size_of
from zkgpu.zkml.layers import composition, normalize
from zkgpu.zkml.operations import Arrange, Combine, IntegerModel, Linear, Normalize, Operation, Total
from zkgpu.zkml.visibility import Visibilities

draw = np.random.default_rng(3)
PRIVATE = Visibilities(inputs={"x": "private"})


def dense(source: str, output: str, k: int, n: int) -> Linear:
    weight = draw.integers(-9, 10, (1, k, n))
    return Linear("dense", (source,), output, weight, np.ones((1, n), int), draw.integers(-9, 10, (1, n)))


def bottleneck(width: int, middle: int) -> IntegerModel:
    """Two rows from wide to narrow, and back."""
    return model_of([dense("x", "t", width, middle), dense("t", "out", middle, width)], x=((1, 2, width), -7, 7))


def overlapping(last: Operation) -> IntegerModel:
    """A dense layer whose entries, beside some of another input, are read many times over."""
    positions = np.append(np.arange(8).repeat(3), [8, 9, -1])
    layers = [dense("x", "t", 6, 4), Arrange("windows", ("t", "y"), "windows", positions.reshape(1, 3, 9)), last]
    return model_of(layers, x=((1, 2, 6), -7, 7), y=((2,), -7, 7))


READERS = {
    "Linear": dense("windows", "out", 9, 5),
    "Combine": Combine("sum", ("windows",), "out", (draw.integers(1, 9, (4, 3, 9)),), np.array(3)),
    "Total": Total("total", ("windows",), "out"),
}


def entries(model: IntegerModel, weights: str = "public") -> int:
    r1cs = compiled(model, weights).r1cs
    return sum(len(side.indices) for side in (r1cs.a, r1cs.b, r1cs.c))


def test_a_narrow_layer_between_wide_ones_gets_wires():
    model = bottleneck(200, 12)
    assert 2 * 2 * 200 * 12 * 0.9 < entries(model) < 20_000  # with those of range checks; a product has 80,000
    assert_same_as_semantics(model, {"x": draw.integers(-7, 8, (1, 2, 200))})


def test_where_composing_takes_no_time_no_wire_is_made(monkeypatch):
    model = bottleneck(60, 3)
    before = compiled(model).r1cs.n_constraints
    monkeypatch.setattr(composition, "FREE", 0)
    assert compiled(model).r1cs.n_constraints == before + 6


@pytest.mark.parametrize("weights", ["public", "private"])
@pytest.mark.parametrize("name", READERS)
def test_bound_values_leave_one_witness(name: str, weights: str, monkeypatch) -> None:
    monkeypatch.setattr(composition, "FREE", 0)
    monkeypatch.setattr(composition, "_WIRE", -100)
    model = overlapping(READERS[name])
    values = {"x": draw.integers(-7, 8, (1, 2, 6)), "y": draw.integers(-7, 8, 2)}
    assert_same_as_semantics(model, values, weights)
    assert_one_witness(compiled(model, weights), all_inputs(model, values, weights))


@pytest.mark.parametrize("name", READERS)
def test_what_is_read_of_bound_values_is_wires(name: str, monkeypatch) -> None:
    model = overlapping(READERS[name])
    before = compiled(model).r1cs.n_constraints
    monkeypatch.setattr(composition, "FREE", 0)
    monkeypatch.setattr(composition, "_WIRE", -100)
    assert compiled(model).r1cs.n_constraints == before + 8  # the values of the dense layer, once each


def test_the_sum_of_a_long_row_is_a_wire_that_all_its_entries_read(monkeypatch) -> None:
    model = model_of(Normalize("n", ("x",), "out", 16, 2), x=((2, 40), -128, 127))
    before, terms = compiled(model).r1cs.n_constraints, entries(model)
    monkeypatch.setattr(normalize, "FREE", 0)
    assert compiled(model).r1cs.n_constraints == before + 2
    assert entries(model) < terms - 2 * 3 * 40 * 37  # squares read an entry twice, and what it is divided by once
    assert size_of(model, PRIVATE).constraints == before + 2
    values = {"x": draw.integers(-128, 128, (2, 40))}
    assert_same_as_semantics(model, values)
    assert_one_witness(compiled(model), values)
