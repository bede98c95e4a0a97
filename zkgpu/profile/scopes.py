"""Constraints and entries of a circuit by scope: a tree whose nodes count what lies below them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

import numpy as np
from numpy.typing import NDArray

from zkgpu.circuits.r1cs import R1CS
from zkgpu.profile.components import component_of_rows
from zkgpu.records import dataclass

Counts = NDArray[np.int64]  # (4,): constraints, entries of A, of B, of C

_UNNAMED = "without a name"


@dataclass
class Scope:
    """A part of a circuit.

    Attributes:
        name: the last part of its path
        counts: (4,) int64: its constraints and their entries in A, B and C, with those of all children
        children: the parts of it that have names, in the order of their first constraints
    """

    name: str
    counts: Counts = field(default_factory=lambda: np.zeros(4, np.int64))
    children: dict[str, Scope] = field(default_factory=dict)

    @property
    def constraints(self) -> int:
        """Those of its children among them."""
        return int(self.counts[0])

    @property
    def entries(self) -> int:
        """Of A, B and C together."""
        return int(self.counts[1:].sum())

    def add(self, path: Sequence[str], counts: Counts) -> None:
        """Counts constraints that lie at a path below this scope."""
        self.counts = self.counts + counts
        if path:
            self.children.setdefault(path[0], Scope(path[0])).add(path[1:], counts)

    def to_json(self) -> dict[str, object]:
        """Nested objects with name, constraints, entries of a, b and c, and children: the data of the page."""
        constraints, a, b, c = map(int, self.counts)
        children = [child.to_json() for child in self.children.values()]
        return {"name": self.name, "constraints": constraints, "a": a, "b": b, "c": c, "children": children}


def profile(r1cs: R1CS, name: str = "circuit") -> Scope:
    """What each part of a circuit takes.

    The parts are scopes of a Python circuit, layers of a model's, components of circom's where signals have names (a
    constraint is its that holds all of the constraint's signals); a circuit without names is one part.
    """
    root = Scope(name)
    for path, counts in _named_counts(r1cs) if r1cs.labels else _component_counts(r1cs):
        root.add(path, counts)
    return root


def _named_counts(r1cs: R1CS) -> Iterable[tuple[list[str], Counts]]:
    """The path and the counts of each range of constraints that has a name."""
    labels = r1cs.labels if r1cs.labels[0][0] == 0 else ((0, ""), *r1cs.labels)
    ends = [*(first for first, _ in labels), r1cs.n_constraints]
    pointers = np.stack([np.arange(r1cs.n_constraints + 1), *(m.indptr for m in (r1cs.a, r1cs.b, r1cs.c))])
    per_range = np.diff(pointers[:, ends]).T
    for (_, label), counts in zip(labels, per_range, strict=True):
        yield [part for part in label.split("/") if part] or [_UNNAMED], counts


def _component_counts(r1cs: R1CS) -> Iterable[tuple[list[str], Counts]]:
    """The path and the counts of each of circom's components."""
    if r1cs.signals is None:
        yield [], np.array([r1cs.n_constraints, r1cs.a.entries, r1cs.b.entries, r1cs.c.entries])
        return
    of_row, paths = component_of_rows(r1cs)
    for number, path in enumerate(paths):
        rows = of_row == number
        if rows.any():
            yield path, np.array([rows.sum(), *(int(np.diff(m.indptr)[rows].sum()) for m in (r1cs.a, r1cs.b, r1cs.c))])
