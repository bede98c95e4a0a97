"""What reports call a wire, and the constraints it stands in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.program import Hint, Replay
from zkgpu.circuits.r1cs import R1CS
from zkgpu.fields.sparse import SparseMatrix

_SHOWN = 4  # labels of constraints


class Names:
    """Names of an R1CS's wires: signals and hints by their labels, other wires by number."""

    def __init__(self, r1cs: R1CS, compiled: CompiledCircuit | None = None) -> None:
        self._r1cs, self._compiled = r1cs, compiled

    def of(self, wire: int) -> str:
        return self._known.get(wire, f"wire {wire}")

    def constraints(self, wire: int) -> tuple[str, ...]:
        """Labels of the first few constraints that a wire stands in."""
        return tuple(self._r1cs.label(row) for row in self.rows(wire)[:_SHOWN])

    def rows(self, wire: int) -> list[int]:
        """The constraints that a wire stands in."""
        return sorted({int(row) for side in self.by_wire for row in _row(side, wire)})

    @cached_property
    def by_wire(self) -> tuple[SparseMatrix, SparseMatrix, SparseMatrix]:
        """The transposed matrices: their rows are the R1CS's wires."""
        return self._r1cs.a.transpose(), self._r1cs.b.transpose(), self._r1cs.c.transpose()

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """numbers[i] is the R1CS's wire that the traced wire i is."""
        if self._compiled is None:
            return np.arange(self._r1cs.n_wires)
        return inverse_order(self._compiled.program.order)

    @cached_property
    def _known(self) -> Mapping[int, str]:
        if self._compiled is None:
            return {}
        program, number = self._compiled.program, self.numbers
        traced = {first + i: name for step in program.steps for first, names in _answers(step) for i, name in names}
        found = {int(number[wire]): name for wire, name in traced.items()}
        for signal in self._compiled.signals:
            found |= {signal.first + i: name for i, name in _entries(signal.name, signal.shape)}
        return found


def _row(matrix: SparseMatrix, row: int) -> Any:
    return matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]


def _answers(step: Any, place: str = "") -> Iterator[tuple[int, list[tuple[int, str]]]]:
    """(first traced wire, numbered names) of the hints in a step."""
    if isinstance(step, Hint):
        yield step.first, [(i, name + place) for i, name in _entries(step.label, step.shape)]
    elif isinstance(step, Replay):
        own = step.inputs.rows // max(step.instances, 1) + 1
        for instance in range(step.instances):
            here = place + (f" of instance {instance}" if step.instances > 1 else "")
            for inner in step.steps:
                for first, names in _answers(inner, here):
                    yield step.first + instance * step.wires + first - own, names


def _entries(name: str, shape: tuple[int, ...]) -> list[tuple[int, str]]:
    if not shape:
        return [(0, name)]
    return [(i, f"{name}[{', '.join(map(str, index))}]") for i, index in enumerate(np.ndindex(*shape))]


def inverse_order(order: NDArray[np.int64]) -> NDArray[np.int64]:
    number = np.empty_like(order)
    number[order] = np.arange(order.size)
    return number
