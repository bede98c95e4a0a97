"""A wire that meets a challenge was fixed before it: it is committed or public, or the circuit does not compile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.soundness import tried
from zkgpu.circuits import Circuit, Wires, stack
from zkgpu.circuits.free_choice import depend_on_challenges
from zkgpu.circuits.gadgets import Table, assert_in_range, matmul
from zkgpu.circuits.gadgets.freivalds import polynomials_at
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UsageError

A, B = np.array([[1, 2], [3, 4]]), np.array([[5, 6], [7, 8]])


def matrix_product(*committed: str) -> Circuit:
    """A (B r) = C r for r = (z, 1) at a challenge z, with the named matrices committed."""
    c = Circuit()
    matrices = {name: c.private(name, (2, 2)) for name in "ABC"}
    for name in committed:
        c.commit(matrices[name])
    b_r, c_r = (polynomials_at(matrices[name], c.challenge("z")) for name in "BC")
    c.assert_equal(matrices["A"] @ b_r, c_r, label="freivalds")
    return c


def test_a_product_that_is_chosen_after_the_challenge_passes_the_test_and_therefore_does_not_compile(monkeypatch):
    with monkeypatch.context() as unchecked:
        unchecked.setattr("zkgpu.circuits.compiled._refuse_late_choice", lambda *_: None, raising=False)
        compiled = matrix_product("A", "B").compile()
    seen: list[Any] = []

    def challenge(first: Any) -> list[int]:
        seen.append(first)
        return [123456789 + sum(Fr.from_limbs(first.committed))]  # any function of what was committed

    right = A @ B
    z = Fr.from_limbs(compiled.witness({"A": A, "B": B, "C": right}, challenge)[1:2])[0]
    wrong = right.astype(object) + np.array([[1, -z], [0, 0]])  # more by 1 in one column, less by z in the other
    forged = compiled.witness({"A": A, "B": B, "C": wrong}, challenge)
    compiled.r1cs.check(forged)  # a false product, and the same challenge
    assert np.array_equal(seen[0].committed, seen[1].committed)
    assert Fr.from_limbs(forged[1:2]) == [z]
    with pytest.raises(UsageError, match=r"'horner\[0\]'.*private input 'C'\[0, 0\].*circuit\.commit"):
        matrix_product("A", "B").compile()


def test_the_product_compiles_when_all_it_is_about_is_committed():
    compiled = matrix_product("A", "B", "C").compile()
    assert compiled.r1cs.n_committed == 13
    with pytest.raises(UsageError, match="private input 'A'"):
        matrix_product("B", "C").compile()


def only_beside_a_challenge(c: Circuit) -> None:
    x, z = c.private("x"), c.challenge()
    c.assert_equal(x * z, c.public("y") * z, label="here")


def a_hint_computed_before(c: Circuit) -> None:
    x, z = c.private("x"), c.challenge()
    c.assert_equal(x * x, c.public("y"))
    square = c.hint(lambda v: v * v, [x], label="square")
    c.assert_equal(square * z, z * z, label="here")


def a_product_of_committed_wires(c: Circuit) -> None:
    x, z = c.private("x"), c.challenge()
    c.commit(x)
    c.assert_equal(c.materialize(x * x) * z, c.public("y") * z, label="here")


def a_sum_that_is_assigned(c: Circuit) -> None:
    x, z = c.private("x"), c.challenge()
    with c.scope("here"):
        total = c.materialize(x + z)
    c.assert_equal(total, c.public("y") + z)


def inside_a_instantiated_gadget(c: Circuit) -> None:
    def gadget(c: Circuit, row: Wires) -> Wires:
        root = c.hint(lambda v: v, [row[0]])
        c.assert_equal(root * root, row[0] * row[0])
        c.assert_equal(root * row[1], row[0] * row[1])
        return root

    x, z = c.private("x"), c.challenge()
    c.commit(x)
    c.instantiate(gadget, stack([x, z]).reshape(1, 2), label="here")


def an_instance_of_a_instantiated_gadget_that_has_no_challenge(c: Circuit) -> None:
    def gadget(c: Circuit, row: Wires) -> Wires:
        root = c.hint(lambda v: v, [row[0]])
        c.assert_equal(root * root, row[0] * row[0])
        return root

    x, z = c.private("x"), c.challenge()
    c.commit(x)
    roots = c.instantiate(gadget, stack([x, z]).reshape(2, 1))
    c.assert_equal(roots[0] * z, x * z, label="here")


def an_entry_without_a_challenge_of_an_array_with_one(c: Circuit) -> None:
    x, z = c.private("x"), c.challenge()
    c.commit(x)
    both = c.materialize(stack([x * x, z * z]))
    c.assert_equal(both[0] * both[1], c.public("y") * both[1], label="here")


REFUSED = [
    only_beside_a_challenge,
    a_hint_computed_before,
    a_product_of_committed_wires,
    a_sum_that_is_assigned,
    inside_a_instantiated_gadget,
    an_instance_of_a_instantiated_gadget_that_has_no_challenge,
    an_entry_without_a_challenge_of_an_array_with_one,
]


@pytest.mark.parametrize("write", REFUSED, ids=lambda write: write.__name__)
def test_what_the_prover_could_choose_after_the_challenge_does_not_compile(write: Callable[[Circuit], None]):
    c = Circuit()
    write(c)
    with pytest.raises(UsageError, match=r"^constraint \d+ 'here.*could choose after it.*circuit\.commit\(") as error:
        c.compile()
    assert "\n" not in str(error.value)


def test_the_wire_is_named_by_where_it_comes_from():
    said = {
        only_beside_a_challenge: "private input 'x',",
        a_hint_computed_before: "entry 0 of hint 'square',",
        a_product_of_committed_wires: "a value of constraint 0,",
        inside_a_instantiated_gadget: "a value of constraint 1 'here[1]',",
    }
    for write, origin in said.items():
        c = Circuit()
        write(c)
        with pytest.raises(UsageError) as error:
            c.compile()
        assert origin in str(error.value)


def test_a_challenge_alone_is_no_reason_to_commit():
    c = Circuit()
    z, x = c.challenge(), c.private("x")
    c.assert_equal(x * x, c.public("square"))
    c.assert_equal(z * z, c.materialize(z * z))
    assert c.compile().r1cs.n_committed == 1  # the mask


def mixed(c: Circuit) -> None:
    """All ways to commit, beside what depends on no challenge."""
    a, b, v = c.private("a", (6, 4)), c.private("b", (4, 6)), c.public_array("v", 4, interval=(-8, 7))
    table = Table("squares", [[*range(-8, 8)], [i * i for i in range(-8, 8)]])
    table.look_up(v, v * v)
    assert_in_range(a.ravel(), 16)
    c.output("total", matmul(a, b).sum())
    c.output_array("w", v * 2, interval=(-16, 14))
    c.assert_equal(b.sum() * v.sum(), c.materialize(b.sum() * v.sum()))


def test_the_gadgets_commit_to_all_that_their_challenges_test():
    c = Circuit()
    mixed(c)
    c.compile()


def test_only_wires_that_are_marked_change_with_the_challenges():
    def gadget(c: Circuit, row: Wires) -> Wires:
        c.assert_equal(c.hint(lambda v: v, [row[1]]), row[1])
        return row[0] * row[1] + row[0]

    c = Circuit()
    mixed(c)
    x, z, y = c.private("x"), c.challenge(), c.challenge()
    c.commit(x)
    sums = c.instantiate(gadget, stack([x, x, z, x, x, z, y, z]).reshape(4, 2))
    c.assert_equal(sums[1:].sum(), sums[1:].sum())
    c.builder.finish()
    depends = depend_on_challenges(c.builder.steps, c.builder.n_wires, c.builder.rounds.challenge_wires)
    compiled = c.compile()
    inputs = {"a": np.arange(24).reshape(6, 4), "b": np.arange(24).reshape(4, 6), "v": [-8, 7, 0, 1], "x": 5}
    n = compiled.r1cs.rounds[0].n_challenges
    first, second = (compiled.witness(inputs, lambda _, at=at: [*range(at, at + n)]) for at in (10**9, 10**12))
    changed = np.zeros(c.builder.n_wires, dtype=bool)
    changed[compiled._order] = (first != second).any(axis=1)
    tried("wires that depend on challenges", int(depends.sum()))
    assert not (changed & ~depends).any()
    assert changed.sum() > 0.9 * depends.sum()  # the others are products with 0, or multiplicities of 0
    own = slice(int(sums.lc.wires[0]) - 2, int(sums.lc.wires[-1]) + 1)
    assert np.array_equal(changed[own], depends[own])
