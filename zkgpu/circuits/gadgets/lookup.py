"""Lookups: values that must be rows of a table of constants. The lookup argument is LogUp.

Logarithmic derivatives (LogUp: Haboeck, eprint 2022/1530): for looked-up values f_i, table rows t_j and their
multiplicities m_j, the f_i are all rows of the table if

    sum over i of 1 / (c - f_i) = sum over j of m_j / (c - t_j)

at a challenge c that is drawn after values and multiplicities are committed to: error at most (values + rows) / r.
Rows of several columns are first combined with the powers of a second challenge. Needs fewer values than the modulus.

A table may have a power p of its own: row (x, y) is then combined as x + r^p y, whose product with y is one that the
circuit may use besides (`Table.look_up_weighted`), as sums of values weighted by powers of r do. Different rows are
different polynomials in r, of degree p, and equal for at most p of its values: the error is at most p (values + rows) /
|Fr|. p is not 0, as x + y is the same for many rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.coefficients import integer_array
from zkgpu.circuits.gadgets.evaluations import powers
from zkgpu.circuits.numbers import NARROW, WIDE, Values, inverses_or_zeros, narrowest, nearest_zero
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.wires import Operand, Wires, concatenate, stack
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.fields.field import Field
from zkgpu.records import dataclass

Integers = NDArray[Any]  # int64, or Python integers
Places = NDArray[np.int64]

LOOKUP_POINT = "lookup"


class Table:
    """Rows of integers that values are looked up in. One table may serve several circuits.

    Args:
        name: what messages call it
        columns: a sequence of integers, or several of equal length; no row may occur twice
        power: of the challenge whose powers combine the columns

    Attributes:
        columns: (k, rows), in the narrowest type of integers that holds them

    A circuit that looks up n values in it pays n constraints a column, one a row of the table, and one more; with more
    than two columns also one for each power of a challenge that it does not have yet. A row of the table is one
    constraint, in which each of its entries is one.
    """

    KEPT = ("name", "columns", "power")  # what it is made of again from a file

    def __init__(self, name: str, columns: Sequence[int] | Sequence[Sequence[int]] | Integers, power: int = 1) -> None:
        if power < 1:
            raise UsageError(f"table '{name}' combines its columns with the power {power}: give one from 1 on")
        is_narrow = isinstance(columns, np.ndarray) and columns.dtype in NARROW
        self.name, self.power = name, power
        self.columns: Integers = np.atleast_2d(columns if is_narrow else narrowest(integer_array(columns)))
        if not self.columns.size:
            raise UsageError(f"table '{name}' needs at least one row")
        if not _ascend(self.columns[0]) and len(distinct(self.columns)[0]) != self.size:
            raise UsageError(f"table '{name}' has a row twice: its multiplicity could be split at will")

    @property
    def size(self) -> int:
        return int(self.columns.shape[1])

    def look_up(self, *columns: Operand, label: str | None = None) -> None:
        """Constrains each entry of the columns, taken together, to be a row of the table.

        Args:
            columns: one operand for each column of the table, of shapes that broadcast; all their wires are committed

        Raises UsageError for another number of columns, and when compiling a value that depends on a challenge.
        """
        self._collect(columns, label, is_weighted=False)

    def look_up_weighted(self, x: Operand, y: Operand, label: str | None = None) -> Wires:
        """As `look_up` of two columns. Returns r^power y, the products that it takes: wires, in the shape of both."""
        return self._collect((x, y), label, is_weighted=True)

    def _collect(self, columns: Sequence[Operand], label: str | None, is_weighted: bool) -> Wires:
        if len(columns) != len(self.columns):
            raise UsageError(f"table '{self.name}' has {len(self.columns)} columns to look up wires in")
        circuit = Circuit.of(*columns, gadget=f"table '{self.name}'")
        given = [circuit.wires(column) for column in columns]
        shape = np.broadcast_shapes(*(column.shape for column in given))
        label = circuit.builder.scope_name(label) or self.name
        flat = tuple(column.broadcast_to(shape).ravel() for column in given)
        for column in flat:
            circuit.commit(column, label)
        weighted = circuit.materialize(_weighted(circuit, flat[1], self._weights(circuit)[1])) if is_weighted else None
        lookup = _Lookup(flat, label, weighted)
        circuit.builder.rounds.collect(self, lookup, partial(self._write_argument, circuit))
        return flat[-1].reshape(*shape) if weighted is None else weighted.reshape(*shape)

    def _write_argument(self, circuit: Circuit, lookups: list[_Lookup]) -> None:
        values = [concatenate(parts) for parts in zip(*(lookup.columns for lookup in lookups), strict=True)]
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
            looked_up = self._inverses(circuit, values, self._combined(circuit, lookups, values))
            if values[0].size:
                circuit.builder.name_last((f"{name}/in table {self.name}", rows) for name, rows in named)
            circuit.assert_equal(looked_up.sum(), self._fractions(circuit, multiplicities).sum(), label="sums")

    def _require_room(self, circuit: Circuit, values: int) -> None:
        modulus = circuit.field.modulus
        reduced = self._in_field(modulus)
        is_aliased = reduced is not self.columns and len(distinct(reduced)[0]) != self.size
        if is_aliased or values + self.size >= modulus:
            raise UsageError(f"{values} values in table '{self.name}' are too many for {circuit.field.name}")

    def _weights(self, circuit: Circuit) -> Wires:
        return _weights(circuit, len(self.columns), self.power)

    def _points(self, circuit: Circuit) -> Wires:
        """The challenges of the lookup, c first."""
        names = (LOOKUP_POINT, DIGEST_POINT)[: 1 + (len(self.columns) > 1)]
        return stack([circuit.challenge(name) for name in names])

    def _combined(self, circuit: Circuit, lookups: list[_Lookup], values: Sequence[Wires]) -> Wires:
        """The rows that are looked up, each as one number."""
        if any(lookup.weighted is not None for lookup in lookups):
            weight = self._weights(circuit)[1]
            found = [lookup.weighted for lookup in lookups]
            second = [lookup.columns[1] for lookup in lookups]
            parts = [_weighted(circuit, y, weight) if w is None else w for w, y in zip(found, second, strict=True)]
            return values[0] + concatenate(parts)
        return combined(circuit, values, self.power)

    def _inverses(self, circuit: Circuit, values: Sequence[Wires], rows: Wires) -> Wires:
        """1 / (c - rows): one constraint an entry, "inverse"."""
        points = self._points(circuit)
        denominators, field, power = points[0] - rows, circuit.field, self.power

        def divide(points: Integers, *columns: Integers) -> Values:
            return _quotients(field, np.ones(columns[0].size, dtype=np.int64), points.tolist(), columns, power)

        ones = np.ones(denominators.size, dtype=np.int64)
        out = circuit.hint(divide, [points, *values], denominators.shape, "inverse", signed=True)
        circuit.assert_product(out, denominators, ones, label="inverse")
        return out

    def _fractions(self, circuit: Circuit, multiplicities: Wires) -> Wires:
        """m_j / (c - t_j) of the table's rows t_j: one constraint each, "fractions"."""
        points, weights = self._points(circuit), self._weights(circuit)
        denominators = concatenate([weights, points[:1]]) @ _negated_above_ones(self.columns)
        field, columns, power = circuit.field, self.columns, self.power

        def divide(numerators: Integers, points: Integers) -> Values:
            rows = np.flatnonzero(numerators)
            out = np.zeros(numerators.size, dtype=object)
            out[rows] = _quotients(field, numerators[rows], points.tolist(), columns[:, rows], power)
            return out

        out = circuit.hint(divide, [multiplicities, points], self.size, "fractions", signed=True)
        circuit.assert_product(out, denominators, multiplicities, label="fractions")
        return out

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

    def _count_rows(self, modulus: int, columns: Sequence[Integers]) -> tuple[Integers, Places]:
        """How often each row is looked up, and which of the values are no rows."""
        places = _places_of(self._in_field(modulus), columns)
        return np.bincount(places[places >= 0], minlength=self.size), np.flatnonzero(places < 0)

    def _in_field(self, modulus: int) -> Integers:
        """The columns as the integers nearest zero that are the same elements."""
        if self.columns.dtype != object and modulus.bit_length() > 8 * self.columns.itemsize:
            return self.columns
        reduced = [[nearest_zero(int(v), modulus) for v in column] for column in self.columns]
        return integer_array(reduced)

    def _missing(self, lookups: list[tuple[str, int]], i: int) -> str:
        ends = np.cumsum([size for _, size in lookups])
        which = int(np.searchsorted(ends, i, side="right"))
        label, size = lookups[which]
        return f"'{label}[{i - int(ends[which]) + size}]' is no row of table '{self.name}'"


