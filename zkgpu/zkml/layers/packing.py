"""Tests of layers whose outputs a rounding keeps small: several rows side by side in one product with a challenge.

Let Y of shape (m, n) be the outputs of a challenged layer of X, W and b, all of them fixed before the challenge r, and
let a rounding read integers that are c_t e_o Y[t, o] and known numbers added: positive constants, one a row and one a
channel. In place of r^t (layers.challenged), row t = s p + j, with j < s, is weighed by

    w_t = r^p 2^(k j) c_t

so that s rows are one combination, and take one product. The test of channel o, sum_t w_t (Y - (X W + b))[t, o] = 0,
compares two polynomials in r: but with probability at most (m / s) / |Fr| all their coefficients are equal, and so

    sum_j 2^(k j) D_j = 0 in Fr        with D_j = c_t e_o (Y - (X W + b))[t, o]

Where all D_j are integers below 2^(k - 1) in magnitude, and s k bits are fewer than Fr has, the sum is one of integers:
D_0 is a multiple of 2^k, hence 0, then so is D_1, and so on. This fixes Y as well as a power of r for each row does.

That the D_j are such integers is enforced elsewhere, whatever Y is: X W + b is what ranges.analyze says, as X is fixed
by the constraints before it; c_t e_o Y is what the rounding (rounding.rounded_unchecked) leaves it,

    2^shift q + remainder - half - other addends

with a remainder in 0 .. 2^shift - 1 ("top limb"), q in the range of a `Rescale` (checks.within, or the rows of its
table), or in that of a `Requantize`, up to whole limbs (rounding.rounded, and "clamp" of rounding.clamped) or the rows
of a table of clamps, and addends that have such constraints of their own. Outputs that no such rounding reads, and so
could be fractions, are weighed row by row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import DEFAULT
from zkgpu.records import dataclass
from zkgpu.zkml.layers.clamp_tables import LONGEST
from zkgpu.zkml.layers.mixtures import Mixture
from zkgpu.zkml.layers.products import Product, Source
from zkgpu.zkml.layers.rounding import clipped, rounded_ends
from zkgpu.zkml.layers.weighing import Weighing
from zkgpu.zkml.operations import (
    Arrange,
    Combine,
    IntegerModel,
    Linear,
    Lookup,
    Requantize,
    Rescale,
    Rows,
    Shape,
    largest_of,
)
from zkgpu.zkml.ranges import Interval

Integers = NDArray[Any]

_ROOM = DEFAULT.scalar_field.bits - 2  # bits that rows side by side may have


@dataclass(frozen=True)
class Packed:
    """A layer whose rows can be tested side by side.

    Attributes:
        layer, source: and what it reads, of which `width` values lie in a row
        bits: k
        factors: c_t
    """

    layer: Linear
    source: Source
    width: int
    bits: int
    factors: tuple[int, ...]

    @property
    def outputs(self) -> int:
        return int(self.layer.weight.shape[2])

    @property
    def weighing(self) -> Weighing:
        rows, most = len(self.factors), max(1, _ROOM // self.bits)
        size = -(-rows // -(-rows // most))  # the fewest rows in as few products
        return Weighing(1, size, tuple(c << self.bits * (t % size) for t, c in enumerate(self.factors)))

    @property
    def groups(self) -> int:
        return self.weighing.groups(len(self.factors))


def weighings_of(
    model: IntegerModel,
    intervals: Mapping[str, Interval],
    products: Mapping[str, Product],
    mixtures: Mapping[str, Mixture],
    others: Collection[str],
    fused: Collection[str],
) -> dict[str, Weighing]:
    """How rows of challenged layers are weighed that take fewer constraints side by side, by output.

    Args:
        products, mixtures: how layers are written
        others: outputs of layers whose rows something else weighs too, by powers
        fused: roundings that are a part of a lookup (layers.plan)
    """
    candidates = _candidates(model, intervals, products, mixtures, fused)
    packed = {one.layer.output: one for one in candidates if one.layer.output not in others}
    read: dict[Source, list[Linear]] = {}
    for layer in model.operations:
        if isinstance(layer, Linear) and products[layer.output].way == "challenged":
            read.setdefault(_source(layer, products, mixtures), []).append(layer)
    found: dict[str, Weighing] = {}
    for readers in read.values():
        chosen = [packed[layer.output] for layer in readers if layer.output in packed]
        if chosen and _takes_less(readers, chosen):
            found |= {one.layer.output: one.weighing for one in chosen}
    return found


class _Term(NamedTuple):
    """The outputs of a tested layer as an addend of what is rounded.

    Attributes:
        multipliers: of each of them, of shape (m, n)
        others: the magnitude that the rounded number, its remainder and all other addends do not exceed together
    """

    layer: Linear
    multipliers: Integers
    others: int


def _source(layer: Linear, products: Mapping[str, Product], mixtures: Mapping[str, Mixture]) -> Source:
    return mixtures[layer.output].source if layer.output in mixtures else products[layer.output].source


def _takes_less(readers: Sequence[Linear], chosen: Sequence[Packed]) -> bool:
    """Whether layers of one input take fewer constraints with those rows side by side, and an evaluation for each way.

    Args:
        readers: all of them, with the chosen ones
    """
    rows, width = len(chosen[0].factors), chosen[0].width
    outputs = sum(int(layer.weight.shape[2]) for layer in readers)
    rest = outputs - sum(one.outputs for one in chosen)
    of_inputs = sum(max(1, weighing.groups(rows) - 1) for weighing in {one.weighing for one in chosen}) * width
    of_outputs = sum(max(1, one.groups - 1) * one.outputs for one in chosen)
    of_rest = (rows - 1) * (width + rest) if rest else 0
    return of_inputs + of_outputs + of_rest < (rows - 1) * (width + outputs)


class _Addends:
    """What is rounded, and what is added up in it.

    Args:
        tested: outputs of challenged layers of one group
        fused: requantizations that are a part of a lookup, which may keep their values in another range
    """

    def __init__(
        self, model: IntegerModel, intervals: Mapping[str, Interval], tested: Collection[str], fused: Collection[str]
    ) -> None:
        self._made_by = {op.output: op for op in model.operations}
        self._intervals, self._tested, self._fused, self._limb = intervals, tested, fused, model.limb

    def term(self, rounding: Rescale | Requantize) -> _Term | None:
        """The one addend that nothing else keeps small, if that is all outputs of a tested layer, times constants."""
        reach, (name,) = self._reach(rounding), rounding.inputs
        if reach is None or not self._is_of_tested(name):
            return None
        multipliers, others = np.ones(self._intervals[name].shape, dtype=object), (reach + 1) << rounding.shift
        while not isinstance(made := self._made_by.get(name), Linear):
            if isinstance(made, Arrange) and len(made.inputs) == 1:
                (name,) = made.inputs
                multipliers = _moved_back(made, multipliers, self._intervals[name].shape)
                continue
            free = [x for x in made.inputs if self._bound(x) is None] if isinstance(made, Combine) else []
            if not isinstance(made, Combine) or len(free) != 1 or self._intervals[free[0]].shape != multipliers.shape:
                return None
            largest = int(abs(multipliers).max())
            added = [(x, m) for x, m in zip(made.inputs, made.multipliers, strict=True) if x != free[0]]
            others += largest * sum((self._bound(x) or 0) * largest_of(m) for x, m in added)
            others += largest * largest_of(made.offset)
            (name,) = free
            own = made.multipliers[made.inputs.index(name)].astype(object)
            multipliers = multipliers * np.broadcast_to(own, multipliers.shape)
        return _Term(made, multipliers[0], others) if made.output in self._tested else None

    def _is_of_tested(self, name: str) -> bool:
        made = self._made_by.get(name)
        return name in self._tested or (
            isinstance(made, Arrange | Combine) and any(self._is_of_tested(x) for x in made.inputs)
        )

    def _reach(self, rounding: Rescale | Requantize) -> int | None:
        """The magnitude of rounded values that constraints let through; None where there may be none."""
        if isinstance(rounding, Rescale):
            return max(abs(rounding.low), abs(rounding.high))
        ends = rounded_ends(self._intervals[rounding.inputs[0]], rounding.shift)
        is_constant = clipped(ends[0], rounding) == clipped(ends[1], rounding)
        if rounding.shift == 0 or is_constant or rounding.output in self._fused:
            return None
        largest = max(abs(end) for end in (*ends, rounding.low, rounding.high) if end is not None)
        limbs = -(-(2 * largest).bit_length() // self._limb)
        return int(largest + max(1 << limbs * self._limb, LONGEST))  # loose by limbs, or by a table that others share

    def _bound(self, name: str) -> int | None:
        """The magnitude that constraints of its own, or of what it is a combination of, let a tensor have."""
        made = self._made_by.get(name)
        if isinstance(made, Lookup | Rows):
            return largest_of(made.table)
        if isinstance(made, Rescale | Requantize):
            return self._reach(made)
        if not isinstance(made, Arrange | Combine):
            return None
        times = made.multipliers if isinstance(made, Combine) else [np.array(1)] * len(made.inputs)
        parts = [(self._bound(x), largest_of(m)) for x, m in zip(made.inputs, times, strict=True) if m.any()]
        if any(bound is None for bound, _ in parts):
            return None
        offset = largest_of(made.offset) if isinstance(made, Combine) else 0
        return sum((bound or 0) * m for bound, m in parts) + offset


def _moved_back(arranged: Arrange, multipliers: Integers, shape: Shape) -> Integers:
    """Of the entries of what is arranged, those of the output that they become; 0 for those that are left out."""
    found = np.zeros(math.prod(shape), dtype=object)
    is_read = arranged.positions >= 0
    found[arranged.positions[is_read]] = multipliers[is_read]
    return found.reshape(shape)


def _candidates(
    model: IntegerModel,
    intervals: Mapping[str, Interval],
    products: Mapping[str, Product],
    mixtures: Mapping[str, Mixture],
    fused: Collection[str],
) -> Iterator[Packed]:
    """Layers whose outputs a rounding keeps to integers that are small enough for two rows, or more, side by side."""
    layers = (op for op in model.operations if isinstance(op, Linear) and len(op.weight) == 1)
    tested = {layer.output for layer in layers if products[layer.output].way == "challenged"}
    addends = _Addends(model, intervals, tested, fused)
    for rounding in model.operations:
        term = addends.term(rounding) if isinstance(rounding, Rescale | Requantize) else None
        if term is None:
            continue
        factors = term.multipliers
        if not ((factors == factors[:, :1]) & (factors > 0)).all():
            continue
        mixture = mixtures.get(term.layer.output)
        groups, _, width = intervals[mixture.product.inputs[0] if mixture else term.layer.inputs[0]].shape
        honest = intervals[term.layer.output].magnitude * int(factors.max())
        bits = (term.others + honest).bit_length() + 1
        if 2 * bits <= _ROOM:
            source = _source(term.layer, products, mixtures)
            yield Packed(term.layer, source, groups * width, bits, tuple(map(int, factors[:, 0])))
