"""Lookups: values that must be rows of a table of constants, and range checks by limbs.

Logarithmic derivatives (Haboeck, eprint 2022/1530): for looked-up values f_i, table rows t_j and their
multiplicities m_j, the f_i are all rows of the table if

    sum over i of 1 / (c - f_i) = sum over j of m_j / (c - t_j)

at a challenge c that is drawn after values and multiplicities are committed to: error at most (values + rows) / r.
Rows of several columns are first combined with the powers of a second challenge. Needs fewer values than the modulus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.evaluation import Values, object_array
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.wires import Operand, Wires, concatenate
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.fields.field import batch_inverse

LOOKUP_POINT = "lookup"


class Table:
    """Rows of integers that values are looked up in. One table may serve several circuits.

    name      what messages call it
    columns   a sequence of integers, or several of equal length; no row may occur twice
    A circuit that looks up n values in it pays n constraints a column, one a row of the table, and one more.
    """

    def __init__(self, name: str, columns: Sequence[int] | Sequence[Sequence[int]]) -> None:
        several: Sequence[Any] = columns if np.ndim(columns) == 2 else [columns]
        self.name = name
        self.columns = tuple(tuple(int(v) for v in column) for column in several)
        if not self.columns or not self.columns[0]:
            raise UsageError(f"table '{name}' needs at least one row")
        if len(set(zip(*self.columns, strict=True))) != self.size:
            raise UsageError(f"table '{name}' has a row twice: its multiplicity could be split at will")

    @property
    def size(self) -> int:
        return len(self.columns[0])

    def look_up(self, *columns: Operand, label: str | None = None) -> None:
        """Constrains each entry of the columns, taken together, to be a row of the table.

        columns   one operand for each column of the table, of shapes that broadcast; all their wires are committed
        Raises UsageError for another number of columns, and when compiling a value that depends on a challenge.
        """
        wires = [column for column in columns if isinstance(column, Wires)]
        if len(columns) != len(self.columns) or not wires:
            raise UsageError(f"table '{self.name}' has {len(self.columns)} columns to look up wires in")
        circuit = wires[0].circuit
        given = [circuit.wires(column) for column in columns]
        shape = np.broadcast_shapes(*(column.shape for column in given))
        label = circuit.path(label) or self.name
        flat = tuple(column.broadcast_to(shape).ravel() for column in given)
        for column in flat:
            circuit.commit(column, label)
        circuit.collect(self, _Lookup(flat, label), self._write_argument)

    def _write_argument(self, circuit: Circuit, lookups: list[_Lookup]) -> None:
        columns = [concatenate(parts) for parts in zip(*(lookup.columns for lookup in lookups), strict=True)]
        self._require_room(circuit, columns[0].size)
        with circuit.scope(f"table {self.name}"):
            multiplicities = circuit.hint(
                lambda *values: self._count(circuit.field.modulus, lookups, values),
                columns,
                shape=self.size,
                label="multiplicities",
            )
            circuit.commit(multiplicities)
            point = circuit.challenge(LOOKUP_POINT)
            looked_up = (point - _combined(circuit, columns)).inverse()
            rows = point - _combined(circuit, [np.array(column, dtype=object) for column in self.columns])
            fractions = _fractions(multiplicities, rows)
            circuit.assert_equal(looked_up.sum(), fractions.sum(), label="sums")

    def _require_room(self, circuit: Circuit, values: int) -> None:
        rows = {tuple(v % circuit.field.modulus for v in row) for row in zip(*self.columns, strict=True)}
        if len(rows) != self.size or values + self.size >= circuit.field.modulus:
            raise UsageError(f"{values} values in table '{self.name}' are too many for {circuit.field.name}")

    def _count(self, modulus: int, lookups: list[_Lookup], values: Sequence[Values]) -> list[int]:
        """How often each row is looked up. Raises UnsatisfiedError naming a value that is no row."""
        place = {tuple(v % modulus for v in row): j for j, row in enumerate(zip(*self.columns, strict=True))}
        counts = [0] * self.size
        for i, row in enumerate(zip(*values, strict=True)):
            if row not in place:
                raise UnsatisfiedError(self._missing(modulus, lookups, i, row))
            counts[place[row]] += 1
        return counts

    def _missing(self, modulus: int, lookups: list[_Lookup], i: int, row: tuple[int, ...]) -> str:
        for lookup in lookups:
            if i < lookup.columns[0].size:
                break
            i -= lookup.columns[0].size
        shown = ", ".join(str(v if 2 * v < modulus else v - modulus)[:80] for v in row)
        return f"'{lookup.label}[{i}]': ({shown}) is no row of table '{self.name}'"


@dataclass(frozen=True)
class _Lookup:
    """One call of look_up: flat columns, and what messages call them."""

    columns: tuple[Wires, ...]
    label: str


def _combined(circuit: Circuit, columns: Sequence[Operand]) -> Wires:
    """The sum of column_k gamma^k. A column of wires after the first costs a constraint an entry."""
    total, weight = circuit.wires(columns[0]), circuit.constant(1)
    for column in columns[1:]:
        weight = circuit.materialize(weight * circuit.challenge(DIGEST_POINT))
        total = total + weight.broadcast_to(total.shape) * column
    return total


def _fractions(numerators: Wires, denominators: Wires) -> Wires:
    """numerators / denominators: one constraint an entry."""
    circuit, modulus = numerators.circuit, numerators.circuit.field.modulus

    def divide(x: Values, y: Values) -> Values:
        inverses = batch_inverse(circuit.field, [v or 1 for v in y])
        return object_array(a * b % modulus for a, b in zip(x, inverses, strict=True))

    out = circuit.hint(divide, [numerators, denominators], shape=numerators.shape, label="fractions")
    circuit.assert_product(denominators, out, numerators, label="fractions")
    return out
