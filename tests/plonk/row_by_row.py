"""PLONK's rows one constraint after another, as snarkjs makes them: what the arrays of `plonk.arithmetize` must be."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from zkgpu.circuits.r1cs import R1CS
from zkgpu.fields.field import Field
from zkgpu.fields.sparse import SparseMatrix, distinct_rows
from zkgpu.plonk.arithmetize import Rows, binds_first_wire
from zkgpu.plonk.keys import SELECTORS, Additions

Combination = dict[int, int]  # wire to coefficient, none of them 0; wire 0 is the constant
Terms = list[tuple[int, int]]


def row_by_row(r1cs: R1CS) -> Rows:
    builder = _Builder(r1cs.field.modulus, r1cs.n_wires)
    for wire in range(1, r1cs.n_public + 1):
        builder.row((wire, 0, 0), ql=1)
    for a, b, c in zip(*(_combinations(r1cs.field, m) for m in (r1cs.a, r1cs.b, r1cs.c)), strict=True):
        builder.constraint(a, b, c)
    builder.tell_apart_from_public(r1cs.n_public)
    return builder.rows(r1cs)


def _combinations(field: Field, matrix: SparseMatrix) -> Iterator[Combination]:
    """The rows of a matrix, wires ascending."""
    order = np.lexsort((matrix.indices, matrix.row_of_entry()))
    table = field.from_limbs(matrix.table)
    wires, values = matrix.indices[order].tolist(), [table[i] for i in matrix.coefficient[order].tolist()]
    ends = matrix.indptr.tolist()
    for begin, end in pairwise(ends):
        yield {w: v for w, v in zip(wires[begin:end], values[begin:end], strict=True) if v}


@dataclass
class _Builder:
    """Rows and additions as lists that grow."""

    modulus: int
    next_wire: int
    wires: list[tuple[int, int, int]] = field(default_factory=list)
    selectors: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    added_wires: list[tuple[int, int]] = field(default_factory=list)
    added_factors: list[tuple[int, int]] = field(default_factory=list)

    def row(self, wires: tuple[int, int, int], qm: int = 0, ql: int = 0, qr: int = 0, qo: int = 0, qc: int = 0) -> None:
        self.wires.append(wires)
        self.selectors.append((qm, ql, qr, qo, qc))

    def tell_apart_from_public(self, n_public: int) -> None:
        """A first constraint, that wire 1 is 0, has the wire in column b: public inputs have theirs in column a."""
        if not n_public and self.wires and binds_first_wire(self.wires[0], self.selectors[0]):
            self.wires[0], self.selectors[0] = (0, 1, 0), (0, 0, 1, 0, 0)

    def constraint(self, a: Combination, b: Combination, c: Combination) -> None:
        """A B = C; a sum when A or B is a constant."""
        if not a or not b:
            self.sum_row(c)
        elif a.keys() == {0}:
            self.sum_row(self._difference(a[0], b, c))
        elif b.keys() == {0}:
            self.sum_row(self._difference(b[0], a, c))
        else:
            self.product_row(a, b, c)

    def sum_row(self, combination: Combination) -> None:
        """combination = 0."""
        constant, terms = self._reduced(combination, 3)
        (a, ql), (b, qr), (c, qo) = terms
        self.row((a, b, c), ql=ql, qr=qr, qo=qo, qc=constant)

    def product_row(self, a: Combination, b: Combination, c: Combination) -> None:
        """(fa wa + ka) (fb wb + kb) = fc wc + kc."""
        p = self.modulus
        (ka, [(wa, fa)]), (kb, [(wb, fb)]), (kc, [(wc, fc)]) = (self._reduced(side, 1) for side in (a, b, c))
        self.row((wa, wb, wc), fa * fb % p, fa * kb % p, ka * fb % p, -fc % p, (ka * kb - kc) % p)

    def _difference(self, k: int, left: Combination, right: Combination) -> Combination:
        """k left - right, wires ascending."""
        wires = sorted({*left, *right})
        return {w: v for w in wires if (v := (k * left.get(w, 0) - right.get(w, 0)) % self.modulus)}

    def _reduced(self, combination: Combination, most: int) -> tuple[int, Terms]:
        """(constant, exactly `most` terms): pairs of terms become new wires until few enough are left."""
        constant = combination.get(0, 0)
        terms = deque((w, k) for w, k in combination.items() if w)
        while len(terms) > most:
            terms.append((self._addition(terms.popleft(), terms.popleft()), 1))
        return constant, [*terms, *[(0, 0)] * (most - len(terms))]

    def _addition(self, left: tuple[int, int], right: tuple[int, int]) -> int:
        """A new wire that holds the sum of two terms, and its row."""
        (a, fa), (b, fb), wire, p = left, right, self.next_wire, self.modulus
        self.row((a, b, wire), ql=-fa % p, qr=-fb % p, qo=1)
        self.added_wires.append((a, b))
        self.added_factors.append((fa, fb))
        self.next_wire += 1
        return wire

    def rows(self, r1cs: R1CS) -> Rows:
        """What was built, as arrays."""
        columns = zip(*self.selectors, strict=True)
        return Rows(
            field=r1cs.field,
            n_public=r1cs.n_public,
            n_circuit_wires=r1cs.n_wires,
            additions=self._additions(r1cs.field),
            wires=np.array(self.wires, dtype=np.int32).T.copy(),
            selectors={name: r1cs.field.to_limbs(column) for name, column in zip(SELECTORS, columns, strict=True)},
        )

    def _additions(self, field: Field) -> Additions:
        table, ids = distinct_rows(field.to_limbs(f for pair in self.added_factors for f in pair))
        wires = np.array(self.added_wires, dtype=np.int32).reshape(-1, 2)
        return Additions(wires, ids.reshape(-1, 2), table)
