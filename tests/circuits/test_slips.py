"""What people write by mistake in a circuit, and what messages say to write; and what they may write after all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from zkgpu.circuits import Circuit, Wires, gadgets
from zkgpu.circuits.combinations import GrowingSum
from zkgpu.errors import UsageError


def computed(circuit: Circuit, inputs: dict[str, Any], *names: str) -> list[Any]:
    """The values of these outputs."""
    compiled = circuit.compile()
    assignment = compiled.witness(inputs)
    return [compiled.value(name, assignment) for name in names]


Slip = Callable[[Circuit, Wires, Wires], object]

SLIPS: dict[str, tuple[Slip, str]] = {
    "%": (lambda c, x, a: x % 3, "gadgets.integer_divide"),
    "//": (lambda c, x, a: x // 3, "gadgets.integer_divide"),
    "% of a number": (lambda c, x, a: 7 % x, "gadgets.integer_divide"),
    "divmod": (lambda c, x, a: divmod(x, 3), "gadgets.integer_divide"),
    "&": (lambda c, x, a: x & 1, "gadgets.to_bits"),
    "|": (lambda c, x, a: x | a, "logical_or"),
    "^": (lambda c, x, a: 1 ^ x, "logical_xor"),
    "~": (lambda c, x, a: ~x, "logical_not"),
    "<<": (lambda c, x, a: x << 1, "gadgets.to_bits"),
    ">>": (lambda c, x, a: 8 >> x, "gadgets.to_bits"),
    "abs": (lambda c, x, a: abs(x), "no sign"),
    "round": (lambda c, x, a: round(x), "hint"),
    "int": (lambda c, x, a: int(x), "hint"),
    "range": (lambda c, x, a: range(x), "hint"),  # type: ignore[call-overload]
    "a list's index": (lambda c, x, a: [1, 2][x], "hint"),  # type: ignore[call-overload]
    "an array's index": (lambda c, x, a: a[x], "gadgets.select"),
    "one of two indexes": (lambda c, x, a: a.reshape(3, 1)[0, x], "gadgets.Table"),
    "an entry to set": (lambda c, x, a: a.__setitem__(0, 1), "stack"),
    "<": (lambda c, x, a: x < 3, "gadgets.less_than"),
    "==": (lambda c, x, a: x == 3, "assert_equal"),
    "if": (lambda c, x, a: 1 if x else 0, "gadgets.select"),
    "in a set": (lambda c, x, a: x in {0, 1}, "gadgets.is_equal"),
    "a dict's key": (lambda c, x, a: {0: 5}.get(x, 7), "gadgets.Table"),  # type: ignore[call-overload]
    "constants that differ": (lambda c, x, a: c.assert_equal(3, 4), "an assertion can never hold"),
    "a wire as exponent": (lambda c, x, a: 2**x, "exponent"),
    "a wire as exponent of a wire": (lambda c, x, a: x**x, "exponent"),
    "a float": (lambda c, x, a: x * 1.5, "integer"),
    "a string": (lambda c, x, a: x + "3", "integer"),
    "None": (lambda c, x, a: x + None, "integer"),
    "an axis": (lambda c, x, a: a.sum(axis=3), "no axis 3"),
    "shapes": (lambda c, x, a: a @ [1, 2], "shapes"),
    "a gadget without a wire": (lambda c, x, a: gadgets.is_zero(5), "circuit.constant"),
    "a list for a gadget": (lambda c, x, a: gadgets.poseidon([x, x]), "zkgpu.circuits.stack"),  # type: ignore[arg-type]
    "half a bit": (lambda c, x, a: gadgets.to_bits(x, 8.5), "must be an integer"),  # type: ignore[arg-type]
    "bits of a float": (lambda c, x, a: gadgets.less_than(x, 3, 8.0), "must be an integer"),
    "bits of a text": (lambda c, x, a: gadgets.assert_in_range(x, "8"), "must be an integer"),  # type: ignore[arg-type]
    "a choice without a wire": (lambda c, x, a: gadgets.select(True, 1, 2), "circuit.constant"),
    "another circuit": (lambda c, x, a: x + Circuit().private("x"), "another"),
    "another circuit's in a gadget": (lambda c, x, a: gadgets.is_equal(x, Circuit().private("x")), "another"),
    "a name twice": (lambda c, x, a: c.private("x"), "already"),
    "a name that is none": (lambda c, x, a: c.private(5), "string"),  # type: ignore[arg-type]
    "a shape that is none": (lambda c, x, a: c.private("z", shape="3"), "not an integer"),  # type: ignore[arg-type]
    "a negative shape": (lambda c, x, a: c.private("z", shape=-3), "from 0 on"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_what_to_write(slip: str) -> None:
    circuit = Circuit()
    x, a = circuit.private("x"), circuit.private("a", shape=3)
    run, advice = SLIPS[slip]
    with pytest.raises(UsageError) as raised:
        run(circuit, x, a)
    assert advice in str(raised.value)
    assert "\n" not in str(raised.value)


WELCOME: dict[str, tuple[Callable[[Wires, Wires], Wires], Any]] = {
    "a list with wires": (lambda x, a: a @ [x, 2, x], 10 * 5 + 20 * 2 + 30 * 5),
    "a list of wires first": (lambda x, a: [x, x, x] @ a, 5 * 60),
    "an array of wires": (lambda x, a: a + np.array([x, x, x]), [15, 25, 35]),
    "lists in a list": (lambda x, a: a.reshape(1, 3) @ [[x, 1], [1, x], [0, 0]], [[10 * 5 + 20, 10 + 20 * 5]]),
    "a truth known now": (lambda x, a: gadgets.select(True, x, 7), 5),
    "a number first": (lambda x, a: gadgets.less_than(3, x, 8), 1),
    "numbers by name": (lambda x, a: gadgets.maximum(x=3, y=x, bits=8), 5),
    "numpy.sum": (lambda x, a: np.sum(a), 60),
    "sum": (lambda x, a: sum(a), 60),
    "a NumPy integer": (lambda x, a: x * np.int64(3), 15),
}


@pytest.mark.parametrize("form", WELCOME)
def test_what_can_only_mean_one_thing_is_taken(form: str) -> None:
    circuit = Circuit()
    x, a = circuit.private("x"), circuit.private("a", shape=3)
    run, expected = WELCOME[form]
    circuit.output("y", run(x, a))
    circuit.output("all", x + a.sum())  # every input is in some constraint
    (found,) = computed(circuit, {"x": 5, "a": [10, 20, 30]}, "y")
    assert found.tolist() == expected


def test_wires_come_with_shapes_of_numpy_integers() -> None:
    assert Circuit().private("x", shape=np.int64(3)).shape == (3,)  # type: ignore[arg-type]


# ---- sums in loops


def looped(n: int, sign: int) -> tuple[Circuit, Wires]:
    circuit = Circuit()
    x = circuit.private("x", shape=n)
    total = x[0]
    for k in range(1, n):
        total = total + x[k] * (k % 5 + 1) if sign > 0 else total - x[k] * (k % 5 + 1)
    return circuit, total


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("n", [1, 2, 255, 256, 257, 700, 3000])
def test_a_sum_in_a_loop_is_the_sum(n: int, sign: int) -> None:
    circuit, total = looped(n, sign)
    circuit.output("y", total)
    x = [3 * k + 1 for k in range(n)]
    expected = x[0] + sign * sum(v * (k % 5 + 1) for k, v in enumerate(x) if k)
    assert computed(circuit, {"x": x}, "y") == [expected % circuit.field.modulus]


def test_sums_that_go_on_from_one_sum_do_not_disturb_each_other() -> None:
    circuit, total = looped(400, 1)
    assert isinstance(total._sum, GrowingSum)
    x = circuit.private("z", shape=3)
    first, second = total + x[0], total - x[1]
    third = first + x[2]
    for name, value in {"a": total, "b": first, "c": second, "d": third, "e": first + x[1]}.items():
        circuit.output(name, value)
    inputs = list(range(400))
    base = sum(v * (k % 5 + 1) for k, v in enumerate(inputs) if k) + inputs[0]
    outputs = computed(circuit, {"x": inputs, "z": [1000, 20, 7]}, *"abcde")
    assert outputs == [base, base + 1000, base - 20, base + 1007, base + 1020]


def test_terms_that_cancel_leave_a_loop() -> None:
    circuit = Circuit()
    x = circuit.private("x", shape=600)
    total = circuit.constant(0)
    for k in range(600):
        total = total + x[k]
    for k in range(600):
        total = total - x[k]
    assert total.lc.wires.size == 0
    assert total.is_constant


def test_products_in_a_loop_keep_their_constraints() -> None:
    circuit = Circuit()
    x = circuit.private("x", shape=500)
    total = circuit.constant(5)
    for k in range(500):
        total = total + x[k] * x[k]
    circuit.output("y", total)
    assert circuit.compile().r1cs.n_constraints == 500
    assert computed(circuit, {"x": range(500)}, "y") == [5 + sum(k * k for k in range(500))]


def test_a_loop_of_sums_takes_time_for_each_of_them_alone() -> None:
    def seconds(n: int) -> float:
        began = time.process_time()
        looped(n, 1)[1].lc  # noqa: B018
        return time.process_time() - began

    seconds(100)
    few, many = min(seconds(4000) for _ in range(2)), seconds(32000)
    assert many < 8 * 4 * few  # a quadratic loop takes 64 times as long
