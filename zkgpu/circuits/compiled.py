"""A compiled circuit: its R1CS, and the program that turns inputs into an assignment."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.builder import Builder
from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.committed import ChallengeSource, CommittedRound, FirstRound
from zkgpu.circuits.free_choice import (
    Origins,
    depend_on_challenges,
    refuse_free_hints,
    refuse_late_choice,
    touched_wires,
)
from zkgpu.circuits.numbers import Numbers, Values, object_array, ones
from zkgpu.circuits.program import Arithmetic, Step, combinations_in
from zkgpu.circuits.r1cs import R1CS
from zkgpu.circuits.rounds import (
    Claim,
    Rounds,
    committed_wires,
    in_two_rounds,
    refuse_late_claims,
    waits_for_challenges,
)
from zkgpu.circuits.signals import Signal, read_inputs
from zkgpu.circuits.sums import Table
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.fields.sparse import SparseMatrix, blocks, id_type
from zkgpu.jit.memory import give_back
from zkgpu.notebook import listed, table
from zkgpu.records import dataclass

MANY_WIRES = 1 << 20  # of a circuit from which on memory counts
_PUBLIC_KINDS, _INPUT_KINDS = ("output", "public"), ("packed", "private")  # in the order of their wires


@dataclass(frozen=True)
class TwoRounds:
    """How the witness program stops for the challenges.

    Attributes:
        first_steps: how many steps come before them
        challenges: their traced wires
        arrays: the values of the public arrays, in traced wires
    """

    first_steps: int
    challenges: tuple[int, ...]
    arrays: tuple[LinearCombinations, ...]


@dataclass(frozen=True)
class Program:
    """A witness program: its steps compute traced wires, from those of the signals and the challenges.

    Attributes:
        steps: in order; the first `first_steps` of them come before the challenges
        order: (n_wires,): order[i] is the traced wire that is the R1CS's wire i
        signals: the signals, in traced wires
        challenges: the challenges' traced wires
    """

    steps: Sequence[Step] = field(repr=False)
    first_steps: int
    order: NDArray[np.signedinteger[Any]] = field(repr=False)
    signals: tuple[Signal, ...]
    challenges: tuple[int, ...]
    arithmetic: Arithmetic = field(repr=False)


@dataclass(frozen=True)
class CompiledCircuit:
    """What a circuit compiles to. The same circuit gives the same arrays in every process.

    Attributes:
        r1cs: the constraints
        signals: named inputs and outputs: outputs, public, packed and private inputs; `first` counts the R1CS's wires
    """

    r1cs: R1CS
    signals: tuple[Signal, ...]
    _steps: Sequence[Step] = field(repr=False)
    _order: NDArray[np.signedinteger[Any]] = field(repr=False)
    _traced: tuple[Signal, ...] = field(repr=False)
    _arithmetic: Arithmetic = field(repr=False)
    _rounds: TwoRounds = field(repr=False)

    def as_kept(self) -> CompiledCircuit:
        """The same in as few bytes as hold it, for a file."""
        used = np.zeros(len(self._arithmetic.table.values), dtype=bool)
        for lc in (*combinations_in(self._steps), *self._rounds.arrays):
            used[lc.coefficients] = True
        arithmetic = replace(self._arithmetic, table=self._arithmetic.table.only(used))
        return replace(self, _order=self._order.astype(np.int32), _arithmetic=arithmetic)

    def __repr__(self) -> str:
        names = ", ".join(signal.name for signal in self.inputs[:8])
        return (
            f"<compiled circuit of {names}{', ..' * (len(self.inputs) > 8)}: {self.r1cs.n_constraints:,} constraints>"
        )

    def _repr_html_(self) -> str:
        kinds = {"private inputs": "private", "public inputs": "public", "public arrays": "packed", "outputs": "output"}
        names = {what: listed([s.name for s in self.signals if s.kind == kind]) for what, kind in kinds.items()}
        sizes = {"constraints": self.r1cs.n_constraints, "wires": self.r1cs.n_wires}
        return table("compiled circuit", sizes | {what: text or None for what, text in names.items()})

    @property
    def inputs(self) -> tuple[Signal, ...]:
        """What a witness is computed from: public, packed and private inputs."""
        return tuple(signal for signal in self.signals if signal.kind != "output")

    @property
    def outputs(self) -> tuple[Signal, ...]:
        """What a witness computes and a proof shows."""
        return tuple(signal for signal in self.signals if signal.kind == "output")

    @property
    def program(self) -> Program:
        """What `witness` runs, for whoever wants to run it otherwise."""
        rounds = self._rounds
        return Program(self._steps, rounds.first_steps, self._order, self._traced, rounds.challenges, self._arithmetic)

    def witness(self, inputs: Mapping[str, object], challenges: ChallengeSource | None = None) -> Limbs:
        """(n_wires, limbs) uint64, canonical: the assignment for these inputs, checked against every constraint.

        Args:
            inputs: by name: integers, decimal or 0x strings, nested lists or arrays; -5 stands for modulus - 5
            challenges: called with the circuit's FirstRound once that is known, and returns its challenges; without it
                they are drawn at random, which shows that the circuit holds but cannot be proven

        Raises UsageError for a missing, unknown or misshapen input and for an integer outside the interval of its
        public array, UnsatisfiedError naming the constraint that fails. Messages show no values: an error's `values`
        does. The mask of the commitment is 0.
        """
        field, values = self.r1cs.field, [self._run(inputs, challenges or self._random_challenges)]
        assignment = values[0].limbs(field, self._order)
        if self.r1cs.is_large:
            values.clear()  # their memory serves the check, which rarely needs them
        if self.r1cs.n_wires >= MANY_WIRES:
            give_back()
        if not self.r1cs.is_satisfied_by(assignment):
            self.r1cs.check_values(values[0].take(self._order) if values else Numbers.from_limbs(assignment, field))
        return assignment

    def deferred(self, inputs: Mapping[str, object]) -> Callable[[ChallengeSource], Limbs]:
        """The witness for these inputs, once somebody gives the challenges: what a prover takes."""
        return lambda challenges: self.witness(inputs, challenges)

    def value(self, name: str, assignment: Limbs) -> Values:
        """The value of a signal in an assignment: integers in [0, modulus), in an array of the signal's shape."""
        for signal in self.signals:
            if signal.name == name:
                rows = assignment[signal.first : signal.first + signal.size]
                return object_array(self.r1cs.field.from_limbs(rows), signal.shape)
        raise UsageError(f"the circuit has no signal named '{name}'")

    def packed(self, assignment: Limbs) -> bytes:
        """The public arrays of an assignment, packed."""
        values = ones((self.r1cs.n_wires, 1), self.r1cs.field.modulus)
        values.put((self._order, 0), Numbers.from_limbs(assignment, self.r1cs.field))
        return self._pack_arrays(values)

    def _run(self, inputs: Mapping[str, object], challenges: ChallengeSource) -> Numbers:
        """The values of the traced wires."""
        values = ones((self.r1cs.n_wires, 1), self.r1cs.field.modulus)
        self._read_inputs(inputs, values)
        for step in self._steps[: self._rounds.first_steps]:
            step.run(values, self._arithmetic)
        for round_ in self.r1cs.rounds:
            values.put((list(self._rounds.challenges), 0), self._draw(round_, challenges, values))
        for step in self._steps[self._rounds.first_steps :]:
            step.run(values, self._arithmetic)
        return values.reshape(-1)

    def _read_inputs(self, inputs: Mapping[str, object], values: Numbers) -> None:
        given = [signal for signal in self._traced if signal.kind != "output"]
        for signal, read in zip(given, read_inputs(given, inputs, self.r1cs.field).values(), strict=True):
            values.put((slice(signal.first, signal.first + signal.size), 0), read)

    def _draw(self, round_: CommittedRound, challenges: ChallengeSource, values: Numbers) -> Numbers:
        """The challenges for the values of the first round."""
        r1cs = self.r1cs
        start, ordinary = r1cs.n_public + 1, r1cs.n_public_outputs + r1cs.n_public_inputs
        public, committed = (
            values.take((self._order[a:b], 0)) for a, b in ((1, 1 + ordinary), (start, start + round_.n_committed))
        )
        first = FirstRound(tuple(public.elements()), committed.limbs(r1cs.field), self._pack_arrays(values))
        answer = [int(v) for v in challenges(first)]
        if len(answer) != round_.n_challenges or not all(0 <= v < r1cs.field.modulus for v in answer):
            raise UsageError(f"the circuit takes {round_.n_challenges} challenges in [0, {r1cs.field.name} modulus)")
        return Numbers.of(object_array(answer), r1cs.field.modulus)

    def _random_challenges(self, first: FirstRound) -> list[int]:
        return [self.r1cs.field.random() for _ in self._rounds.challenges]

    def _pack_arrays(self, values: Numbers) -> bytes:
        arrays = [array for round_ in self.r1cs.rounds for array in round_.arrays]
        elements = (self._arithmetic.of(lc, values).elements().ravel() for lc in self._rounds.arrays)
        modulus = self.r1cs.field.modulus
        return b"".join(array.pack(array.lift(v, modulus)) for array, v in zip(arrays, elements, strict=True))


