"""Attacks on compiled circuits: changed wires, forged hints, and a search through every possible hint."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from tests.soundness import tried
from zkgpu.circuits import CompiledCircuit, SparseMatrix
from zkgpu.circuits.gadgets import lookup
from zkgpu.circuits.numbers import Numbers, nearest_zero, ones
from zkgpu.circuits.program import Hint
from zkgpu.circuits.signals import read_inputs
from zkgpu.circuits.sums import Rows, Table, combine
from zkgpu.errors import UnsatisfiedError
from zkgpu.fields.field import Field


def assert_every_wire_is_pinned(compiled: CompiledCircuit, inputs: Mapping[str, object]) -> None:
    """Changing any one wire that is not given from outside, in each of five ways, breaks a constraint."""
    r1cs, field = compiled.r1cs, compiled.r1cs.field
    honest = field.from_limbs(compiled.witness(inputs))
    columns = [_columns(matrix, field) for matrix in (r1cs.a, r1cs.b, r1cs.c)]
    sides = [_rows_times(column, honest, r1cs.n_constraints) for column in columns]
    given = {w for s in compiled.inputs for w in range(s.first, s.first + s.size)}
    rng = random.Random(2)
    for wire in set(range(1, r1cs.n_wires)) - given - _wires_of_the_prover(compiled):
        others = _other_values(honest[wire], field.modulus, rng)
        tried("changed wires", len(others))
        for value in others:
            assert _breaks(wire, value - honest[wire], columns, sides, field.modulus), (
                f"wire {wire} may be {value} in place of {honest[wire]}"
            )


def _wires_of_the_prover(compiled: CompiledCircuit) -> set[int]:
    """Challenges and mask, which a proof brings along."""
    r1cs = compiled.r1cs
    if r1cs.round is None:
        return set()
    first = 1 + r1cs.n_public - r1cs.round.n_public
    return {*range(first, first + r1cs.round.n_challenges), r1cs.n_public + 1}


def _other_values(value: int, modulus: int, rng: random.Random) -> set[int]:
    shifted = {(value + d) % modulus for d in (1, -1, modulus // 2)}
    return (shifted | {0, rng.randrange(modulus)}) - {value}


def _columns(matrix: SparseMatrix, field: Field) -> dict[int, list[tuple[int, int]]]:
    table = field.from_limbs(matrix.table)
    columns: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row, column, k in zip(matrix.row_of_entry(), matrix.indices, matrix.coefficient, strict=True):
        columns[int(column)].append((int(row), table[k]))
    return columns


def _rows_times(columns: dict[int, list[tuple[int, int]]], values: list[int], rows: int) -> list[int]:
    out = [0] * rows
    for column, entries in columns.items():
        for row, coefficient in entries:
            out[row] += coefficient * values[column]
    return out


def _breaks(wire: int, delta: int, columns: list, sides: list[list[int]], modulus: int) -> bool:
    changes = [{row: coefficient * delta for row, coefficient in column.get(wire, [])} for column in columns]
    for row in set().union(*changes):
        a, b, c = (side[row] + change.get(row, 0) for side, change in zip(sides, changes, strict=True))
        if (a * b - c) % modulus:
            return True
    return False


def assert_forgery_fails(
    compiled: CompiledCircuit, inputs: Mapping[str, object], hints: Mapping[str, Callable]
) -> None:
    """A prover who answers the named hints in its own way, and computes all else honestly, breaks a constraint.

    Multiplicities are those of the values that are in their table: it is no hint that refuses the others.
    """
    known = {step.label for step in compiled._steps if isinstance(step, Hint)}
    assert set(hints) <= known, known
    steps = tuple(
        replace(step, function=hints[step.label]) if isinstance(step, Hint) and step.label in hints else step
        for step in compiled._steps
    )
    tried("forged witnesses")
    with pytest.raises(UnsatisfiedError), patch.object(lookup.Table, "_count", _count_those_in_the_table):
        replace(compiled, _steps=steps).witness(inputs)


def _count_those_in_the_table(table: lookup.Table, modulus: int, lookups: object, values: Sequence[Any]) -> list[int]:
    rows = Counter(zip(*values, strict=True))
    return [rows[tuple(nearest_zero(v, modulus) for v in row)] for row in zip(*table.columns, strict=True)]


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
