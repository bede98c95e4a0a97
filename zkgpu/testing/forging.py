"""Witnesses of provers who lie: some hints answered otherwise, all that follows computed as the program says.

Many attempts run at once, as columns of one array. Nothing refuses a lie but the constraints: hints that would refuse
wrong values do not here (`Hint.forgiving`), and one that fails on them answers zeros.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.numbers import WIDE, Numbers, ones
from zkgpu.circuits.program import Arithmetic, Hint, HintFunction, Marks, Replay, Step
from zkgpu.circuits.signals import Signal
from zkgpu.circuits.sums import Rows, Table, combine
from zkgpu.errors import UnsatisfiedError, UsageError
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.records import dataclass

_CELLS = 1 << 20  # values of all columns that run at once
_COLUMNS = 64


@dataclass(frozen=True)
class Spot:
    """One entry of a hint's answer.

    Attributes:
        step: the step's number in `Forger.steps`
        entry: in C order
        inside: where the step is a template's: (inner step, instance), for each level
    """

    step: int
    entry: int
    inside: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Lie:
    """What the prover answers: `value`, or the honest answer (to whatever came before) plus `value`."""

    spot: Spot
    value: int
    added: bool = False


Attempt = Sequence[Lie]


@dataclass(frozen=True)
class Second:
    """A second witness: an assignment that satisfies all constraints, and its packed public arrays."""

    assignment: Limbs = field(repr=False)
    packed: bytes


@dataclass(frozen=True)
class Given:
    """A private input as a step, so that it can be answered otherwise too: its values are there already."""

    first: int
    count: int
    label: str
    shape: tuple[int, ...]
    reads: Sequence[LinearCombinations] = ()

    def run(self, values: Numbers, arithmetic: Arithmetic) -> None:
        return None

    def mark(self, marks: Marks) -> None:
        return None


class Forger:
    """Forges witnesses of a circuit for inputs whose honest witness is known.

    Args:
        steps: the witness program, behind the `n_given` private inputs that may be answered otherwise
        honest: (n_wires, 1) values of the honest witness, by traced wires
    """

    def __init__(self, compiled: CompiledCircuit, inputs: Mapping[str, object], determined: Sequence[str] = ()) -> None:
        self.compiled, program = compiled, compiled.program
        self.assignment = compiled.witness(inputs)
        self.packed = compiled.packed(self.assignment)
        chosen = [signal for signal in program.signals if signal.name in determined]
        _require_private(chosen, determined)
        given = [Given(s.first, s.size, s.name, s.shape) for s in chosen]
        self.n_given = len(given)
        self.steps: list[Any] = [*given, *(forgiving(step) for step in program.steps)]
        self.first_late = len(given) + program.first_steps
        self.modulus = compiled.r1cs.field.modulus
        self.honest = ones((compiled.r1cs.n_wires, 1), self.modulus)
        self.honest.put((program.order, 0), Numbers.from_limbs(self.assignment, compiled.r1cs.field))
        self._sides = _Sides.of(compiled)
        self._reaches: dict[frozenset[int], _Reach] = {}
        self.at_once = max(4, min(_COLUMNS, _CELLS // max(1, compiled.r1cs.n_wires)))

    def surviving(self, attempts: Sequence[Attempt]) -> list[int]:
        """Which attempts satisfy every constraint and differ from the honest witness, at the honest challenges.

        They run together, so that it pays when they lie in the same steps.
        """
        reach = self._reach(frozenset(lie.spot.step for attempt in attempts for lie in attempt))
        values = self.honest.take((slice(None), np.zeros(len(attempts), dtype=np.int64)))
        lies = _by_step(attempts)
        for step in reach.steps:
            self._with_lies(step, lies, len(attempts)).run(values, self._arithmetic)
        holding = np.flatnonzero(self._sides.hold(reach.rows, values))
        return [int(j) for j in holding if self._differs(values, int(j), reach.wires)]

    def confirm(self, attempt: Attempt) -> Second | None:
        """The second witness that an attempt makes, or None where a constraint or the verifier refuses it.

        All steps run, and where the lies come before the challenges, these are drawn anew.
        """
        values, lies = self.honest.take((slice(None), np.zeros(1, dtype=np.int64))), _by_step([attempt])
        if all(lie.spot.step < self.first_late for lie in attempt):
            self._draw_challenges(values)
        for step in range(len(self.steps)):
            self._with_lies(step, lies, 1).run(values, self._arithmetic)
        return self._accepted(values.take((self.compiled.program.order, 0)))

    def moved(self, deltas: Mapping[int, int]) -> Second | None:
        """The honest assignment with so much added to wires of the R1CS, or None where the verifier refuses that."""
        field, assignment = self.compiled.r1cs.field, self.assignment.copy()
        for wire, delta in deltas.items():
            (value,) = field.from_limbs(assignment[wire : wire + 1])
            assignment[wire] = field.to_limbs([value + delta])[0]
        try:
            return Second(assignment, self.compiled.packed(assignment))
        except UsageError:  # an output outside of its interval
            return None

    def value(self, spot: Spot) -> int:
        """The honest answer, from 0 to the modulus."""
        return int(self.honest.take((np.array([self.traced_wire(spot)]), 0)).elements()[0])

    def traced_wire(self, spot: Spot) -> int:
        step, first = self.steps[spot.step], int(self.steps[spot.step].first)
        for inner, instance in spot.inside:
            own = step.inputs.rows // max(step.instances, 1) + 1
            step = _at(first + instance * step.wires, own, step.steps[inner])
            first = step.first
            step = step.step
        return first + spot.entry

    def spots(self, step: int) -> list[Spot]:
        """All entries of the hints in a step; none for steps that only calculate, and for the commitment's mask."""
        if isinstance(self.steps[step], Hint) and not self.steps[step].inputs:
            return []  # it depends on nothing: the mask, which is the prover's
        return [Spot(step, entry, inside) for inside, hint in _hints(self.steps[step]) for entry in range(hint.count)]

    def hint(self, spot: Spot) -> Any:
        """The hint, or given input, that a spot is an entry of."""
        step = self.steps[spot.step]
        for inner, _ in spot.inside:
            step = step.steps[inner]
        return step

    @property
    def _arithmetic(self) -> Arithmetic:
        return self.compiled.program.arithmetic

    def inputs_of(self, spot: Spot) -> list[int]:
        """The honest values that a hint reads, from 0 to the modulus; none for a hint inside of a template."""
        if spot.inside:
            return []
        read = (self._arithmetic.of(lc, self.honest).elements().ravel() for lc in self.steps[spot.step].reads)
        return [int(v) for values in read for v in values]

    def _with_lies(self, step: int, lies: Mapping[int, list[_Placed]], columns: int) -> Step:
        return with_lies(self.steps[step], lies[step], columns) if step in lies else self.steps[step]

    def _draw_challenges(self, values: Numbers) -> None:
        for wire in self.compiled.program.challenges:
            drawn = np.array([self.compiled.r1cs.field.random()], dtype=object)
            values.put((np.array([wire]), 0), Numbers.of(drawn, self.modulus))

    def _accepted(self, values: Numbers) -> Second | None:
        assignment = values.limbs(self.compiled.r1cs.field)
        try:
            self.compiled.r1cs.check(assignment)
            return Second(assignment, self.compiled.packed(assignment))
        except (UnsatisfiedError, UsageError):  # a constraint; an output outside of its interval
            return None

    def _reach(self, steps: frozenset[int]) -> _Reach:
        if steps not in self._reaches:
            self._reaches[steps] = self._follow(steps)
        return self._reaches[steps]

    def _follow(self, steps: frozenset[int]) -> _Reach:
        """What lies in these steps can change."""
        changed, reached = np.zeros(len(self.honest.small), dtype=bool), []
        for i in range(min(steps, default=0), len(self.steps)):
            step = self.steps[i]
            if i in steps or any(changed[lc.wires].any() for lc in step.reads):
                changed[step.first : step.first + step.count] = True
                reached.append(i)
        return _Reach(tuple(reached), np.flatnonzero(changed), self._sides.touching(changed))

    def _differs(self, values: Numbers, column: int, wires: NDArray[np.int64]) -> bool:
        small, honest = values.small[wires, column], self.honest.small[wires, 0]
        if (small != honest).any():
            return True
        wide = wires[small == WIDE]
        if not wide.size or values.wide is None or self.honest.wide is None:
            return False
        return bool((values.wide[wide, column] != self.honest.wide[wide, 0]).any())


