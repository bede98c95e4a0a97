"""Provers who answer hints in their own way: another sign of zero, a quotient off by one, another of equal maxima."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import count, cycle
from typing import Any

import numpy as np
import pytest

from tests.circuits.mutation import assert_forgery_fails
from tests.zkml.networks import all_inputs, compiled, model_of, unpublished
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import UnsatisfiedError
from zkgpu.testing import attack_circuit
from zkgpu.zkml.layers import products
from zkgpu.zkml.operations import (
    ArgMax,
    Combine,
    Divide,
    Linear,
    Lookup,
    Maximum,
    Normalize,
    Operation,
    Requantize,
    Rescale,
    RootMeanSquare,
    Softmax,
)

R = Fr.modulus
INVERSE_OF_8 = pow(8, -1, R)


def forged(operation: Operation | list[Operation], x: object, low: int, high: int, **hints: Callable) -> None:
    values = np.array(x)
    named = {name.replace("_", " "): function for name, function in hints.items()}
    model = model_of(operation, x=(values.shape, low, high))
    circuit = unpublished(model)
    labels = {step.label for step in circuit._steps if hasattr(step, "label")}
    found = {label: f for name, f in named.items() for label in labels if label.rpartition("/")[2] == name}
    assert len(found) == len(named), labels
    assert_forgery_fails(circuit, {"x": values}, found)


def constantly(*values: int) -> Callable:
    return lambda *arrays: np.array([v % R for v in values], dtype=object)


def constantly_shaped(value: int, shape: tuple[int, ...]) -> Callable:
    return lambda *arrays: np.full(shape, value % R, dtype=object)


@pytest.mark.parametrize("x", [-1, 0, 1, -128, 127])
@pytest.mark.parametrize("y", [-128, -1, 0, 1, 127, 128, R // 2])
def test_a_relu_takes_neither_the_other_choice_nor_a_third_one(x: int, y: int) -> None:
    if y != max(x, 0):
        forged(Requantize("r", ("x",), "out", 0, 0), [x], -128, 127, clamped=constantly(y))


@pytest.mark.parametrize("x", [-12, -4, 0, 3, 4, 5, 20])
@pytest.mark.parametrize("delta", [-1, 1, 8, INVERSE_OF_8, -INVERSE_OF_8])
def test_a_rounded_value_cannot_be_off(x: int, delta: int) -> None:
    forged(Requantize("r", ("x",), "out", 3), [x], -128, 127, rounded=constantly(((x + 4) >> 3) + delta))


@pytest.mark.parametrize("x", [-128, -36, -35, 0, 35, 36, 127])
@pytest.mark.parametrize("y", [-16, -5, -4, -3, 0, 3, 4, 5, 16])
@pytest.mark.parametrize(("low", "high"), [(-4, None), (None, 4)])
def test_a_clamped_value_is_neither_the_other_choice_nor_a_third_one(x: int, y: int, low: Any, high: Any) -> None:
    clamp, q = Requantize("r", ("x",), "out", 3, low, high), (x + 4) >> 3
    if y != np.clip(q, low, high):
        forged(clamp, [x], -128, 127, clamped=constantly(y))
        forged(clamp, [x], -128, 127, clamped=constantly(y), rounded=constantly(y))


@pytest.mark.parametrize("x", [-128, -36, -35, 0, 35, 36, 127])
@pytest.mark.parametrize(("first", "second"), [(-4, -4), (4, 4), (0, 0), (3, 4), (5, 4), (16, 4), (-16, -16)])
def test_a_value_clamped_at_both_ends_is_no_other(x: int, first: int, second: int) -> None:
    """The answers of both hints are the prover's."""
    q = (x + 4) >> 3
    if (first, second) != (max(q, -4), min(max(q, -4), 4)):
        clamp = Requantize("r", ("x",), "out", 3, -4, 4)
        forged(clamp, [x], -128, 127, clamped=in_turn(first, second))


@pytest.mark.parametrize("x", [-128, -6, -5, 0, 6, 7, 127])
@pytest.mark.parametrize("first", [-6, -5, 0, 6, 7, 127])
@pytest.mark.parametrize("second", [-5, 0, 6, 7])
def test_a_clamped_value_that_is_not_rounded_cannot_be_off(x: int, first: int, second: int) -> None:
    if (first, second) != (max(x, -5), min(max(x, -5), 6)):
        forged(Requantize("r", ("x",), "out", 0, -5, 6), [x], -128, 127, clamped=in_turn(first, second))


