"""Lookups in tables, and range checks by limbs."""

from __future__ import annotations

import numpy as np
import pytest
from exhaustive import F7, challenges_by_commitment
from hypothesis import given, settings
from hypothesis import strategies as st
from mutation import answering, assert_every_wire_is_pinned, assert_forgery_fails

from zkgpu.circuits import Circuit, CompiledCircuit, gadgets
from zkgpu.circuits.gadgets import lookup
from zkgpu.circuits.gadgets.limbs import plan_limbs
from zkgpu.circuits.gadgets.lookup import Table
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError, UsageError

P = Fr.modulus
SQUARES = Table("squares", [range(-4, 5), [v * v for v in range(-4, 5)]])


def squaring(n: int = 3) -> CompiledCircuit:
    """y = x^2 by a table, for n values from -4 to 4."""
    c = Circuit()
    x, y = c.private("x", n), c.private("y", n)
    SQUARES.look_up(x, y, label="square")
    return c.compile()


def ranges(n: int, bits: int) -> CompiledCircuit:
    c = Circuit()
    gadgets.assert_in_range(c.private("x", n), bits)
    return c.compile()


def forgiving(*columns: np.ndarray) -> list[int]:
    """Multiplicities of SQUARES that pass over values outside the table."""
    rows = list(zip(*columns, strict=True))
    return [sum(row == (x % P, x * x) for row in rows) for x in range(-4, 5)]


def test_rows_of_the_table_are_accepted_however_often_they_occur():
    compiled = squaring()
    for x in ([1, 2, 3], [-4, -4, -4], [0, 4, 0]):
        compiled.witness({"x": x, "y": [v * v for v in x]})