# steps with lies

_Placed = tuple[int, Lie, tuple[tuple[int, int], ...]]  # column, lie, levels of templates still to go down


def _by_step(attempts: Sequence[Attempt]) -> dict[int, list[_Placed]]:
    found: dict[int, list[_Placed]] = defaultdict(list)
    for column, attempt in enumerate(attempts):
        for lie in attempt:
            found[lie.spot.step].append((column, lie, lie.spot.inside))
    return dict(found)


def with_lies(step: Step, placed: Iterable[_Placed], columns: int) -> Step:
    """The step, with lies in some of its columns."""
    if not isinstance(step, Replay):
        return _Forged(step, [(column, lie) for column, lie, _ in placed])
    steps, inner = list(step.steps), defaultdict(list)
    for column, lie, ((number, instance), *deeper) in placed:
        inner[number].append((instance * columns + column, lie, tuple(deeper)))
    for number, own in inner.items():
        steps[number] = with_lies(steps[number], own, step.instances * columns)
    return replace(step, steps=steps)


@dataclass(frozen=True)
class _Forged:
    """A hint whose honest answer is replaced by lies, each in its column."""

    step: Step
    lies: list[tuple[int, Lie]]

    @property
    def first(self) -> int:
        return self.step.first

    @property
    def count(self) -> int:
        return self.step.count

    @property
    def reads(self) -> Sequence[LinearCombinations]:
        return self.step.reads

    def run(self, values: Numbers, arithmetic: Arithmetic) -> None:
        self.step.run(values, arithmetic)
        where = (
            np.array([self.first + lie.spot.entry for _, lie in self.lies]),
            np.array([column for column, _ in self.lies]),
        )
        answers = values.take(where).integers().astype(object)
        forged = [lie.value + (old if lie.added else 0) for (_, lie), old in zip(self.lies, answers, strict=True)]
        values.put(where, Numbers.of(np.array(forged, dtype=object), arithmetic.modulus))

    def mark(self, marks: Marks) -> None:
        self.step.mark(marks)