def compile_circuit(builder: Builder) -> CompiledCircuit:
    """Numbers the wires in the order of an R1CS and packs the constraints. See Circuit.compile."""
    traced = _by_kind(builder)
    sides = builder.constraints()
    touched = touched_wires(builder.n_wires, *sides)
    refuse_free_hints(builder.hints, touched)
    _check_private_inputs(traced, touched)
    waits = waits_for_challenges(builder.steps, builder.n_wires, builder.rounds.challenge_wires)
    refuse_late_claims([*builder.rounds.claims, *_claims_of_public(traced)], waits)
    committed = committed_wires(builder.rounds, traced, builder.n_wires)
    _refuse_late_choice(builder, sides, traced, committed)
    order = _wire_order(traced, builder.rounds, committed, builder.n_wires)
    number = np.empty(builder.n_wires, dtype=np.int32)
    number[order] = np.arange(builder.n_wires, dtype=np.int32)
    steps, first_steps = in_two_rounds(builder.steps, waits)
    return CompiledCircuit(
        _r1cs(builder, sides, number, traced, committed),
        tuple(replace(s, first=int(number[s.first]) if s.size else 0) for s in traced),
        steps,
        order,
        traced,
        _arithmetic(builder, sides),
        TwoRounds(first_steps, tuple(builder.rounds.challenge_wires), tuple(lc for _, lc in builder.rounds.arrays)),
    )


