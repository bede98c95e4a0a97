"""The width of limbs with the fewest constraints, by formulas of what a model rounds and checks: nothing is built.

A model that is quantized with limbs of one bit drops no more bits than it has to. With limbs of w bits each rounding
drops the least multiple of w from there on, the sums of layers with weights being so much finer before it, and checks
that may be loose are loosened likewise, while the numbers that are left reach about as far. So all widths are weighed
on one such model: the range checks' limbs and tables (`gadgets.limbs.plan_limbs`), and what clamps and functions take,
by limbs or by tables of their own (`layers.clamp_tables`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from zkgpu.circuits.gadgets.limbs import plan_limbs
from zkgpu.errors import FormatError
from zkgpu.records import dataclass
from zkgpu.zkml.counting import NetworkTally
from zkgpu.zkml.headroom import is_cheaper_open
from zkgpu.zkml.layers.clamp_tables import Clamp, reaches_of, rows_of, shared_by
from zkgpu.zkml.layers.rounding import rounded_ends
from zkgpu.zkml.layers.tables import table_for_all, table_key
from zkgpu.zkml.operations import (
    SEEN_HIGH,
    Arrange,
    Combine,
    Linear,
    MatMul,
    Maximum,
    Multiply,
    Operation,
    Requantize,
    Total,
)
from zkgpu.zkml.quantize import Quantization
from zkgpu.zkml.ranges import Interval
from zkgpu.zkml.tally import Integers, Sums
from zkgpu.zkml.visibility import Visibilities

WIDTHS = range(4, 19)
_SMALL, _SLACK = 1 << 12, 1.1  # constraints up to which the formulas are trusted within this factor
_LARGE, _FEW = 1 << 17, 6  # constraints from which on no more widths than these are looked at
_MANY_WEIGHTS = 1 << 22  # with which a quantization takes long: the formulas are taken at their word

Finer: TypeAlias = tuple[int, ...]


def best_of(quantized: Callable[[int], Quantization], given: bool = False) -> tuple[int, Quantization]:
    """The width of limbs that takes the fewest constraints, and the model with it.

    Widths are taken in the order of what the formulas say. Where a model with one takes more than they said, as its
    layers keep their numbers wider or narrower, the next ones are looked at, if they may take fewer: of a small model
    all that come near, of a large one up to a few.

    Args:
        quantized: the model with limbs of a width; raises FormatError where its numbers and limbs are too wide
        given: whether the prover gives the weights
    """
    plain = quantized(1)
    sketch = _sketched(plain)
    told = sorted((sketch.constraints_with(limb, given), limb) for limb in WIDTHS)
    slack = _SLACK if told[0][0] < _SMALL else 1
    found: list[tuple[int, int, Quantization]] = []
    for least, limb in told[: _FEW if told[0][0] >= _LARGE else len(told)]:
        if found and (slack * min(found)[0] <= least or plain.model.n_weights > _MANY_WEIGHTS):
            break
        try:
            model = quantized(limb)
        except FormatError:
            continue
        found.append((_sketched(model).constraints_with(limb, given), limb, model))
    if not found:
        return min(WIDTHS), quantized(min(WIDTHS))
    return min(found)[1:]


def _sketched(plain: Quantization) -> Sketch:
    sketch = Sketch(plain)
    for tensor in plain.model.inputs:
        sketch.declare(tensor)
    for operation in sketch.plan.model.operations:
        sketch.write(operation)
    return sketch


def whole_limbs(bits: int, limb: int) -> int:
    """The least multiple of a limb's width that is not below `bits`."""
    return -(-bits // limb) * limb


@dataclass(frozen=True)
class Rounding:
    """A requantization, or that part of a function's lookup.

    Attributes:
        ends: of the rounded values
        finer: see Sketch
        table: of the function, and its first key
    """

    operation: Requantize
    entries: int
    ends: tuple[int, int]
    finer: Finer
    table: tuple[Integers, int] | None = None


class Sketch(NetworkTally):
    """What a model takes whatever its limbs are, and what does depend on them.

    Attributes:
        loose, exact: of range checks with a loose high end and others, by their bits and `finer`
        read_by: by tensor, how many values are computed of it
        finer: by tensor, bits of the sums in it below the unit of what becomes of them, each number of which wider
            limbs bring to a multiple of their width
    """

    def __init__(self, plain: Quantization) -> None:
        super().__init__(plain.model, Visibilities(), sketched=True, intervals=plain.intervals)
        self.roundings: list[Rounding] = []
        self.loose: Counter[tuple[int, Finer]] = Counter()
        self.exact: Counter[tuple[int, Finer]] = Counter()
        operations, sizes = self.plan.model.operations, {name: i.low.size for name, i in self.plan.intervals.items()}
        layers = {op.layer: plain.finer[op.output] for op in plain.model.operations if op.output in plain.finer}
        sums = [op for op in operations if isinstance(op, Linear) and op.layer in layers]
        self.finer: dict[str, Finer] = {op.output: (layers[op.layer],) for op in sums}
        self.read_by = _read_by(operations, sizes)
        self._here: Finer = ()

    def write(self, operation: Operation) -> None:
        given = [self.finer.get(name, ()) for name in operation.inputs]
        is_product = isinstance(operation, Multiply | MatMul)
        self._here = sum(given, ()) if is_product else max(given, key=sum, default=())
        super().write(operation)
        if is_product or isinstance(operation, Arrange | Combine | Total | Maximum):
            self.finer[operation.output] = self._here

    def within(self, x: Sums, low: int, high: int, *, exactly: bool = True) -> None:
        bits, count = (high - low).bit_length(), int((x.terms > 0).sum())
        if bits and exactly:
            self.exact[bits, self._here] += count if _is_full(high - low) else 2 * count
        elif bits:
            self.loose[bits, self._here] += count

    def requantize(self, operation: Requantize, inputs: list[Sums], intervals: list[Interval]) -> Sums:
        ends = rounded_ends(intervals[0], operation.shift)
        self.roundings.append(Rounding(operation, inputs[0].size, ends, self._here))
        return self.fresh(inputs[0].shape)

    def _bind_remainder(self, x: Sums, shift: int) -> None:
        self.loose[shift, self._here] += x.size
        self._here = ()  # what is left has the unit that it was to have

    def _rounded_look_up(
        self, table: Integers, first: int, x: Sums, interval: Interval, shift: int, lookup: object = None
    ) -> Sums:
        operation = Requantize("", (), "", shift, first, first + len(table) - 1)
        self.roundings.append(Rounding(operation, x.size, rounded_ends(interval, shift), self._here, (table, first)))
        return self.fresh(x.shape)

    def constraints_with(self, limb: int, given: bool) -> int:
        """The sum with limbs of that width."""
        return _Cost(self, limb).total(given)


def _read_by(operations: Sequence[Operation], sizes: Mapping[str, int]) -> Counter[str]:
    """By tensor: how many values are computed of it, moved, pooled or as it is."""
    found: Counter[str] = Counter()
    for operation in reversed(operations):
        passes = isinstance(operation, Arrange | Maximum)
        for name in operation.inputs:
            found[name] += found[operation.output] if passes else sizes[operation.output]
    return found


class _Cost:
    """Constraints with limbs of a width."""

    def __init__(self, sketch: Sketch, limb: int) -> None:
        self.sketch, self.limb = sketch, limb
        self.constraints, self.checks = sketch.constraints, Counter(sketch.checks)
        self.rows = {key: rows for key, (rows, _, _) in sketch.tables.items()}
        self.constraints += sum(columns * count for _, columns, count in sketch.tables.values())

    def total(self, given: bool) -> int:
        for (bits, finer), count in self.sketch.loose.items():
            self._check(count, bits + self._more(finer))
        for (bits, finer), count in self.sketch.exact.items():
            self.checks[bits + self._more(finer)] += count
        clamps = []
        for rounding in map(self._open, self.sketch.roundings):
            self._check(rounding.entries, self._dropped(rounding))
            if rounding.table is not None:
                self._function(rounding, *rounding.table)
            elif (clamp := self._clamp_of(rounding)) is not None:
                clamps.append(clamp)
            else:
                self._check(rounding.entries * bool(self._dropped(rounding)), _bits(rounding.ends))
        self._clamps(clamps, given)
        return self.constraints + sum(rows + 1 for rows in self.rows.values()) + plan_limbs(+self.checks).constraints

    def _more(self, finer: Finer) -> int:
        return sum(whole_limbs(bits, self.limb) - bits for bits in finer)

    def _dropped(self, rounding: Rounding) -> int:
        """Bits, as many as whole limbs have."""
        shift = rounding.operation.shift
        return whole_limbs(shift + self._more(rounding.finer), self.limb) if shift else self._more(rounding.finer)

    def _check(self, count: int, bits: int) -> None:
        """A range check that may be loose."""
        self.checks[whole_limbs(bits, self.limb)] += count if bits else 0

    def _open(self, rounding: Rounding) -> Rounding:
        """Without the clamp that limbs of this width leave out (`lowering.builder.Builder.bounded`)."""
        operation, reach = rounding.operation, max(rounding.ends[1], -rounding.ends[0])
        read_by = self.sketch.read_by[operation.output]
        is_open = operation.seen == SEEN_HIGH and is_cheaper_open(reach, rounding.entries, read_by, self.limb)
        return replace(rounding, operation=replace(operation, high=None)) if is_open else rounding

    def _clamp_of(self, rounding: Rounding) -> Clamp | None:
        return Clamp.of(rounding.operation, rounding.entries, rounding.ends, self.limb)

    def _function(self, rounding: Rounding, table: Integers, first: int) -> None:
        found = table_for_all(table, first, rounding.entries, *rounding.ends)
        if found is None:
            self._by_limbs(rounding.operation, rounding.entries, *rounding.ends)
        values, start = found or (table, first)
        self._look_up(table_key(values, start), len(values), rounding.entries)

    def _clamps(self, clamps: list[Clamp], given: bool) -> None:
        shared = shared_by(clamps, given)
        for number, group in enumerate(shared):
            self._look_up(number, rows_of(group), sum(clamp.entries for clamp in group))
        looked_up = {id(clamp) for group in shared for clamp in group}
        for clamp in clamps:
            if id(clamp) not in looked_up:
                self._by_limbs(clamp.operation, clamp.entries, clamp.least, clamp.greatest)

    def _look_up(self, key: Any, rows: int, count: int) -> None:
        self.rows[key] = rows
        self.constraints += 2 * count

    def _by_limbs(self, operation: Requantize, n: int, least: int, greatest: int) -> None:
        """`rounding.clamped`."""
        for reach in reaches_of(operation, least, greatest):
            self.constraints += n
            self._check(n, reach.bit_length())


def _is_full(reach: int) -> bool:
    """Whether a range check of the reach is one of whole bits."""
    return reach & (reach + 1) == 0


def _bits(ends: tuple[int, int]) -> int:
    return (ends[1] - ends[0]).bit_length()
