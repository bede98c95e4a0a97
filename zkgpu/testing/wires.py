"""Single wires and pairs of wires changed, all others left alone: solved for, not tried value by value.

A change of t times a direction d keeps the row (A w)(B w) = C w when t (L + t Q) = 0, where L = (A w)(B d) +
(B w)(A d) - C d and Q = (A d)(B d). So one row leaves no t but 0, all t, or one. Where two wires share a row that is
linear in both, that row fixes the direction; elsewhere the first wire's change is tried and the other's follows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from zkgpu.circuits.numbers import nearest_zero
from zkgpu.circuits.r1cs import R1CS
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.records import dataclass
from zkgpu.testing.draws import Draws
from zkgpu.testing.names import Names
from zkgpu.testing.report import Change, Finding

Entry = tuple[int, int, int]  # of a wire in a row of A, B and C
Direction = Mapping[int, int]  # by wire
OutputsOf = Callable[[Direction], tuple[str, ...] | None]

_WIDE_ROW = 64  # wires of a row beyond which it suggests no pairs
_TRIED = (1, -1, 2, -2, 16, -16, 255, 256, -256)


@dataclass(frozen=True)
class Moved:
    """A change that satisfies all constraints. `scale` is None where every multiple of it does."""

    direction: Direction
    scale: int | None

    def deltas(self, modulus: int) -> dict[int, int]:
        factor = 1 if self.scale is None else self.scale
        return {wire: factor * d % modulus for wire, d in self.direction.items()}


class Rows:
    """The constraints around one assignment."""

    def __init__(self, r1cs: R1CS, assignment: Limbs) -> None:
        self.modulus, self.values = r1cs.field.modulus, r1cs.field.from_limbs(assignment)
        self.of_wire: dict[int, dict[int, Entry]] = defaultdict(dict)
        self.of_row: dict[int, list[int]] = defaultdict(list)
        self.a, self.b = [0] * r1cs.n_constraints, [0] * r1cs.n_constraints
        for side, matrix in enumerate((r1cs.a, r1cs.b, r1cs.c)):
            self._read(side, matrix, r1cs.field)
        for wire, rows in self.of_wire.items():
            for row in rows:
                self.of_row[row].append(wire)

    def _read(self, side: int, matrix: SparseMatrix, field: Field) -> None:
        table, sums = field.from_limbs(matrix.table), (self.a, self.b, None)[side]
        places = zip(matrix.row_of_entry().tolist(), matrix.indices.tolist(), matrix.coefficient.tolist(), strict=True)
        for row, wire, k in places:
            if sums is not None:
                sums[row] += table[k] * self.values[wire]
            entry = list(self.of_wire[wire].get(row, (0, 0, 0)))
            entry[side] = table[k]
            self.of_wire[wire][row] = (entry[0], entry[1], entry[2])

    def terms(self, row: int, direction: Direction) -> tuple[int, int]:
        """L and Q of a row along a direction."""
        a = b = c = 0
        for wire, d in direction.items():
            own = self.of_wire[wire].get(row, (0, 0, 0))
            a, b, c = a + own[0] * d, b + own[1] * d, c + own[2] * d
        return (self.a[row] * b + self.b[row] * a - c) % self.modulus, a * b % self.modulus

    def changing(self, side: int, row: int, held: set[int]) -> frozenset[int]:
        """The wires of a row of A, B or C that are not held fixed."""
        return frozenset(wire for wire in self.of_row[row] if wire not in held and self.of_wire[wire][row][side])

    def moved(self, direction: Direction) -> Moved | None:
        """The multiple of a direction that keeps all rows, if there is one but 0."""
        found: int | None = None
        for row in {row for wire in direction for row in self.of_wire[wire]}:
            linear, square = self.terms(row, direction)
            if not square:
                if linear:
                    return None
                continue
            scale = -linear * pow(square, -1, self.modulus) % self.modulus
            if not scale or found not in (None, scale):
                return None
            found = scale
        return Moved(direction, found)

    def partners(self, wire: int) -> set[int]:
        """Wires that stand in all rows which forbid this one to move alone, or beside it where none does."""
        rows = self.of_wire[wire]
        forbidding = [row for row in rows if self._forbids(row, wire)]
        sets = [set(self.of_row[row]) for row in (forbidding or rows) if len(self.of_row[row]) <= _WIDE_ROW]
        if not sets or (forbidding and len(sets) < len(forbidding)):
            return set()
        found = set.intersection(*sets) if forbidding else set.union(*sets)
        return found - {wire, 0}

    def _forbids(self, row: int, wire: int) -> bool:
        """Whether a row allows no change of this wire alone."""
        linear, square = self.terms(row, {wire: 1})
        return bool(linear) != bool(square)

    def pair(self, first: int, second: int) -> Moved | None:
        """A change of both wires that keeps all rows."""
        shared = [row for row in self.of_wire[first] if row in self.of_wire[second]]
        for direction in self._directions(shared, first, second):
            moved = self.moved(direction)
            if moved is not None:
                return moved
        return None

    def _directions(self, shared: Sequence[int], first: int, second: int) -> Iterator[Direction]:
        p = self.modulus
        for row in shared:
            one, two = self.of_wire[first][row], self.of_wire[second][row]
            (l1, q1), (l2, q2) = self.terms(row, {first: 1}), self.terms(row, {second: 1})
            cross = (one[0] * two[1] + one[1] * two[0]) % p
            if l2 and not (q1 or q2 or cross):
                if l1:
                    yield {first: 1, second: -l1 * pow(l2, -1, p) % p}
                return
        for row in shared[:1]:
            for delta in (*_TRIED, -self.values[first] % p):
                if delta:
                    yield from self._solved(row, first, second, delta)

    def _solved(self, row: int, first: int, second: int, delta: int) -> Iterator[Direction]:
        """With the first wire moved by delta, the move of the second that keeps the row, where it is linear in that."""
        p, one, two = self.modulus, self.of_wire[first][row], self.of_wire[second][row]
        (l1, q1), (l2, q2) = self.terms(row, {first: 1}), self.terms(row, {second: 1})
        slope = (l2 + delta * (one[0] * two[1] + one[1] * two[0])) % p
        if not q2 and slope:
            move = -delta * (l1 + delta * q1) * pow(slope, -1, p) % p
            if move:
                yield {first: delta % p, second: move}


class WireAttack:
    """Searches for second witnesses that differ from an honest one in one wire or two.

    Args:
        fixed: wires that are given, or the prover's to choose
        given: private inputs that are changed all the same: the outputs are to determine them
        bound: wires that come before the challenges: a change of them must do at any challenges, so there is a second
            assignment, at others, that it is held against
        outputs_of: the outputs that wires moved by so much change, by name; None when the verifier refuses the values
    """

    def __init__(
        self,
        r1cs: R1CS,
        assignments: Sequence[Limbs],
        names: Names,
        fixed: set[int],
        given: set[int],
        bound: set[int],
        outputs_of: OutputsOf,
        draws: Draws,
    ) -> None:
        self._rows = [Rows(r1cs, assignment) for assignment in assignments]
        self._names, self._bound, self._outputs_of, self._draws = names, bound, outputs_of, draws
        self._modulus = r1cs.field.modulus
        self._wires = [wire for wire in range(1, r1cs.n_wires) if wire not in fixed]
        self._fixed, self._given = fixed, given
        self.tried: Counter[str] = Counter()
        self.findings: list[Finding] = []

    def run(self, wires: int, pairs: int, most: int = 16) -> None:
        """Tries so many wires and pairs, drawn where there are more."""
        chosen = self._draws.some_of(self._wires, wires)
        for wire in chosen:
            self._try("wires", [row.moved({wire: 1}) for row in self._rows], most)
        some = self._draws.some_of(sorted(self._pairs(chosen)), pairs)
        for first, second in some:
            self._try("pairs of wires", [row.pair(first, second) for row in self._rows], most)

    def _pairs(self, wires: Sequence[int]) -> set[tuple[int, int]]:
        partners = {wire: self._rows[0].partners(wire) - self._fixed for wire in wires}
        return {
            (min(pair), max(pair))
            for wire, others in partners.items()
            for pair in ((wire, other) for other in others)
            if wire in partners.get(pair[1], ())
        }

    def _try(self, kind: str, moves: Sequence[Moved | None], most: int) -> None:
        self.tried[kind] += 1
        if len(self.findings) < most and all(moves) and self._same_before_challenges(moves):
            deltas = moves[0].deltas(self._modulus) if moves[0] else {}
            outputs = self._outputs_of(deltas)
            if outputs is None:
                return
            if outputs and not self._given.isdisjoint(deltas):
                return  # other inputs may well have other outputs
            self.findings.append(Finding(kind, tuple(self._change(w, d) for w, d in deltas.items()), outputs))

    def _same_before_challenges(self, moves: Sequence[Moved | None]) -> bool:
        """Whether what comes before the challenges can move in the same way at all of them."""
        bound = []
        for moved in moves:
            assert moved is not None
            early = {wire: d for wire, d in moved.direction.items() if wire in self._bound}
            if moved.scale is None and len(early) < 2:
                early = dict.fromkeys(early, 1)
            elif moved.scale is not None:
                early = {wire: d * moved.scale % self._modulus for wire, d in early.items()}
            bound.append(early)
        return all(early == bound[0] for early in bound)

    def _change(self, wire: int, delta: int) -> Change:
        honest = self._rows[0].values[wire]
        before, after = (nearest_zero(v, self._modulus) for v in (honest, honest + delta))
        return Change(self._names.of(wire), wire, before, after, self._names.constraints(wire))
