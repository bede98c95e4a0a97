"""Comparisons: with zero, with each other, and in order, over declared widths."""

from __future__ import annotations

import numpy as np

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.bits import range_check, require_whole, to_bits
from zkgpu.circuits.gadgets.logic import select
from zkgpu.circuits.gadgets.operands import on_wires
from zkgpu.circuits.numbers import inverses_or_zeros
from zkgpu.circuits.wires import Operand, Wires
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field


@on_wires("x")
def is_zero(x: Operand) -> Wires:
    """1 where x is 0, else 0: three constraints an entry.

    With m = 1/x, or 0: out = 1 - x m, x out = 0, and m out = 0, which leaves m no freedom where x is 0.
    """
    circuit, zero = Circuit.of(x), np.zeros(x.shape, dtype=np.int64)
    field = circuit.field
    inverse = circuit.hint(lambda v: inverses_or_zeros(field, v), [x], shape=x.shape, label="is_zero")
    with circuit.scope("is_zero"):
        out = circuit.materialize(1 - x * inverse)
        circuit.assert_product(x, out, zero)
        circuit.assert_product(inverse, out, zero)
    circuit.builder.widths.prove(out.lc, 1)
    return out


@on_wires("x", "y")
def is_equal(x: Operand, y: Operand) -> Wires:
    """1 where x equals y, else 0: three constraints an entry."""
    return is_zero(x - y)


@on_wires("x", "y")
def less_than(x: Operand, y: Operand, bits: int) -> Wires:
    """1 where x < y, else 0, for integers of `bits` bits: both operands are constrained to be such.

    Enforced: 0 <= x, y < 2^bits by range checks, hence 0 < x - y + 2^bits < 2^(bits + 1) as integers, and x >= y by the
    top one of that number's bits, which `to_bits` pins exactly.
    bits + 2 constraints an entry besides the operands' range checks. Raises UsageError when 2^(bits + 1)
    exceeds the modulus: differences would wrap around it.

    Examples:
        >>> circuit = Circuit()
        >>> x = circuit.private("x", 3)
        >>> small = circuit.output("small", less_than(x, 10, bits=8))
        >>> compiled = circuit.compile()
        >>> compiled.value("small", compiled.witness({"x": [9, 10, 255]})).tolist()
        [1, 0, 0]
    """
    _require_room(x.builder.field, bits)
    x, y = x.aligned(y)
    range_check(x, bits)
    range_check(y, bits)
    with x.builder.scope("less_than"):
        difference = to_bits(x - y + (1 << bits), bits + 1)
    return 1 - difference[..., bits]


@on_wires("x", "y")
def less_equal(x: Operand, y: Operand, bits: int) -> Wires:
    """1 where x <= y, else 0; as less_than."""
    x, y = x.aligned(y)
    return 1 - less_than(y, x, bits)


@on_wires("x", "y")
def assert_less_than(x: Operand, y: Operand, bits: int) -> None:
    """Constrains x < y, for integers of `bits` bits: both operands are constrained to be such.

    Enforced: 0 <= y - x - 1 by the low end of its range check, which a negative difference above -2^bits cannot meet.
    `bits` constraints an entry besides the operands' range checks.
    """
    _require_room(x.builder.field, bits)
    x, y = x.aligned(y)
    range_check(x, bits)
    range_check(y, bits)
    with x.builder.scope("less_than"):
        range_check(y - x - 1, bits)


@on_wires("x", "y")
def minimum(x: Operand, y: Operand, bits: int) -> Wires:
    """The smaller of x and y, integers of `bits` bits, entry by entry; as less_than, and one constraint more.

    Enforced: which of them it is, by less_than, and that it is that one, by select.
    """
    x, y = x.aligned(y)
    return _chosen(less_than(x, y, bits), x, y, bits)


@on_wires("x", "y")
def maximum(x: Operand, y: Operand, bits: int) -> Wires:
    """The larger of x and y, integers of `bits` bits, entry by entry; as less_than, and one constraint more.

    Enforced as in `minimum`.
    """
    x, y = x.aligned(y)
    return _chosen(less_than(x, y, bits), y, x, bits)


def _chosen(condition: Wires, x: Wires, y: Wires, bits: int) -> Wires:
    chosen = select(condition, x, y)
    chosen.builder.widths.prove(chosen.lc, bits)
    return chosen


def _require_room(field: Field, bits: int) -> None:
    require_whole(bits)
    if bits < 1 or 1 << (bits + 1) > field.modulus:
        raise UsageError(f"{bits} bits: compared integers need from 1 to {field.bits - 2} bits")
