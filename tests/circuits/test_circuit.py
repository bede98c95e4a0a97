"""Circuits: arithmetic on wires and arrays of them, what compiles, and what is refused while writing."""

from __future__ import annotations

import numpy as np
import pytest
from circuit_examples import cubic, evaluate
from hypothesis import given, settings
from hypothesis import strategies as st

from zkgpu.circuits import Circuit, concatenate, stack
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError, UsageError

P = Fr.modulus
elements = st.one_of(st.sampled_from([0, 1, 2, P - 1, P - 2, P // 2, 2**64 - 1, 2**64, 2**128]), st.integers(0, P - 1))


def test_a_cubic_takes_two_constraints_and_its_wires_are_one_public_private_internal():
    compiled = cubic().compile()
    assert compiled.r1cs.n_constraints == 2
    assert Fr.from_limbs(compiled.witness({"x": 3, "out": 35})) == [1, 35, 3, 9]


def test_outputs_come_before_public_inputs_and_those_before_private_ones():
    c = Circuit()
    secret = c.private("secret")
    known = c.public("known")
    c.output("sum", secret * known + 1)
    compiled = c.compile()
    assert Fr.from_limbs(compiled.witness({"secret": 5, "known": 7})) == [1, 36, 7, 5]
    assert (compiled.r1cs.n_public_outputs, compiled.r1cs.n_public_inputs, compiled.r1cs.n_private_inputs) == (1, 1, 1)


def test_a_broken_constraint_is_named_and_its_values_are_beside_the_message():
    with pytest.raises(UnsatisfiedError, match=r"^constraint 1 'cubic': A \* B is not C$") as error:
        cubic().compile().witness({"x": 3, "out": 36})
    assert error.value.values == "9 * 3 = 27, but C is 28"


def test_an_entry_of_a_scoped_array_is_named_with_its_index():
    c = Circuit()
    x = c.private("x", 4)
    with c.scope("layer"), c.scope("bits"):
        c.assert_equal(x * x, x, label="boolean")
    with pytest.raises(UnsatisfiedError, match=r"constraint 2 'layer/bits/boolean\[2\]': ") as error:
        c.compile().witness({"x": [0, 1, 2, 1]})
    assert error.value.values == "2 * 2 = 4, but C is 2"


def test_small_negative_values_are_shown_as_negative():
    c = Circuit()
    c.assert_equal(c.private("x"), 1)
    with pytest.raises(UnsatisfiedError) as error:
        c.compile().witness({"x": P - 1})
    assert error.value.values in ("-1 * 1 = -1, but C is 1", "1 * 1 = 1, but C is -1")


# arithmetic


@given(elements, elements)
@settings(max_examples=30, deadline=None)
def test_arithmetic_is_the_fields(x, y):
    got = evaluate(
        lambda x, y: stack([x + y, x - y, x * y, 3 - x, -y, x**5, 2 * x * y + x - 7, (x + y) * (x - y)]), x=x, y=y
    )
    want = [x + y, x - y, x * y, 3 - x, -y, x**5, 2 * x * y + x - 7, x * x - y * y]
    assert list(got) == [v % P for v in want]


@given(elements, elements.filter(bool))
@settings(max_examples=15, deadline=None)
def test_division_multiplies_back(x, y):
    quotient = evaluate(lambda x, y: x / y, x=x, y=y)
    assert quotient.item() * y % P == x


def test_division_by_constants_is_free_and_by_the_constant_zero_refused():
    c = Circuit()
    x = c.private("x")
    half = x / 2
    assert c.builder.n_constraints == 0
    c.output("half", half)
    compiled = c.compile()
    assert compiled.value("half", compiled.witness({"x": 10})).item() == 5
    with pytest.raises(UsageError, match="constant 0"):
        x / 0


def test_division_by_a_wire_that_is_zero_is_refused_by_name():
    c = Circuit()
    c.output("y", 1 / c.private("x"))
    with pytest.raises(UnsatisfiedError, match="inverse"):
        c.compile().witness({"x": 0})


shapes = st.sampled_from(
    [((), (3,)), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 4)), ((2, 3), (2, 3)), ((0,), (0,)), ((1,), ())]
)


@given(shapes, st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_arrays_broadcast_and_compute_as_numpys(shapes, seed):
    rng = np.random.default_rng(seed)
    x, y, k = (rng.integers(-9, 9, shape) for shape in (*shapes, shapes[0]))
    want = (x + y) * (x - 2 * y) + k * x - k
    got = evaluate(lambda x, y: (x + y) * (x - 2 * y) + k * x - k, x=x, y=y)
    assert got.shape == want.shape
    assert (got == want.astype(object) % P).all()


@pytest.mark.parametrize(
    ("left", "right"), [((3,), (3,)), ((2, 3), (3,)), ((2, 3), (3, 4)), ((2, 2, 3), (3, 2)), ((3,), (3, 2))]
)
@pytest.mark.parametrize("constant", ["left", "right", "neither"])
def test_matrix_products_are_numpys(left, right, constant):
    rng = np.random.default_rng(1)
    x, y = rng.integers(-50, 50, left), rng.integers(-50, 50, right)
    want = (x @ y).astype(object) % P
    if constant == "left" and x.ndim <= 2:
        got = evaluate(lambda w: x @ w, y=y)
    elif constant == "right":
        got = evaluate(lambda w: w @ y, x=x)
    else:
        got = evaluate(lambda v, w: v @ w, x=x, y=y)
    assert np.shape(got) == np.shape(want)
    assert (got == want).all()


def test_products_with_constants_make_no_constraint():
    c = Circuit()
    x = c.private("x", (4, 5))
    y = (x @ np.arange(10).reshape(5, 2)).sum(axis=1) * 3 - x.T[0, :1]
    assert c.builder.n_constraints == 0
    assert y.shape == (4,)


def test_reshape_index_transpose_and_sum_are_numpys():
    x = np.arange(24).reshape(2, 3, 4)
    build = [
        lambda x: x.T,
        lambda x: x.reshape(6, -1)[1:4, ::2],
        lambda x: x.transpose((1, 0, 2))[..., -1],
        lambda x: x.sum(axis=1),
        lambda x: x.sum(axis=0) + x.sum(axis=-3),
        lambda x: x.reshape((4, 6))[[0, 2, 2]],
    ]
    for f in build:
        got, want = evaluate(f, x=x), f(x)
        assert got.shape == want.shape
        assert (got == want).all()
    assert evaluate(lambda x: x.sum(), x=x).item() == x.sum()


def test_stacking_joins_along_the_asked_axis():
    x, y = np.arange(6).reshape(2, 3), np.arange(6, 12).reshape(2, 3)
    for axis in (0, 1, 2, -1):
        assert (evaluate(lambda x, y, axis=axis: stack([x, y], axis), x=x, y=y) == np.stack([x, y], axis)).all()


def test_concatenating_joins_along_the_asked_axis():
    x, y = np.arange(6).reshape(2, 3), np.arange(6, 12).reshape(2, 3)
    for axis in (0, 1, -1):
        got = evaluate(lambda x, y, axis=axis: concatenate([x, 2 * y, x * y], axis), x=x, y=y)
        assert (got == np.concatenate([x, 2 * y, x * y], axis)).all()


def test_a_product_used_twice_is_constrained_once():
    c = Circuit()
    x, y = c.private("x"), c.private("y")
    p = x * y
    c.output("a", p + x)
    c.output("b", 3 * p - y)
    c.output("c", p * p)
    compiled = c.compile()
    assert compiled.r1cs.n_constraints == 3
    w = compiled.witness({"x": 5, "y": 7})
    assert [compiled.value(n, w).item() for n in "abc"] == [40, 98, 1225]


def test_asserting_a_product_makes_no_wire():
    c = Circuit()
    x, y, z = (c.private(n) for n in "xyz")
    c.assert_equal(2 * (x * y) - 1, z)
    compiled = c.compile()
    assert (compiled.r1cs.n_constraints, compiled.r1cs.n_wires) == (1, 4)
    compiled.witness({"x": 3, "y": 4, "z": 23})
    with pytest.raises(UnsatisfiedError):
        compiled.witness({"x": 3, "y": 4, "z": 24})


def test_coefficients_that_cancel_leave_no_term():
    c = Circuit()
    x = c.private("x", 3)
    assert (x - x).lc.wires.size == 0
    assert (x + (P - 1) * x).lc.wires.size == 0
    assert sum([x] * 7).lc.wires.size == 3


# refusals while writing


def test_assertions_never_broadcast():
    c = Circuit()
    x = c.private("x", 4)
    for other in (0, c.private("y"), np.zeros((1, 4), dtype=int), np.zeros(3, dtype=int)):
        with pytest.raises(UsageError, match="never broadcasts"):
            c.assert_equal(x, other)
    with pytest.raises(UsageError, match="never broadcasts"):
        c.assert_product(x, x, 1)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda c, x: x + np.zeros(3, dtype=int),
        lambda c, x: x @ np.zeros(3, dtype=int),
        lambda c, x: x.reshape(3),
        lambda c, x: x * 1.5,
        lambda c, x: x * [[1], [1, 2]],
        lambda c, x: x + "1",
        lambda c, x: x**-1,
        lambda c, x: x**x,
        lambda c, x: bool(x[0]),
        lambda c, x: x == x,
        lambda c, x: x + Circuit().private("z", 4),
        lambda c, x: c.private("x"),
        lambda c, x: c.assert_equal(c.constant(1), 2),
        lambda c, x: stack([x, x[0]]),
        lambda c, x: concatenate([x, x.reshape(2, 2)]),
        lambda c, x: x[0] < 5,
        lambda c, x: x[0] <= 5,
    ],
)
def test_mistakes_are_refused_in_one_line(mistake):
    c = Circuit()
    x = c.private("x", 4)
    with pytest.raises(UsageError) as caught:
        mistake(c, x)
    assert "\n" not in str(caught.value)


