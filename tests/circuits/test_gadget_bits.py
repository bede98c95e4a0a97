"""Bits, booleans and range checks: complete on their range, closed outside of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mutation import assert_every_wire_is_pinned, assert_forgery_fails, solutions

from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.circuits.gadgets import assert_boolean, from_bits, range_check, to_bits
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.fields.field import Field

P = Fr.modulus
BLS12_381_FR = Field("BLS12-381 Fr", 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001, generator=5)
TINY = [Field(f"F{p}", p, generator=3) for p in (5, 7, 11)]


def decomposition(bits: int | None, field: Field = Fr, shape: tuple[int, ...] = ()) -> CompiledCircuit:
    c = Circuit(field)
    c.output("bits", to_bits(c.private("x", shape), bits))
    return c.compile()


def checked(bits: int, shape: tuple[int, ...] = ()) -> CompiledCircuit:
    c = Circuit()
    range_check(c.private("x", shape), bits)
    return c.compile()


def outside(bits: int) -> list[int]:
    """Values that a check of this width must refuse: its edge, aligned widths above it, and small negatives."""
    aligned = [1 << w for w in (8, 16, 32, 64, 128, 253) if w >= bits]
    return [1 << bits, (1 << bits) + 1, *aligned, *(v + 1 for v in aligned), P - 1, P - 255, P // 2, P // 2 + 1]


def test_bits_of_every_small_integer_are_its_bits():
    compiled = decomposition(4, shape=(16,))
    w = compiled.witness({"x": range(16)})
    assert (compiled.value("bits", w) == (np.arange(16)[:, None] >> np.arange(4)) & 1).all()


@given(st.one_of(st.sampled_from([0, 1, P - 1, P - 2, P // 2, 2**253, 2**253 - 1]), st.integers(0, P - 1)))
@settings(max_examples=20, deadline=None)
def test_bits_of_any_element_at_full_width_are_its_bits(x):
    assert list(full.value("bits", full.witness({"x": x}))) == [x >> i & 1 for i in range(254)]


full = decomposition(None)


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 64, 252])
def test_integers_outside_a_width_have_no_bits(bits):
    compiled = decomposition(bits)
    compiled.witness({"x": (1 << bits) - 1})
    for x in outside(bits):
        with pytest.raises(UnsatisfiedError, match="bits"):
            compiled.witness({"x": x})


@pytest.mark.parametrize("bits", [1, 2, 7, 8, 64, 252])
def test_a_range_check_takes_the_ends_and_refuses_what_lies_outside(bits):
    compiled = checked(bits)
    for x in (0, 1, (1 << bits) - 1):
        compiled.witness({"x": x})
    for x in outside(bits):
        with pytest.raises(UnsatisfiedError, match="boolean"):
            compiled.witness({"x": x})


@pytest.mark.parametrize("bits", [2, 8, 64])
def test_no_forged_low_bits_bring_a_value_into_range(bits):
    compiled = checked(bits)
    for x in outside(bits):
        forgeries = [
            lambda v: [[0] * (bits - 1)],
            lambda v: [[1] * (bits - 1)],
            lambda v: [[int(v[0]), *[0] * (bits - 2)]],  # the whole value in one "bit"
            lambda v: [[int(v[0]) - (1 << bits - 1), *[0] * (bits - 2)]],
        ]
        for forged in forgeries:
            assert_forgery_fails(compiled, {"x": x}, {"range/bits": forged})


@pytest.mark.parametrize("field", [Fr, BLS12_381_FR], ids=lambda f: f.name)
@pytest.mark.parametrize("x", [0, 1, 12345, 2**250])
def test_the_bits_of_x_plus_the_modulus_are_refused(field, x):
    alias = x + field.modulus
    assert alias < 1 << field.bits
    compiled = decomposition(None, field)
    assert_forgery_fails(compiled, {"x": x}, {"bits": lambda v: [alias >> i & 1 for i in range(field.bits)]})


@pytest.mark.parametrize("field", [Fr, BLS12_381_FR], ids=lambda f: f.name)
def test_the_bits_of_the_modulus_and_its_neighbors_above_are_refused_for_every_small_value(field):
    compiled = decomposition(None, field)
    for x in range(8):
        wrong = [((x + field.modulus) | 1 << i) if i < 4 else x ^ 1 << i for i in range(0, field.bits, 25)]
        for value in wrong:
            if value != x:
                bits = [value >> i & 1 for i in range(field.bits)]
                assert_forgery_fails(compiled, {"x": x}, {"bits": lambda v, bits=bits: bits})


@pytest.mark.parametrize("field", TINY, ids=lambda f: f.name)
def test_over_tiny_fields_each_element_has_one_decomposition(field):
    compiled = decomposition(None, field)
    assert [solutions(compiled, {"x": x}) for x in range(field.modulus)] == [1] * field.modulus


@pytest.mark.parametrize("field", TINY[1:], ids=lambda f: f.name)
def test_over_tiny_fields_a_range_check_has_one_solution_inside_and_none_outside(field):
    c = Circuit(field)
    range_check(c.private("x"), 2)
    compiled = c.compile()
    assert [solutions(compiled, {"x": x}) for x in range(field.modulus)] == [int(x < 4) for x in range(field.modulus)]


@pytest.mark.parametrize(("bits", "x"), [(1, 0), (1, 1), (5, 0), (5, 31), (5, 19), (None, 0), (None, P - 1), (None, 5)])
def test_every_wire_of_a_decomposition_is_pinned(bits, x):
    assert_every_wire_is_pinned(decomposition(bits), {"x": x})


@pytest.mark.parametrize(("bits", "x"), [(2, 3), (5, 0), (5, 31), (64, 2**63)])
def test_every_wire_of_a_range_check_is_pinned(bits, x):
    assert_every_wire_is_pinned(checked(bits), {"x": x})


def test_a_boolean_is_zero_or_one():
    c = Circuit()
    assert_boolean(c.private("x", 2))
    compiled = c.compile()
    for good in ([0, 1], [1, 0]):
        compiled.witness({"x": good})
    for bad in ([0, 2], [-1, 0], [P // 2, 1]):
        with pytest.raises(UnsatisfiedError, match="boolean"):
            compiled.witness({"x": bad})


def test_the_documented_number_of_constraints_holds():
    assert decomposition(8).r1cs.n_constraints == 8 + 8 + 1
    assert checked(8).r1cs.n_constraints == 8
    assert checked(8, (10,)).r1cs.n_constraints == 80
    ones = (P - 1).bit_count()
    assert full.r1cs.n_constraints == 254 + 254 + 1 + ones - 1


def test_a_check_already_made_is_not_made_again():
    c = Circuit()
    x = c.private("x", 3)
    range_check(x, 8)
    before = c.builder.n_constraints
    range_check(x, 8)
    range_check(x[1], 16)
    assert c.builder.n_constraints == before
    range_check(x, 7)
    assert c.builder.n_constraints == before + 3 * 7


def test_bits_and_their_negations_are_known_to_be_boolean():
    c = Circuit()
    bits = to_bits(c.private("x"), 8)
    before = c.builder.n_constraints
    assert_boolean(bits[2:4])
    assert_boolean(1 - bits)
    assert c.builder.n_constraints == before
    assert_boolean(2 - bits[0])
    assert_boolean(bits[0] + bits[1])
    assert c.builder.n_constraints == before + 2


@pytest.mark.parametrize(
    "value",
    [
        lambda bit, wide: 2 * bit,
        lambda bit, wide: -bit,
        lambda bit, wide: 1 + bit,
        lambda bit, wide: 2 - bit,
        lambda bit, wide: 1 - 2 * bit,
        lambda bit, wide: 1 - wide,
        lambda bit, wide: bit + wide,
        lambda bit, wide: bit - wide,
        lambda bit, wide: wide,
        lambda bit, wide: bit * wide,
    ],
)
def test_what_merely_resembles_a_boolean_is_not_taken_for_one(value):
    c = Circuit()
    bit, wide = c.private("bit"), c.private("wide")
    range_check(bit, 1)
    range_check(wide, 2)
    entry = value(bit, wide)
    assert entry.lc.rows == 1  # a product has its wire by now
    before = c.builder.n_constraints
    assert_boolean(entry)
    assert c.builder.n_constraints == before + 1


@pytest.mark.parametrize("factor", [2, P - 1, 1 << 200])
def test_a_range_check_of_a_multiple_says_nothing_of_the_wire(factor):
    c = Circuit()
    x = c.private("x")
    range_check(factor * x, 8)
    range_check(x, 8)
    x_of = pow(factor, -1, P) * 255 % P  # the multiple is in range, the wire is not
    with pytest.raises(UnsatisfiedError):
        c.compile().witness({"x": x_of})


def test_from_bits_inverts_to_bits_and_refuses_what_is_no_bit():
    c = Circuit()
    c.output("x", from_bits(c.private("bits", (2, 3))))
    compiled = c.compile()
    w = compiled.witness({"bits": [[1, 0, 1], [0, 1, 1]]})
    assert list(compiled.value("x", w)) == [5, 6]
    with pytest.raises(UnsatisfiedError):
        compiled.witness({"bits": [[3, 0, 1], [0, 1, 1]]})
    with pytest.raises(UsageError):
        from_bits(Circuit().private("bits", 254))


def test_widths_outside_the_field_are_refused():
    x = Circuit().private("x")
    for bits in (0, -1, 255):
        with pytest.raises(UsageError, match="width"):
            to_bits(x, bits)
        with pytest.raises(UsageError, match="width"):
            range_check(x, bits)


def test_constants_are_checked_while_the_circuit_is_written():
    c = Circuit()
    range_check(c.constant([0, 255]), 8)
    assert c.builder.n_constraints == 0
    with pytest.raises(UsageError, match="9 bits does not fit into 8"):
        range_check(c.constant([0, 256]), 8)
    with pytest.raises(UsageError, match="2 bits does not fit into 1"):
        to_bits(c.constant(2), 1)
    bits = to_bits(c.constant([5, 2]), 3)
    assert (bits.shape, c.builder.n_constraints) == ((2, 3), 0)
    c.assert_equal(bits, [[1, 0, 1], [0, 1, 0]])
