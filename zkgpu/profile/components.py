"""Which of circom's components a constraint belongs to: the innermost that holds all of its signals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.r1cs import R1CS

Index = NDArray[np.int64]

_NOWHERE = -1  # the component of wire 0, the constant


class _Components:
    """The components that signals' names tell of, numbered as they come; a parent has a lower number than its child."""

    def __init__(self) -> None:
        self.paths: list[list[str]] = [[]]
        self.parents = [0]
        self._numbers = {"": 0}

    def number(self, component: str) -> int:
        """Of a component by its whole name, as main.hash.round[3]."""
        if component not in self._numbers:
            above, _, name = component.rpartition(".")
            parent = self.number(above)
            self._numbers[component] = len(self.paths)
            self.paths.append([*self.paths[parent], name])
            self.parents.append(parent)
        return self._numbers[component]


def component_of_rows(r1cs: R1CS) -> tuple[Index, list[list[str]]]:
    """The number of each constraint's component, and the path of each component.

    Raises FormatError as what names the circuit's signals does.
    """
    assert r1cs.signals is not None
    known = _Components()
    of_wire = np.full(r1cs.n_wires, _NOWHERE, np.int64)
    for wire, signal in r1cs.signals(range(1, r1cs.n_wires)).items():
        of_wire[wire] = known.number(signal.rpartition(".")[0])
    depth = np.array([len(path) for path in known.paths])
    rows, components = _appearances(r1cs, of_wire)
    return _meet(rows, components, np.array(known.parents), depth, r1cs.n_constraints), known.paths


def _appearances(r1cs: R1CS, of_wire: Index) -> tuple[Index, Index]:
    """The rows in ascending order, and the component of a signal in each, for all entries but those of wire 0."""
    rows = np.concatenate([m.row_of_entry() for m in (r1cs.a, r1cs.b, r1cs.c)])
    components = of_wire[np.concatenate([m.indices for m in (r1cs.a, r1cs.b, r1cs.c)])]
    pairs = np.unique(np.stack([rows, components])[:, components != _NOWHERE], axis=1)
    return pairs[0], pairs[1]


def _meet(rows: Index, components: Index, parents: Index, depth: Index, n_rows: int) -> Index:
    """(n_rows,): by row, the innermost component that all of its components are, or lie in; 0 for a row without any."""
    found = np.zeros(n_rows, np.int64)
    while rows.size:
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        counts = np.diff(np.append(starts, rows.size))
        alone = np.repeat(counts == 1, counts)
        found[rows[alone]] = components[alone]
        rows, components = rows[~alone], components[~alone]
        if not rows.size:
            break
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        deepest = np.repeat(np.maximum.reduceat(depth[components], starts), np.diff(np.append(starts, rows.size)))
        above = np.where(depth[components] == deepest, parents[components], components)
        rows, components = np.unique(np.stack([rows, above]), axis=1)
    return found
