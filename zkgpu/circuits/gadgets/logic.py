"""Booleans as 0 and 1: connectives, and choosing between two values."""

from __future__ import annotations

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.bits import assert_boolean
from zkgpu.circuits.gadgets.operands import on_wires
from zkgpu.circuits.wires import Operand, Wires


@on_wires("x")
def logical_not(x: Operand) -> Wires:
    """1 - x, for booleans."""
    assert_boolean(x)
    inverted: Wires = 1 - x
    return inverted


@on_wires("x", "y")
def logical_and(x: Operand, y: Operand) -> Wires:
    """x y, for booleans: one constraint an entry."""
    x, y = _booleans(x, y)
    return _boolean(x * y)


@on_wires("x", "y")
def logical_or(x: Operand, y: Operand) -> Wires:
    """x + y - x y, for booleans: one constraint an entry."""
    x, y = _booleans(x, y)
    return _boolean(x + y - x * y)


@on_wires("x", "y")
def logical_xor(x: Operand, y: Operand) -> Wires:
    """x + y - 2 x y, for booleans: one constraint an entry."""
    x, y = _booleans(x, y)
    return _boolean(x + y - 2 * (x * y))


@on_wires("condition", "x", "y")
def select(condition: Operand, x: Operand, y: Operand) -> Wires:
    """x where condition is 1, y where it is 0: one constraint an entry, none when x - y is constant.

    Args:
        condition: booleans, constrained to be such; shapes broadcast as in numpy.where

    Examples:
        >>> circuit = Circuit()
        >>> which, x = circuit.private("which"), circuit.private("x", 2)
        >>> chosen = circuit.output("chosen", select(which, x[0], x[1]))
        >>> compiled = circuit.compile()
        >>> int(compiled.value("chosen", compiled.witness({"which": 0, "x": [7, 8]})))
        8
    """
    assert_boolean(condition)
    chosen: Wires = condition * (x - y) + y
    return chosen


def _booleans(x: Wires, y: Operand) -> tuple[Wires, Wires]:
    x, y = x.aligned(y)
    assert_boolean(x)
    assert_boolean(y)
    return x, y


def _boolean(value: Wires) -> Wires:
    """A wire for a value that booleans make boolean."""
    out = value if value.is_constant else Circuit.of(value).materialize(value)
    out.builder.widths.prove(out.lc, 1)
    return out
