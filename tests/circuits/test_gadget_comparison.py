"""Comparisons, connectives and choice."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutation import assert_every_wire_is_pinned, assert_forgery_fails, solutions

from zkgpu.circuits import Circuit, CompiledCircuit, gadgets, stack
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.fields.field import Field

P = Fr.modulus


def compiled(build, names="xy", shape=(), field=Fr) -> CompiledCircuit:
    c = Circuit(field)
    c.output("out", build(*(c.private(name, shape) for name in names)))
    return c.compile()


def run(circuit, **inputs):
    return circuit.value("out", circuit.witness(inputs)).tolist()


ORDER = {
    "less_than": lambda x, y: int(x < y),
    "less_equal": lambda x, y: int(x <= y),
    "minimum": min,
    "maximum": max,
}


@pytest.mark.parametrize("name", ORDER)
def test_all_pairs_of_three_bit_integers_are_ordered(name):
    x, y = (v.ravel() for v in np.mgrid[0:8, 0:8])
    circuit = compiled(lambda x, y: getattr(gadgets, name)(x, y, 3), shape=(64,))
    assert run(circuit, x=x, y=y) == [ORDER[name](a, b) for a, b in zip(x.tolist(), y.tolist(), strict=True)]


wide = st.one_of(st.sampled_from([0, 1, 2**31, 2**32 - 2, 2**32 - 1]), st.integers(0, 2**32 - 1))
circuits = {name: compiled(partial(getattr(gadgets, name), bits=32)) for name in ORDER}


@given(wide, wide)
@settings(max_examples=25, deadline=None)
def test_any_integers_of_32_bits_are_ordered(x, y):
    for name, circuit in circuits.items():
        assert run(circuit, x=x, y=y) == ORDER[name](x, y)


@pytest.mark.parametrize("name", [*ORDER, "assert_less_than"])
def test_operands_outside_the_width_are_refused(name):
    def build(x, y):
        out = getattr(gadgets, name)(x, y, 8)
        return x + y if out is None else out

    circuit = compiled(build)
    circuit.witness({"x": 3, "y": 4})
    for x in (256, 257, 2**64, P - 1, P - 255, P // 2):
        for pair in ({"x": x, "y": 4}, {"x": 3, "y": x}, {"x": x, "y": x}):
            with pytest.raises(UnsatisfiedError):
                circuit.witness(pair)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (0, 7), (7, 0), (7, 7), (3, 4), (4, 3)])
@pytest.mark.parametrize("name", ORDER)
def test_every_wire_of_an_ordering_is_pinned(name, x, y):
    assert_every_wire_is_pinned(compiled(lambda x, y: getattr(gadgets, name)(x, y, 3)), {"x": x, "y": y})


def test_forged_differences_do_not_turn_a_comparison():
    circuit = compiled(lambda x, y: gadgets.less_than(x, y, 8))
    for x, y in ((3, 4), (4, 3), (0, 255), (255, 0), (5, 5)):
        honest = [(x - y + 256) >> i & 1 for i in range(9)]
        flipped = [*honest[:8], 1 - honest[8]]
        spread = [honest[0] + 256 * (2 * honest[8] - 1), *honest[1:8], 1 - honest[8]]
        for forged in (flipped, spread, [0] * 9, [1] * 9):
            if forged != honest:
                assert_forgery_fails(circuit, {"x": x, "y": y}, {"less_than/bits": lambda v, bits=forged: bits})


def test_over_a_tiny_field_a_comparison_has_one_solution_inside_its_range_and_none_outside():
    circuit = compiled(lambda x, y: gadgets.less_than(x, y, 1), field=Field("F7", 7, generator=3))
    for x in range(7):
        for y in range(7):
            assert solutions(circuit, {"x": x, "y": y}) == int(x < 2 and y < 2)


def test_asserting_an_order_accepts_it_alone():
    circuit = compiled(lambda x, y: gadgets.assert_less_than(x, y, 3) or x + y)
    for x in range(8):
        for y in range(8):
            if x < y:
                circuit.witness({"x": x, "y": y})
            else:
                with pytest.raises(UnsatisfiedError, match="less_than"):
                    circuit.witness({"x": x, "y": y})


def test_constants_take_part_in_comparisons():
    circuit = compiled(lambda x: stack([gadgets.less_than(x, 5, 4), gadgets.less_equal(x, 5, 4)]), names="x")
    assert [run(circuit, x=v) for v in (4, 5, 6)] == [[1, 1], [0, 1], [0, 0]]
    with pytest.raises(UsageError, match="does not fit"):
        compiled(lambda x: gadgets.less_than(x, 16, 4), names="x")


def test_widths_that_would_wrap_are_refused():
    for bits in (0, 253, 254):
        with pytest.raises(UsageError, match="252"):
            compiled(lambda x, y, bits=bits: gadgets.less_than(x, y, bits))


def test_a_comparison_takes_the_documented_number_of_constraints():
    assert compiled(lambda x, y: gadgets.less_than(x, y, 8)).r1cs.n_constraints == 2 * 8 + 10 + 1


# zero and equality


def test_is_zero_tells_zero_from_anything_else():
    circuit = compiled(gadgets.is_zero, names="x", shape=(6,))
    assert run(circuit, x=[0, 1, 2, P - 1, P // 2, 0]) == [1, 0, 0, 0, 0, 1]


@given(st.integers(0, P - 1), st.integers(0, P - 1))
@settings(max_examples=20, deadline=None)
def test_is_equal_is_equality(x, y):
    assert run(equality, x=x, y=y) == int(x == y)
    assert run(equality, x=x, y=x) == 1


equality = compiled(gadgets.is_equal)


@pytest.mark.parametrize("x", [0, 1, P - 1, 77])
def test_every_wire_of_is_zero_is_pinned(x):
    assert_every_wire_is_pinned(compiled(gadgets.is_zero, names="x"), {"x": x})


def test_over_a_tiny_field_is_zero_has_one_solution():
    circuit = compiled(gadgets.is_zero, names="x", field=Field("F97", 97, generator=5))
    assert [solutions(circuit, {"x": x}) for x in range(97)] == [1] * 97


def test_a_forged_inverse_does_not_make_zero_of_something():
    circuit = compiled(gadgets.is_zero, names="x")
    for x, forged in ((5, 0), (5, 1), (0, 1), (1, 0), (P - 1, 1)):
        assert_forgery_fails(circuit, {"x": x}, {"is_zero": lambda v, forged=forged: forged})


# connectives

TABLES = {
    "logical_and": [0, 0, 0, 1],
    "logical_or": [0, 1, 1, 1],
    "logical_xor": [0, 1, 1, 0],
}


@pytest.mark.parametrize("name", TABLES)
def test_connectives_have_their_truth_tables_and_refuse_other_values(name):
    circuit = compiled(getattr(gadgets, name), shape=(4,))
    assert run(circuit, x=[0, 0, 1, 1], y=[0, 1, 0, 1]) == TABLES[name]
    assert_every_wire_is_pinned(circuit, {"x": [0, 0, 1, 1], "y": [0, 1, 0, 1]})
    for x, y in ((2, 0), (0, 2), (P - 1, 1), (1, P - 1), (P // 2, 0)):
        with pytest.raises(UnsatisfiedError, match="boolean"):
            circuit.witness({"x": [x, 0, 0, 0], "y": [y, 0, 0, 0]})


def test_not_swaps_and_connectives_take_constants():
    circuit = compiled(
        lambda x: stack([gadgets.logical_not(x), gadgets.logical_and(x, 1), gadgets.logical_or(x, 1)]), names="x"
    )
    assert [run(circuit, x=v) for v in (0, 1)] == [[1, 0, 1], [0, 1, 1]]


def test_not_refuses_other_values():
    circuit = compiled(gadgets.logical_not, names="x")
    for x in (2, P - 1, P // 2 + 1):
        with pytest.raises(UnsatisfiedError, match="boolean"):
            circuit.witness({"x": x})


def test_a_connective_costs_one_constraint_once_its_operands_are_boolean():
    c = Circuit()
    bits = gadgets.to_bits(c.private("x"), 2)
    before = c.builder.n_constraints
    once = gadgets.logical_xor(bits[0], bits[1])
    gadgets.logical_or(gadgets.logical_not(once), bits[0])
    assert c.builder.n_constraints == before + 2


def test_select_chooses_and_refuses_conditions_that_are_not_boolean():
    circuit = compiled(gadgets.select, names="cxy")
    assert run(circuit, c=1, x=10, y=20) == 10
    assert run(circuit, c=0, x=10, y=20) == 20
    for condition in (2, P - 1, P // 2 + 1):
        with pytest.raises(UnsatisfiedError, match="boolean"):
            circuit.witness({"c": condition, "x": 10, "y": 20})


@pytest.mark.parametrize("condition", [0, 1])
def test_every_wire_of_select_is_pinned(condition):
    assert_every_wire_is_pinned(compiled(gadgets.select, names="cxy"), {"c": condition, "x": 10, "y": 20})


def test_select_between_constants_is_free():
    c = Circuit()
    condition = gadgets.to_bits(c.private("x"), 1)
    before = c.builder.n_constraints
    gadgets.select(condition, 5, 9)
    assert c.builder.n_constraints == before
