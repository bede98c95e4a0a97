"""Division: in the field, and of integers with a remainder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.bits import range_check
from zkgpu.circuits.gadgets.comparison import assert_less_than
from zkgpu.circuits.gadgets.operands import on_wires
from zkgpu.circuits.wires import Operand, Wires
from zkgpu.errors import UsageError


@on_wires("x")
def inverse(x: Operand) -> Wires:
    """1 / x in the field: one constraint an entry. No witness satisfies it where x is 0."""
    inverted: Wires = x.inverse()
    return inverted


@on_wires("x", "y")
def divide(x: Operand, y: Operand) -> Wires:
    """x / y in the field: two constraints an entry, none when y is constant. No witness satisfies it where y is 0."""
    quotient: Wires = x / y
    return quotient


@on_wires("x", "y")
def integer_divide(x: Operand, y: Operand, bits: int) -> tuple[Wires, Wires]:
    """Quotient and remainder over the integers: x = quotient * y + remainder with 0 <= remainder < y.

    Args:
        bits: width of the quotient and of y; all three of quotient, remainder and y are constrained, and x with them: a
            dividend whose quotient is wider is refused, and so is a divisor 0

    Enforced: 0 <= quotient < 2^bits by a range check, 0 <= remainder < y by a range check and a comparison (or, for a
    power of two, a range check of its exponent), and the sum in the field, which has one solution as it is below r / 4.
    Raises UsageError when quotient * y could reach a quarter of the modulus, or when a constant y is 0.

    Examples:
        >>> circuit = Circuit()
        >>> quotient, remainder = integer_divide(circuit.private("x"), 10, bits=16)
        >>> out = circuit.output("quotient", quotient), circuit.output("remainder", remainder)
        >>> compiled = circuit.compile()
        >>> assignment = compiled.witness({"x": 1234})
        >>> int(compiled.value("quotient", assignment)), int(compiled.value("remainder", assignment))
        (123, 4)
    """
    x, y = x.aligned(y)
    _require_room(x, y, bits)
    circuit = Circuit.of(x)
    quotient, remainder = circuit.hint(_divmod, [x, y], shape=(2, *x.shape), label="integer_divide")
    with circuit.scope("integer_divide"):
        range_check(quotient, bits)
        _assert_below_divisor(remainder, y, bits)
        circuit.assert_equal(quotient * y + remainder, x, label="product")
    return quotient, remainder


def _assert_below_divisor(remainder: Wires, y: Wires, bits: int) -> None:
    divisors = set(y.builder.constant_values(y.lc)) if y.is_constant else set()
    shift = max(divisors, default=0).bit_length() - 1
    if shift > 0 and divisors == {1 << shift}:
        range_check(remainder, shift)
    else:
        assert_less_than(remainder, y, _divisor_bits(y, bits))


def _divisor_bits(y: Wires, bits: int) -> int:
    """The divisor's width: its own when it is constant, else the declared one."""
    if not y.is_constant:
        return bits
    return max(value.bit_length() for value in y.builder.constant_values(y.lc))


def _require_room(x: Wires, y: Wires, bits: int) -> None:
    if y.is_constant and not all(y.builder.constant_values(y.lc)):
        raise UsageError("a circuit divides by the constant 0")
    total = bits + _divisor_bits(y, bits)
    if bits < 1 or total > x.builder.field.bits - 2:
        raise UsageError(
            f"a quotient of {bits} bits and a divisor of {total - bits} do not fit: "
            f"together they may have {x.builder.field.bits - 2} bits in {x.builder.field.name}"
        )


def _divmod(x: NDArray[np.object_], y: NDArray[np.object_]) -> NDArray[np.object_]:
    """(2, ...): quotients and remainders; zeros where y is 0, for the constraints to refuse."""
    safe = np.where(y == 0, 1, y)
    return np.stack([x // safe, np.where(y == 0, 0, x % safe)])
