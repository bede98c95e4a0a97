"""Division in the field, and of integers with a remainder."""

from __future__ import annotations

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


def division(bits: int, divisor: int | None = None, shape=(), field: Field = Fr) -> CompiledCircuit:
    c = Circuit(field)
    y = c.private("y", shape) if divisor is None else divisor
    c.output("out", stack(gadgets.integer_divide(c.private("x", shape), y, bits)))
    return c.compile()


def run(circuit, **inputs):
    return circuit.value("out", circuit.witness(inputs)).tolist()


def test_all_quotients_of_small_integers_are_pythons():
    x, y = (v.ravel() for v in np.mgrid[0:16, 1:16])
    assert run(division(4, shape=x.shape), x=x, y=y) == [(x // y).tolist(), (x % y).tolist()]


wide = st.one_of(st.sampled_from([0, 1, 2**16, 2**32 - 1]), st.integers(0, 2**32 - 1))
by_wire = division(32)


@given(wide, wide.filter(bool))
@settings(max_examples=25, deadline=None)
def test_any_32_bit_quotient_is_pythons(x, y):
    assert run(by_wire, x=x, y=y) == [*divmod(x, y)]


@pytest.mark.parametrize("divisor", [1, 2, 3, 8, 10, 255, 256, 1000])
def test_constant_divisors_divide_as_python_does(divisor):
    circuit = division(16, divisor)
    for x in (0, 1, divisor - 1, divisor, divisor + 1, 65535, 65535 * divisor, 65536 * divisor - 1):
        assert run(circuit, x=x) == [*divmod(x, divisor)]
    for x in (65536 * divisor, P - 1, P - divisor, P // 2):
        with pytest.raises(UnsatisfiedError):
            circuit.witness({"x": x})


def test_a_divisor_of_zero_is_refused_by_name():
    for x in (0, 1, 9):
        with pytest.raises(UnsatisfiedError, match="integer_divide"):
            by_wire.witness({"x": x, "y": 0})
    with pytest.raises(UsageError, match="constant 0"):
        division(8, 0)


def test_forged_quotients_are_refused():
    circuit = division(8)
    for x, y in ((17, 5), (0, 3), (255, 1), (3, 255), (255, 255), (20, 5)):
        q, inverse = x // y, pow(y, -1, P)
        exact = [x * inverse % P, (x - 1) * inverse % P, *((q + k * inverse) % P for k in (1, 2, y + 1))]
        wrong = [q + 1, q - 1, *exact, P - 1, 12345 << 200]
        for quotient in wrong:
            if quotient != q:
                forged = [quotient, (x - quotient * y) % P]
                assert_forgery_fails(circuit, {"x": x, "y": y}, {"integer_divide": lambda v, w, forged=forged: forged})


def test_forged_quotients_by_zero_and_of_negative_numbers_are_refused():
    circuit = division(8)
    for quotient in (0, 1, 255):
        forged = {"integer_divide": lambda v, w, q=quotient: [q, int(v)]}
        assert_forgery_fails(circuit, {"x": 7, "y": 0}, forged)
    for x in (-7, -256, -(2**16)):
        for quotient in (x // 5, -(-x // 5), 0):
            forged = [quotient, x - 5 * quotient]
            assert_forgery_fails(circuit, {"x": x, "y": 5}, {"integer_divide": lambda v, w, forged=forged: forged})


def test_two_thirds_is_not_nine():
    c = Circuit()
    quotient = c.private("q")
    c.assert_equal(gadgets.integer_divide(c.private("x"), c.private("y"), 8)[0], quotient, label="quotient")
    circuit = c.compile()
    circuit.witness({"x": 2, "y": 3, "q": 0})
    with pytest.raises(UnsatisfiedError, match="quotient"):
        circuit.witness({"x": 2, "y": 3, "q": 9})


@pytest.mark.parametrize(("x", "y"), [(0, 1), (17, 5), (15, 15), (255, 1), (14, 15)])
def test_every_wire_of_an_integer_division_is_pinned(x, y):
    assert_every_wire_is_pinned(division(8), {"x": x, "y": y})


@pytest.mark.parametrize("divisor", [1, 3, 8])
def test_every_wire_of_a_division_by_a_constant_is_pinned(divisor):
    for x in (0, 17, 255 * divisor):
        assert_every_wire_is_pinned(division(8, divisor), {"x": x})


def test_over_a_tiny_field_a_division_has_one_solution_or_none():
    circuit = division(1, field=Field("F31", 31, generator=3))
    for y in range(3):
        for x in range(31):
            fits = y == 1 and x <= 1
            assert solutions(circuit, {"x": x, "y": y}) == int(fits)


def test_divisions_that_would_wrap_are_refused():
    division(126)
    for bits in (0, 127, 254):
        with pytest.raises(UsageError, match="252 bits"):
            division(bits)


def test_division_in_the_field_multiplies_back_and_refuses_zero():
    c = Circuit()
    x, y = c.private("x"), c.private("y")
    c.output("out", stack([gadgets.divide(x, y), gadgets.inverse(y)]))
    circuit = c.compile()
    assert circuit.r1cs.n_constraints == 5
    quotient, inverse = run(circuit, x=22, y=7)
    assert (quotient * 7 % P, inverse * 7 % P) == (22, 1)
    assert_every_wire_is_pinned(circuit, {"x": 22, "y": 7})
    for x in (0, 5):
        with pytest.raises(UnsatisfiedError, match="inverse"):
            circuit.witness({"x": x, "y": 0})
        assert_forgery_fails(circuit, {"x": x, "y": 0}, {"inverse": lambda v: 1})
