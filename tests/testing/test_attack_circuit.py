"""The search for second witnesses: what it finds, what it rightly leaves alone, and what it says."""

from __future__ import annotations

import numpy as np
import pytest

from zkgpu.circuits import Circuit, Wires
from zkgpu.circuits import gadgets as g
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError, UnsoundError, UsageError
from zkgpu.testing import Draws, attack_assignment, attack_circuit, free_wires
from zkgpu.testing.jacobian import null_space

P = Fr.modulus


def root_of(c: Circuit, x: Wires, bits: int | None = None) -> Wires:
    root = c.hint(lambda v: int(int(v) ** 0.5), [x], label="root")
    if bits is not None:
        g.range_check(root, bits)
    c.assert_equal(root * root, x)
    return root


def quotient_of(c: Circuit, x: Wires, shift: int, bits: int) -> Wires:
    """x = 2^shift q + rest, with rest below 2^shift and q below 2^bits."""
    q = c.hint(lambda v: v >> shift, [x], x.shape, label="quotient")
    g.range_check(x - q * (1 << shift), shift)
    g.range_check(q, bits)
    return q


def published(build, *shapes: tuple[int, ...]) -> Circuit:
    c = Circuit()
    c.output("out", build(c, *(c.private(name, shape) for name, shape in zip("xyz", shapes, strict=False))))
    return c


# what it finds


def test_the_other_root_is_a_second_output() -> None:
    report = attack_circuit(published(root_of, ()), {"x": 49})
    finding = report.second_outputs[0]
    assert (finding.changes[0].name, finding.changes[0].forged, finding.outputs) == ("root", -7, ("out",))
    assert "'root' may have another value: a second output 'out'" in str(report)
    assert finding.values == "'root' may be -7 in place of 7"


def test_a_bounded_root_is_the_only_one() -> None:
    attack_circuit(published(lambda c, x: root_of(c, x, 8), ()), {"x": 49}).require_sound()


@pytest.mark.parametrize("shift", [8, 100, 130])
def test_a_quotient_that_goes_around_the_field_is_found(shift: int) -> None:
    wide = published(lambda c, x: quotient_of(c, x, shift, 254 - shift), ())
    narrow = published(lambda c, x: quotient_of(c, x, shift, 60), ())
    given = {"x": 5 << shift}
    assert attack_circuit(wide, given, tries=3000, jacobian=False).second_outputs
    assert not attack_circuit(narrow, given, tries=3000, jacobian=False).findings


def test_a_maximum_that_need_only_be_an_entry_may_be_any_entry() -> None:
    def largest(c: Circuit, x: Wires) -> Wires:
        top = c.hint(lambda v: v.max(), [x], label="largest")
        c.assert_equal((x[0] - top) * (x[1] - top), 0)
        return top

    report = attack_circuit(published(largest, (2,)), {"x": [1000, 77777]})
    assert report.second_outputs[0].changes[0].forged == 1000