def test_an_unused_private_input_is_refused_and_a_partly_used_one_warned_about():
    c = cubic()
    salt = c.private("salt", 3)
    with pytest.raises(UsageError, match="'salt' appears in no constraint"):
        c.compile()
    c.assert_equal(salt[0], 1)
    with pytest.warns(UserWarning, match="2 of the 3 values of private input 'salt'"):
        c.compile()


def test_an_unused_public_input_is_kept_for_the_proof_system_to_bind():
    c = cubic()
    c.public("recipient")
    assert c.compile().r1cs.n_public == 2


def test_a_hint_that_nothing_constrains_is_refused():
    c = cubic()
    c.hint(lambda: [1, 2], [], shape=2, label="free")
    with pytest.raises(UsageError, match="hint 'free' appears in no constraint"):
        c.compile()


def test_a_hint_inside_a_template_that_nothing_constrains_is_refused():
    c = Circuit()
    with pytest.raises(UsageError, match="appears in no constraint"):
        c.instantiate(lambda c, x: c.hint(lambda x: x[0], [x]), c.private("x", 1))


def test_a_hint_of_the_wrong_shape_or_kind_is_named():
    for result in ([1, 2], [1.5], ["1"]):
        c = Circuit()
        x = c.private("x", 1)
        c.assert_equal(c.hint(lambda x, result=result: result, [x], shape=1, label="odd"), x)
        with pytest.raises(UsageError, match="hint 'odd'"):
            c.compile().witness({"x": [1]})