def forgiving(step: Step) -> Step:
    """The step as a lying prover runs it: whatever it is given, it answers something."""
    if isinstance(step, Replay):
        return replace(step, steps=tuple(forgiving(inner) for inner in step.steps))
    if not isinstance(step, Hint):
        return step
    return replace(step, function=_never_failing(step.forgiving or step.function, step.shape))


def answering(compiled: CompiledCircuit, hints: Mapping[str, HintFunction]) -> CompiledCircuit:
    """The circuit with a witness program that answers the hints of these labels in another way.

    All other steps are honest, and nothing refuses but the constraints. Hints inside of templates keep their answers.
    """
    steps = [
        replace(step, function=hints[step.label]) if isinstance(step, Hint) and step.label in hints else forgiving(step)
        for step in compiled.program.steps
    ]
    return replace(compiled, _steps=tuple(steps))


def _never_failing(function: HintFunction, shape: tuple[int, ...]) -> Callable[..., object]:
    def answer(*inputs: Any) -> object:
        try:
            with np.errstate(all="ignore"):
                return function(*inputs)
        except Exception:  # whatever a hint says to values it was not made for
            return np.zeros(shape, dtype=np.int64)

    return answer


def _hints(step: Any) -> Iterable[tuple[tuple[tuple[int, int], ...], Any]]:
    """The hints in a step, and where in it they are."""
    if isinstance(step, (Hint, Given)):
        yield (), step
    elif isinstance(step, Replay):
        for number, inner in enumerate(step.steps):
            for inside, hint in _hints(inner):
                yield from ((((number, instance), *inside), hint) for instance in range(step.instances))


@dataclass(frozen=True)
class _Inner:
    """A template's step, with the traced wire its own first wire is for one instance."""

    first: int
    step: Any


def _at(start: int, own: int, inner: Any) -> _Inner:
    return _Inner(start + inner.first - own, inner)


def _require_private(chosen: Sequence[Signal], names: Sequence[str]) -> None:
    known = {signal.name for signal in chosen if signal.kind == "private"}
    for name in names:
        if name not in known:
            raise UsageError(f"'{name}' is no private input of the circuit")


# constraints


@dataclass(frozen=True)
class _Reach:
    """What lies in some steps can change: steps to run again, wires, and the constraints on these."""

    steps: tuple[int, ...]
    wires: NDArray[np.int64]
    rows: tuple[Rows, Rows, Rows]


@dataclass(frozen=True)
class _Sides:
    """The three sides of all constraints, over traced wires."""

    rows: tuple[Rows, Rows, Rows]
    tables: tuple[Table, Table, Table]

    @classmethod
    def of(cls, compiled: CompiledCircuit) -> _Sides:
        r1cs, order = compiled.r1cs, compiled.program.order
        made: dict[int, Table] = {}

        def table(matrix: SparseMatrix) -> Table:
            key = id(matrix.table)
            made[key] = made.get(key) or Table.of(r1cs.field.from_limbs(matrix.table), r1cs.field.modulus)
            return made[key]

        def rows(m: SparseMatrix) -> Rows:
            return Rows(m.indptr, order[m.indices].astype(np.int32), m.coefficient)

        return cls(
            (rows(r1cs.a), rows(r1cs.b), rows(r1cs.c)),
            (table(r1cs.a), table(r1cs.b), table(r1cs.c)),
        )

    def touching(self, changed: NDArray[np.bool_]) -> tuple[Rows, Rows, Rows]:
        """The constraints that a changed wire stands in."""
        n = len(self.rows[0].indptr) - 1
        touched = np.zeros(n, dtype=bool)
        for side in self.rows:
            touched |= np.bincount(np.repeat(np.arange(n), side.lengths)[changed[side.wires]], minlength=n) > 0
        a, b, c = (side.take(np.flatnonzero(touched)) for side in self.rows)
        return a, b, c

    def hold(self, rows: tuple[Rows, Rows, Rows], values: Numbers) -> NDArray[np.bool_]:
        """(columns,): where all these constraints hold."""
        a, b, c = (combine(side, table, values) for side, table in zip(rows, self.tables, strict=True))
        return np.asarray(~a.wrong_products(b, c).any(axis=0))
