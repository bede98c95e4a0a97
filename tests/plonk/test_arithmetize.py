"""Rows say what constraints say: checked by the gate identity itself, on every kind of constraint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.groth16.committed_statement import squares
from tests.plonk.row_by_row import row_by_row
from zkgpu.circuits import R1CS, Circuit, SparseMatrix, stack
from zkgpu.circuits.gadgets import poseidon
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, UsageError
from zkgpu.plonk.arithmetize import Rows, arithmetize
from zkgpu.plonk.assignment import DEEPEST, levels_of
from zkgpu.plonk.identities import Selectors, WireColumns, gate
from zkgpu.plonk.keys import SELECTORS, Additions
from zkgpu.plonk.permutation import identity_labels, sigma

r = Fr.modulus
WIRES = 6
Combination = dict[int, int]


def matrix(rows: Sequence[Combination]) -> SparseMatrix:
    values = [v for row in rows for v in row.values()]
    at = np.repeat(np.arange(len(rows)), [len(row) for row in rows]) if rows else np.zeros(0, np.int64)
    columns = np.array([w for row in rows for w in row], dtype=np.int64)
    ids = np.arange(len(values), dtype=np.int64)
    return SparseMatrix.from_entries((len(rows), WIRES), at, columns, ids, Fr.to_limbs(values or [0]))


def r1cs(constraints: Sequence[tuple[Combination, Combination, Combination]], n_public: int = 1) -> R1CS:
    a, b, c = (matrix([row[k] for row in constraints]) for k in range(3))
    return R1CS(Fr, a, b, c, n_public_outputs=0, n_public_inputs=n_public, n_private_inputs=1)


def value(combination: Combination, witness: Sequence[int]) -> int:
    return sum(k * witness[w] for w, k in combination.items()) % r


def gates(rows: Rows, witness: Sequence[int]) -> list[int]:
    """The gate identity in every row, public inputs included, for a witness whose wire 0 is 1."""
    wires = [0, *witness[1:]]
    table = Fr.from_limbs(rows.additions.table)
    for (x, y), (f, g) in zip(rows.additions.wires.tolist(), rows.additions.factors.tolist(), strict=True):
        wires.append((table[f] * wires[x] + table[g] * wires[y]) % r)
    columns = [Fr.from_limbs(rows.selectors[name]) for name in SELECTORS]
    return [
        gate(
            WireColumns(*(wires[w] for w in rows.wires[:, i].tolist())),
            Selectors(*(column[i] for column in columns), -witness[i + 1] if i < rows.n_public else 0),
        )
        % r
        for i in range(rows.n_rows)
    ]


coefficients = st.one_of(st.sampled_from([0, 1, 2, r - 1]), st.integers(0, r - 1))
combinations = st.dictionaries(st.integers(0, WIRES - 1), coefficients, max_size=WIRES)
constraints = st.tuples(combinations, combinations, combinations)
witnesses = st.lists(coefficients, min_size=WIRES - 1, max_size=WIRES - 1).map(lambda w: [1, *w])


@settings(max_examples=150, deadline=None)
@given(st.lists(constraints, min_size=1, max_size=4), witnesses, st.integers(0, 2))
def test_all_rows_hold_just_when_all_constraints_do(system: list, witness: list[int], n_public: int) -> None:
    holds = all(value(a, witness) * value(b, witness) % r == value(c, witness) for a, b, c in system)
    assert (not any(gates(arithmetize(r1cs(system, n_public)), witness))) == holds


@settings(max_examples=80, deadline=None)
@given(st.lists(constraints, min_size=1, max_size=5), st.integers(0, 2))
def test_arrays_are_what_one_row_after_another_would_be(system: list, n_public: int) -> None:
    circuit = r1cs(system, n_public)
    made, wanted = arithmetize(circuit), row_by_row(circuit)
    assert np.array_equal(made.wires, wanted.wires)
    assert np.array_equal(made.additions.wires, wanted.additions.wires)
    assert np.array_equal(made.additions.factors, wanted.additions.factors)
    assert np.array_equal(made.additions.table, wanted.additions.table)
    assert all(np.array_equal(made.selectors[name], wanted.selectors[name]) for name in SELECTORS)


@settings(max_examples=60, deadline=None)
@given(combinations, combinations, witnesses)
def test_a_constraint_that_is_made_to_hold_gives_rows_that_hold(a: Combination, b: Combination, witness: list) -> None:
    product = value(a, witness) * value(b, witness) % r
    rest = {2: 5, 3: r - 7, 4: 1}
    c = {**rest, 0: (product - value(rest, witness)) % r}
    rows = arithmetize(r1cs([(a, b, c)]))
    assert not any(gates(rows, witness))
    broken = [*witness]
    broken[5] = (broken[5] + 1) % r
    assert any(gates(rows, broken)) == (value(a, broken) * value(b, broken) % r != value(c, broken))


@pytest.mark.parametrize("n_rows", [1, 2, 8, 9, 16, 17])
def test_the_domain_is_the_smallest_that_holds_the_rows_and_eight_at_least(n_rows: int) -> None:
    rows = arithmetize(r1cs([({1: 1}, {2: 1}, {3: 1})] * (n_rows - 1)))
    assert rows.n_rows == n_rows
    assert 1 << rows.log_size == max(8, 1 << (n_rows - 1).bit_length())


def test_a_circuit_without_rows_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to prove"):
        arithmetize(r1cs([], n_public=0))


def test_a_circuit_with_challenges_is_refused() -> None:
    committed = squares().r1cs
    assert committed.rounds
    with pytest.raises(UsageError, match="challenges"):
        arithmetize(committed)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 5)] * 3), min_size=1, max_size=8))
def test_sigma_goes_around_the_positions_of_each_wire(rows: list[tuple[int, int, int]]) -> None:
    size = 8
    leads_to = sigma(np.array(rows, dtype=np.int32).T, size).reshape(-1)
    table = np.zeros((3, size), dtype=np.int64)
    table[:, : len(rows)] = np.array(rows).T
    wires = table.reshape(-1)
    assert sorted(leads_to.tolist()) == list(range(3 * size))
    for wire in set(wires.tolist()):
        positions = set(np.flatnonzero(wires == wire).tolist())
        at, seen = min(positions), set()
        while at not in seen:
            seen.add(at)
            at = int(leads_to[at])
        assert seen == positions


def test_every_position_has_a_name_of_its_own() -> None:
    from zkgpu.ntt.domain import Domain

    assert len({row.tobytes() for row in identity_labels(Domain(Fr, 64), (2, 3))}) == 3 * 64


def chain(depth: int) -> Additions:
    """Each addition doubles the one before it."""
    wires = [(i + 1, i + 1) for i in range(depth)]
    return Additions(np.array(wires, np.int32), np.zeros((depth, 2), np.int32), Fr.to_limbs([1]))


def test_additions_come_after_those_they_lean_on() -> None:
    assert levels_of(chain(DEEPEST), 2).tolist() == list(range(1, DEEPEST + 1))


def test_additions_that_lean_too_deep_are_refused() -> None:
    with pytest.raises(FormatError, match="set up again"):
        levels_of(chain(1000), 2)


def test_a_poseidon_hash_takes_as_many_constraints_and_rows_as_the_readme_says() -> None:
    def hashes(count: int) -> R1CS:
        circuit = Circuit()
        node, salt = circuit.private("x"), circuit.private("salt")
        for _ in range(count):
            node = poseidon(stack([node, salt]))
        circuit.output("y", node)
        return circuit.compile().r1cs

    one, two = hashes(1), hashes(2)
    assert two.n_constraints - one.n_constraints == 240
    assert arithmetize(two).wires.shape[1] - arithmetize(one).wires.shape[1] == 2590
