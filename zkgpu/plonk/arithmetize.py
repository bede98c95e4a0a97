"""From R1CS to rows of PLONK: qm a b + ql a + qr b + qo c + qc = 0, three wires a row.

A row for each public input; then each constraint A B = C becomes one row, after rows that sum up combinations with
more terms than the row has wires. The order is snarkjs', so that both make the same key from one circuit.

Terms of a combination wait in a line: an addition takes the two in front and puts their sum behind the last, until few
enough are left. So the k-th addition takes the places 2 k and 2 k + 1 of a line whose end is its own sum, and all
constraints are done at once, as arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.r1cs import R1CS
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import SparseMatrix, distinct_rows
from zkgpu.plonk.keys import MIN_LOG_SIZE, SELECTORS, Additions, Index
from zkgpu.plonk.values import ONE, ZERO, Ids, Values
from zkgpu.records import dataclass

Places = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """A circuit as rows.

    Attributes:
        wires: (3, rows) int32, columns a, b, c
        selectors: by the names of SELECTORS: (rows, 4) uint64 canonical limbs
    """

    field: Field
    n_public: int
    n_circuit_wires: int
    additions: Additions
    wires: Index
    selectors: dict[str, Limbs]

    @property
    def n_rows(self) -> int:
        return int(self.wires.shape[1])

    @property
    def n_wires(self) -> int:
        return self.n_circuit_wires + len(self.additions)

    @property
    def log_size(self) -> int:
        """log2 of the domain: the smallest power of two that holds the rows, and eight at least."""
        return max(MIN_LOG_SIZE, (self.n_rows - 1).bit_length())


def arithmetize(r1cs: R1CS) -> Rows:
    """The rows of a circuit.

    Raises UsageError for one without rows, with more than the field has roots of unity for, or with challenges.
    """
    if r1cs.rounds:
        raise UsageError("the circuit has challenges, which only Groth16 keys carry: set up with --protocol groth16")
    if not r1cs.n_constraints and not r1cs.n_public:
        raise UsageError("the circuit has neither constraints nor public inputs: there is nothing to prove")
    values = Values(r1cs.field)
    rows = _rows(r1cs, values, _lines_of(r1cs, values))
    if rows.log_size + 2 > r1cs.field.two_adicity:
        raise UsageError(f"the circuit takes {rows.n_rows:,} rows, more than {r1cs.field.name} has roots of unity for")
    return rows


def binds_first_wire(wires: Sequence[int], selectors: Sequence[int]) -> bool:
    """Whether a row, its wires and selectors in their order, is the one that binds the first public input."""
    return tuple(wires) == (1, 0, 0) and tuple(selectors) == (0, 1, 0, 0, 0)


@dataclass(frozen=True)
class _Terms:
    """Combinations, by constraint and then wire ascending; coefficients are none of them 0.

    Attributes:
        at: (terms,) the constraint of each
        wire: (terms,) wire 0 is the constant
        value: (terms,) ids of coefficients
    """

    at: Places
    wire: Places
    value: Ids

    @staticmethod
    def of(matrix: SparseMatrix, values: Values) -> _Terms:
        ids = values.ids(values.field.from_limbs(matrix.table))[matrix.coefficient]
        terms = _Terms(matrix.row_of_entry(), matrix.indices.astype(np.int64), ids)
        return terms.where(ids != ZERO).ascending()

    def where(self, mask: Mask) -> _Terms:
        return _Terms(self.at[mask], self.wire[mask], self.value[mask])

    def ascending(self) -> _Terms:
        order = np.lexsort((self.wire, self.at))
        return _Terms(self.at[order], self.wire[order], self.value[order])

    def beside(self, other: _Terms) -> _Terms:
        pairs = ((self.at, other.at), (self.wire, other.wire), (self.value, other.value))
        return _Terms(*(np.concatenate(pair) for pair in pairs))

    def counts(self, n: int) -> Places:
        return np.bincount(self.at, minlength=n)

    def constants(self, n: int) -> Ids:
        """(n,) the coefficient of wire 0 in each constraint, or ZERO."""
        out = np.full(n, ZERO)
        out[self.at[self.wire == 0]] = self.value[self.wire == 0]
        return out


@dataclass(frozen=True)
class _Lines:
    """The combinations that rows are made of, each with its line: three slots a constraint, for A, B, C or one sum.

    Attributes:
        is_sum: (constraints,) whether its first slot is a sum that is to be 0, and the others are empty
        constant: (slots,) ids
        starts: (slots + 1,) where each line begins
        additions: (slots + 1,) how many additions come before those of a slot
        wire, value: of all lines
        left: (slots,) terms that are left in the end, the last of the line
    """

    is_sum: Mask
    constant: Ids
    starts: Places
    additions: Places
    wire: Places
    value: Ids
    left: Places

    def last(self, slot: Places, k: int) -> tuple[Places, Ids]:
        """Wires and values of the k-th term that is left in each slot; wire 0 and ZERO where there is none."""
        there = self.left[slot] > k
        place = np.where(there, self.starts[slot + 1] - self.left[slot] + k, 0)
        if not len(self.wire):
            return np.zeros(len(slot), np.int64), np.full(len(slot), ZERO)
        return np.where(there, self.wire[place], 0), np.where(there, self.value[place], ZERO)


def _lines_of(r1cs: R1CS, values: Values) -> _Lines:
    n = r1cs.n_constraints
    a, b, c = (_Terms.of(matrix, values) for matrix in (r1cs.a, r1cs.b, r1cs.c))
    sums, is_sum = _sums(values, n, a, b, c)
    terms = _in_slots(sums, is_sum, (a, b, c))
    lengths = np.bincount(terms.at[terms.wire != 0], minlength=3 * n)
    most = np.where(np.repeat(is_sum, 3), 3, 1)
    added = np.maximum(lengths - most, 0)
    starts, additions = (np.concatenate([[0], np.cumsum(counts)]) for counts in (lengths + added, added))
    wire, value = np.zeros(starts[-1], np.int64), np.full(starts[-1], ONE)
    of_sums = _places(starts[:-1] + lengths, added)
    wire[of_sums] = r1cs.n_wires + np.arange(len(of_sums))
    given, variable = _places(starts[:-1], lengths), terms.wire != 0
    wire[given], value[given] = terms.wire[variable], terms.value[variable]
    return _Lines(is_sum, terms.constants(3 * n), starts, additions, wire, value, lengths - added)


def _sums(values: Values, n: int, a: _Terms, b: _Terms, c: _Terms) -> tuple[_Terms, Mask]:
    """k B - C, or k A - C, where A or B is the constant k, and C where either is 0; and which constraints these are."""
    counts = a.counts(n), b.counts(n)
    k_a, k_b = a.constants(n), b.constants(n)
    is_empty = (counts[0] == 0) | (counts[1] == 0)
    by_a = ~is_empty & (counts[0] == 1) & (k_a != ZERO)
    by_b = ~is_empty & ~by_a & (counts[1] == 1) & (k_b != ZERO)
    left = _scaled(values, b.where(by_a[b.at]), k_a).beside(_scaled(values, a.where(by_b[a.at]), k_b))
    right = c.where((by_a | by_b)[c.at])
    right = _Terms(right.at, right.wire, values.map(right.value, lambda v: -v))
    sums = _merged(values, left.beside(right).ascending()).beside(c.where(is_empty[c.at]))
    return sums.ascending(), is_empty | by_a | by_b


def _scaled(values: Values, terms: _Terms, factors: Ids) -> _Terms:
    return _Terms(terms.at, terms.wire, values.pairs(factors[terms.at], terms.value, lambda k, v: k * v))


def _merged(values: Values, terms: _Terms) -> _Terms:
    """With the two terms of one wire, where there are two, added."""
    twice = (terms.at[1:] == terms.at[:-1]) & (terms.wire[1:] == terms.wire[:-1])
    first, second = np.zeros((2, len(terms.at)), dtype=bool)
    first[:-1], second[1:] = twice, twice
    value = terms.value.copy()
    value[first] = values.pairs(terms.value[first], terms.value[second], lambda x, y: x + y)
    return _Terms(terms.at, terms.wire, value).where(~second & (value != ZERO))


def _in_slots(sums: _Terms, is_sum: Mask, sides: Sequence[_Terms]) -> _Terms:
    """All terms by slot: 3 i for A or the sum of constraint i, then B and C."""
    terms = _Terms(3 * sums.at, sums.wire, sums.value)
    for k, side in enumerate(sides):
        of_products = side.where(~is_sum[side.at])
        terms = terms.beside(_Terms(3 * of_products.at + k, of_products.wire, of_products.value))
    return terms.ascending()


def _places(starts: Places, counts: Places) -> Places:
    """starts[0], starts[0] + 1 .. for as many as counts[0], then those of the next."""
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(starts, counts) + within


def _rows(r1cs: R1CS, values: Values, lines: _Lines) -> Rows:
    n, n_public = r1cs.n_constraints, r1cs.n_public
    count = n_public + n + int(lines.additions[-1])
    wires, selectors = np.zeros((3, count), np.int32), {name: np.full(count, ZERO) for name in SELECTORS}
    wires[0, :n_public], selectors["ql"][:n_public] = np.arange(1, n_public + 1), ONE
    constraint = np.arange(n)
    final = n_public + constraint + lines.additions[3 * constraint + 3]
    _fill(wires, selectors, final[lines.is_sum], _sum_rows(lines, constraint[lines.is_sum]))
    _fill(wires, selectors, final[~lines.is_sum], _product_rows(values, lines, constraint[~lines.is_sum]))
    slot = np.repeat(np.arange(3 * n), np.diff(lines.additions))
    number = np.arange(len(slot))
    taken = lines.starts[slot] + 2 * (number - lines.additions[slot])
    terms = [(lines.wire[taken + k], lines.value[taken + k]) for k in (0, 1)]
    (left, f), (right, g) = terms
    minus = (values.map(factor, lambda v: -v) for factor in (f, g))
    added = {"ql": next(minus), "qr": next(minus), "qo": np.full(len(slot), ONE)}
    _fill(wires, selectors, n_public + slot // 3 + number, ((left, right, r1cs.n_wires + number), added))
    if not n_public:
        _tell_apart_from_public(wires, selectors)
    limbs = values.limbs()
    factors = limbs[np.stack([f, g], axis=1).reshape(-1)]
    return Rows(
        field=r1cs.field,
        n_public=n_public,
        n_circuit_wires=r1cs.n_wires,
        additions=_additions(np.stack([left, right], axis=1), factors),
        wires=wires,
        selectors={name: limbs[ids] for name, ids in selectors.items()},
    )


_Filling = tuple[tuple[Places, Places, Places], dict[str, Ids]]


def _fill(wires: Index, selectors: dict[str, Ids], rows: Places, filling: _Filling) -> None:
    for column, own in zip(wires, filling[0], strict=True):
        column[rows] = own
    for name, ids in filling[1].items():
        selectors[name][rows] = ids


def _sum_rows(lines: _Lines, constraint: Places) -> _Filling:
    """combination = 0."""
    (a, ql), (b, qr), (c, qo) = (lines.last(3 * constraint, k) for k in range(3))
    return (a, b, c), {"ql": ql, "qr": qr, "qo": qo, "qc": lines.constant[3 * constraint]}


def _product_rows(values: Values, lines: _Lines, constraint: Places) -> _Filling:
    """(fa wa + ka) (fb wb + kb) = fc wc + kc."""
    slots = [3 * constraint + k for k in range(3)]
    (a, fa), (b, fb), (c, fc) = (lines.last(slot, 0) for slot in slots)
    ka, kb, kc = (lines.constant[slot] for slot in slots)

    def product(left: Ids, right: Ids) -> Ids:
        return values.pairs(left, right, lambda x, y: x * y)

    constant = values.pairs(product(ka, kb), kc, lambda x, y: x - y)
    products = {"qm": product(fa, fb), "ql": product(fa, kb), "qr": product(ka, fb)}
    return (a, b, c), {**products, "qo": values.map(fc, lambda v: -v), "qc": constant}


def _tell_apart_from_public(wires: Index, selectors: dict[str, Ids]) -> None:
    """A first constraint, that wire 1 is 0, has the wire in column b: public inputs have theirs in column a."""
    if binds_first_wire(wires[:, 0].tolist(), [int(selectors[name][0]) for name in SELECTORS]):
        wires[:, 0] = 0, 1, 0
        selectors["ql"][0], selectors["qr"][0] = ZERO, ONE


def _additions(wires: Places, factors: Limbs) -> Additions:
    table, ids = distinct_rows(factors)
    return Additions(wires.astype(np.int32), ids.reshape(-1, 2), table)
