"""Rank-1 constraint systems as compressed sparse rows: (A w) * (B w) = C w, entry by entry."""

from __future__ import annotations

import dataclasses
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np

from zkgpu.circuits.assignment import MANY_ENTRIES, Constraints
from zkgpu.circuits.committed import CommittedRound, require_one_round
from zkgpu.circuits.numbers import Numbers
from zkgpu.circuits.sums import Rows, Table, combine
from zkgpu.errors import FormatError, LengthError, UnsatisfiedError, ZkgpuError
from zkgpu.fields.cpu import computes
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import Index, SparseMatrix
from zkgpu.records import dataclass

_MOST_SIGNALS = 6  # named in a message
_CHUNK = 1 << 17  # rows checked at a time: bounds the memory that it takes


@dataclass(frozen=True)
class R1CS:
    """A circuit's constraints.

    Wires are numbered as in circom's files: 0 is the constant one, then public outputs, public inputs, private
    inputs, internal wires.

    Attributes:
        a, b, c: (n_constraints, n_wires): a row for each constraint, a column for each wire
        n_public_outputs, n_public_inputs, n_private_inputs: of wires, in that order
        wire_labels: (n_wires,) the number of each wire's signal in the source circuit
        labels: names of ranges of constraints, for messages: (first row, name) in ascending order; perhaps none
        n_labels: signals of the source circuit; 0 where that is not known
        rounds: one when the circuit has challenges: they, and a digest, are then the last public inputs, the committed
            wires come right after the public ones, and private inputs may be among them
        signals: names wires of a circuit from a file, {wire: name}, for messages; may raise as a reader of files does
        digest: the one by which a key names the circuit (`groth16.circuit_digest`), where it was computed before: that
            takes a while. One changed by `replace` has none
    """

    field: Field
    a: SparseMatrix
    b: SparseMatrix
    c: SparseMatrix
    n_public_outputs: int
    n_public_inputs: int
    n_private_inputs: int
    wire_labels: Index | None = None
    labels: tuple[tuple[int, str], ...] = ()
    n_labels: int = 0
    rounds: tuple[CommittedRound, ...] = ()
    signals: Callable[[Iterable[int]], Mapping[int, str]] | None = dataclasses.field(
        default=None, compare=False, repr=False
    )
    digest: bytes | None = dataclasses.field(default=None, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        require_one_round(self.rounds, "the committed rounds of an R1CS are")

    def with_digest(self, digest: bytes) -> R1CS:
        """The same circuit, known to have this digest."""
        same = dataclasses.replace(self)
        object.__setattr__(same, "digest", digest)
        return same

    def __repr__(self) -> str:
        return f"<R1CS, {self.n_constraints:,} constraints, {self.n_wires:,} wires, {self.n_public} public>"

    @property
    def n_wires(self) -> int:
        """With the constant one."""
        return self.a.shape[1]

    @property
    def n_constraints(self) -> int:
        """Rows of each matrix."""
        return self.a.shape[0]

    @cached_property
    def n_public(self) -> int:
        """Public inputs of a proof: outputs, public inputs, and what a committed round adds."""
        return self.n_public_outputs + self.n_public_inputs + sum(round_.n_public for round_ in self.rounds)

    @property
    def n_committed(self) -> int:
        """Wires from n_public + 1 on that the prover commits to before it learns the challenges."""
        return sum(round_.n_committed for round_ in self.rounds)

    def is_same(self, other: R1CS) -> bool:
        """Whether the other circuit has the same constraints on the same wires, whatever they are called."""
        counts = ("n_public_outputs", "n_public_inputs", "n_public", "n_committed")
        return all(getattr(self, name) == getattr(other, name) for name in counts) and all(
            mine.is_same(theirs) for mine, theirs in zip(self._matrices, other._matrices, strict=True)
        )

    def label(self, row: int) -> str:
        """What messages call a constraint: "constraint 17", and its name in quotes when it has one."""
        return constraint_name(self.labels, self.n_constraints, row)

    def check(self, assignment: Limbs) -> None:
        """Returns when the assignment satisfies every constraint.

        Args:
            assignment: (n_wires, limbs) uint64, canonical: (1, public outputs, public inputs, private inputs,
                internals)

        Raises LengthError for another shape, FormatError for a value that is not below the modulus, UnsatisfiedError
        naming the first constraint that fails; its values are the error's `values`.
        """
        if assignment.shape != (self.n_wires, self.field.limbs):
            raise LengthError(
                f"the assignment has shape {assignment.shape}, but the circuit has {self.n_wires} wires "
                f"of {self.field.limbs} limbs: was it made for another circuit?"
            )
        aliased = np.flatnonzero(~self.field.is_canonical(assignment))
        if aliased.size:
            raise FormatError(f"wire {aliased[0]} of the assignment is not below the modulus of {self.field.name}")
        if not self.is_satisfied_by(assignment):
            self.check_values(Numbers.from_limbs(assignment, self.field))

    def is_satisfied_by(self, assignment: Limbs) -> bool:
        """True only for a satisfying assignment; small circuits are left to `check_values`."""
        holds_one = self.field.from_limbs(assignment[:1]) == [1]
        return holds_one and self._constraints is not None and self._constraints.hold(assignment)

    @property
    def is_large(self) -> bool:
        """Whether compiled arithmetic checks assignments."""
        return self._constraints is not None

    @cached_property
    def _constraints(self) -> Constraints | None:
        """The matrices for compiled arithmetic, where there are so many entries that it pays."""
        many = sum(m.entries for m in self._matrices) >= MANY_ENTRIES
        return Constraints(self.field, self._matrices) if many and computes(self.field) else None

    def check_values(self, values: Numbers) -> None:
        """As `check`, for (n_wires,) numbers."""
        if values.small[0] != 1:
            raise UnsatisfiedError("wire 0 must hold the constant 1", values=f"it is {values.elements()[0]}")
        for start in range(0, self.n_constraints, _CHUNK):
            stop = min(start + _CHUNK, self.n_constraints)
            a, b, c = (_rows_times(m, self._tables[id(m.table)], values, start, stop) for m in self._matrices)
            broken = np.flatnonzero(a.wrong_products(b, c))
            if broken.size:
                found = (int(side.take(broken[:1]).integers()[0]) for side in (a, b, c))
                row = start + int(broken[0])
                message = f"{self.label(row)}: A * B is not C{self._signals_of(row)}"
                raise UnsatisfiedError(message, values=self._violation(*found))

    def _signals_of(self, row: int) -> str:
        """The signals of a constraint for a message, where their names are known."""
        if self.signals is None:
            return ""
        spans = (m.indices[m.indptr[row] : m.indptr[row + 1]] for m in self._matrices)
        wires = sorted({int(wire) for span in spans for wire in span} - {0})
        try:
            names = self.signals(wires[:_MOST_SIGNALS])
        except ZkgpuError as error:
            return f" (its signals are not known: {error})"
        more = ", .." if len(wires) > _MOST_SIGNALS else ""
        return f", of {', '.join(names.get(wire, f'wire {wire}') for wire in wires[:_MOST_SIGNALS])}{more}"

    @property
    def _matrices(self) -> tuple[SparseMatrix, SparseMatrix, SparseMatrix]:
        return self.a, self.b, self.c

    @cached_property
    def _tables(self) -> dict[int, Table]:
        """The matrices' tables as integers, by identity: matrices often share one."""
        distinct = {id(m.table): m.table for m in self._matrices}
        return {key: Table.of(self.field.from_limbs(table), self.field.modulus) for key, table in distinct.items()}

    def _violation(self, a: int, b: int, c: int) -> str:
        a, b, c, product = (_signed(v, self.field.modulus) for v in (a, b, c, a * b))
        return f"{a} * {b} = {product}, but C is {c}"


def constraint_name(labels: Sequence[tuple[int, str]], n_constraints: int, row: int) -> str:
    """See R1CS.label."""
    at = bisect_right(labels, row, key=lambda label: label[0]) - 1
    if at < 0 or not labels[at][1]:
        return f"constraint {row}"
    first, name = labels[at]
    end = labels[at + 1][0] if at + 1 < len(labels) else n_constraints
    return f"constraint {row} '{name}'" if end - first == 1 else f"constraint {row} '{name}[{row - first}]'"


def _rows_times(matrix: SparseMatrix, table: Table, values: Numbers, start: int, stop: int) -> Numbers:
    """Rows start .. stop of matrix * values."""
    indptr = matrix.indptr[start : stop + 1]
    terms = slice(int(indptr[0]), int(indptr[-1]))
    return combine(Rows(indptr - indptr[0], matrix.indices[terms], matrix.coefficient[terms]), table, values)


def _signed(value: int, modulus: int) -> int:
    """The representative of value nearest zero, when that is short enough to be what a reader expects."""
    value %= modulus
    return value - modulus if modulus - value < 1 << 64 else value