def _refuse_late_choice(
    builder: Builder, sides: Sequence[LinearCombinations], traced: Sequence[Signal], committed: NDArray[np.int64]
) -> None:
    """See circuits.free_choice."""
    challenges = builder.rounds.challenge_wires
    if challenges:
        depends = depend_on_challenges(builder.steps, builder.n_wires, challenges)
        fixed = np.concatenate([committed, *(claim.wires for claim in _claims_of_public(traced))])
        origins = Origins(traced, builder.hints, builder.labels, sides)
        refuse_late_choice(sides, depends, fixed, origins)


def _r1cs(
    builder: Builder,
    sides: Sequence[LinearCombinations],
    number: NDArray[np.int32],
    signals: Sequence[Signal],
    committed: NDArray[np.int64],
) -> R1CS:
    a, b, c = _pack(builder, sides, number)
    outputs, public, packed, private = (
        sum(s.size for s in signals if s.kind == kind) for kind in (*_PUBLIC_KINDS, *_INPUT_KINDS)
    )
    arrays = tuple(array for array, _ in builder.rounds.arrays)
    rounds = (CommittedRound(committed.size, len(builder.rounds.challenges), arrays),) if committed.size else ()
    labels = tuple(builder.labels)
    return R1CS(builder.field, a, b, c, outputs, public, packed + private, labels=labels, rounds=rounds)


