"""Counts of a circuit that is not built: constraints, wires and entries, range checks and tables.

Of a tensor is known how many wires each entry is a sum of, and which wire it is where it is a single one: what is
constant, and what is known to be in range already, costs nothing. Range checks are weighed together as the circuit does
(`gadgets.limbs.plan_limbs`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.committed import PublicArray
from zkgpu.circuits.gadgets.limbs import LimbPlan, plan_limbs
from zkgpu.circuits.gadgets.lookup import LOOKUP_POINT
from zkgpu.circuits.rounds import DIGEST_POINT
from zkgpu.circuits.widths import UNKNOWN
from zkgpu.records import dataclass
from zkgpu.zkml.layers.hashing import Ranged
from zkgpu.zkml.operations import Shape

Integers = NDArray[np.int64]

_BLOCK, _HASH_CONSTRAINTS, _HASH_WIRES, _HASH_ENTRIES = 15, 609, 609, 16_000  # of a hash of sixteen elements


@dataclass(frozen=True)
class Size:
    """The size of a circuit.

    Attributes:
        entries: of its three matrices
        public: ordinary public inputs, with the challenges and the digest
        arrays: public values that travel packed
        degree: of what is tested at challenges, summed up: more than this over the order of Fr is no chance to pass a
            test that a witness should fail (Schwartz and Zippel)
    """

    constraints: int
    wires: int
    entries: int
    public: int
    arrays: tuple[PublicArray, ...]
    degree: int = 0


@dataclass(frozen=True, eq=False)
class Sums:
    """What is known of a tensor's entries.

    Attributes:
        terms: how many wires each is a sum of; 0 for a constant
        ids: the wire that an entry is, or -1
        groups: entries of one group are sums of the same wires, but for `own` of each that no other entry has; or -1
        own: terms outside of the group
        support: no more wires than these are in all of them
    """

    terms: Integers
    ids: Integers
    groups: Integers
    own: Integers
    support: int

    @classmethod
    def of(cls, terms: Integers, support: int, ids: Integers | None = None) -> Sums:
        """Sums that share no wires."""
        none = np.full(terms.shape, -1)
        return cls(terms, none if ids is None else ids, none, terms, support)

    @property
    def shape(self) -> Shape:
        return self.terms.shape

    @property
    def size(self) -> int:
        return self.terms.size

    @property
    def is_constant(self) -> bool:
        return not self.terms.any()

    def total(self) -> int:
        return int(self.terms.sum())

    def take(self, key: Any) -> Sums:
        return Sums(self.terms[key], self.ids[key], self.groups[key], self.own[key], self.support)

    def to(self, shape: Shape) -> Sums:
        terms, ids, groups, own = (np.broadcast_to(p, shape) for p in (self.terms, self.ids, self.groups, self.own))
        return Sums(terms, ids, groups, own, self.support)

    def plus(self, terms: int = 0) -> Sums:
        """Sums with so many other wires: no longer a wire."""
        more = self.support + terms * self.size
        return Sums(self.terms + terms, np.full(self.shape, -1), self.groups, self.own + terms, more)


@dataclass
class Tally:
    """The circuit so far.

    Attributes:
        limb: bits of a limb in range checks that may be loose
        checks, check_terms: by width, how many values are checked, and how many wires these are sums of
        tables, table_powers: (rows, columns, looked up) of each, and the power of the challenge that combines columns
        public, arrays, challenges: public inputs, public values that travel packed, and names of challenges
        degree: of the polynomials that are tested at challenges so far
        powers: by step, how many powers of the challenge there are (gadgets.evaluations)
        read: the names of tensors that something reads: a product that nothing reads costs nothing
    """

    limb: int
    constraints: int = 0
    wires: int = 1
    entries: int = 0
    public: int = 0
    arrays: list[PublicArray] = field(default_factory=list)
    checks: Counter[int] = field(default_factory=Counter)
    check_terms: Counter[int] = field(default_factory=Counter)
    tables: dict[Any, list[int]] = field(default_factory=dict)
    table_powers: dict[Any, int] = field(default_factory=dict)
    challenges: set[str] = field(default_factory=set)
    degree: int = 0
    powers: dict[int, int] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    _fresh: int = 0  # single wires
    _widths: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, dtype=np.int16))  # of each single wire
    _reach: Integers = field(default_factory=lambda: np.zeros(1, dtype=np.int64))  # of each group

    def fresh(self, shape: Shape, width: int = UNKNOWN) -> Sums:
        """New wires, known to have so many bits."""
        size, first = math.prod(shape), self._fresh
        self.wires += size
        self._fresh += size
        if self._fresh > self._widths.size:  # twice as many, so that many small tensors are not copied over and over
            self._widths = np.append(self._widths, np.zeros(self._fresh, dtype=np.int16))
        self._widths[first : self._fresh] = width
        return Sums.of(np.ones(shape, dtype=np.int64), size, np.arange(first, first + size).reshape(shape))

    def united(self, x: Sums) -> Integers:
        """How many wires each row of entries, along the last axis, is made of."""
        count, most = math.prod(x.shape[:-1]), len(self._reach)
        rows = np.broadcast_to(np.arange(count).reshape(*x.shape[:-1], 1), x.shape)
        grouped = x.groups >= 0
        keys, which = np.unique(rows[grouped] * most + x.groups[grouped], return_inverse=True)
        inside = np.bincount(which, (x.terms - x.own)[grouped], len(keys))
        shared = np.bincount(keys // most, np.minimum(inside, self._reach[keys % most]), count)
        found: Integers = x.own.sum(axis=-1) + shared.astype(np.int64).reshape(x.shape[:-1])
        return np.minimum(found, x.support)

    def grouped(self, reach: Integers, shape: Shape, terms: Integers, support: int) -> Sums:
        """Rows of entries that are sums of the same wires, as many as `reach` says of each row."""
        first = len(self._reach)
        self._reach = np.append(self._reach, reach.ravel())
        groups = np.broadcast_to((first + np.arange(reach.size)).reshape(*reach.shape, 1), shape)
        return Sums(terms, np.full(shape, -1), groups, np.zeros(shape, dtype=np.int64), support)

    def constrain(self, rows: int, entries: int) -> None:
        self.constraints += rows
        self.entries += entries

    def product(self, x: Sums, y: Sums, output: str | None = None) -> Sums:
        """Entry by entry: new wires, by a constraint each, unless all of one of them is constant, or nothing reads it.

        Args:
            output: the tensor that it is
        """
        shape = np.broadcast_shapes(x.shape, y.shape)
        x, y = x.to(shape), y.to(shape)
        if x.is_constant or y.is_constant:
            return (x if y.is_constant else y).plus()
        if output is not None and output not in self.read:
            return x.plus(1)
        self.constrain(x.size, x.total() + y.total() + x.size)
        return self.fresh(shape)

    def materialized(self, x: Sums, y: Sums) -> Sums:
        """The product as wires of its own, by a constraint each whatever it is."""
        self.constrain(x.size, x.total() + y.total() + x.size)
        return self.fresh(x.shape)

    def within(self, x: Sums, low: int, high: int, *, exactly: bool = True) -> None:
        """`Checks.within`."""
        bits = (high - low).bit_length()
        if bits == 0:
            self.constrain(0 if x.is_constant else x.size, x.total() + 2 * x.size)
            return
        if not exactly:
            bits = -(-bits // self.limb) * self.limb
            high = low + (1 << bits) - 1
        self._in_range(x, bits, low == 0)
        if high - low + 1 != 1 << bits:
            self._in_range(x, bits, False)

    def _in_range(self, x: Sums, bits: int, alone: bool) -> None:
        """`assert_in_range` of x, or of x and a constant."""
        some = x.terms > 0
        single = some & (x.ids >= 0) if alone else np.zeros_like(some)
        if single.any():
            known = np.zeros_like(some)
            known[single] = self._widths[x.ids[single]] <= bits
            some &= ~known
            proven = x.ids[single]
            self._widths[proven] = np.minimum(self._widths[proven], bits)
        self.checks[bits] += int(some.sum())
        self.check_terms[bits] += int(x.terms[some].sum())

    def look_up(self, key: Any, rows: int, columns: int, x: Sums, power: int = 1) -> None:
        """x, and so many wires beside it less one, in a table whose columns a power of a challenge combines."""
        self.tables.setdefault(key, [rows, columns, 0])[2] += x.size
        self.table_powers[key] = power
        self.challenges |= {LOOKUP_POINT} | ({DIGEST_POINT} if columns > 1 else set())
        self.constrain(0, x.total())

    def powers_of(self, count: int, step: int) -> None:
        """`gadgets.evaluations.powers`."""
        self.challenges.add(DIGEST_POINT)
        if step > 1:
            self.powers_of(step + 1, 1)
        made = self.powers.get(step, 2)
        self.powers[step] = max(made, count)
        self.constrain(self.powers[step] - made, 3 * (self.powers[step] - made))
        self.wires += self.powers[step] - made

    def publish_hash(self, tensors: Sequence[Ranged[Any]]) -> None:
        elements = sum(-(-part.values.size // len(part.powers)) for part in tensors)
        blocks = -(-elements // _BLOCK)
        self.constrain(blocks * _HASH_CONSTRAINTS + 1, blocks * _HASH_ENTRIES)
        self.wires += blocks * _HASH_WIRES + 1
        self.public += 1

    def finished(self) -> Size:
        """With the range checks, the tables, the digest of public values, and the mask of the commitment."""
        values = sum(array.size for array in self.arrays)
        used = bool(values or self.checks.total() or self.challenges)
        self._write_checks()
        for key, (rows, columns, count) in self.tables.items():
            self._write_table(rows, columns, count, self.table_powers.get(key, 1))
        self.challenges |= {LOOKUP_POINT} if self.limbs.width else set()
        if values:
            self.challenges.add(DIGEST_POINT)
            self.constrain(values, 5 * values)
            self.degree += values - 1
            self.wires += values
            self.public += 1
        if used:
            self.constrain(1, 1)
            self.wires += 1 + len(self.challenges)
            self.public += len(self.challenges)
        return Size(self.constraints, self.wires, self.entries, self.public, tuple(self.arrays), self.degree)

    def _write_checks(self) -> None:
        self.limbs: LimbPlan = plan_limbs(+self.checks)
        self.constraints += self.limbs.constraints
        for bits, count in (+self.checks).items():
            terms = self.check_terms[bits]
            if not self.limbs.width:
                self.wires += (bits - 1) * count
                self.entries += 3 * bits * count + 2 * (terms + (bits - 1) * count)
                continue
            limbs = self.limbs.limbs(bits)
            twice = 2 if limbs[-1] not in (self.limbs.width, *self.limbs.tables) else 1
            self.wires += (len(limbs) - 1) * 2 * count + twice * count
            self.entries += 5 * (len(limbs) - 1) * count + twice * (terms + (len(limbs) + 4) * count)
            self.degree += (len(limbs) - 1 + twice) * count
        rows = sum(1 << width for width in {self.limbs.width, *self.limbs.tables} if width)
        self.wires += 2 * rows
        self.entries += 5 * rows
        self.degree += rows

    def _write_table(self, rows: int, columns: int, count: int, power: int) -> None:
        """Of several columns each after the first takes a constraint an entry; their powers are a challenge's.

        Sums of fractions, brought to one denominator: its degree, that of one fraction by their number.
        """
        self.degree += (count + rows) * max(1, columns - 1) * power
        if columns > 1:
            self.powers_of((columns - 1) * power + 1, 1)
        self.constrain(columns * count + rows + 1, (4 * columns + 1) * count + (4 + columns) * rows)
        self.wires += columns * count + 2 * rows
