"""Wires that the constraints leave free next to a witness: the null space of their Jacobian modulo r."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set

import numpy as np

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.program import Hint
from zkgpu.circuits.r1cs import R1CS
from zkgpu.circuits.rounds import waits_for_challenges
from zkgpu.errors import ResourceError
from zkgpu.fields.field import Limbs
from zkgpu.testing.names import Names, inverse_order
from zkgpu.testing.report import FreeWire
from zkgpu.testing.wires import Direction, Rows

Equation = dict[int, int]  # coefficients by unknown
Square = tuple[frozenset[int], frozenset[int]]  # unknowns of two factors whose product is 0

_MOST_COPIES = 64
_MOST_ENTRIES = 1 << 22  # of the equations that elimination is left with


def free_wires(circuit: Circuit | CompiledCircuit, inputs: Mapping[str, object]) -> tuple[FreeWire, ...]:
    """The wires that could move, next to the honest witness, with all inputs held fixed: none in a sound circuit.

    With w the honest witness, a small change d of it must satisfy (A w)(B d) + (B w)(A d) = C d. Wires are free where
    the solutions d are not all 0. Held fixed are the inputs of every kind, challenges, and the commitment's mask.

    Arguments with challenges are written out at several random ones, with one change for all of what is committed.
    A looked-up value does not change by a little: it stays one of the table's rows, and with it the multiplicities.

    What it shows: a wire named here can be changed to first order, and as a rule in truth; to see by what, give its
    hint other answers (attack_circuit). What it does not show: solutions that lie further away, such as another root of
    b (b - 1) = 0, or a quotient that wraps around the field. Of double roots, w^2 = 0 is understood, others are named
    though they have one value only.
    Equations with one unknown left are used up first, in linear time, which is all that most circuits need; the rest
    is sparse elimination on Python integers. Good for some tens of thousands of wires.
    Raises UnsatisfiedError for inputs that satisfy no witness, ResourceError where the elimination grows too large.
    """
    compiled = circuit.compile() if isinstance(circuit, Circuit) else circuit
    wires = {wire for direction in free_directions(compiled, inputs) for wire in direction}
    return named(wires, Names(compiled.r1cs, compiled))


def free_directions(compiled: CompiledCircuit, inputs: Mapping[str, object]) -> list[Direction]:
    """A basis of the changes that free_wires speaks of, by the R1CS's wires."""
    found, copies = _free(compiled, inputs, 1), 1
    while found and compiled.r1cs.rounds and copies < _MOST_COPIES:
        copies *= 2
        before, found = found, _free(compiled, inputs, copies)
        if len(found) == len(before) and copies > 2:
            break
    return found


def free_wires_of(r1cs: R1CS, assignment: Limbs, fixed: Iterable[int]) -> tuple[FreeWire, ...]:
    """As free_wires, for a circuit without its program: the fixed wires are named by number."""
    held = {0, *fixed}
    rows = Rows(r1cs, assignment)
    equations, squares = _equations(rows, held, rows.of_row), _squares(rows, held)
    unknowns = set(range(r1cs.n_wires)) - held
    return named({w for d in null_space(equations, unknowns, r1cs.field.modulus, squares) for w in d}, Names(r1cs))


def named(wires: Iterable[int], names: Names) -> tuple[FreeWire, ...]:
    return tuple(FreeWire(names.of(wire), wire, names.constraints(wire)) for wire in sorted(wires))


def held_wires(compiled: CompiledCircuit) -> set[int]:
    """What is given, drawn, or the prover's to choose: the one, inputs, challenges, and the commitment's mask."""
    r1cs = compiled.r1cs
    held = {0, *(wire for s in compiled.inputs for wire in range(s.first, s.first + s.size))}
    return held | prover_wires(r1cs)