def test_two_hints_that_only_have_a_sum_are_found_together() -> None:
    def parts(c: Circuit, x: Wires) -> Wires:
        low, high = c.hint(lambda v: np.array([v % 8, v // 8], dtype=object), [x], 2, label="parts")
        c.assert_equal(low + 8 * high, x)
        return low

    report = attack_circuit(published(parts, ()), {"x": 123})
    assert report.second_outputs
    assert {wire.name for wire in report.free} == {"out", "parts[0]", "parts[1]"}


def test_an_internal_wire_that_is_not_unique_is_a_weaker_finding() -> None:
    c = Circuit()
    x = c.private("x")
    root_of(c, x)
    c.output("out", x + 1)
    report = attack_circuit(c, {"x": 4})
    assert report.findings
    assert not report.second_outputs
    assert "not unique, outputs the same" in str(report)


def test_hints_inside_of_a_template_are_answered_otherwise_too() -> None:
    def inner(c: Circuit, inputs: Wires) -> Wires:
        return root_of(c, inputs[0])

    c = Circuit()
    c.output("out", c.instantiate(inner, c.private("x", (3, 1))))
    report = attack_circuit(c, {"x": [[4], [9], [16]]}, wires=0)
    change = report.second_outputs[0].changes[0]
    assert change.name.startswith("root of instance ")
    assert change.forged == -change.honest


def test_packed_outputs_are_compared_as_the_verifier_gets_them() -> None:
    c = Circuit()
    c.output_array("out", root_of(c, c.private("x")), interval=(-128, 127))
    assert attack_circuit(c, {"x": 25}).second_outputs[0].outputs == ("out",)


def test_a_packed_output_that_nothing_else_binds_is_found_by_its_wire() -> None:
    c = Circuit()
    x = c.private("x")
    y = c.hint(lambda v: v, [x], label="copy")
    c.output_array("out", y, interval=(-128, 127))
    c.assert_equal(x * x, x * x)
    report = attack_circuit(c, {"x": 25}, tries=0, jacobian=False)
    assert report.second_outputs[0].outputs == ("out",)


def test_what_the_verifier_refuses_is_no_finding() -> None:
    """The other root, -5, is no byte."""
    c = Circuit()
    c.output_array("out", root_of(c, c.private("x")), bits=8)
    assert not attack_circuit(c, {"x": 25}, wires=0).second_outputs


def test_a_private_input_is_changed_only_when_it_is_meant_to_be_determined() -> None:
    c = Circuit()
    key = c.private("key")
    c.output("square", key * key)
    attack_circuit(c, {"key": 6}).require_sound()
    report = attack_circuit(c, {"key": 6}, determined=["key"])
    assert report.findings
    assert {finding.changes[0].forged for finding in report.findings} == {-6}
    assert "not unique, outputs the same" in str(report)
    with pytest.raises(UsageError, match="'keys' is no private input"):
        attack_circuit(c, {"key": 6}, determined=["keys"])


# what it leaves alone


def test_mask_challenges_and_multiplicities_are_the_prover_s() -> None:
    c = Circuit()
    x = c.private("x", 6)
    g.Table("small", range(8)).look_up(x)
    c.output_array("out", x, bits=3)
    attack_circuit(c, {"x": [1, 1, 1, 7, 0, 0]}).require_sound()


def test_a_tested_product_has_no_free_direction() -> None:
    c = Circuit()
    a, b = c.private("a", (4, 4)), c.private("b", (4, 4))
    g.matmul(a, b)
    assert free_wires(c, {"a": np.arange(16).reshape(4, 4), "b": np.arange(16).reshape(4, 4)}) == ()


def test_a_value_that_only_a_challenge_tests_is_free_where_it_is_not_tested() -> None:
    c = Circuit()
    x = c.private("x", 2)
    y = c.hint(lambda v: v, [x], 2, label="copy")
    c.commit(x)
    c.commit(y)
    c.assert_equal(y.sum() * c.challenge("point"), x.sum() * c.challenge("point"))
    assert {wire.name for wire in free_wires(c, {"x": [3, 4]})} == {"copy[0]", "copy[1]"}


def test_lookups_answered_wrongly_are_refused_by_constraints_and_not_by_their_hint() -> None:
    c = Circuit()
    x = c.private("x", 2)
    y = c.hint(lambda v: v % 4, [x], 2, label="rest")
    g.Table("rests", [range(8), [v % 4 for v in range(8)]]).look_up(x, y)
    c.output("y", y)
    report = attack_circuit(c, {"x": [3, 6]})
    assert report.sound
    assert report.tried["hints"] > 100


# what it is made of


def test_inputs_without_an_honest_witness_raise() -> None:
    with pytest.raises(UnsatisfiedError):
        attack_circuit(published(root_of, ()), {"x": 50})


def test_a_report_that_is_not_sound_raises_with_the_hint_s_name() -> None:
    with pytest.raises(UnsoundError, match="'root' may have another value"):
        attack_circuit(published(root_of, ()), {"x": 49}).require_sound()


def test_constraints_and_a_witness_suffice_for_wires() -> None:
    compiled = published(root_of, ()).compile()
    report = attack_assignment(compiled.r1cs, compiled.witness({"x": 49}))
    assert {change.forged for change in report.findings[0].changes} == {-7}


def test_the_same_seed_tries_the_same() -> None:
    c = published(lambda c, x: quotient_of(c, x, 100, 154), ())
    first, again = (attack_circuit(c, {"x": 5 << 100}, tries=300, seed=3, jacobian=False) for _ in range(2))
    assert first == again


def test_draws_are_spread_and_repeat() -> None:
    first, again = ([Draws(4).below(1000) for _ in range(1)] for _ in range(2))
    assert first == again
    draws = Draws(4)
    assert len({draws.below(1 << 300) for _ in range(50)}) == 50
    assert sorted(draws.some_of(range(5), 9)) == [0, 1, 2, 3, 4]
    assert len(set(draws.some_of(range(100), 30))) == 30


@pytest.mark.parametrize(
    ("equations", "basis"),
    [
        ([{1: 1}, {1: 2, 2: 1}], [{3: 1}]),
        ([{1: 1, 2: 1}, {2: 1, 3: P - 1}], [{3: 1, 2: 1, 1: P - 1}]),
        ([{1: 1, 2: 1}, {1: 1, 2: P - 1}, {3: 5}], []),
    ],
)
def test_the_null_space_of_small_equations(equations, basis) -> None:
    found = null_space(equations, {1, 2, 3}, P)
    assert len(found) == len(basis)
    for vector in found:
        for equation in equations:
            assert sum(k * vector.get(u, 0) for u, k in equation.items()) % P == 0
    assert {frozenset(v) for v in found} == {frozenset(v) for v in basis}