@dataclass(frozen=True)
class _Lookup:
    """One call of look_up: flat columns, what messages call them, and the second one weighted, where that has wires."""

    columns: tuple[Wires, ...]
    label: str
    weighted: Wires | None = None


def combined(circuit: Circuit, columns: Sequence[Operand], power: int = 1) -> Wires:
    """The sum of column_k r^(power k) at a challenge. A column of wires after the first costs a constraint an entry."""
    total, weights = circuit.wires(columns[0]), _weights(circuit, len(columns), power)
    for k, column in enumerate(columns[1:], start=1):
        total = total + _weighted(circuit, column, weights[k])
    return total


def _weighted(circuit: Circuit, column: Wires, weight: Wires) -> Wires:
    return weight.broadcast_to(column.shape) * column


def _weights(circuit: Circuit, columns: int, power: int = 1) -> Wires:
    """(columns,): 1, r^power, r^(2 power), .. of the challenge that combines columns; of one column none is needed."""
    return powers(circuit, (columns - 1) * power + 1)[::power] if columns > 1 else circuit.constant([1])


def _quotients(
    field: Field, numerators: Integers, points: Sequence[int], columns: Sequence[Integers] | Integers, power: int
) -> Values:
    """numerators / (c - rows): equal ones are computed once, those of 0 not at all."""
    first, which = distinct([numerators, *columns])
    some = np.flatnonzero(numerators[first])
    denominators = np.full(some.size, points[0], dtype=object)
    for k, column in enumerate(columns):
        denominators -= column[first[some]].astype(object) * pow(points[-1], k * power, field.modulus)
    out = np.zeros(first.size, dtype=object)
    inverses = inverses_or_zeros(field, denominators % field.modulus)
    out[some] = numerators[first[some]].astype(object) * inverses % field.modulus
    return out[which]