def test_a_table_gives_no_value_of_another_row() -> None:
    table = Lookup("f", ("x",), "out", np.array([5, 6, 7, 8]), -2)
    for wrong in (5, 6, 8, 9):
        forged(table, [0], -2, 1, value_of_a_table=constantly(wrong))


def test_a_maximum_is_neither_another_entry_nor_a_larger_number() -> None:
    for wrong in (4, 2, 6, 0, -1):
        forged(Maximum("m", ("x",), "out"), [[2, 5, 4]], -8, 7, maximum=constantly_shaped(wrong, (1, 1)))


@pytest.mark.parametrize("row", [[2, 5, 4], [-8, -1, -3, 7, 0], [1, 0]])
def test_the_smaller_of_two_never_goes_on(row: list[int]) -> None:
    """Of all pairs, or of one of them, the others being compared as they then are."""
    forged(Maximum("m", ("x",), "out"), [row], -8, 7, maximum=lambda v, w: np.minimum(v, w))
    for place in range(len(row) - 1):
        forged(Maximum("m", ("x",), "out"), [row], -8, 7, maximum=_smaller_at(place))


def _smaller_at(place: int) -> Callable:
    """Of the pairs in the order in which they are compared, the wrong one of a single pair."""
    compared = count()

    def one_wrong(v: np.ndarray, w: np.ndarray) -> np.ndarray:
        wrong = np.array([next(compared) == place for _ in range(v.size)]).reshape(v.shape)
        return np.where(wrong, np.minimum(v, w), np.maximum(v, w))

    return one_wrong


@pytest.mark.parametrize("place", [0, 2, 3, 4])
def test_argmax_names_the_first_of_equal_maxima_only(place: int) -> None:
    x, n = [[1, 5, 5, -3]], 4
    top = n * 5 + (n - 1 - 1)
    argmax = ArgMax("a", ("x",), "out")
    forged(argmax, x, -8, 7, place_of_the_maximum=constantly(n - 1 - place))
    forged(argmax, x, -8, 7, maximum=constantly(4 * x[0][place % 4] + n - 1 - place % 4))
    forged(argmax, x, -8, 7, maximum=constantly(top + 1))


EXP = np.array([20, 12, 7, 4, 2, 1])