@pytest.mark.parametrize(("x", "y"), [(5, 25), (2, 5), (-2, -4), (0, 1), (P // 2, 0)])
def test_what_is_no_row_is_refused_by_name_and_by_the_constraints(x, y):
    inputs = {"x": [1, x, 3], "y": [1, y, 9]}
    with pytest.raises(UnsatisfiedError, match=r"'square\[1\]' is no row of table 'squares'$") as error:
        squaring().witness(inputs)
    assert error.value.values == f"it is ({x if x <= P // 2 else x - P}, {y})"
    assert_forgery_fails(squaring(), inputs, {"table squares/multiplicities": forgiving})


def test_the_constraints_of_a_looked_up_value_have_the_name_of_its_lookup():
    c = Circuit()
    for name, n in (("one", 2), ("none", 0), ("other", 3)):
        with c.scope(name):
            SQUARES.look_up(c.private(f"x {name}", n), c.private(f"y {name}", n))
    r1cs = c.compile().r1cs
    names = {r1cs.label(row).partition("'")[2].partition("[")[0] for row in range(r1cs.n_constraints)}
    assert {"one/in table squares", "other/in table squares"} < names
    assert not any(name.startswith("none") for name in names)
    first = next(row for row in range(r1cs.n_constraints) if r1cs.label(row).endswith("'other/in table squares[2]'"))
    assert r1cs.label(first + 1).endswith("'table squares/fractions[0]'")


@pytest.mark.parametrize("changes", [{0: 1}, {5: 1, 6: -1}, {4: -1}, {0: P - 1, 8: 1}])
def test_other_multiplicities_are_refused(changes):
    def forged(*columns):
        counts = forgiving(*columns)
        return [count + changes.get(j, 0) for j, count in enumerate(counts)]

    inputs = {"x": [1, 1, 2], "y": [1, 1, 4]}
    assert_forgery_fails(squaring(), inputs, {"table squares/multiplicities": forged})


def test_a_value_of_one_row_with_the_result_of_another_is_refused():
    inputs = {"x": [1, 2, 3], "y": [4, 1, 9]}
    honest_counts = forgiving(np.array([1, 2, 3]), np.array([1, 4, 9]))
    assert_forgery_fails(squaring(), inputs, {"table squares/multiplicities": lambda *_: honest_counts})


def test_every_wire_of_a_lookup_is_pinned():
    assert_every_wire_is_pinned(squaring(), {"x": [1, -2, 1], "y": [1, 4, 1]})


def test_a_lookup_costs_a_constraint_a_column_a_row_and_one_more():
    mask = 1
    assert squaring(3).r1cs.n_constraints == 2 * 3 + SQUARES.size + 1 + mask
    c = Circuit()
    one_column = Table("primes", [2, 3, 5, 7])
    for name in "xy":
        one_column.look_up(c.private(name, (5, 2)))
    assert c.compile().r1cs.n_constraints == 20 + 4 + 1 + mask


def test_looked_up_values_and_multiplicities_are_committed_and_helpers_are_not():
    c = Circuit()
    x, bias = c.private("x", 3), c.public("bias")
    Table("small", range(10)).look_up(2 * x + bias)
    r1cs = c.compile().r1cs
    assert (r1cs.rounds[0].n_committed, r1cs.rounds[0].n_challenges) == (1 + 3 + 10, 1)
    assert r1cs.n_public == 2


def test_over_a_tiny_field_a_wrong_commitment_passes_for_no_more_challenges_than_values_and_rows():
    c = Circuit(F7)
    x = c.private("x")
    Table("two rows", [1, 3]).look_up(x)
    passing = challenges_by_commitment(c.compile())
    right = {(1, 1, 0), (3, 0, 1)}
    for committed, challenges in passing.items():
        assert committed in right or len(challenges) <= 3, committed
    for committed in right:
        assert passing[committed] == set(range(7)) - {committed[0]}


def test_tables_that_cannot_prove_anything_are_refused():
    for columns in ([], [[], []], [1, 2, 1], [[1, 1], [2, 2]]):
        with pytest.raises(UsageError):
            Table("bad", columns)
    c = Circuit(F7)
    Table("aliased", [0, 7]).look_up(c.private("x"))
    with pytest.raises(UsageError, match="F7"):
        c.compile()
    c = Circuit(F7)
    Table("full", range(6)).look_up(c.private("x"))
    with pytest.raises(UsageError, match="too many for F7"):
        c.compile()
    with pytest.raises(UsageError, match="2 columns"):
        SQUARES.look_up(Circuit().private("x"))


# tables whose columns another power of the challenge combines


def squaring_by(power: int, n: int = 3) -> CompiledCircuit:
    """y = x^2 by a table with that power, and a constraint on the products that the lookup takes."""
    c = Circuit()
    x, y = c.private("x", n), c.private("y", n)
    table = Table("squares", SQUARES.columns)
    table.power = power  # also one that is refused
    weighted = table.look_up_weighted(x, y, label="square")
    c.assert_equal(weighted.sum(), c.challenge(DIGEST_POINT) ** power * y.sum(), label="products")
    return c.compile()


@pytest.mark.parametrize("power", [1, 2, 5])
def test_rows_are_combined_by_a_power_whose_products_are_given_away(power):
    for x in ([1, 2, 3], [-4, -4, -4], [0, 4, 0]):
        squaring_by(power).witness({"x": x, "y": [v * v for v in x]})
    assert_every_wire_is_pinned(squaring_by(power), {"x": [1, -2, 1], "y": [1, 4, 1]})


@pytest.mark.parametrize(("x", "y"), [(5, 25), (2, 5), (3, 3), (1, 1 - 4 + 2)])
def test_what_is_no_row_is_refused_whatever_the_power_but_0(x, y):
    inputs = {"x": [1, x, 3], "y": [1, y, 9]}
    for power in (1, 3):
        assert_forgery_fails(squaring_by(power), inputs, {"table squares/multiplicities": forgiving})


def test_with_the_power_0_a_row_of_the_same_sum_would_pass_so_that_is_refused(monkeypatch):
    """(3, 3) for (2, 4), whose multiplicity is given in its place."""

    def forged(*_):
        return [int(x in (1, 2, 3)) for x in range(-4, 5)]

    inputs = {"x": [1, 3, 3], "y": [1, 3, 9]}
    assert_forgery_fails(squaring_by(1), inputs, {"table squares/multiplicities": forged})
    with pytest.raises(UsageError, match="the power 0"):
        Table("squares", SQUARES.columns, power=0)
    monkeypatch.setattr(lookup, "_weights", lambda circuit, *_: circuit.constant([1, 1]))
    answering(squaring_by(0), {"table squares/multiplicities": forged}).witness(inputs)


def test_one_table_serves_several_circuits():
    for _ in range(2):
        squaring(1).witness({"x": [2], "y": [4]})


# tables of several columns


KEYS = {
    "one after the other": [3, 4, 5, 6],
    "with gaps": [-7, 0, 2, 90],
    "in no order": [5, -2, 9, 0],
    "several rows each": [1, 1, 2, 2],
    "beyond machine words": [-(1 << 70), 0, 1 << 65, 1 << 66],
}
ENTRIES = [[10, -20, 30, 0], [7, 7, 0, 9], [-1, 2, 3, 127]]


def rows_of(keys: list[int], n: int = 3) -> CompiledCircuit:
    c = Circuit()
    columns = [c.private(name, n) for name in "xabc"]
    Table("rows", [keys, *ENTRIES]).look_up(*columns, label="row")
    return c.compile()


def row(keys: list[int], *which: int) -> dict[str, list[int]]:
    return {name: [column[j] for j in which] for name, column in zip("xabc", [keys, *ENTRIES], strict=True)}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
def test_rows_of_several_columns_are_accepted_and_no_entry_of_another_row_is(keys):
    compiled = rows_of(keys)
    for which in ((0, 1, 2), (3, 3, 3), (2, 0, 2)):
        compiled.witness(row(keys, *which))
        assert_every_wire_is_pinned(compiled, row(keys, *which))
    honest = [0, 2, 1, 0]
    for name in "xabc":
        mixed = row(keys, 1, 2, 1)
        mixed[name] = row(keys, 1, 2, 3)[name]
        if mixed[name] == row(keys, 1, 2, 1)[name]:
            continue
        with pytest.raises(UnsatisfiedError, match=r"'row\[2\]' is no row of table 'rows'$"):
            compiled.witness(mixed)
        assert_forgery_fails(compiled, mixed, {"table rows/multiplicities": lambda *_: honest})


def test_values_that_are_no_machine_words_are_no_rows():
    keys = KEYS["one after the other"]
    for x in (P - 3, 1 << 64, (1 << 64) + 3, P // 2):
        with pytest.raises(UnsatisfiedError, match=r"'row\[0\]'"):
            rows_of(keys).witness({**row(keys, 0, 1, 2), "x": [x, 4, 5]})


def test_powers_of_the_challenge_serve_all_tables():
    c = Circuit()
    for number in range(2):
        columns = [c.private(f"{name}{number}", 2) for name in "xabc"]
        Table(f"rows {number}", [[number, 5], [1, 2], [3, 4], [5, 6]]).look_up(*columns)
    powers, mask = 2, 1  # the square and the cube of the challenge
    assert c.compile().r1cs.n_constraints == 2 * (4 * 2 + 2 + 1) + powers + mask


def test_a_table_holds_its_integers_in_few_bytes_whatever_they_come_as():
    for kind, bits in ((np.int64, 16), (np.int32, 32), (object, 16)):
        columns = np.array([[0, 1, 2], [-300, 5, 299]], dtype=kind)
        assert Table("rows", columns).columns.dtype.itemsize * 8 == bits
    assert Table("range", range(1 << 12)).columns.dtype == np.int16


@pytest.mark.parametrize("kind", [np.int8, np.int16, np.int32, np.int64])
def test_the_lowest_integer_of_a_type_is_looked_up_as_it_is(kind):
    low, high = int(np.iinfo(kind).min), int(np.iinfo(kind).max)
    c = Circuit()
    x, y = c.private("x"), c.private("y")
    Table("lowest", np.array([[0, 1], [low, high]], dtype=kind)).look_up(x, y)
    compiled = c.compile()
    compiled.witness({"x": 0, "y": low})
    compiled.witness({"x": 1, "y": high})
    assert_forgery_fails(compiled, {"x": 0, "y": -low}, {"table lowest/multiplicities": lambda *_: [1, 0]})


def test_a_wide_table_is_written_and_looked_up_as_arrays():
    """A million entries."""
    entries = np.random.default_rng(0).integers(-500, 501, (256, 1 << 12))
    table = Table("embedding", np.vstack([np.arange(1 << 12), entries]))
    c = Circuit()
    x, y = c.private("x", 2), c.private("y", (2, 256))
    table.look_up(x, *(y[:, j] for j in range(256)))
    compiled = c.compile()
    assert compiled.r1cs.n_constraints == 2 * 257 + (1 << 12) + 1 + 255 + 1
    compiled.witness({"x": [5, 4095], "y": entries[:, [5, 4095]].T})


# ranges


@pytest.mark.parametrize("bits", [1, 3, 7, 8, 9, 12, 16, 20])
@pytest.mark.parametrize("n", [1, 40, 400])
def test_the_ends_of_a_range_are_inside_and_what_lies_beyond_is_not(bits, n):
    compiled = ranges(n, bits)
    fill = [i % (1 << bits) for i in range(n)]
    compiled.witness({"x": [*fill[1:], (1 << bits) - 1]})
    for outside in (1 << bits, -1, (1 << bits) + 1, P // 2, 1 << 200):
        with pytest.raises(UnsatisfiedError):
            compiled.witness({"x": [*fill[1:], outside]})


widths = st.sampled_from([(8, 300), (12, 300), (13, 60), (11, 100)])


@given(widths, st.integers(0, 2**13 - 1))
@settings(max_examples=30, deadline=None)
def test_a_value_is_accepted_just_when_it_has_so_few_bits(width, value):
    bits, n = width
    compiled = COMPILED.setdefault(width, ranges(n, bits))
    if value < 1 << bits:
        compiled.witness({"x": [value] * n})
    else:
        with pytest.raises(UnsatisfiedError):
            compiled.witness({"x": [value] * n})


COMPILED: dict[tuple[int, int], CompiledCircuit] = {}


@pytest.mark.parametrize(("n", "bits", "width"), [(5, 11, 3), (40, 13, 5), (300, 16, 8)])
def test_forged_limbs_do_not_widen_a_range(n, bits, width):
    """A short top limb with a look-up to spare, one with a table of its own, and none."""
    compiled, k = ranges(n, bits), -(-bits // width) - 1
    assert plan_limbs({bits: n}).width == width

    def count(rows):
        return lambda values: [sum(int(v) == row for v in values) for row in range(rows)]

    tables = {w: f"table {w} bits/multiplicities" for w in (width, *plan_limbs({bits: n}).tables)}
    all_in_one = [int(pow(2, -width * k, P) * v % P) for v in (1, 1 << bits)]
    for value in (1 << bits, 1 << (bits + 1), P - 1, 3 << (bits - 1)):
        for low in (0, (1 << width) - 1, 1 << width, *all_in_one):
            hints = {"range/limbs": lambda x, low=low: [[low] + [0] * (k - 1)] * n}
            hints |= {name: count(1 << w) for w, name in tables.items()}
            assert_forgery_fails(compiled, {"x": [value] * n}, hints)


@pytest.mark.parametrize(("n", "bits"), [(1, 8), (40, 13), (300, 9), (24, 8), (70, 10)])
def test_every_wire_of_a_range_check_is_pinned(n, bits):
    assert_every_wire_is_pinned(ranges(n, bits), {"x": [(37 * i) % (1 << bits) for i in range(n)]})


def test_the_limbs_are_chosen_for_the_fewest_constraints():
    assert plan_limbs({8: 1}).width == 0  # eight bits are cheaper than any table
    assert plan_limbs({8: 1000}).constraints == 1000 + 257
    assert plan_limbs({16: 1000}).constraints == 2000 + 257
    assert plan_limbs({20: 10_000, 8: 10_000}).tables == {8}


@pytest.mark.parametrize("counts", [{8: 1}, {8: 24}, {12: 300}, {13: 60}, {20: 300, 8: 300}, {1: 9}, {9: 2, 3: 80}])
def test_a_circuit_has_just_the_constraints_of_its_plan(counts):
    c = Circuit()
    for bits, n in counts.items():
        gadgets.assert_in_range(c.private(f"x{bits}", n), bits)
    plan = plan_limbs(counts)
    mask = int(plan.width > 0)
    assert c.compile().r1cs.n_constraints == plan.constraints + mask


def test_what_is_known_to_fit_is_not_checked_again():
    c = Circuit()
    x = c.private("x", 300)
    gadgets.assert_in_range(x, 8)
    gadgets.assert_in_range(x, 8)
    gadgets.range_check(x, 9)
    assert c.compile().r1cs.n_constraints == plan_limbs({8: 300}).constraints + 1


def test_a_value_out_of_range_is_named():
    c = Circuit()
    with c.scope("layer 3"):
        gadgets.assert_in_range(c.private("x", 300), 8)
    with pytest.raises(UnsatisfiedError, match=r"'layer 3/top limb\[7\]' is no row of table '8 bits'"):
        c.compile().witness({"x": [256 if i == 7 else 0 for i in range(300)]})
