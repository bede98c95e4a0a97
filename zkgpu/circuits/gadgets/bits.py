"""Booleans, binary decomposition and range checks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.operands import on_wires
from zkgpu.circuits.wires import Operand, Wires
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field


@on_wires("x")
def assert_boolean(x: Operand) -> None:
    """Constrains each entry to 0 or 1: one constraint an entry that is not already known to be boolean."""
    unproven = unproven_entries(x, 1)
    _constrain_boolean(unproven)
    x.builder.widths.prove(unproven.lc, 1)


@on_wires("x")
def to_bits(x: Operand, bits: int | None = None) -> Wires:
    """The bits of each entry, lowest first, on a new last axis of length `bits`; constrains x < 2^bits.

    Args:
        bits: from 1 to the field's width, which is the default; at the full width the bits are those of the canonical
            integer: the bits of x + modulus are refused

    Enforced: each bit is 0 or 1, and their weighted sum is x. Below the full width no two rows of bits have the same
    sum in the field; at the full width `_assert_bits_at_most` leaves those of sums below the modulus.
    bits + 1 constraints an entry; at the full width one more for each one bit of modulus - 1.

    Examples:
        >>> circuit = Circuit()
        >>> bits = circuit.output("bits", to_bits(circuit.private("x"), 4))
        >>> compiled = circuit.compile()
        >>> compiled.value("bits", compiled.witness({"x": 11})).tolist()
        [1, 1, 0, 1]
    """
    circuit = Circuit.of(x)
    bits = circuit.field.bits if bits is None else bits
    require_width(circuit.field, bits)
    if x.is_constant:
        return _bits_of_constant(x, bits)
    decomposed = circuit.hint(lambda v: _bits_of(v, bits), [x], shape=(*x.shape, bits), label="bits")
    if bits == circuit.field.bits:
        _assert_bits_at_most(decomposed, circuit.field.modulus - 1)
    else:
        assert_boolean(decomposed)
    circuit.assert_equal(_weighted(decomposed), x, label="sum of bits")
    circuit.builder.widths.prove(x.lc, bits)
    return decomposed


@on_wires("bits")
def from_bits(bits: Operand) -> Wires:
    """The integers whose bits, lowest first, lie on the last axis; they are constrained to be bits.

    Raises UsageError when there are so many that the sum could exceed the modulus.
    """
    if not bits.shape or 1 << bits.shape[-1] > bits.builder.field.modulus:
        raise UsageError(f"wires of shape {bits.shape} hold no row of bits that stays below the modulus")
    assert_boolean(bits)
    return _weighted(bits)


@on_wires("x")
def range_check(x: Operand, bits: int) -> None:
    """Constrains each entry to 0 .. 2^bits - 1: `bits` constraints an entry that is not already known to fit.

    Both ends are enforced on the entry itself, by bits that add up to it (`constrain_range`).
    """
    require_width(x.builder.field, bits)
    if 1 << bits > x.builder.field.modulus:
        return  # true of every element
    unproven = unproven_entries(x, bits)
    with x.builder.scope("range"):
        constrain_range(unproven, bits)
    x.builder.widths.prove(unproven.lc, bits)


def constrain_range(x: Wires, bits: int) -> None:
    """As range_check, whatever is known of the entries, and without noting it.

    All bits but the top one have wires; the top one is what they leave over, and has to be 0 or 1 as well.
    """
    if bits == 1 or not x.size:
        _constrain_boolean(x)
        return
    circuit = Circuit.of(x)
    low = circuit.hint(lambda v: _bits_of(v, bits - 1), [x], shape=(*x.shape, bits - 1), label="bits")
    with circuit.scope("bits"):
        _constrain_boolean(low)
        _constrain_boolean((x - _weighted(low)) / (1 << bits - 1))


def _constrain_boolean(x: Wires) -> None:
    Circuit.of(x).assert_product(x, x - 1, np.zeros(x.shape, dtype=np.int64), label="boolean")


def unproven_entries(x: Wires, bits: int) -> Wires:
    """The entries not yet known to be below 2^bits, in one row. Raises UsageError for a constant that is not."""
    widths = x.builder.widths.of(x.lc)
    entries = x.ravel()[np.flatnonzero(widths > bits)]
    constant = (entries.lc.lengths == 1) & (entries.lc.wires[entries.lc.indptr[:-1]] == 0)
    if constant.any():
        raise UsageError(f"a constant of {widths[widths > bits][constant][0]} bits does not fit into {bits}")
    return entries


def _assert_bits_at_most(bits: Wires, bound: int) -> None:
    """Constrains the last axis to be bits, lowest first, of integers up to the constant `bound`.

    From the top, `equal` says whether all bits so far are the bound's: while it is 1, a bit cannot be 1 where
    the bound has 0. There b * (1 - equal - b) = 0 makes b boolean and says just that.
    """
    circuit = Circuit.of(bits)
    equal = circuit.constant(np.ones(bits.shape[:-1], dtype=np.int64))
    zero = np.zeros(bits.shape[:-1], dtype=np.int64)
    for i in reversed(range(bits.shape[-1])):
        bit = bits[..., i]
        if bound >> i & 1:
            assert_boolean(bit)
            equal = circuit.materialize(equal * bit)
        else:
            circuit.assert_product(bit, 1 - equal - bit, zero, label="canonical")
    circuit.builder.widths.prove(bits.lc, 1)


def _weighted(bits: Wires) -> Wires:
    powers = np.array([1 << i for i in range(bits.shape[-1])], dtype=object)
    return bits @ powers


def _bits_of(values: NDArray[np.object_], bits: int) -> NDArray[np.object_]:
    digits: NDArray[np.object_] = (values[..., None] >> np.arange(bits).astype(object)) & 1
    return digits


def _bits_of_constant(x: Wires, bits: int) -> Wires:
    values = np.array(x.builder.constant_values(x.lc), dtype=object)
    if any(v >> bits for v in values):
        raise UsageError(f"a constant of {max(int(v).bit_length() for v in values)} bits does not fit into {bits}")
    return Circuit.of(x).constant(_bits_of(values, bits).reshape(*x.shape, bits))


def require_whole(bits: int) -> None:
    """Raises UsageError for a width that is no integer."""
    if not isinstance(bits, int | np.integer):
        raise UsageError(f"{bits!r} bits: a width must be an integer")


def require_width(field: Field, bits: int) -> None:
    require_whole(bits)
    if not 1 <= bits <= field.bits:
        raise UsageError(f"{bits} bits: a width must be from 1 to {field.bits}, the width of {field.name}")