@pytest.mark.parametrize("delta", [-1, 1, 2**12, -(2**4)])
def test_the_reciprocal_of_a_softmax_cannot_be_off(delta: int) -> None:
    total = 20 + 7 + 1
    softmax = Softmax("s", ("x",), "out", 1, EXP, 12)
    forged(softmax, [[6, 2, -4]], -8, 7, reciprocal=constantly(2**12 // total + delta))


def test_softmax_counts_from_the_largest_entry_only() -> None:
    softmax = Softmax("s", ("x",), "out", 1, EXP, 12)
    forged(softmax, [[6, 2, -4]], -8, 7, maximum=constantly(2))
    forged(softmax, [[6, 2, -4]], -8, 7, maximum=constantly(8))


@pytest.mark.parametrize("shift", [1, 4, 8])
@pytest.mark.parametrize("behind", [1, 2, 7, 8, 9, 127, 128])
def test_softmax_tells_the_maximum_from_an_entry_half_a_step_below_it(shift: int, behind: int) -> None:
    """An entry at a distance that rounds to 0 would move all probabilities by a step."""
    row = [[100, 100 + behind, -300, 99 + behind]]
    softmax = Softmax("s", ("x",), "out", shift, np.arange(700, 0, -1), 24)
    for top in set(row[0]) - {100 + behind}:
        forged(softmax, row, -300, 300, maximum=constantly(top))
        below = (top - np.array(row)) >> shift
        forged(softmax, row, -300, 300, maximum=constantly(top), rounded=lambda *_, q=below: np.maximum(q, 0))
        nearest = (top - np.array(row) + (1 << shift - 1)) >> shift
        forged(softmax, row, -300, 300, maximum=constantly(top), rounded=lambda *_, q=nearest: q)


@pytest.mark.parametrize("delta", [-1, 1, 64])
def test_an_inverse_root_cannot_be_off(delta: int) -> None:
    operation = Normalize("n", ("x",), "out", 16, 2)
    variance = 13**2 + 2**2 + 11**2 + 2
    root = int(2**16 / variance**0.5)
    forged(operation, [[5, 0, -3]], -8, 7, inverse_root=constantly(root + delta))
    forged(operation, [[5, 0, -3]], -8, 7, inverse_root=constantly(-root))


@pytest.mark.parametrize("delta", [-1, 1, 64])
@pytest.mark.parametrize("row", [[5, 0, -3], [0, 0, 0], [-8, 7, 1]])
def test_the_inverse_root_of_a_mean_of_squares_cannot_be_off(row: list[int], delta: int) -> None:
    """Of a row of zeros only the root itself shows it: nothing else depends on it."""
    operation, squares = RootMeanSquare("n", ("x",), "out", 16, 2), sum(v * v for v in row) + 2
    root = math.isqrt(4**16 // squares)
    forged(operation, [row], -8, 7, inverse_root=constantly(root + delta))
    forged(operation, [row], -8, 7, inverse_root=constantly(-root))


@pytest.mark.parametrize("bits", [9, 16])
def test_all_rows_of_two_small_numbers_have_one_inverse_root(bits: int) -> None:
    """Every row of 4 bits a number, at once: each as the definition has it, and no answer of a hint is free."""
    rows = np.stack(np.meshgrid(*[np.arange(-8, 8)] * 2), axis=-1).reshape(-1, 2)
    network = model_of(RootMeanSquare("n", ("x",), "out", bits, 1), x=(rows.shape, -8, 7))
    circuit = compiled(network)
    shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness({"x": rows})))["out"]
    wanted = [[int(v) * math.isqrt(4**bits // (int(a) ** 2 + int(b) ** 2 + 1)) for v in (a, b)] for a, b in rows]
    assert np.asarray(shown).tolist() == wanted
    attack_circuit(circuit, {"x": rows}, tries=300).require_sound()


def test_a_sum_of_private_weights_cannot_be_off() -> None:
    weight = np.array([[[3, 1], [-2, 1], [7, 1], [1, 1]]])
    layer = Linear("l", ("x",), "out", weight, np.ones((1, 2), int), np.array([[4, 0]]))
    model = model_of(layer, x=((1, 1, 4), -8, 7))
    given = all_inputs(model, {"x": np.array([[[1, 2, 3, -1]]])}, "private")
    assert compiled(model, "private").witness(given) is not None
    assert_forgery_fails(compiled(model, "private"), given, {"l/sums": lambda *_: np.array([[25, 5]], dtype=object)})


# elements of the field that are no small integers


@pytest.mark.parametrize("x", [20, -20])
@pytest.mark.parametrize("remainder", [0, 3, 5, 7])
@pytest.mark.parametrize("is_on", [True, False])
def test_a_fraction_cannot_turn_a_relu_off_or_on(x: int, remainder: int, is_on: bool) -> None:
    """8 q + remainder = x + 4 has a q in the field for each remainder."""
    q = (x + 4 - remainder) * INVERSE_OF_8
    if (q - ((x + 4) >> 3)) % R:
        y = q if is_on else 0
        forged(Requantize("r", ("x",), "out", 3, 0), [x], -128, 127, rounded=constantly(q), clamped=constantly(y))


def in_turn(*answers: int) -> Callable:
    """A hint that gives one answer after the other, again and again."""
    left = cycle(answers)
    return lambda *_: np.array([next(left) % R], dtype=object)


@pytest.mark.parametrize("delta", [1, 2])
def test_the_maximum_of_a_single_entry_is_that_entry(delta: int) -> None:
    """Else a softmax of one entry would start anywhere in its table."""
    slow = np.array([20, 19, 18, 17, 16, 15, 14, 13])
    forged(Softmax("s", ("x",), "out", 0, slow, 12), [[5]], 0, 7, maximum=constantly(5 + delta))


@pytest.mark.parametrize("turns", [-1, 1])
def test_the_place_of_a_maximum_is_below_the_number_of_entries(turns: int) -> None:
    x, n = [[1, 5, 5, -3]], 4
    forged(ArgMax("a", ("x",), "out"), x, -8, 7, place_of_the_maximum=constantly(n - 1 - 1 + turns * n))


@pytest.mark.parametrize("rest", [0, 1, 27])
def test_a_reciprocal_is_no_fraction(rest: int) -> None:
    total, bits = 20 + 7 + 1, 12
    assert (1 << bits) % total != rest
    fraction = ((1 << bits) - rest) * pow(total, -1, R)
    forged(Softmax("s", ("x",), "out", 1, EXP, bits), [[6, 2, -4]], -8, 7, reciprocal=constantly(fraction))


def test_an_inverse_root_is_no_half() -> None:
    """Where x is a multiple of 4, the integer root plus a half can satisfy both inequalities."""
    bits, row = 16, [[-8, -8, -5]]
    variance = 3**2 + 3**2 + 6**2 + 2
    root = int((4**bits // variance) ** 0.5)
    assert variance % 4 == 0
    assert (2 * root + 1) ** 2 * variance <= 4 * 4**bits
    half = (2 * root + 1) * pow(2, -1, R)
    forged(Normalize("n", ("x",), "out", bits, 2), row, -8, 7, inverse_root=constantly(half))


# more of the same kinds, in other places


@pytest.mark.parametrize("value", [-9, -8, 7, 8, 200, INVERSE_OF_8])
def test_a_rounded_index_beyond_its_table_finds_no_value(value: int) -> None:
    """The index of a rounded lookup has no range check but the table itself."""
    operations = [Requantize("r", ("x",), "y", 3, -8, 7), Lookup("f", ("y",), "out", np.arange(16) ** 2, -8)]
    x, last = 20, 15**2
    for claimed in (0, 49, last, 64, 81):
        forged(
            operations, [x], -64, 63, rounded=constantly(value), value_of_a_table=lambda *_, y=claimed: np.array([y])
        )


@pytest.mark.parametrize("changes", [{0: 1}, {1: -1, 2: 1}, {3: R - 2}])
def test_no_other_multiplicities_of_a_function_table_fit(changes: dict[int, int]) -> None:
    table = Lookup("f", ("x",), "out", np.array([5, 6, 7, 8]), -2)

    def counted(*columns: np.ndarray) -> list[int]:
        keys = [int(v if 2 * v < R else v - R) for v in columns[0]]
        return [keys.count(row - 2) + changes.get(row, 0) for row in range(4)]

    forged(table, [0, 1, 0], -2, 1, multiplicities=counted)


@pytest.mark.parametrize("entries", [[3, 3, 3], [-8, -8, -8], [0, 0, 0]])
@pytest.mark.parametrize("delta", [-1, 1, -16])
def test_the_maximum_of_equal_entries_is_no_other_number(entries: list[int], delta: int) -> None:
    forged(Maximum("m", ("x",), "out"), [entries], -8, 7, maximum=constantly_shaped(entries[0] + delta, (1, 1)))


@pytest.mark.parametrize("place", range(1, 5))
def test_argmax_of_equal_entries_is_the_first(place: int) -> None:
    argmax, n = ArgMax("a", ("x",), "out"), 4
    forged(argmax, [[-8] * n], -8, 7, place_of_the_maximum=constantly(n - 1 - place))
    forged(argmax, [[-8] * n], -8, 7, maximum=constantly(-8 * n + n - 1 - place))


@pytest.mark.parametrize("wrong", [0, 1, 4, 7, 19, 21])
def test_an_exponential_is_that_of_its_distance(wrong: int) -> None:
    softmax = Softmax("s", ("x",), "out", 1, EXP, 12)
    honest = np.array([[20, 7, 1]], dtype=object)

    def values(place: int) -> Callable:
        return lambda *_: np.where(np.arange(3) == place, wrong, honest)

    for place in range(3):
        if honest[0, place] != wrong:
            forged(softmax, [[6, 2, -4]], -8, 7, value_of_a_table=values(place))


@pytest.mark.parametrize("delta", [1, -1, 300])
@pytest.mark.parametrize("place", [0, 5])
def test_a_tested_product_with_private_weights_cannot_be_off(delta: int, place: int) -> None:
    weight = np.arange(-6, 6).reshape(1, 4, 3)
    layer = Linear("l", ("x",), "out", weight, np.ones((1, 3), int), np.zeros((1, 3), int))
    model = model_of(layer, x=((1, 5, 4), -8, 7))
    given = all_inputs(model, {"x": np.arange(-8, 12).reshape(1, 5, 4).clip(-8, 7)}, "private")

    def product(x: np.ndarray, w: np.ndarray) -> np.ndarray:
        out = x @ w
        out.ravel()[place] += delta
        return out

    assert_forgery_fails(compiled(model, "private"), given, {"l/weights/product": product})


@pytest.mark.parametrize("delta", [1, -1])
def test_a_large_layer_s_sums_cannot_be_off(monkeypatch: pytest.MonkeyPatch, delta: int) -> None:
    """Their values come from machine integers, not from their own terms."""
    monkeypatch.setattr(products, "LONG", 1)
    layer = Linear("l", ("x",), "out", np.array([[[3], [-2]]]), np.array([[5]]), np.array([[4]]))
    forged(layer, [[[7, 6]]], -8, 7, sums=constantly_shaped(5 * (21 - 12 + 4) + delta, (1, 1, 1)))


FAR = [Requantize("r", ("x",), "q", 1, 5, 9), Lookup("f", ("q",), "out", np.array([50, 40, 30, 20, 10]), 5)]


@pytest.mark.parametrize("x", [-16, 8, 13, 18, 31])
@pytest.mark.parametrize("wrong", [4, 7, 10])
def test_a_table_that_ends_before_0_is_read_at_the_clamped_value_only(x: int, wrong: int) -> None:
    """Its rows are those of the clamp: of a logarithm there is none at 0, nor at anything below the range."""
    right = min(max((x + 1) >> 1, 5), 9)
    if wrong != (x + 1) >> 1:
        forged(FAR, [x] * 4, -16, 31, rounded=constantly(*[wrong] * 4))
    for value in {10, 20, 30, 40, 50, 60, 0} - {60 - 10 * (right - 4)}:
        forged(FAR, [x] * 4, -16, 31, value_of_a_table=constantly(*[value] * 4))


@pytest.mark.parametrize("x", [-2000, 8, 14, 19, 2000])
@pytest.mark.parametrize("delta", [-1, 1])
def test_a_far_table_with_a_clamp_before_it_is_read_at_the_clamped_value_only(x: int, delta: int) -> None:
    wrong = min(max((x + 1) >> 1, 5), 9) + delta
    forged(FAR, [x], -2000, 2000, clamped=constantly(wrong))
    forged(FAR, [x], -2000, 2000, clamped=in_turn(max((x + 1) >> 1, 5), wrong))


@pytest.mark.parametrize("shift", [0, 3])
def test_a_table_that_takes_more_than_it_is_given_is_read_at_the_rounded_value_only(shift: int) -> None:
    """Of 64 rows, those of other layers, only a few can be reached: none of the others can be claimed."""
    table = np.arange(64) ** 2
    layers = [Requantize("r", ("x",), "q", shift, -32, 31), Lookup("f", ("q",), "out", table, -32)]
    for x in (-20, 0, 7, 12):
        circuit = compiled(model_of(layers, x=((1,), -20, 12)))
        attack_circuit(circuit, {"x": np.array([x])}, tries=200).require_sound()
        rounded = (2 * x + (1 << shift)) // (2 << shift)
        if shift:
            for wrong in {-32, -21, 31, rounded - 1, rounded + 1} - {rounded}:
                forged(
                    layers, [x], -20, 12, rounded=constantly(wrong), value_of_a_table=constantly(int(table[wrong + 32]))
                )


def test_a_constant_has_one_value_for_every_input() -> None:
    """0 times an entry and an offset leaves nothing to a prover, and no constraint either."""
    constant = Combine("c", ("x",), "out", (np.zeros((2, 2), int),), np.array([[3, -1], [0, 7]]))
    circuit = compiled(model_of(constant, x=((), -8, 7)))
    for x in (-8, 0, 5):
        shown = circuit.r1cs.rounds[0].unpack(circuit.packed(circuit.witness({"x": np.array(x)})))["out"]
        assert np.asarray(shown).tolist() == [[3, -1], [0, 7]]


@pytest.mark.parametrize("ends", [(-16, 31), (-2000, 2000)])
def test_a_far_table_has_one_witness(ends: tuple[int, int]) -> None:
    for x in (0, ends[1]):
        report = attack_circuit(compiled(model_of(FAR, x=((1,), *ends))), {"x": np.array([x])}, tries=200)
        report.require_sound()


@pytest.mark.parametrize("y", range(-3, 10))
def test_no_quotient_by_less_than_the_least_divisor_is_accepted(y: int) -> None:
    """Nor another one by any divisor: every quotient that the range check lets by is tried."""
    operation = Divide("d", ("x", "y"), "out", 1, 20, 3)
    circuit = unpublished(model_of(operation, x=((1,), -8, 7), y=((1,), -3, 9)))
    (label,) = (step.label for step in circuit._steps if getattr(step, "label", "").endswith("quotient"))
    for q in range(-20, 21):
        if y >= 3 and q == (2 * 7) // y:
            continue
        lie = np.array([q % Fr.modulus], dtype=object)
        assert_forgery_fails(circuit, {"x": np.array([7]), "y": np.array([y])}, {label: lambda *_, lie=lie: lie})


@pytest.mark.parametrize("x", [-8, -1, 0, 7])
@pytest.mark.parametrize("y", [3, 8, 9])
def test_a_quotient_is_no_fraction(x: int, y: int) -> None:
    """q y + rest = 2^shift x has a q in the field for each rest, of which the quotient's range leaves one."""
    operation = Divide("d", ("x", "y"), "out", 1, 20, 1)
    circuit = unpublished(model_of(operation, x=((1,), -8, 7), y=((1,), 1, 9)))
    (label,) = (step.label for step in circuit._steps if getattr(step, "label", "").endswith("quotient"))
    for rest in set(range(y)) - {2 * x % y}:
        fraction = constantly((2 * x - rest) * pow(y, -1, R))
        assert_forgery_fails(circuit, {"x": np.array([x]), "y": np.array([y])}, {label: fraction})


# ranges of a single integer


@pytest.mark.parametrize("x", [-8, 0, 7])
@pytest.mark.parametrize("remainder", [0, 8, 15, 23, 31])
def test_what_rounds_to_one_integer_only_is_no_fraction(x: int, remainder: int) -> None:
    if fraction := (x + 16 - remainder) * pow(32, -1, R) % R:
        forged(Requantize("r", ("x",), "out", 5), [x], -8, 7, rounded=constantly(fraction))


@pytest.mark.parametrize("delta", [-1, 1, INVERSE_OF_8])
def test_a_quotient_by_one_leaves_no_rest(delta: int) -> None:
    circuit = unpublished(model_of(Divide("d", ("x", "y"), "out", 1, 20, 1), x=((1,), -8, 7), y=((1,), 1, 1)))
    (label,) = (step.label for step in circuit._steps if getattr(step, "label", "").endswith("quotient"))
    inputs = {"x": np.array([5]), "y": np.array([1])}
    circuit.witness(inputs)
    assert_forgery_fails(circuit, inputs, {label: constantly(10 + delta)})


def test_an_input_of_a_single_integer_is_that_one() -> None:
    circuit = unpublished(model_of(Requantize("r", ("x",), "out", 1), x=((2,), 3, 3)))
    circuit.witness({"x": np.array([3, 3])})
    for wrong in (2, 4, -3):
        with pytest.raises(UnsatisfiedError):
            circuit.witness({"x": np.array([3, wrong])})


# upper ends of ranges that are no powers of two


def assert_refused_beyond(operation: Operation, most: int, ends: tuple[int, int], **others: tuple[int, int]) -> None:
    """Of inputs x up to `most` the circuit takes all that go, and of others none, however near they are."""
    inputs = {name: ((1,), *own) for name, own in {"x": ends, **others}.items()}
    circuit = unpublished(model_of(operation, **inputs))
    fixed = {name: np.array([low]) for name, (low, _) in others.items()}
    circuit.witness({"x": np.array([most]), **fixed})
    for x in range(most + 1, 16):
        with pytest.raises(UnsatisfiedError):
            circuit.witness({"x": np.array([x]), **fixed})


def test_an_input_above_its_range_is_refused() -> None:
    assert_refused_beyond(Requantize("r", ("x",), "out", 1), 4, (-8, 4))


def test_a_rescaled_value_above_its_range_is_refused() -> None:
    assert_refused_beyond(Rescale("r", ("x",), "out", 0, -8, 4), 4, (-8, 15))
    assert_refused_beyond(Rescale("r", ("x",), "out", 1, -4, 2), 4, (-8, 15))


def test_a_quotient_above_its_range_is_refused() -> None:
    assert_refused_beyond(Divide("d", ("x", "y"), "out", 1, 20, 1), 10, (-8, 15), y=(1, 1))


@pytest.mark.parametrize("entries", [3, 5, 6])
def test_the_place_of_a_maximum_is_not_one_before_the_first(entries: int) -> None:
    """The number that stands for it, n times the last entry, leaves the rest n as well as 0."""
    row = [[*[0] * (entries - 1), 5]]
    forged(ArgMax("a", ("x",), "out"), row, -8, 7, place_of_the_maximum=constantly(entries))