def prover_wires(r1cs: R1CS) -> set[int]:
    """Challenges and mask, which a proof brings along."""
    wires: set[int] = set()
    for round_ in r1cs.rounds:
        first = 1 + r1cs.n_public - round_.n_public
        wires |= {*range(first, first + round_.n_challenges), r1cs.n_public + 1}
    return wires


def late_wires(compiled: CompiledCircuit) -> set[int]:
    """The wires that depend on a challenge."""
    program = compiled.program
    waits = waits_for_challenges(program.steps, compiled.r1cs.n_wires, program.challenges)
    return set(np.flatnonzero(waits[program.order]).tolist())


def _free(compiled: CompiledCircuit, inputs: Mapping[str, object], copies: int) -> list[Direction]:
    """Free directions, with what depends on challenges written out at so many of them."""
    r1cs, late = compiled.r1cs, late_wires(compiled)
    held = held_wires(compiled) | _multiplicities(compiled)
    equations = _looked_up(compiled, held)
    unknowns = {wire for wire in range(r1cs.n_wires) if wire not in held and wire not in late}
    squares: list[Square] = []
    for copy in range(copies):
        rows = Rows(r1cs, compiled.witness(inputs))
        wanted = [row for row, wires in rows.of_row.items() if copy == 0 or not late.isdisjoint(wires)]
        squares += _squares(rows, held, late) if copy == 0 else []
        for equation in _equations(rows, held, wanted):
            moved = {wire + copy * r1cs.n_wires if wire in late else wire: k for wire, k in equation.items()}
            equations.append(moved)
            unknowns.update(moved)
    basis = null_space(equations, unknowns, r1cs.field.modulus, squares)
    return [{wire % r1cs.n_wires: d for wire, d in sorted(vector.items(), reverse=True)} for vector in basis]


def _equations(rows: Rows, held: set[int], wanted: Iterable[int]) -> list[Equation]:
    """Each constraint's derivative."""
    found = []
    for row in wanted:
        terms = {wire: rows.terms(row, {wire: 1})[0] for wire in rows.of_row[row] if wire not in held}
        found.append({wire: k for wire, k in terms.items() if k})
    return found


def _squares(rows: Rows, held: set[int], late: Set[int] = frozenset()) -> list[Square]:
    """Constraints a * b = 0 of which both factors are 0: to second order their changes' product is 0."""
    return [
        (rows.changing(0, row, held), rows.changing(1, row, held))
        for row, wires in rows.of_row.items()
        if late.isdisjoint(wires)
        and not rows.a[row] % rows.modulus
        and not rows.b[row] % rows.modulus
        and not rows.changing(2, row, held)
    ]


def _multiplicities(compiled: CompiledCircuit) -> set[int]:
    traced = [range(s.first, s.first + s.count) for s in _lookups(compiled)]
    number = inverse_order(compiled.program.order)
    return {int(number[wire]) for wires in traced for wire in wires}


def _looked_up(compiled: CompiledCircuit, held: set[int]) -> list[Equation]:
    """A looked-up combination does not change."""
    number, values, found = inverse_order(compiled.program.order), compiled.program.arithmetic.table.values, []
    for step in _lookups(compiled):
        for lc in step.inputs:
            for start, stop in zip(lc.indptr[:-1], lc.indptr[1:], strict=True):
                wires, ids = number[lc.wires[start:stop]].tolist(), lc.coefficients[start:stop]
                terms = {w: int(values[i]) for w, i in zip(wires, ids, strict=True) if w not in held}
                found.append(terms)
    return found


def _lookups(compiled: CompiledCircuit) -> list[Hint]:
    """Steps that count how often a table's rows are looked up: the only ones that refuse values."""
    return [step for step in compiled.program.steps if isinstance(step, Hint) and step.forgiving is not None]


# elimination


