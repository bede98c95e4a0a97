"""Lookups of functions whose products serve the tests of the layers that read the values, too.

A lookup of (x, y) combines its two columns to x + r^e y, a product for each y, and a layer that is tested at a
challenge weighs each y by a power of r (layers.challenged, layers.packing), another product. With a table for each
power they are one. Let the values be Y of shape (g, m, k), of which row t is to be weighed by c_t r^p, with a constant
c_t and the same p for one row or several side by side. With p = P b + j and j below P

    W[t, i] = r^(j + 1) Y[t, i]                              the lookup's: the table's rows are key + r^(j + 1) value
    sum_b r^(P b) sum_j sum_(t of P b + j) c_t W[t, i]       "weighted inputs", a product for each b but the first

is r sum_t c_t r^p Y[t, i]. The layer's outputs are weighed by c_t r^(p + 1) then as well (Weighing.first).

Two rows of the table with power e that differ agree as numbers at no more than e of the values of r, which is drawn
after keys and values that are looked up (gadgets.lookup); with e = 0 they would where their sums are equal, at any r.
The test compares polynomials in r whose degree is one more than it was.

Each power pays the rows of its table: fewer blocks are more tables, and fewer products. The functions of all layers
that have one table are weighed up together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Circuit, Wires, concatenate
from zkgpu.circuits.gadgets.evaluations import powers
from zkgpu.records import dataclass
from zkgpu.zkml.layers.challenged import PLAIN, Evaluations
from zkgpu.zkml.layers.mixtures import Mixture
from zkgpu.zkml.layers.products import Product, Source, Sources
from zkgpu.zkml.layers.range_checks import Integers
from zkgpu.zkml.layers.rounding import rounded_ends
from zkgpu.zkml.layers.scores import Scores
from zkgpu.zkml.layers.tables import Tables, table_for_all, table_key
from zkgpu.zkml.layers.weighing import Weighing, side_by_side
from zkgpu.zkml.operations import IntegerModel, Linear, Lookup, Requantize, Rescale, Shape
from zkgpu.zkml.ranges import Interval


@dataclass(frozen=True)
class WeightedLookup:
    """A lookup whose products weigh the input of challenged layers.

    Attributes:
        source: what these layers read
        weighing: of its rows, but for the factor r
        shape: (g, m, k), in which they do
        layers: their outputs, and
        outputs: how many sums they give for a row
        period: P, the powers that there are tables for
    """

    source: Source
    weighing: Weighing
    shape: Shape
    layers: tuple[str, ...]
    outputs: int
    period: int = 0

    @property
    def size(self) -> int:
        """Of a row of all groups."""
        return self.shape[0] * self.shape[2]

    @property
    def powers(self) -> int:
        return self.weighing.groups(self.shape[1])

    @property
    def blocks(self) -> int:
        return -(-self.powers // self.period)

    @property
    def later(self) -> Weighing:
        """With the factor r."""
        return replace(self.weighing, first=1)

    @property
    def products(self) -> int:
        """Beside the lookup's own: of blocks, or of a wire for the only one, and of the outputs' first power."""
        return self.size * max(1, self.blocks - 1) + self.outputs

    @property
    def spared(self) -> int:
        """Products of an evaluation of its own."""
        return self.size * (self.powers - 1)

    def rows_of(self, j: int) -> NDArray[np.int64]:
        """Which are looked up in the table of the power j + 1."""
        return np.flatnonzero(np.arange(self.shape[1]) // self.weighing.size % self.period == j)

    @property
    def tables(self) -> int:
        return min(self.period, self.powers)


def weighted_lookups(
    model: IntegerModel,
    intervals: Mapping[str, Interval],
    products: Mapping[str, Product],
    weighings: Mapping[str, Weighing],
    fused: Mapping[str, Requantize | Rescale],
    others: Collection[Source],
) -> dict[str, WeightedLookup]:
    """Those that take fewer constraints so, by output.

    Args:
        products, weighings: how layers with weights are written and tested
        fused: roundings that are a part of their lookup (layers.plan)
        others: what is weighed by other products too (`weighed_otherwise`)
    """
    shapes = {name: interval.shape for name, interval in intervals.items()}
    read = _read_at_challenges(model, shapes, products, weighings, others)
    tables: dict[Hashable, list[Lookup]] = defaultdict(list)
    lengths: dict[Hashable, int] = {}
    for operation in model.operations:
        if isinstance(operation, Lookup):
            table = _table_of(operation, intervals, fused)
            key = table_key(*table)
            tables[key].append(operation)
            lengths[key] = len(table[0]) + 1
    found: dict[str, WeightedLookup] = {}
    for key, lookups in tables.items():
        chosen = {op.output: read[op.output] for op in lookups if op.output in read}
        period = _best_period(list(chosen.values()), lengths[key])
        found |= {name: replace(lookup, period=period) for name, lookup in chosen.items() if period}
    return found


def weighed_otherwise(
    model: IntegerModel,
    products: Mapping[str, Product],
    scores: Mapping[str, Scores],
    mixtures: Mapping[str, Mixture],
    kept: Collection[str],
) -> set[Source]:
    """What layers read whose products at a challenge have other uses: layers.scores, mixtures and turned."""
    of_scores = {side.source for found in scores.values() for side in (found.left, found.right)}
    of_kept = {products[op.output].source for op in model.operations if isinstance(op, Linear) and op.output in kept}
    return of_scores | of_kept | {mixture.source for mixture in mixtures.values()}


def later_of(lookups: Mapping[str, WeightedLookup]) -> dict[str, Weighing]:
    """How the layers that read them are tested, by output."""
    return {output: lookup.later for lookup in lookups.values() for output in lookup.layers}


def _read_at_challenges(
    model: IntegerModel,
    shapes: Mapping[str, Shape],
    products: Mapping[str, Product],
    weighings: Mapping[str, Weighing],
    others: Collection[Source],
) -> dict[str, WeightedLookup]:
    """By tensor that challenged layers read, all of its entries in order: without a period yet.

    Where they weigh it in several ways, that of the most products.
    """
    sources, found = Sources(model, shapes), dict[tuple[str, Weighing], WeightedLookup]()
    for layer in model.operations:
        if isinstance(layer, Linear) and products[layer.output].way == "challenged":
            (name,), source = layer.inputs, products[layer.output].source
            origin, positions = sources.origin(name)
            if positions is None and source not in others:
                key = origin, weighings.get(layer.output, PLAIN)
                one = found.get(key) or WeightedLookup(source, key[1], shapes[name], (), 0)
                layers, outputs = (*one.layers, layer.output), one.outputs + layer.bias.size
                found[key] = replace(one, layers=layers, outputs=outputs)
    order = sorted((lookup.powers, origin) for (origin, _), lookup in found.items() if lookup.powers > 1)
    most = {origin: count for count, origin in order}
    return {origin: lookup for (origin, _), lookup in found.items() if most.get(origin) == lookup.powers}


def _table_of(
    operation: Lookup, intervals: Mapping[str, Interval], fused: Mapping[str, Requantize | Rescale]
) -> tuple[Integers, int]:
    """Values and first key of the table that the circuit looks an operation up in (layers.tables)."""
    rounding = fused.get(operation.inputs[0])
    given = operation.table, operation.first
    if not isinstance(rounding, Requantize):
        return given
    interval = intervals[rounding.inputs[0]]
    ends = rounded_ends(interval, rounding.shift)
    return table_for_all(*given, interval.low.size, *ends) or given


def _best_period(lookups: list[WeightedLookup], rows: int) -> int:
    """The number of tables with the fewest constraints; 0 where one table and evaluations of their own are less.

    Args:
        rows: of a table, and one
    """
    costs = {0: rows + sum(lookup.spared for lookup in lookups)}  # a table of the power 1, as that of others
    for period in range(1, max((lookup.powers for lookup in lookups), default=0) + 1):
        costs[period] = rows * period + sum(replace(lookup, period=period).products for lookup in lookups)
    return min(costs, key=costs.__getitem__)


class WeightedTables(Tables):
    """The tables of one lookup, whose products are kept for the layers that read it."""

    def __init__(self, tables: Tables, evaluations: Evaluations, lookup: WeightedLookup) -> None:
        self._tables, self._evaluations, self._lookup = tables, evaluations, lookup

    def hold(self, values: Integers, first: int, x: Wires, y: Wires) -> None:
        """Looks each row up in the table of its power, and weighs all of them."""
        lookup, circuit = self._lookup, Circuit.of(x)
        x, y = x.reshape(*lookup.shape), y.reshape(*lookup.shape)
        chosen = [lookup.rows_of(j) for j in range(lookup.tables)]
        tables = [self._tables.of(values, first, j + 1) for j in range(lookup.tables)]
        parts = [
            table.look_up_weighted(x[:, rows], y[:, rows], label="table")
            for table, rows in zip(tables, chosen, strict=True)
        ]
        weighted = concatenate([part.transpose((1, 0, 2)) for part in parts])[np.argsort(np.concatenate(chosen))]
        together = side_by_side(weighted.transpose((1, 2, 0)), lookup.weighing)
        with circuit.scope("weighted inputs"):
            total, weights = together[..., : lookup.period].sum(axis=-1), powers(circuit, lookup.blocks, lookup.period)
            for block in range(1, lookup.blocks):
                inner = together[..., block * lookup.period : (block + 1) * lookup.period].sum(axis=-1)
                total = inner * weights[block].broadcast_to(inner.shape) + total
            self._evaluations.of[lookup.source, lookup.later] = circuit.materialize(total)
