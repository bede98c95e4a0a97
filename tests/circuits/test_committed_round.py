"""Commitments, challenges and packed public values, as a circuit sees them."""

from __future__ import annotations

import re

import numpy as np
import pytest
from exhaustive import F5, satisfying
from hypothesis import given, settings
from hypothesis import strategies as st
from mutation import assert_every_wire_is_pinned

from zkgpu.circuits import Circuit
from zkgpu.circuits.committed import FirstRound, PublicArray
from zkgpu.circuits.gadgets import Table
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, LengthError, UsageError

P = Fr.modulus


def product_at_a_point() -> Circuit:
    """(x + z)(y + z) = xy + (x + y) z + z^2 at a challenge z, with xy and x + y given as s and t."""
    c = Circuit()
    x, y, s, t = (c.private(name) for name in "xyst")
    c.commit(x)
    c.commit(2 * y - s + t, label="the rest")
    z = c.challenge()
    c.assert_equal((x + z) * (y + z), s + t * z + z * z, label="at z")
    return c


INPUTS = {"x": 3, "y": 5, "s": 15, "t": 8}


def test_public_wires_come_first_then_the_committed_then_the_rest():
    c = product_at_a_point()
    c.output("double", 2 * c.private("u"))
    array = c.public_array("v", 3, bits=8)
    c.assert_equal(array.sum(), c.public("sum"))
    compiled = c.compile()
    r1cs = compiled.r1cs
    assert r1cs.n_public == 5  # double, sum, two challenges, the digest
    assert (r1cs.n_public_outputs, r1cs.n_public_inputs) == (1, 1)
    assert (r1cs.n_committed, r1cs.rounds[0].n_challenges) == (1 + 4 + 3, 2)
    first = {signal.name: signal.first for signal in compiled.signals}
    assert (first["double"], first["sum"]) == (1, 2)
    assert sorted(first[name] for name in "vxyst") == [7, 10, 11, 12, 13]
    assert first["u"] == 14


def test_the_first_round_shows_what_is_public_and_committed_and_the_answer_is_used():
    c = product_at_a_point()
    c.output("double", 2 * c.private("u"))
    c.output_array("w", c.private("w_in", 2) - 4, interval=(-4, 9))
    compiled, seen = c.compile(), []

    def challenges(first: FirstRound) -> list[int]:
        seen.append(first)
        return [1000, 77]

    assignment = compiled.witness({**INPUTS, "u": 21, "w_in": [3, 13]}, challenges)
    (first,) = seen
    assert first.public == (42,)
    assert first.packed == bytes([255, 9])
    assert Fr.from_limbs(first.committed) == Fr.from_limbs(assignment[5 : 5 + compiled.r1cs.n_committed])
    assert Fr.from_limbs(first.committed)[0] == 0
    digest = (127 * 1000 + 137) % P
    assert Fr.from_limbs(assignment[2:5]) == [1000, 77, digest]
    assert compiled.r1cs.rounds[0].digest(first.packed, 1000, P) == digest
    assert compiled.packed(assignment) == first.packed


def test_a_witness_without_challenges_is_checked_at_random_ones():
    compiled = product_at_a_point().compile()
    first, second = (compiled.witness(INPUTS) for _ in range(2))
    assert not np.array_equal(first[1], second[1])


def test_every_wire_of_a_circuit_with_a_digest_is_pinned():
    c = product_at_a_point()
    c.output_array("w", c.public_array("v", 3, interval=(-5, 5)) * 2, bits=16)
    assert_every_wire_is_pinned(c.compile(), {**INPUTS, "v": [0, 1, 2]})


@pytest.mark.parametrize("answer", [[], [1, 2], [P], [-1]])
def test_challenges_of_the_wrong_number_or_form_are_refused(answer):
    with pytest.raises(UsageError, match="1 challenges"):
        product_at_a_point().compile().witness(INPUTS, lambda first: answer)


def test_the_same_name_gives_the_same_challenge_and_none_a_new_one():
    c = Circuit()
    a, b, d, e = c.challenge("a"), c.challenge("a"), c.challenge(), c.challenge()
    c.assert_equal(a, b)
    c.assert_equal(d + e, e + d)
    assert c.compile().r1cs.rounds[0].n_challenges == 3


def test_what_is_committed_may_not_depend_on_a_challenge():
    c = Circuit()
    x = c.private("x")
    late = x * c.challenge()
    c.commit(x * x, label="early")
    with c.scope("layer"):
        c.commit(late, label="late")
    with pytest.raises(UsageError, match=r"'layer/late'.*depends on a challenge"):
        c.compile()


def test_what_is_looked_up_or_published_may_not_depend_on_a_challenge():
    c = Circuit()
    Table("bits", [0, 1]).look_up(c.private("x") * c.challenge(), label="mine")
    with pytest.raises(UsageError, match="'mine'"):
        c.compile()
    for publish in (Circuit.output, lambda c, name, value: c.output_array(name, value, bits=8)):
        c = Circuit()
        publish(c, "out", c.private("x") * c.challenge())
        with pytest.raises(UsageError, match="'out'"):
            c.compile()