def null_space(
    equations: Sequence[Equation], unknowns: Iterable[int], modulus: int, squares: Sequence[Square] = ()
) -> list[Equation]:
    """A basis of the solutions of homogeneous equations, without the zeros."""
    zero = _Peeling(equations, squares).zero
    core = [{u: k for u, k in equation.items() if u not in zero} for equation in equations]
    elimination = _Elimination(modulus)
    for equation in sorted(core, key=len):  # short ones first, which fill up less
        elimination.add(equation)
    pivots = elimination.pivots
    basis = {u: {u: 1} for u in sorted(unknowns) if u not in zero and u not in pivots}
    for pivot, rest in pivots.items():
        for u, k in rest.items():
            basis[u][pivot] = -k % modulus
    return list(basis.values())


class _Peeling:
    """Unknowns that are 0 because an equation, or a square, has no other unknown left, over and over."""

    def __init__(self, equations: Sequence[Equation], products: Sequence[Square]) -> None:
        self.zero: set[int] = set()
        self._equations, self._left = equations, [len(equation) for equation in equations]
        self._holding: dict[int, list[int]] = defaultdict(list)
        for i, equation in enumerate(equations):
            for unknown in equation:
                self._holding[unknown].append(i)
        self._ready = [i for i, n in enumerate(self._left) if n == 1]
        self._finish()
        while products:
            squares = {u for product in products if (u := self._only_unknown(product)) is not None}
            for unknown in squares:
                self._settle(unknown)
            self._finish()
            if not squares:
                return

    def _only_unknown(self, product: Square) -> int | None:
        left = [side - self.zero for side in product]
        return next(iter(left[0])) if len(left[0]) == 1 and left[0] == left[1] else None

    def _finish(self) -> None:
        while self._ready:
            for unknown in [u for u in self._equations[self._ready.pop()] if u not in self.zero]:
                self._settle(unknown)

    def _settle(self, unknown: int) -> None:
        self.zero.add(unknown)
        for i in self._holding[unknown]:
            self._left[i] -= 1
            if self._left[i] == 1:
                self._ready.append(i)


class _Elimination:
    """Equations solved for pivots: each pivot is minus a combination of unknowns that are none."""

    def __init__(self, modulus: int) -> None:
        self.pivots: dict[int, Equation] = {}
        self._using: dict[int, set[int]] = defaultdict(set)
        self._modulus, self._entries = modulus, 0

    def add(self, equation: Equation) -> None:
        """Solves it for the unknown that the fewest others are expressed by. Raises ResourceError when all fill up."""
        reduced = self._reduced(equation)
        if not reduced:
            return
        pivot = min(reduced, key=lambda u: len(self._using[u]))
        inverse = pow(reduced.pop(pivot), -1, self._modulus)
        row = {u: k * inverse % self._modulus for u, k in reduced.items()}
        for other in self._using.pop(pivot, set()):
            self._replace(other, pivot, row)
        self.pivots[pivot] = row
        for u in row:
            self._using[u].add(pivot)
        self._entries += len(row)
        if self._entries > _MOST_ENTRIES:
            raise ResourceError("the constraints' derivatives fill up: the circuit is too large for free_wires")

    def _reduced(self, equation: Equation) -> Equation:
        """The equation without unknowns that are pivots."""
        out = {u: k for u, k in equation.items() if u not in self.pivots}
        for pivot in equation:
            if pivot in self.pivots:
                _subtract(out, self.pivots[pivot], equation[pivot], self._modulus)
        return out

    def _replace(self, other: int, pivot: int, row: Equation) -> None:
        """Puts a new pivot's combination where an earlier one's has it."""
        own = self.pivots[other]
        _subtract(own, row, own.pop(pivot), self._modulus)
        for u in row:
            if u in own:
                self._using[u].add(other)
            else:
                self._using[u].discard(other)


def _subtract(out: Equation, row: Equation, factor: int, modulus: int) -> None:
    for u, k in row.items():
        value = (out.get(u, 0) - factor * k) % modulus
        if value:
            out[u] = value
        else:
            out.pop(u, None)
