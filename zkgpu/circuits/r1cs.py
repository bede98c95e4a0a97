"""Rank-1 constraint systems as compressed sparse rows: (A w) * (B w) = C w, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from zkgpu.circuits.sparse import Index, SparseMatrix
from zkgpu.fields.field import Field


@dataclass(frozen=True)
class R1CS:
    """A circuit's constraints.

    Wires are numbered as in circom's files: 0 is the constant one, then public outputs, public inputs, private
    inputs, internal wires. a, b and c have one row a constraint and one column a wire.
    labels maps constraint ranges to names, for messages; it may be empty.
    wire_labels numbers each wire's signal in the source circuit, which has n_labels signals (0: not known).
    """

    field: Field
    a: SparseMatrix
    b: SparseMatrix
    c: SparseMatrix
    n_public_outputs: int
    n_public_inputs: int
    n_private_inputs: int
    wire_labels: Index | None = None
    labels: tuple[tuple[int, str], ...] = ()
    n_labels: int = 0

    @property
    def n_wires(self) -> int:
        return self.a.shape[1]

    @property
    def n_constraints(self) -> int:
        return self.a.shape[0]

    @cached_property
    def n_public(self) -> int:
        return self.n_public_outputs + self.n_public_inputs
