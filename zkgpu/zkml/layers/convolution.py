"""Convolutions checked at a challenge: each entry of an image, and each weight, meets it once.

A convolution multiplies patches of its input by weights, Y = X W, where row i of X has in column j the entry of the
input that lies at place e_i + b_j, or 0 in the padding (`Linear.places`, `Linear.shifts`). Freivalds' test with the
vector of u_i = r^(e_i + B), B the largest b_j, says for each output channel o

    sum_i Y_io u_i  =  sum_j W_jo V_j,      V_j = sum_i X_ij u_i = r^(B - b_j) sum_i X_ij r^(e_i + b_j)

In the last sum each entry of the input meets one power of r, that of its place, by whichever rows and columns it is
read. So the products of entries and powers are those of the input, not of the patches, and V_j is a sum of some of
them: of all that columns of the same taps share, less the few that j does not read, at the border. All rows of Y are
outputs of the layer: what a product of polynomials would have besides is in neither side.

What is enforced, by name:
    products    x r^e for each entry of the input; sums, in which all of a channel are added up once
    columns     V_j
    channels    the identity above, for each output channel; its last product Y_io u_i needs no wire
    scaled channels    the right side times a channel's multiplier, where the prover gives one: Y is then scaled
X, Y, and what is a wire of weights, biases and multipliers are committed before r is drawn. For wrong Y both sides of
some channel are different polynomials in r, as no two places are alike: they agree at r with probability at most
(largest place + B) / |Fr| (Schwartz, J. ACM 27, 1980). An entry is thereby proven as an element of the field, as by a
row of its own; that it is the integer of the semantics follows from ranges, as ever (layers.matrices).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits import Circuit, Wires, concatenate, stack
from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.gadgets.evaluations import powers
from zkgpu.circuits.numbers import distinct
from zkgpu.records import dataclass
from zkgpu.zkml.operations import Linear
from zkgpu.zkml.semantics import added, matrix_product, product

Index = NDArray[np.int64]
Integers = NDArray[Any]  # of int64, or of Python integers
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Patches:
    """Which products of entries with powers make up each column of a convolution's patches.

    An entry of the input that is read is a cell. Columns are numbered through all groups. Columns that share cells are
    a family; where that is shorter, a column is the sum of its family less the cells that it does not read.

    Attributes:
        shape: (g, m, k) of the patches
        places: (m,), each one more, and
        shifts: (g * k,): see operations.Linear
        sources: (cells,): where a cell lies in the input
        rows: (g, m, k): the cell of each entry of the patches; one more than there are in the padding
        powers: (cells,): its place, from 1 on: a product with 1 would be fixed before the challenge, and not committed
        families: (cells,): its family, or -1 where no column is less than one
        lasts: (families,): a cell that is in no column but by its family, which then needs no wire of its own, or -1
        columns: by column, the family that it is less than, or -1; -2 for one that reads nothing
        terms: (column, cell) pairs in order: the cells of a column, or those that it lacks of its family
    """

    shape: tuple[int, int, int]
    places: Index
    shifts: Index
    sources: Index
    rows: NDArray[np.int32]
    powers: Index
    families: Index
    lasts: Index
    columns: Index
    terms: tuple[Index, Index]

    @property
    def top(self) -> int:
        """B, the largest shift."""
        return int(self.shifts.max(initial=0))

    @property
    def degree(self) -> int:
        """Of the polynomials that are compared."""
        return int(self.places.max(initial=0)) + self.top

    @cached_property
    def sizes(self) -> Index:
        """(g * k,): terms of each column."""
        return np.bincount(self.terms[0], minlength=self.columns.size) + (self.columns >= 0)

    @cached_property
    def are_wires(self) -> Flags:
        """(g * k,): columns that are a product, or the sum of a family, or nothing: no constraint makes them."""
        found: Flags = (self.sizes == 0) | ((self.sizes == 1) & (self.shifts == self.top))
        return found

    @property
    def constraints(self) -> int:
        """Of products, sums and columns."""
        return self.sources.size + int((self.lasts < 0).sum()) + int((~self.are_wires).sum())

    @property
    def terms_of_sums(self) -> int:
        """Entries of these constraints, but for those of the cells themselves."""
        members, moved = int((self.families >= 0).sum()), ~self.are_wires
        whole = members + 2 * self.lasts.size - int((self.lasts >= 0).sum())
        return 2 * (self.sources.size - int((self.lasts >= 0).sum())) + whole + int((self.sizes[moved] + 2).sum())


def patches_of(positions: Index, places: Index | None, shifts: Index | None) -> Patches | None:
    """How columns share products; None where places say nothing, are alike, or an entry is read at two of them.

    Args:
        positions: (g, m, k): the entries of an input, -1 in the padding
    """
    if places is None or shifts is None or not _are_of(positions, places, shifts):
        return None
    g, m, k = positions.shape
    by_column = positions.transpose(0, 2, 1).reshape(g * k, m)
    column, row = np.nonzero(by_column >= 0)
    source = by_column[column, row]
    place = 1 + places[row] + np.tile(shifts, g)[column]
    place_of = np.full(int(source.max(initial=-1)) + 1, -1)
    place_of[source] = place
    if not source.size or (place_of[source] != place).any():
        return None
    sources = np.flatnonzero(place_of >= 0)
    number = np.append(np.cumsum(place_of >= 0) - 1, sources.size).astype(np.int32)
    parts = _shared(column, number[source], g * k, sources.size)
    rows = number[np.maximum(positions, -1)]  # the last is the one of the padding
    return Patches((g, m, k), 1 + places, np.tile(shifts, g), sources, rows, place_of[sources], *parts)


def _are_of(positions: Index, places: Index, shifts: Index) -> bool:
    """Whether each row has a place of its own, on which soundness rests, and each column a shift."""
    fit = positions.ndim == 3 and positions.shape[1:] == (places.size, shifts.size)
    return fit and distinct(places).size == places.size and min(places.min(initial=0), shifts.min(initial=0)) >= 0


def _shared(column: Index, cell: Index, columns: int, cells: int) -> tuple[Index, Index, Index, tuple[Index, Index]]:
    """(families, lasts, columns, terms) of Patches for the cells that columns read: pairs in order of columns."""
    counts = np.bincount(column, minlength=columns)
    family, leader = _families(column, cell, columns, cells)
    sizes = np.bincount(family, minlength=columns)
    lacking = sizes[leader] - counts
    is_less = (counts > 1) & (1 + lacking < counts)
    direct = ~is_less[column]
    lacks, lacked = _lacking(column, cell, family, leader, is_less & (lacking > 0))
    of, item = np.concatenate([lacks, column[direct]]), np.concatenate([lacked, cell[direct]])
    order = np.argsort(of, kind="stable")
    named, own = np.unique(leader[is_less], return_inverse=True)
    numbers = np.full(columns, -1)
    numbers[named] = np.arange(named.size)
    less = np.where(counts == 0, -2, -1)
    less[is_less] = own
    families, spare = numbers[family], np.ones(cells, dtype=bool)
    spare[item] = False
    spare &= families >= 0
    lasts = np.full(named.size, -1)
    lasts[families[spare]] = np.flatnonzero(spare)
    return families, lasts, less, (of[order], item[order])


def _families(column: Index, cell: Index, columns: int, cells: int) -> tuple[Index, Index]:
    """((cells,), (columns,)): the first column of the family that each is in, of columns that share cells."""
    leader = np.arange(columns)
    filled, starts = np.unique(column, return_index=True)
    while True:
        family = np.full(cells, columns)
        np.minimum.at(family, cell, leader[column])
        before, leader = leader, leader.copy()
        leader[filled] = np.minimum.reduceat(family[cell], starts)
        if (before == leader).all():
            return family, leader


def _lacking(column: Index, cell: Index, family: Index, leader: Index, wanted: Flags) -> tuple[Index, Index]:
    """(column, cell) pairs: the cells of their families that some columns do not read."""
    members = np.argsort(family, kind="stable")
    sizes = np.bincount(family, minlength=leader.size)
    starts = np.cumsum(sizes) - sizes
    rank = np.empty(family.size, dtype=np.int64)
    rank[members] = np.arange(family.size) - starts[family[members]]
    asked = np.flatnonzero(wanted)
    first = np.zeros(leader.size + 1, dtype=np.int64)
    first[1:] = np.cumsum(np.where(wanted, sizes[leader], 0))
    reads = np.zeros(int(first[-1]), dtype=bool)
    of_asked = wanted[column]
    reads[first[column[of_asked]] + rank[cell[of_asked]]] = True
    missing = np.flatnonzero(~reads)
    lacks = asked[np.searchsorted(first[asked], missing, side="right") - 1]
    return lacks, members[starts[leader[lacks]] + missing - first[lacks]]


# constraints


def evaluated_linear(operation: Linear, cells: Wires, patches: Patches) -> Wires:
    """multiplier * (patches @ weight + bias) for public weights, which so keep their bits."""
    sums = convolution(cells, patches, operation.weight, operation.bias)
    return sums * np.broadcast_to(operation.multiplier[:, None, :], sums.shape)


def convolution(cells: Wires, patches: Patches, weight: Any, bias: Any, multiplier: Wires | None = None) -> Wires:
    """(g, m, n): multiplier * (patches @ weight + bias).

    Args:
        cells: (cells,): the entries of the input that are read
        weight: (g, k, n), and
        bias: (g, n): integers, or wires
        multiplier: (g, n), beside weights that are wires; none stands for 1
    """
    circuit, (groups, m, _) = Circuit.of(cells), patches.shape
    is_public, rows = not isinstance(weight, Wires), patches.rows
    known = (weight, bias) if is_public else ()  # a stored circuit keeps the arrays that its hints close over

    def sums(cells: Integers, *given: Integers) -> Integers:
        weights, biases, *factors = given or known
        found = added(matrix_product(np.append(cells, 0)[rows], weights), biases[:, None, :])
        return product(found, factors[0][:, None, :]) if factors else found

    with circuit.scope("convolution"):
        given = [cells] if is_public else [cells, weight, bias, *([] if multiplier is None else [multiplier])]
        y = circuit.hint(sums, given, (groups, m, weight.shape[2]), "sums", signed=True)
        for name, wires in zip(("inputs", "weights", "biases", "multipliers"), given, strict=False):
            circuit.commit(wires, name)
        circuit.commit(y, "outputs")
        point = powers(circuit, patches.degree + 1)
        columns = columns_at(cells, patches, point)
        at = point[patches.places + patches.top]
        right = stack([_times(columns[g], weight[g]) for g in range(groups)])
        if not is_public or bias.any():
            ones = circuit.materialize(at.sum())
            right = right + ones.broadcast_to(bias.shape) * bias
        if multiplier is not None:
            with circuit.scope("scaled channels"):
                right = circuit.materialize(right * multiplier)
        circuit.assert_equal(_weighed(y, at), right, label="channels")
    return y


def _times(columns: Wires, weight: Any) -> Wires:
    """(n,): columns (k,) times (k, n), in the order of their wires: sums then need no sorting."""
    lc = columns.lc
    order = np.argsort(np.where(lc.lengths > 0, np.append(lc.wires, 0)[lc.indptr[:-1]], 0), kind="stable")
    found: Wires = columns[order] @ weight[order]
    return found


def _weighed(y: Wires, at: Wires) -> Wires:
    """(g, n): the sums of (g, m, n) over rows, weighed by (m,) powers; the last product has no wire yet."""
    rows = y.transpose((0, 2, 1))
    body, last = rows[..., :-1], rows[..., -1]
    return (body * at[:-1]).sum(axis=-1) + last * at[-1]


def columns_at(cells: Wires, patches: Patches, point: Wires) -> Wires:
    """(g, k): V_j of each column, for powers of the challenge from the first on."""
    circuit, (groups, _, k) = Circuit.of(cells), patches.shape
    plain = np.ones(cells.size, dtype=bool)
    plain[patches.lasts[patches.lasts >= 0]] = False
    number = np.cumsum(plain) - 1
    with circuit.scope("products"):
        products = circuit.materialize(cells[plain] * point[patches.powers[plain]])
    with circuit.scope("sums"):
        sums = _family_sums(cells, patches, products, number, point)
    made = concatenate([products, sums])
    (column, cell), is_less = patches.terms, patches.columns >= 0
    rows = np.concatenate([column, np.flatnonzero(is_less)])
    items = np.concatenate([number[cell], products.size + patches.columns[is_less]])
    signs = np.where(is_less[rows] & (items < products.size), -1, 1)
    order = np.lexsort((items, rows))
    unshifted = _sums_of(made, rows[order], items[order], signs[order], groups * k)
    moved = ~patches.are_wires
    with circuit.scope("columns"):
        shifted = circuit.materialize(unshifted[moved] * point[patches.top - patches.shifts[moved]])
    return _either(moved, shifted, unshifted[~moved]).reshape(groups, k)


def _family_sums(cells: Wires, patches: Patches, products: Wires, number: Index, point: Wires) -> Wires:
    """(families,): sums of all products of a family. The last of them is the constraint, where it needs no wire."""
    circuit, lasts = Circuit.of(cells), patches.lasts
    inside = patches.families >= 0
    inside[lasts[lasts >= 0]] = False
    members = np.flatnonzero(inside)
    family = patches.families[members]
    order = np.argsort(family, kind="stable")
    ones = np.ones(members.size, dtype=np.int64)
    sums = _sums_of(products, family[order], number[members][order], ones, lasts.size)
    ended = lasts >= 0
    own = lasts[ended]
    whole = circuit.materialize(sums[ended] + cells[own] * point[patches.powers[own]])
    return _either(ended, whole, circuit.materialize(sums[~ended]))


def _sums_of(x: Wires, rows: Index, items: Index, factors: Index, count: int) -> Wires:
    """(count,): sums of factor * x[item] by row, for terms in order of rows and of wires, which each x is one of."""
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
    ids = x.builder.coefficients.intern_array(factors)
    return Wires(x.builder, (count,), LinearCombinations(starts, x.lc.wires[items], ids))


def _either(first: Flags, x: Wires, y: Wires) -> Wires:
    """In one array, those of x where `first` says so, and those of y elsewhere."""
    return concatenate([x, y])[np.where(first, np.cumsum(first) - 1, x.size + np.cumsum(~first) - 1)]
