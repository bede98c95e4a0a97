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
table) and addends that have range checks or tables of their own (_BOUNDED). Outputs that no such rounding reads, and so
could be fractions, are weighed row by row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from zkgpu.curves import DEFAULT
from zkgpu.records import dataclass
from zkgpu.zkml.layers.long_sums import is_reshape
from zkgpu.zkml.layers.mixtures import Mixture
from zkgpu.zkml.layers.products import Product, Source
from zkgpu.zkml.layers.weighing import Weighing
from zkgpu.zkml.operations import (
    Arrange,
    Combine,
    IntegerModel,
    Linear,
    Lookup,
    Operation,
    Rescale,
    Rows,
    largest_of,
)
from zkgpu.zkml.ranges import Interval

Integers = NDArray[Any]

_ROOM = DEFAULT.scalar_field.bits - 2  # bits that rows side by side may have
_BOUNDED = Lookup, Rescale, Rows  # what has constraints that keep each value, whatever it is, in its interval


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
) -> dict[str, Weighing]:
    """How rows of challenged layers are weighed that take fewer constraints side by side, by output.

    Args:
        products, mixtures: how layers are written
        others: outputs of layers whose rows something else weighs too, by powers
    """
    candidates = _candidates(model, intervals, products, mixtures)
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


def _candidates(
    model: IntegerModel,
    intervals: Mapping[str, Interval],
    products: Mapping[str, Product],
    mixtures: Mapping[str, Mixture],
) -> Iterator[Packed]:
    """Layers whose outputs a rounding keeps to integers that are small enough for two rows, or more, side by side."""
    made_by = {op.output: op for op in model.operations}
    for rounding in (op for op in model.operations if isinstance(op, Rescale)):
        term = _term(rounding, made_by, intervals)
        if term is None or products[term.layer.output].way != "challenged" or len(term.layer.weight) != 1:
            continue
        factors = term.multipliers.reshape(intervals[term.layer.output].shape[1:])
        if not ((factors == factors[:, :1]) & (factors > 0)).all():
            continue
        mixture = mixtures.get(term.layer.output)
        groups, _, width = intervals[mixture.product.inputs[0] if mixture else term.layer.inputs[0]].shape
        ends = max(abs(rounding.low), abs(rounding.high)) + 1
        left = (ends << rounding.shift) + term.others
        honest = intervals[term.layer.output].magnitude * int(factors.max())
        bits = (left + honest).bit_length() + 1
        if 2 * bits <= _ROOM:
            source = _source(term.layer, products, mixtures)
            yield Packed(term.layer, source, groups * width, bits, tuple(map(int, factors[:, 0])))


class _Term(NamedTuple):
    """A layer's outputs as an addend of what is rounded.

    Attributes:
        multipliers: of each of them
        others: the magnitude that all other addends together do not exceed
    """

    layer: Linear
    multipliers: Integers
    others: int


def _term(rounding: Rescale, made_by: Mapping[str, Operation], intervals: Mapping[str, Interval]) -> _Term | None:
    """The one addend that has no range check of its own, if that is a layer's outputs in order, times constants."""
    (name,) = rounding.inputs
    multipliers, others = np.ones(intervals[name].shape, dtype=object), 0
    while not isinstance(made := made_by.get(name), Linear):
        if isinstance(made, Arrange) and is_reshape(made) and intervals[made.inputs[0]].low.size == multipliers.size:
            (name,) = made.inputs
            multipliers = multipliers.reshape(intervals[name].shape)
            continue
        unchecked = [x for x in made.inputs if not _is_bounded(x, made_by)] if isinstance(made, Combine) else []
        if not isinstance(made, Combine) or len(unchecked) != 1 or intervals[unchecked[0]].shape != multipliers.shape:
            return None
        parts = dict(zip(made.inputs, made.multipliers, strict=True))
        if len(parts) != len(made.inputs):
            return None
        largest = int(abs(multipliers).max())
        for x, multiplier in parts.items():
            others += largest * intervals[x].magnitude * largest_of(multiplier) * (x != unchecked[0])
        others += largest * largest_of(made.offset)
        name = unchecked[0]
        multipliers = multipliers * np.broadcast_to(parts[name].astype(object), multipliers.shape)
    return _Term(made, multipliers, others)


def _is_bounded(name: str, made_by: Mapping[str, Operation]) -> bool:
    """Whether constraints of its own keep a tensor in its interval, or those that it is a combination of."""
    made = made_by.get(name)
    if isinstance(made, Combine):
        given = zip(made.inputs, made.multipliers, strict=True)
        return all(_is_bounded(source, made_by) for source, multiplier in given if multiplier.any())
    if isinstance(made, Arrange):
        return all(_is_bounded(source, made_by) for source in made.inputs)
    return isinstance(made, _BOUNDED)
