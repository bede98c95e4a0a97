"""Tracing: a program does what its function does, shares what is equal, and leaves out what nothing needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkgpu.backend import expression
from zkgpu.curves.recorder import Argument, record
from zkgpu.errors import UsageError
from zkgpu.fields.trace import Program, Tracer, trace

P = 97
OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": lambda x, y: x + y,
    "-": lambda x, y: x - y,
    "*": lambda x, y: x * y,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "one of each": lambda x, y: (x + y) * (x - y),
    "integers on either side": lambda x, y: 3 * x + x * 3 - (5 - y) + 100,
    "negative": lambda x, y: -(x * y) - -y,
    "powers": lambda x, y: x**1 + y**2 + x**11,
    "small multiples": lambda x, y: 0 * x + 1 * y + 16 * x + 17 * y,
    "an argument itself": lambda x, y: y,
}


def run(program: Program, *inputs: int) -> list[int]:
    values = [*inputs, *program.constants]
    for operator, left, right in program.steps:
        values.append(OPERATIONS[operator](values[left], values[right]) % P)
    return [values[k] % P for k in program.results]


@pytest.mark.parametrize("name", FUNCTIONS)
@given(x=st.integers(0, P - 1), y=st.integers(0, P - 1))
def test_each_kind_of_program_does_what_its_function_does(name: str, x: int, y: int) -> None:
    function = FUNCTIONS[name]
    routine = record("r", P, [Argument(2, 1)], lambda given: [function(*given)])
    expected = [function(x, y) % P]
    assert run(trace(function, 2, P), x, y) == expected
    assert run(routine.program, x, y) == expected
    assert kernel(expression.trace(function, 2), x, y) == expected[0]


def kernel(traced: expression.Expression, *inputs: int) -> int:
    """What a kernel's text leaves in out[0], its C++ read as Python."""
    names = {
        "add": OPERATIONS["+"],
        "sub": OPERATIONS["-"],
        "mul": OPERATIONS["*"],
        "square": lambda x: x * x,
        **{f"x{k}": [value] for k, value in enumerate(inputs)},
        "constants": traced.constants,
        "out": [0],
        "i": 0,
    }
    body = [line.strip().removeprefix("Scalar ").rstrip(";") for line in traced.text.splitlines()[3:-1]]
    exec("\n".join(body), names)
    return names["out"][0] % P


def test_products_and_sums_are_equal_in_either_order_and_differences_are_not() -> None:
    program = trace(lambda x, y: (x * y - y * x) + (x - y) * (y - x) + (x + y) + (y + x), 2, P)
    assert sorted(operator for operator, _, _ in program.steps) == sorted("*---*++++")


def test_equal_operations_are_one_statement_of_a_kernel_and_equal_numbers_two_constants() -> None:
    traced = expression.trace(lambda x, y: (x * y + 3) * (x * y + 3), 2)
    assert traced.text.count("mul(x0[i], x1[i])") == 1
    assert traced.constants == (3, 3)


def test_what_nothing_needs_is_left_out() -> None:
    def wasteful(x: Any, y: Any) -> Any:
        _ = (x * 7) ** 5
        return x + y

    assert trace(wasteful, 2, P) == trace(lambda x, y: x + y, 2, P)
    assert expression.trace(wasteful, 2) == expression.trace(lambda x, y: x + y, 2)


def test_symbols_of_two_traces_do_not_mix() -> None:
    stranger = Tracer(P).input()
    with pytest.raises(UsageError, match="its arguments and integers only"):
        trace(lambda x: x * stranger, 1, P)


@pytest.mark.parametrize("operand", [1.5, True, "2", None])
def test_a_kernel_takes_integers_and_no_other_numbers(operand: object) -> None:
    with pytest.raises(UsageError, match="integers only"):
        expression.trace(lambda x: x * operand, 1)
