"""A compiled circuit: its R1CS, and the program that turns inputs into an assignment."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.circuit import Circuit, refuse_free_hints, touched_wires
from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.evaluation import Table, Values, object_array
from zkgpu.circuits.program import Arithmetic, Step
from zkgpu.circuits.r1cs import R1CS
from zkgpu.circuits.signals import Signal, read_inputs
from zkgpu.circuits.sparse import SparseMatrix
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs

_KINDS = ("output", "public", "private")  # the order of their wires


@dataclass(frozen=True)
class CompiledCircuit:
    """What a circuit compiles to. The same circuit gives the same arrays in every process.

    r1cs      the constraints
    signals   named inputs and outputs: outputs, public inputs, private inputs; `first` counts the R1CS's wires
    """

    r1cs: R1CS
    signals: tuple[Signal, ...]
    _steps: Sequence[Step] = field(repr=False)
    _order: NDArray[np.int64] = field(repr=False)
    _traced: tuple[Signal, ...] = field(repr=False)
    _arithmetic: Arithmetic = field(repr=False)

    @property
    def inputs(self) -> tuple[Signal, ...]:
        return tuple(signal for signal in self.signals if signal.kind != "output")

    @property
    def outputs(self) -> tuple[Signal, ...]:
        return tuple(signal for signal in self.signals if signal.kind == "output")

    def witness(self, inputs: Mapping[str, object]) -> Limbs:
        """(n_wires, limbs) uint64, canonical: the assignment for these inputs, checked against every constraint.

        inputs   by name: integers, decimal or 0x strings, nested lists or arrays; -5 stands for modulus - 5
        Raises UsageError for a missing, unknown or misshapen input, UnsatisfiedError naming the constraint that fails.
        """
        values = self._run(inputs)
        self.r1cs.check_values(values)
        return self.r1cs.field.to_limbs(values)

    def value(self, name: str, assignment: Limbs) -> Values:
        """The value of a signal in an assignment: Python integers in an array of the signal's shape."""
        for signal in self.signals:
            if signal.name == name:
                rows = assignment[signal.first : signal.first + signal.size]
                return object_array(self.r1cs.field.from_limbs(rows), signal.shape)
        raise UsageError(f"the circuit has no signal named '{name}'")

    def _run(self, inputs: Mapping[str, object]) -> Values:
        given = [signal for signal in self._traced if signal.kind != "output"]
        values = np.ones((self.r1cs.n_wires, 1), dtype=object)
        for signal, read in zip(given, read_inputs(given, inputs, self.r1cs.field).values(), strict=True):
            values[signal.first : signal.first + signal.size, 0] = read
        for step in self._steps:
            step.run(values, self._arithmetic)
        return values[self._order, 0]


def compile_circuit(circuit: Circuit) -> CompiledCircuit:
    """Numbers the wires as an R1CS wants them and packs the constraints. See Circuit.compile."""
    traced = _by_kind(circuit)
    sides = circuit.constraints()
    touched = touched_wires(circuit.n_wires, *sides)
    refuse_free_hints(circuit.hints, touched)
    _judge_private_inputs(traced, touched)
    order = _wire_order(traced, circuit.n_wires)
    number = np.empty(circuit.n_wires, dtype=np.int32)
    number[order] = np.arange(circuit.n_wires, dtype=np.int32)
    a, b, c = _pack(circuit, [side.renumber(number) for side in sides])
    outputs, public, private = (sum(s.size for s in traced if s.kind == kind) for kind in _KINDS)
    r1cs = R1CS(circuit.field, a, b, c, outputs, public, private, labels=tuple(circuit.labels))
    signals = tuple(Signal(s.name, s.kind, s.shape, int(number[s.first]) if s.size else 0) for s in traced)
    arithmetic = Arithmetic(circuit.field.modulus, Table.of(circuit.coefficients.values, circuit.field.modulus))
    return CompiledCircuit(r1cs, signals, tuple(circuit.steps), order, traced, arithmetic)


def _by_kind(circuit: Circuit) -> tuple[Signal, ...]:
    declared = circuit.signals.values()
    return tuple(s for kind in _KINDS for s in declared if s.kind == kind)


def _wire_order(signals: Sequence[Signal], n_wires: int) -> NDArray[np.int64]:
    """order[i] is the traced wire that becomes wire i: one, outputs, public, private, then the rest as traced."""
    named = [np.arange(s.first, s.first + s.size) for s in signals]
    head = np.concatenate([np.zeros(1, dtype=np.int64), *named])
    internal = np.ones(n_wires, dtype=bool)
    internal[head] = False
    return np.concatenate([head, np.flatnonzero(internal)])


def _pack(circuit: Circuit, sides: Sequence[LinearCombinations]) -> list[SparseMatrix]:
    """Sparse matrices that share one table of just the values in use."""
    used = np.unique(np.concatenate([side.coefficients for side in sides]))
    place = np.zeros(len(circuit.coefficients.values), dtype=np.int32)
    place[used] = np.arange(used.size, dtype=np.int32)
    table = circuit.field.to_limbs(circuit.coefficients.values[i] for i in used)
    shape = (circuit.n_constraints, circuit.n_wires)
    return [SparseMatrix(shape, s.indptr, s.wires, place[s.coefficients], table) for s in sides]


def _judge_private_inputs(signals: Sequence[Signal], touched: NDArray[np.bool_]) -> None:
    for signal in signals:
        if signal.kind != "private" or not signal.size:
            continue
        free = int((~touched[signal.first : signal.first + signal.size]).sum())
        if free == signal.size:
            raise UsageError(f"private input '{signal.name}' appears in no constraint: remove it, or constrain it")
        if free:
            message = f"{free} of the {signal.size} values of private input '{signal.name}' appear in no constraint"
            warnings.warn(message, stacklevel=4)
