"""Functions of one integer as tables; a requantization that leads only to a table is made part of its lookup.

Relations: a pair (x, y) is a row (key, value) of a function's table (`look_up`), and (x, y_1, .., y_k) a row (key,
entries) of a table of rows (`look_up_rows`), by LogUp (gadgets.lookup). As no key occurs twice, x leaves one answer,
and none where it is no key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import field

import numpy as np

from zkgpu.circuits import Circuit, Wires
from zkgpu.circuits.gadgets.lookup import Table
from zkgpu.records import dataclass
from zkgpu.zkml.layers.range_checks import Checks, Integers
from zkgpu.zkml.layers.rounding import clamped, rounded_ends, rounded_unchecked
from zkgpu.zkml.ranges import Interval

_CLAMP = 3  # constraints of a clamp at one end, beyond rounding, about


@dataclass
class Tables:
    """The function tables of one circuit, and its tables of rows: equal ones are one."""

    _found: dict[tuple[str, Hashable], Table] = field(default_factory=dict)

    def of(self, values: Integers, first: int, power: int = 1) -> Table:
        """The rows (first + i, values[i]), which are combined with that power of a challenge."""
        return self._table("function", values, first, power)

    def hold(self, values: Integers, first: int, x: Wires, y: Wires) -> None:
        """Constrains (x, y) to be such rows."""
        self.of(values, first).look_up(x, y, label="table")

    def of_rows(self, rows: Integers, first: int) -> Table:
        """The rows (first + i, rows[i, 0], .., rows[i, k - 1])."""
        return self._table("rows", rows, first)

    def _table(self, kind: str, entries: Integers, first: int, power: int = 1) -> Table:
        key = kind, table_key(entries, first, power)
        if key not in self._found:
            number = sum(other == kind for other, _ in self._found)
            keys = np.arange(first, first + len(entries))
            self._found[key] = Table(f"{kind} {number}", np.vstack([keys, entries.T]), power)
        return self._found[key]


def table_key(entries: Integers, first: int, power: int = 1) -> Hashable:
    """Equal for tables with the same keys, from `first` on, the same entries, of a row each, and the same power."""
    content = hashlib.sha256(np.ascontiguousarray(entries, dtype=np.int64).data)
    return first, entries.shape, content.digest(), power


def look_up(tables: Tables, values: Integers, first: int, x: Wires) -> Wires:
    """values[x - first]; constrains x to lie in the table. Two constraints an entry."""
    circuit = Circuit.of(x)
    y = circuit.hint(
        lambda v: values[np.clip(v - first, 0, len(values) - 1).astype(np.int64)],
        [x],
        shape=x.shape,
        label="value of a table",
        signed=True,
    )
    tables.hold(values, first, x, y)
    return y


def look_up_rows(tables: Tables, rows: Integers, first: int, x: Wires) -> Wires:
    """rows[x - first], of x's shape and an axis of k; constrains x to lie in the table.

    k + 1 constraints an entry of x, one a row of the table, and k powers of a challenge that others may use too.
    """
    circuit, table = Circuit.of(x), tables.of_rows(rows, first)
    k = len(table.columns) - 1
    y = circuit.hint(
        lambda v: table.columns.T[np.clip(v - first, 0, table.size - 1).astype(np.int64), 1:],
        [x],
        shape=(*x.shape, k),
        label="row of a table",
        signed=True,
    )
    table.look_up(x, *(y[..., j] for j in range(k)), label="rows")
    return y


def table_for_all(values: Integers, first: int, entries: int, least: int, greatest: int) -> tuple[Integers, int] | None:
    """The table, and its first key, that holds all rounded values; None where a clamp to the given one is less."""
    last = first + len(values) - 1
    if first <= least and greatest <= last:
        return values, first
    ends = (first > least) + (last < greatest)
    if greatest - least + 1 - len(values) > _CLAMP * ends * entries:
        return None
    return values[np.clip(np.arange(least, greatest + 1), first, last) - first], least


def look_up_rounded(
    checks: Checks, tables: Tables, values: Integers, first: int, x: Wires, interval: Interval, shift: int
) -> Wires:
    """values[rounded x - first], of a table that holds all rounded values: it keeps them in range, exactly."""
    ends = first, first + len(values) - 1
    return look_up(tables, values, first, rounded_unchecked(checks, x, shift, interval, ends))


def rounded_look_up(
    checks: Checks, tables: Tables, values: Integers, first: int, x: Wires, interval: Interval, shift: int
) -> Wires:
    """values[clamp(rounded x) - first], by clamping, or by a table of all rounded values where that is less.

    The table itself keeps the rounded value in range, exactly, so that no other check does.
    """
    least, greatest = rounded_ends(interval, shift)
    found = table_for_all(values, first, x.size, least, greatest)
    if found is not None:
        return look_up_rounded(checks, tables, *found, x, interval, shift)
    last = first + len(values) - 1
    low = first if first > least else None
    high = last if last < greatest else None
    return look_up(tables, values, first, clamped(checks, x, shift, low, high, interval))
