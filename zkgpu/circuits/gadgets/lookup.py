"""Lookups: values that must be rows of a table of constants. The lookup argument is LogUp.

Logarithmic derivatives (LogUp: Haboeck, eprint 2022/1530): for looked-up values f_i, table rows t_j and their
multiplicities m_j, the f_i are all rows of the table if

    sum over i of 1 / (c - f_i) = sum over j of m_j / (c - t_j)

at a challenge c that is drawn after values and multiplicities are committed to: error at most (values + rows) / r.
Rows of several columns are first combined with the powers of a second challenge. Needs fewer values than the modulus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.numbers import Values, inverses_or_zeros, nearest_zero
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.wires import Operand, Wires, concatenate
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.fields.field import Field

Integers = NDArray[Any]  # int64, or Python integers

LOOKUP_POINT = "lookup"


class Table:
    """Rows of integers that values are looked up in. One table may serve several circuits.

    Args:
        name: what messages call it
        columns: a sequence of integers, or several of equal length; no row may occur twice

    A circuit that looks up n values in it pays n constraints a column, one a row of the table, and one more.
    """

    KEPT = ("name", "columns")  # what it is made of again from a file

    def __init__(self, name: str, columns: Sequence[int] | Sequence[Sequence[int]]) -> None:
        several: Sequence[Any] = columns if np.ndim(columns) == 2 else [columns]
        self.name, self._places = name, dict[int, dict[tuple[int, ...], int]]()
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

        Args:
            columns: one operand for each column of the table, of shapes that broadcast; all their wires are committed

        Raises UsageError for another number of columns, and when compiling a value that depends on a challenge.
        """
        if len(columns) != len(self.columns):
            raise UsageError(f"table '{self.name}' has {len(self.columns)} columns to look up wires in")
        circuit = Circuit.of(*columns, gadget=f"table '{self.name}'")
        given = [circuit.wires(column) for column in columns]
        shape = np.broadcast_shapes(*(column.shape for column in given))
        label = circuit.builder.scope_name(label) or self.name
        flat = tuple(column.broadcast_to(shape).ravel() for column in given)
        for column in flat:
            circuit.commit(column, label)
        circuit.builder.rounds.collect(self, _Lookup(flat, label), partial(self._write_argument, circuit))

    def _write_argument(self, circuit: Circuit, lookups: list[_Lookup]) -> None:
        values = [concatenate(parts) for parts in zip(*(lookup.columns for lookup in lookups), strict=True)]
        rows = [circuit.constant(column) for column in self.columns]
        self._require_room(circuit, values[0].size)
        modulus, named = circuit.field.modulus, [(lookup.label, lookup.columns[0].size) for lookup in lookups]
        with circuit.scope(f"table {self.name}"):
            multiplicities = circuit.hint(
                lambda *columns: self._count(modulus, named, columns),
                values,
                self.size,
                "multiplicities",
                signed=True,
                forgiving=lambda *columns: self._count_rows(modulus, columns)[0],
            )
            circuit.commit(multiplicities)
            looked_up = _fractions(circuit.constant(np.ones(values[0].size, dtype=np.int64)), values, "inverse")
            if values[0].size:
                circuit.builder.name_last((f"{name}/in table {self.name}", rows) for name, rows in named)
            circuit.assert_equal(looked_up.sum(), _fractions(multiplicities, rows, "fractions").sum(), label="sums")

    def _require_room(self, circuit: Circuit, values: int) -> None:
        if len(self._place_of_row(circuit.field.modulus)) != self.size or values + self.size >= circuit.field.modulus:
            raise UsageError(f"{values} values in table '{self.name}' are too many for {circuit.field.name}")

    def _count(self, modulus: int, lookups: list[tuple[str, int]], columns: Sequence[Integers]) -> Integers:
        """How often each row is looked up. Raises UnsatisfiedError naming a lookup that hits no row.

        Args:
            lookups: what each is called, and how many values it has
        """
        counts, missing = self._count_rows(modulus, columns)
        if missing.size:
            shown = ", ".join(str(column[missing[0]])[:80] for column in columns)
            raise UnsatisfiedError(self._missing(lookups, int(missing[0])), values=f"it is ({shown})")
        return counts

    def _count_rows(self, modulus: int, columns: Sequence[Integers]) -> tuple[Integers, NDArray[np.int64]]:
        """How often each row is looked up, and which of the values are no rows."""
        first, which = distinct(columns)
        place = self._place_of_row(modulus)
        rows = zip(*(column[first].tolist() for column in columns), strict=True)
        places = np.array([place.get(row, -1) for row in rows], dtype=np.int64)[which]
        return np.bincount(places[places >= 0], minlength=self.size), np.flatnonzero(places < 0)

    def _place_of_row(self, modulus: int) -> dict[tuple[int, ...], int]:
        """The number of each row, by the integers nearest zero that its entries are."""
        if modulus not in self._places:
            rows = zip(*([nearest_zero(v, modulus) for v in column] for column in self.columns), strict=True)
            self._places[modulus] = {row: j for j, row in enumerate(rows)}
        return self._places[modulus]

    def _missing(self, lookups: list[tuple[str, int]], i: int) -> str:
        ends = np.cumsum([size for _, size in lookups])
        which = int(np.searchsorted(ends, i, side="right"))
        label, size = lookups[which]
        return f"'{label}[{i - int(ends[which]) + size}]' is no row of table '{self.name}'"


