"""What roundings, lookups and operations on rows take: the part of `zkml.counting` that follows their layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from zkgpu.circuits.gadgets.lookup import LOOKUP_POINT
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.zkml.counting_products import ProductTally
from zkgpu.zkml.layers.maximum import spread
from zkgpu.zkml.layers.normalize import has_wire_of_sum
from zkgpu.zkml.layers.rounding import clipped, rounded_ends
from zkgpu.zkml.layers.tables import table_for_all, table_key
from zkgpu.zkml.layers.weighted_lookups import WeightedLookup
from zkgpu.zkml.operations import (
    ArgMax,
    Lookup,
    Maximum,
    Normalize,
    Requantize,
    Rescale,
    RootMeanSquare,
    Rows,
    Softmax,
    Steps,
    TopK,
    Total,
)
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.semantics import inverse_root
from zkgpu.zkml.tally import Integers, Sums


class RowTally(ProductTally):
    """Counts of what is written entry by entry or row by row."""

    # roundings

    def requantize(self, operation: Requantize, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        if (clamp := self.plan.clamps.get(operation.output)) is not None:
            return self._looked_up(
                clamp.values, clamp.first, self._rounded(x, operation.shift, interval, checked=False)
            )
        given = self.visibilities.weights_are_given
        least, greatest = rounded_ends(interval, operation.shift)
        low = operation.low if operation.low is not None and operation.low > least else None
        high = operation.high if operation.high is not None and operation.high < greatest else None
        ends = tuple(clipped(end, operation) for end in (least, greatest))
        if ends[0] == ends[1] != least and not given:
            return Sums.of(np.zeros(x.shape, dtype=np.int64), 0)
        if low is None and high is None:
            y = self._rounded(x, operation.shift, interval)
        else:
            y = self._clamped(x, operation.shift, low, high, interval)
        if given and (low, high) != (operation.low, operation.high):
            self.within(y, *ends)
        return y

    def rescale(self, operation: Rescale, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        y = self._rounded(inputs[0], operation.shift, intervals[0], checked=False)
        self.within(y, operation.low, operation.high)
        return y

    def _rounded(self, x: Sums, shift: int, interval: Interval, checked: bool = True) -> Sums:
        if shift == 0:
            return x
        y = self.fresh(x.shape)
        if checked:
            self.within(y, *rounded_ends(interval, shift), exactly=False)
        self._bind_remainder(x, shift)
        return y

    def _bind_remainder(self, x: Sums, shift: int) -> None:
        self.within(x.plus(1), 0, (1 << shift) - 1)

    def _clamped(self, x: Sums, shift: int, low: int | None, high: int | None, interval: Interval) -> Sums:
        """`rounding.clamped`."""
        least, greatest = rounded_ends(interval, shift)
        y = self.fresh(x.shape) if shift else x
        if low is not None:
            y, least = self._farther(y, max(greatest - low, low - least)), low
        if high is not None:
            y = self._farther(y, max(greatest - high, high - least))
        if shift:
            self._bind_remainder(x, shift)
        return y

    def _farther(self, x: Sums, reach: int) -> Sums:
        y = self.fresh(x.shape)
        self.constrain(x.size, x.total() + 2 * x.size)
        self.within(x.plus(1), 0, reach, exactly=False)
        return y

    # tables

    def lookup(self, operation: Lookup, inputs: list[Sums], _: Any) -> Sums:
        rounding, given = self.plan.fused.get(operation.inputs[0]), (operation.table, operation.first)
        lookup = self.plan.weighted_lookups.get(operation.output)
        if rounding is None:
            return self._looked_up(*given, inputs[0], lookup)
        (name,) = rounding.inputs
        if isinstance(rounding, Rescale):
            index = self._rounded(self.sums[name], rounding.shift, self.plan.intervals[name], checked=False)
            return self._looked_up(*given, index, lookup)
        return self._rounded_look_up(*given, self.sums[name], self.plan.intervals[name], rounding.shift, lookup)

    def _looked_up(self, table: Integers, first: int, x: Sums, lookup: WeightedLookup | None = None) -> Sums:
        y = self.fresh(x.shape)
        if lookup is None:
            self.look_up(table_key(table, first), len(table), 2, x)
        else:
            self._look_up_weighted(table, first, x, lookup)
        return y

    def _rounded_look_up(
        self,
        table: Integers,
        first: int,
        x: Sums,
        interval: Interval,
        shift: int,
        lookup: WeightedLookup | None = None,
    ) -> Sums:
        least, greatest = rounded_ends(interval, shift)
        found = table_for_all(table, first, x.size, least, greatest)
        if found is not None:
            return self._looked_up(*found, self._rounded(x, shift, interval, checked=False), lookup)
        last = first + len(table) - 1
        low, high = first if first > least else None, last if last < greatest else None
        return self._looked_up(table, first, self._clamped(x, shift, low, high, interval), lookup)

    def rows(self, operation: Rows, inputs: list[Sums], _: Any) -> Sums:
        (x,), width = inputs, operation.table.shape[1]
        y = self.fresh((*x.shape, width))
        self.look_up(table_key(operation.table, operation.first), len(operation.table), 1 + width, x)
        return y

    # rows

    def total(self, _: Total, inputs: list[Sums], __: Any) -> Sums:
        (x,) = inputs
        if x.shape[-1] == 1:
            return x.take((..., 0))
        return Sums.of(self.united(x), x.support)

    def _top_of(self, x: Sums) -> tuple[Sums, Sums]:
        """(maximum, maximum - x)."""
        n = x.shape[-1]
        top = self.fresh(x.shape[:-1])
        distance = x.plus(1)
        self.constrain(top.size * max(1, n - 1), distance.total() + 2 * x.size)
        self.wires += top.size * max(0, n - 2)
        return top, distance

    def maximum(self, _: Maximum, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        while (n := x.shape[-1]) > 1:
            paired = n - n % 2
            left, right = (x.take((..., slice(first, paired, 2))) for first in (0, 1))
            won = self.fresh(left.shape)
            distance = Sums.of(left.terms + right.terms + 1, 3 * won.size)
            self.constrain(won.size, distance.total() + won.size)
            self.within(distance, 0, spread(interval), exactly=False)
            x = self._beside(won, x.take((..., slice(paired, None))))
        return x.take((..., 0))

    def argmax(self, _: ArgMax, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        n = x.shape[-1]
        if n == 1:
            return Sums.of(np.zeros(x.shape[:-1], dtype=np.int64), 0)
        top, distance = self._top_of(x)
        self.within(distance, 0, n * spread(interval) + n - 1, exactly=False)
        rest = self.fresh(top.shape)
        self.within(rest, 0, n - 1)
        self.within(top.plus(1), interval.least, interval.greatest, exactly=False)
        return rest.plus()

    def top_k(self, operation: TopK, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        n, count = x.shape[-1], operation.count
        if n == 1:
            return self._beside(x, Sums.of(np.zeros(x.shape, dtype=np.int64), 0))
        values, places, rows = self.fresh(x.shape), self.fresh(x.shape), x.size // n
        self.challenges |= {LOOKUP_POINT, DIGEST_POINT}
        self.degree += x.size  # of the products of a permutation's two sides
        self.constrain(x.size + rows * (2 * n - 2), 12 * x.size + x.total())
        self.wires += x.size + rows * (2 * n - 3)
        self.within(values.take((..., slice(1, None))).plus(3), 0, n * (spread(interval) + 1), exactly=False)
        return self._beside(values.take((..., slice(count))), places.take((..., slice(count))))

    def _beside(self, x: Sums, y: Sums) -> Sums:
        """Two tensors joined along the last axis."""
        parts = ((x.terms, y.terms), (x.ids, y.ids), (x.groups, y.groups), (x.own, y.own))
        terms, ids, groups, own = (np.concatenate(pair, axis=-1) for pair in parts)
        return Sums(terms, ids, groups, own, x.support + y.support)

    def softmax(self, operation: Softmax, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        _, distance = self._top_of(x)
        half = 1 << operation.shift - 1 if operation.shift else 0
        reach = Interval(np.array([-half]), np.array([spread(interval) - half]), 2 * interval.reach + half)
        e = self._rounded_look_up(np.append(operation.table, 0), 0, distance, reach, operation.shift)
        most = int(operation.table[0])
        greatest = most * x.shape[-1]
        sums = self.total(Total("", (), ""), [e], None)
        inverse = self.fresh(sums.shape)
        self.within(inverse, 0, (1 << operation.bits) // most, exactly=False)
        rest = self.product(inverse, sums)
        self.within(rest, 0, greatest - 1, exactly=False)
        self.within(sums.plus(1), 0, greatest - 1, exactly=False)
        return self.product(e, inverse.take((..., None)), operation.output)

    def normalize(self, operation: Normalize, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        n = x.shape[-1]
        return self._divided_by_root(self._less_mean(x), operation, n * (n * spread(interval)) ** 2 + operation.epsilon)

    def root_mean_square(self, operation: RootMeanSquare, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        return self._divided_by_root(x, operation, x.shape[-1] * interval.magnitude**2 + operation.epsilon)

    def _less_mean(self, x: Sums) -> Sums:
        """Entries n x less the sum of their row: constant where all entries of it are one wire, or constant."""
        row = self.united(x)
        if has_wire_of_sum(x.size, x.shape[-1]) and not x.is_constant:
            self.constrain(row.size, int(row.sum()) + 2 * row.size)
            self.fresh(row.shape)
            return x.plus(1)
        same = (x.ids == x.ids[..., :1]).all(axis=-1) & (x.ids[..., 0] >= 0)
        reach = np.where(same | (row == 0) | (x.shape[-1] == 1), 0, row)
        return self.grouped(reach, x.shape, np.broadcast_to(reach[..., None], x.shape).copy(), x.support)

    def _divided_by_root(self, c: Sums, operation: Normalize | RootMeanSquare, most: int) -> Sums:
        """Entries by the root of the sum of their squares, and epsilon."""
        bits = operation.bits
        variance = self.total(Total("", (), ""), [self.product(c, c)], None).plus()
        root = self.fresh(variance.shape)
        top = int(inverse_root(np.array([operation.epsilon]), bits)[0])
        self.within(root, 0, top, exactly=False)
        square = self.product(root, root)
        below, above = self.materialized(square, variance), self.materialized(root, variance)
        slack = (2 << bits) * (1 << (most.bit_length() + 1) // 2) + most
        self.within(below.plus(), 0, slack, exactly=False)
        self.within(above.plus(1), 0, slack, exactly=False)
        if c.is_constant:
            return c
        return self.product(c, root.take((..., None)), operation.output)

    def steps(self, operation: Steps, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        (x,), (interval,) = inputs, intervals
        count, places = x.size // x.shape[-1], operation.places
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        answers = self.fresh((*x.shape[:-1], places.size), 1)
        self.constrain(count * (places.size + len(starts)), 5 * count * (places.size + len(starts)))
        low = min(interval.least, int(operation.bounds.min()) - 1)
        end = max(interval.greatest, int(operation.bounds.max())) + 1
        compared = x.take((..., places[starts])).plus(places.size // len(starts))
        for _ in range(2):
            self.within(compared, 0, end - low, exactly=False)
        return answers