def _negated_above_ones(columns: Integers) -> Integers:
    """(k + 1, rows), in a type that has the opposite of each."""
    kind = columns.dtype if columns.dtype == object else np.int32 if columns.itemsize < 4 else np.int64
    out = np.ones((len(columns) + 1, columns.shape[1]), dtype=kind)
    np.negative(columns, out=out[:-1], dtype=kind)
    return out


def _ascend(keys: Integers) -> bool:
    return bool((keys[1:] > keys[:-1]).all())


def _places_of(rows: Integers, columns: Sequence[Integers]) -> Places:
    """(n,): which of the rows values are, in their columns; -1 where they are none.

    Args:
        rows: (k, rows), none of them twice
    """
    if rows.dtype == object or not _ascend(rows[0]):
        first, which = distinct([np.concatenate(pair) for pair in zip(rows, columns, strict=True)])
        places = first[which[rows.shape[1] :]]
        return np.where(places < rows.shape[1], places, -1)
    values = [_in_words(column) for column in columns]
    places = _places_of_keys(rows[0], values[0])
    same = np.ones(places.size, dtype=bool)
    for row, value in zip(rows, values, strict=True):
        same &= row[places] == value
    return np.where(same, places, -1)


def _places_of_keys(keys: Integers, values: Integers) -> Places:
    """Where each value is among ascending keys, or some place where it is not."""
    if int(keys[-1]) - int(keys[0]) == keys.size - 1:
        return np.clip(values, int(keys[0]), int(keys[-1])) - int(keys[0])
    return np.minimum(np.searchsorted(keys, values), keys.size - 1)


def _in_words(column: Integers) -> NDArray[np.int64]:
    """Integers as int64, with WIDE, which no table has, for those that are no machine words."""
    if column.dtype != object:
        return column
    return np.array([v if abs(v) < -WIDE else WIDE for v in column], dtype=np.int64)


def distinct(columns: Sequence[Integers] | Integers) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(d,) where each row of entries occurs first, and (n,) which of these d each one is."""
    which = np.zeros(len(columns[0]), dtype=np.int64)
    first = which[:1]
    for column in columns:
        numbers = np.unique(column, return_inverse=True)[1].ravel()
        together = which * (int(numbers.max(initial=0)) + 1) + numbers
        _, first, which = np.unique(together, return_index=True, return_inverse=True)
    return first, which.ravel()