@dataclass(frozen=True)
class _Lookup:
    """One call of look_up: flat columns, and what messages call them."""

    columns: tuple[Wires, ...]
    label: str


def combined(circuit: Circuit, columns: Sequence[Operand]) -> Wires:
    """The sum of column_k gamma^k at a challenge. A column of wires after the first costs a constraint an entry."""
    total, weight = circuit.wires(columns[0]), circuit.constant(1)
    for column in columns[1:]:
        weight = circuit.materialize(weight * circuit.challenge(DIGEST_POINT))
        total = total + weight.broadcast_to(total.shape) * column
    return total


def _fractions(numerators: Wires, columns: Sequence[Wires], label: str) -> Wires:
    """numerators / (c - rows), for rows of several columns combined: one constraint an entry."""
    circuit, several = Circuit.of(numerators), len(columns) > 1
    points = [circuit.challenge(name) for name in (LOOKUP_POINT, DIGEST_POINT)[: 1 + several]]
    denominators = points[0] - combined(circuit, columns)

    field, count = circuit.field, len(points)

    def divide(numerators: Integers, *given: Integers) -> Values:
        return _quotients(field, numerators, [int(point) for point in given[:count]], given[count:])

    out = circuit.hint(divide, [numerators, *points, *columns], numerators.shape, label, signed=True)
    circuit.assert_product(out, denominators, numerators, label=label)
    return out


def _quotients(field: Field, numerators: Integers, points: Sequence[int], columns: Sequence[Integers]) -> Values:
    """numerators / (c - rows): equal ones are computed once, those of 0 not at all."""
    first, which = distinct([numerators, *columns])
    some = np.flatnonzero(numerators[first])
    denominators = np.full(some.size, points[0], dtype=object)
    for k, column in enumerate(columns):
        denominators -= column[first[some]].astype(object) * pow(points[-1], k, field.modulus)
    out = np.zeros(first.size, dtype=object)
    inverses = inverses_or_zeros(field, denominators % field.modulus)
    out[some] = numerators[first[some]].astype(object) * inverses % field.modulus
    return out[which]


def distinct(columns: Sequence[Integers]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(d,) where each row of entries occurs first, and (n,) which of these d each one is."""
    which = np.zeros(len(columns[0]), dtype=np.int64)
    first = which[:1]
    for column in columns:
        numbers = np.unique(column, return_inverse=True)[1].ravel()
        together = which * (int(numbers.max(initial=0)) + 1) + numbers
        _, first, which = np.unique(together, return_index=True, return_inverse=True)
    return first, which.ravel()