def _by_kind(builder: Builder) -> tuple[Signal, ...]:
    declared = builder.signals.values()
    return tuple(s for kind in (*_PUBLIC_KINDS, *_INPUT_KINDS) for s in declared if s.kind == kind)


def _claims_of_public(signals: Sequence[Signal]) -> list[Claim]:
    return [
        Claim(np.arange(s.first, s.first + s.size, dtype=np.int32), s.name) for s in signals if s.kind in _PUBLIC_KINDS
    ]


def _wire_order(
    signals: Sequence[Signal], rounds: Rounds, committed: NDArray[np.int64], n_wires: int
) -> NDArray[np.int64]:
    """order[i] is the traced wire that becomes wire i.

    One, outputs, public inputs, challenges, digest, committed wires, other private inputs, then the rest as traced.
    """
    public, given = (
        [np.arange(s.first, s.first + s.size) for s in signals if s.kind in kinds]
        for kinds in (_PUBLIC_KINDS, _INPUT_KINDS)
    )
    added = [*rounds.challenge_wires, *([] if rounds.digest is None else [rounds.digest])]
    parts = [np.zeros(1, dtype=np.int64), *public, np.array(added, dtype=np.int64), committed, *given]
    wanted = np.concatenate([*parts, np.arange(n_wires)])
    _, first = np.unique(wanted, return_index=True)
    once: NDArray[np.int64] = wanted[np.sort(first)]
    return once


def _pack(builder: Builder, sides: Sequence[LinearCombinations], number: NDArray[np.int32]) -> list[SparseMatrix]:
    """Sparse matrices that share one table of just the values in use, wire w being number[w]."""
    used = _used(builder, sides)
    place = np.zeros(len(builder.coefficients.values), dtype=id_type(used.size))
    place[used] = np.arange(used.size)
    table = builder.field.to_limbs(builder.coefficients.values[i] for i in used)
    shape = (builder.n_constraints, builder.n_wires)
    return [SparseMatrix(shape, side.indptr, *_numbered(side, number, place), table) for side in sides]


def _numbered(
    side: LinearCombinations, number: NDArray[np.int32], place: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.int32], NDArray[np.integer[Any]]]:
    """Columns and ids of the terms, ascending in each row; made by pieces in the types that they are kept in."""
    wires, ids = np.empty(side.wires.size, dtype=np.int32), np.empty(side.wires.size, dtype=place.dtype)
    for begin, end in blocks(side.indptr):
        within, part = slice(int(side.indptr[begin]), int(side.indptr[end])), side.part(begin, end).renumber(number)
        wires[within], ids[within] = part.wires, place[part.coefficients]
    return wires, ids


def _arithmetic(builder: Builder, sides: Sequence[LinearCombinations]) -> Arithmetic:
    modulus = builder.field.modulus
    return Arithmetic(modulus, Table.of(builder.coefficients.values, modulus, _used(builder, sides)))


def _used(builder: Builder, sides: Sequence[LinearCombinations]) -> NDArray[np.int64]:
    """The ids of the coefficients in these constraints, ascending."""
    used = np.zeros(len(builder.coefficients.values), dtype=bool)
    for side in sides:
        used[side.coefficients] = True
    return np.flatnonzero(used)


def _check_private_inputs(signals: Sequence[Signal], touched: NDArray[np.bool_]) -> None:
    for signal in signals:
        if signal.kind != "private" or not signal.size:
            continue
        free = int((~touched[signal.first : signal.first + signal.size]).sum())
        if free == signal.size:
            raise UsageError(f"private input '{signal.name}' appears in no constraint: remove it, or constrain it")
        if free:
            message = f"{free} of the {signal.size} values of private input '{signal.name}' appear in no constraint"
            warnings.warn(message, stacklevel=4)