def test_a_hint_may_mix_small_and_large_integers():
    c = Circuit()
    c.output("y", c.hint(lambda: [1, 2**63, -(2**200)], [], shape=3))
    compiled = c.compile()
    assert compiled.value("y", compiled.witness({})).tolist() == [1, 2**63, P - 2**200]


def test_circuit_has_what_an_author_needs_and_its_builder_the_rest():
    declare = {"public", "private", "output", "public_array", "output_array"}
    values = {"constant", "wires", "materialize", "hint", "instantiate"}
    says = {"assert_equal", "assert_product", "scope", "commit", "challenge"}
    face = {name for name in (*dir(Circuit), *vars(Circuit())) if not name.startswith("_")}
    assert face == declare | values | says | {"of", "field", "builder", "compile"}


def test_a_gadget_finds_the_circuit_of_its_wires():
    c = Circuit()
    x = c.private("x")
    with c.scope("here"):
        Circuit.of(7, x).assert_equal(x * x, 49, label="square")
    with pytest.raises(UnsatisfiedError, match="'here/square'"):
        c.compile().witness({"x": 6})
    assert repr(c) == "<Circuit, 1 constraints, 2 wires so far>"


def test_there_is_no_circuit_of_numbers():
    with pytest.raises(UsageError, match=r"a gadget works on wires, and was given int and list.*circuit\.constant"):
        Circuit.of(7, [1, 2])
