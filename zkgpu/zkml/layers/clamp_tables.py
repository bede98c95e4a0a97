"""Which clamps are looked up: Relu and saturation by tables that the requantizations of a model share.

With q the rounded value of `layers.rounding` and y its clamp, the relation is that (q, y) is a row of the table of
all pairs (q, clamp(q)) for q from `first` on (`layers.tables.look_up`). It takes 2 constraints an entry whatever the
clamp, and the table's rows once, in place of a product and a range check for each end that clamps
(`rounding.clamped`): so it is worth the while for two ends, and for one where values reach farther than a limb. With
the lookup of the remainder a requantized Relu takes 3 where there are many, as many as a table has rows or more.

All with the same ends share a table, from the least to the greatest value that any of them rounds to: one with a longer
reach than it needs gives the same y. Where the prover gives the weights, values may leave a layer's interval, and the
table is what keeps them in it: then only layers with the same interval share one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import field

import numpy as np

from zkgpu.records import dataclass
from zkgpu.zkml.headroom import LONGEST_TABLE
from zkgpu.zkml.layers.rounding import clipped, rounded_ends
from zkgpu.zkml.operations import IntegerModel, Integers, Requantize
from zkgpu.zkml.ranges import Interval

LONGEST = LONGEST_TABLE  # rows of a table


@dataclass(frozen=True)
class ClampTable:
    """The pairs (first + i, values[i])."""

    values: Integers = field(repr=False)
    first: int

    @property
    def last(self) -> int:
        return self.first + len(self.values) - 1


@dataclass(frozen=True)
class Clamp:
    """A requantization that clamps.

    Attributes:
        entries: how many
        least, greatest: what it rounds to
        saved: constraints that a lookup spares, but for the table
    """

    operation: Requantize
    entries: int
    least: int
    greatest: int
    saved: int

    @classmethod
    def of(cls, operation: Requantize, entries: int, ends: tuple[int, int], limb: int) -> Clamp | None:
        """None where it leaves all values as they are, or a single one.

        Args:
            ends: of the rounded values
            limb: bits of a limb in range checks
        """
        least, greatest = ends
        if all(clipped(end, operation) == end for end in ends) or clipped(least, operation) == clipped(
            greatest, operation
        ):
            return None
        return cls(operation, entries, least, greatest, entries * (_by_limbs(operation, least, greatest, limb) - 2))

    @property
    def ends(self) -> tuple[int | None, int | None]:
        return self.operation.low, self.operation.high


def clamp_tables(
    model: IntegerModel, intervals: Mapping[str, Interval], others: Container[str], given: bool
) -> dict[str, ClampTable]:
    """The tables of those clamps that are looked up, by their outputs.

    Args:
        others: the outputs of requantizations that are part of another operation
        given: whether the prover gives the weights
    """
    found = []
    for op in model.operations:
        if isinstance(op, Requantize) and op.output not in others:
            interval = intervals[op.inputs[0]]
            found.append(Clamp.of(op, interval.low.size, rounded_ends(interval, op.shift), model.limb))
    return {
        clamp.operation.output: table
        for clamps in shared_by([clamp for clamp in found if clamp is not None], given)
        for table in [_table(clamps)]
        for clamp in clamps
    }


def shared_by(clamps: Sequence[Clamp], given: bool) -> list[list[Clamp]]:
    """The clamps that are looked up, those of one table together."""
    groups: dict[object, list[Clamp]] = defaultdict(list)
    for clamp in clamps:
        groups[(clamp.ends, clamp.least, clamp.greatest) if given else clamp.ends].append(clamp)
    chosen = (_worthwhile(sorted(group, key=lambda c: max(-c.least, c.greatest))) for group in groups.values())
    return [group for group in chosen if group]


def rows_of(clamps: Sequence[Clamp]) -> int:
    """Of the table that they share."""
    return max(c.greatest for c in clamps) - min(c.least for c in clamps) + 1


def _worthwhile(clamps: list[Clamp]) -> list[Clamp]:
    """Those of the least reach up to some that spare the most, their table counted; none where that is nothing."""
    fitting = [n for n in range(1, len(clamps) + 1) if rows_of(clamps[:n]) <= LONGEST]
    return clamps[: max([0, *fitting], key=lambda n: _spared(clamps[:n]))]


def _spared(clamps: list[Clamp]) -> int:
    return sum(c.saved for c in clamps) - rows_of(clamps) - 1 if clamps else 0


def _table(clamps: Sequence[Clamp]) -> ClampTable:
    first = min(c.least for c in clamps)
    keys = np.arange(first, first + rows_of(clamps))
    low, high = clamps[0].ends
    values = keys if low is None and high is None else np.clip(keys, low, high)
    return ClampTable(values.astype(np.int64), first)


def _by_limbs(operation: Requantize, least: int, greatest: int, limb: int) -> int:
    """Constraints of an entry by range checks, but for the remainder's (`rounding.clamped`)."""
    return sum(1 - (-reach.bit_length() // limb) for reach in reaches_of(operation, least, greatest))


def reaches_of(operation: Requantize, least: int, greatest: int) -> list[int]:
    """Of each end that clamps: how far from it the values are that come to it, in the order of `rounding.clamped`."""
    reaches = []
    if operation.low is not None and operation.low > least:
        reaches.append(max(greatest - operation.low, operation.low - least))
        least = operation.low
    if operation.high is not None and operation.high < greatest:
        reaches.append(max(greatest - operation.high, operation.high - least))
    return reaches