def test_steps_written_after_a_challenge_run_before_it_when_they_can():
    c = Circuit()
    x, z = c.private("x"), c.challenge()
    c.assert_equal((x - z) * (x + z), c.public("y") - z * z)
    c.commit(x)
    square = c.hint(lambda v: int(v) ** 2, [x], label="square")
    c.commit(square)
    c.assert_equal(x * x, square)
    compiled = c.compile()
    seen = []
    compiled.witness({"x": 9, "y": 81}, lambda first: [seen.extend(Fr.from_limbs(first.committed)) or 5])
    assert seen == [0, 9, 81]


def test_nothing_is_committed_or_looked_up_once_the_circuit_was_compiled():
    c = product_at_a_point()
    again = c.compile().r1cs.n_constraints
    assert c.compile().r1cs.n_constraints == again
    x = c.private("late")
    for act in (lambda: c.commit(x), lambda: c.challenge("new"), lambda: Table("t", [1]).look_up(x)):
        with pytest.raises(UsageError, match="compiled already"):
            act()


def test_a_instantiated_gadget_cannot_look_up():
    def gadget(c, x):
        Table("t", [1]).look_up(x[0])
        return x

    c = Circuit()
    with pytest.raises(UsageError, match="'gadget' is instantiated"):
        c.instantiate(gadget, c.private("x", (2, 1)))


def test_ordinary_circuits_have_no_round():
    c = Circuit()
    c.assert_equal(c.private("x"), c.public("y"))
    r1cs = c.compile().r1cs
    assert (r1cs.rounds, r1cs.n_committed, r1cs.n_public) == ((), 0, 1)


# public arrays

intervals = st.tuples(st.integers(-(2**100), 2**100), st.integers(0, 2**100)).map(lambda t: (t[0], t[0] + t[1]))


@given(intervals, st.data())
@settings(max_examples=60)
def test_packed_values_come_back(interval, data):
    array = PublicArray("a", (3,), *interval)
    values = data.draw(st.lists(st.integers(*interval), min_size=3, max_size=3))
    packed = array.pack(values)
    assert len(packed) == 3 * array.width
    assert array.unpack(packed).tolist() == values


@pytest.mark.parametrize(
    ("interval", "width"),
    [((0, 255), 1), ((0, 256), 2), ((-128, 127), 1), ((-129, 0), 2), ((-(2**31), 2**31 - 1), 4), ((5, 5), 1)],
)
def test_values_take_as_few_bytes_as_their_interval_allows(interval, width):
    assert PublicArray("a", (), *interval).width == width


def test_a_name_that_is_no_unicode_text_is_refused() -> None:
    with pytest.raises(UsageError, match=r"'\\ud800' has a name with half a surrogate pair"):
        PublicArray("\ud800", (), 0, 1)


def test_values_outside_their_interval_are_refused_with_their_index():
    array = PublicArray("image", (2, 2), -7, 7)
    with pytest.raises(UsageError, match=re.escape("'image'[1, 0] is outside -7 .. 7")) as error:
        array.pack([0, 7, -8, 0])
    assert error.value.values == "it is -8"
    with pytest.raises(FormatError, match=re.escape("'image'[0, 1] is outside")) as error:
        array.unpack(bytes([0, 8, 0, 0]))
    assert error.value.values == "it is 8"
    with pytest.raises(LengthError):
        array.unpack(bytes(3))
    c = Circuit()
    c.assert_equal(c.public_array("v", 2, interval=(-3, 3)).sum(), 0)
    compiled = c.compile()
    compiled.witness({"v": [3, -3]})
    with pytest.raises(UsageError, match=re.escape("'v'[0] is outside -3 .. 3")):
        compiled.witness({"v": [4, -4]})


@pytest.mark.parametrize(
    "arguments", [{}, {"bits": 0}, {"bits": 129}, {"interval": (3, 2)}, {"bits": 8, "interval": (0, 1)}]
)
def test_arrays_without_a_sensible_interval_are_refused(arguments):
    with pytest.raises(UsageError, match="public array 'v'"):
        Circuit().public_array("v", 3, **arguments)


def test_names_of_arrays_and_signals_are_unique():
    c = Circuit()
    x = c.public_array("v", (), bits=4)
    c.output_array("w", x, bits=4)
    for declare in (c.private, c.public, lambda name: c.output_array(name, x, bits=4)):
        for name in "vw":
            with pytest.raises(UsageError, match="already has"):
                declare(name)


def test_over_a_tiny_field_two_arrays_share_a_digest_for_one_challenge_at_most():
    c = Circuit(F5)
    c.public_array("v", 2, interval=(0, 4))
    shared: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for row in satisfying(c.compile()):
        _, point, digest, _, v0, v1, *_ = map(int, row)
        assert digest == (v0 * point + v1) % 5
        shared.setdefault((point, digest), set()).add((v0, v1))
    pairs = [(a, b) for same in shared.values() for a in same for b in same if a < b]
    assert len(pairs) == len(set(pairs)) > 0


def test_an_array_costs_a_constraint_a_value():
    c = Circuit()
    c.public_array("v", (8, 8), interval=(-128, 127))
    assert c.compile().r1cs.n_constraints == 64 + 1  # and the mask's
