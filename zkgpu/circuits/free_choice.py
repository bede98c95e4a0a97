"""What a prover could choose unseen: wires in no constraint, and wires to be fitted to a challenge.

The second kind are wires that a prover could still choose when it knows the challenges, although the circuit computes
them without. Let E be the wires computed without a challenge, C those of them that are committed or public, L the
others. Rows over E alone hold no challenge. When every row with a wire of L has only wires of C beside, a proof shows:
for values of C that were fixed before the challenges there are values of E that satisfy the first rows, and, for these
challenges, values of L that satisfy the others. Were a wire of E outside of C in a row with one of L, the prover could
fit it to the challenge, and an identity that is false for nearly all challenges would pass. It makes no difference that
other rows may determine such a wire: whether they do is more than can be seen here. `refuse_late_choice` is that rule.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.combinations import LinearCombinations
from zkgpu.circuits.program import Marks, Step, marked_rows
from zkgpu.circuits.r1cs import constraint_name
from zkgpu.circuits.signals import Signal
from zkgpu.errors import UsageError

Sides = Sequence[LinearCombinations]


def touched_wires(n_wires: int, *sides: LinearCombinations) -> NDArray[np.bool_]:
    """(n_wires,) bool: whether a wire appears in a constraint."""
    touched = np.zeros(n_wires, dtype=bool)
    for side in sides:
        touched[side.wires] = True
    return touched


def refuse_free_hints(hints: Sequence[tuple[int, int, str]], touched: NDArray[np.bool_]) -> None:
    """Raises UsageError for a hint that the prover could change unseen."""
    for first, size, name in hints:
        free = np.flatnonzero(~touched[first : first + size])
        if free.size:
            raise UsageError(f"entry {free[0]} of hint '{name}' appears in no constraint: the prover could choose it")


def depend_on_challenges(steps: Sequence[Step], n_wires: int, challenges: Sequence[int]) -> Marks:
    """(n_wires,) whether a wire is a challenge or computed from one, wire by wire also where a whole step waits."""
    marks = np.zeros((n_wires, 1), dtype=bool)
    marks[list(challenges)] = True
    for step in steps:
        step.mark(marks)
    return marks[:, 0]


def find_late_choice(sides: Sides, depends: Marks, fixed: NDArray[np.int64]) -> tuple[int, int] | None:
    """The first row that has a wire of L, and in it a wire of E outside of C; None when there is no such row.

    Args:
        depends: (n_wires,) L
        fixed: C: the committed and the public wires
    """
    late = np.zeros(sides[0].rows, dtype=bool)
    for side in sides:
        late |= marked_rows(side, depends[:, None])[:, 0]
    loose = ~depends
    loose[0], loose[fixed] = False, False
    found = []
    for side in sides:
        rows = np.flatnonzero(late & marked_rows(side, loose[:, None])[:, 0])[:1]
        found += [(int(row), int(wires[loose[wires]][0])) for row in rows for wires in [side.take(rows).wires]]
    return min(found, default=None)


class Origins:
    """What messages call a wire: the signal or hint it is an entry of, else the first constraint that has it.

    Args:
        hints: (first wire, size, label)
        labels: (first row, label) of the constraints
    """

    def __init__(
        self,
        signals: Sequence[Signal],
        hints: Sequence[tuple[int, int, str]],
        labels: Sequence[tuple[int, str]],
        sides: Sides,
    ) -> None:
        self._signals, self._hints, self._labels, self._sides = signals, hints, labels, sides

    def constraint(self, row: int) -> str:
        return constraint_name(self._labels, self._sides[0].rows, row)

    def wire(self, wire: int) -> str:
        for signal in self._signals:
            if signal.first <= wire < signal.first + signal.size:
                at = [int(i) for i in np.unravel_index(wire - signal.first, signal.shape)]
                return f"{signal.kind} input '{signal.name}'{at or ''}"
        for first, size, label in self._hints:
            if first <= wire < first + size:
                return f"entry {wire - first} of hint '{label}'"
        rows = [side.row_of_term()[side.wires == wire] for side in self._sides]
        return f"a value of {self.constraint(int(np.concatenate(rows).min()))}"


def refuse_late_choice(sides: Sides, depends: Marks, fixed: NDArray[np.int64], origins: Origins) -> None:
    """Raises UsageError for a wire that meets a challenge and is neither committed nor public."""
    found = find_late_choice(sides, depends, fixed)
    if found is not None:
        row, wire = found
        raise UsageError(
            f"{origins.constraint(row)} has a value that depends on a challenge, and {origins.wire(wire)}, which the "
            "prover could choose after it: give that to circuit.commit(...), or make it public"
        )
