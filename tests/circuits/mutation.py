"""Attacks on compiled circuits: changed wires, forged hints, and a search through every possible hint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
import pytest

from tests.soundness import tried
from zkgpu.circuits import CompiledCircuit, SparseMatrix
from zkgpu.circuits.numbers import Numbers, ones
from zkgpu.circuits.program import Assign, Hint, Multiply
from zkgpu.circuits.signals import read_inputs
from zkgpu.circuits.sums import Rows, Table, combine
from zkgpu.errors import UnsatisfiedError
from zkgpu.fields.field import Field
from zkgpu.testing import answering, attack_circuit


def assert_every_wire_is_pinned(compiled: CompiledCircuit, inputs: Mapping[str, object]) -> None:
    """No wire that is not given from outside, and no pair of wires, can have any other value."""
    assert_computed_wires_are_defined(compiled)
    report = attack_circuit(compiled, inputs, tries=0, jacobian=False)
    for kind, count in report.tried.items():
        tried(kind, count)
    report.require_sound()


def assert_computed_wires_are_defined(compiled: CompiledCircuit) -> None:
    """Each wire that is computed without a hint is the last one, in the order they are made, of a constraint's wires.

    That is the constraint which says what it is. What reads the wire, a range check by limbs for one, does not.
    """
    order, matrices = compiled.program.order, (compiled.r1cs.a, compiled.r1cs.b, compiled.r1cs.c)
    last = np.zeros(compiled.r1cs.n_constraints, dtype=np.int64)
    for matrix in matrices:
        np.maximum.at(last, np.repeat(np.arange(last.size), np.diff(matrix.indptr)), order[matrix.indices])
    steps = (step for step in compiled.program.steps if isinstance(step, Assign | Multiply))
    computed = {wire for step in steps for wire in range(step.first, step.first + step.count)}
    assert computed <= set(last.tolist())


def assert_forgery_fails(
    compiled: CompiledCircuit, inputs: Mapping[str, object], hints: Mapping[str, Callable]
) -> None:
    """A prover who answers the named hints in its own way, and computes all else honestly, breaks a constraint."""
    known = {step.label for step in compiled.program.steps if isinstance(step, Hint)}
    assert set(hints) <= known, known
    tried("forged witnesses")
    with pytest.raises(UnsatisfiedError):
        answering(compiled, hints).witness(inputs)


def solutions(compiled: CompiledCircuit, inputs: Mapping[str, object]) -> int:
    """How many assignments satisfy a circuit over a tiny field for these inputs.

    Every value is tried for every hint; all other wires follow from those.
    """
    r1cs, field = compiled.r1cs, compiled.r1cs.field
    hints = [step for step in compiled._steps if isinstance(step, Hint)]
    wires = [w for step in hints for w in range(step.first, step.first + int(np.prod(step.shape)))]
    guesses = np.array(list(product(range(field.modulus), repeat=len(wires))), dtype=object).reshape(-1, len(wires))
    tried("assignments over small fields", len(guesses))
    values = ones((r1cs.n_wires, len(guesses)), field.modulus)
    given = [signal for signal in compiled._traced if signal.kind != "output"]
    for signal, read in zip(given, read_inputs(given, inputs, field).values(), strict=True):
        values.put(slice(signal.first, signal.first + signal.size), read.reshape(-1, 1))
    values.put(wires, Numbers.of(guesses.T, field.modulus))
    for step in compiled._steps:
        if not isinstance(step, Hint):
            step.run(values, compiled._arithmetic)
    values = values.take(compiled._order)
    a, b, c = (_times(matrix, values, field) for matrix in (r1cs.a, r1cs.b, r1cs.c))
    return int((((a * b - c) % field.modulus) == 0).all(axis=0).sum())


def _times(matrix: SparseMatrix, values: Numbers, field: Field) -> np.ndarray:
    table = Table.of(field.from_limbs(matrix.table), field.modulus)
    return combine(Rows(matrix.indptr, matrix.indices, matrix.coefficient), table, values).elements()
