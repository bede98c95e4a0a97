"""A proving key at home on a device: its matrices and queries in the form and order that the prover uses them."""

from __future__ import annotations

import numpy as np

from zkgpu.backend.beside import aligned_empty
from zkgpu.backend.protocol import Backend, Matrix, Points, Vector
from zkgpu.fields.field import Limbs
from zkgpu.groth16.keys import ProvingKey
from zkgpu.groth16.qap import Qap
from zkgpu.ntt.domain import Domain
from zkgpu.records import dataclass
from zkgpu.store import prepared

LARGE = 1 << 18  # rows of a domain from which a key that was just prepared is mapped from where it was kept


@dataclass(frozen=True)
class Resident:
    """Matrices and points as the backend hands them out.

    Attributes:
        a, b: rows in bit-reversed order, as the values of quotients are
        l_query: for a key without a commitment, one point a wire: infinity for the public ones, so that it meets the
            whole assignment as the other queries do
        h_query: in bit-reversed order
        committed, knowledge: those of its commitments, one each
    """

    a: Matrix
    b: Matrix
    a_query: Points
    b_g1_query: Points
    b_g2_query: Points
    l_query: Points
    h_query: Points
    committed: tuple[Points, ...]
    knowledge: tuple[Points, ...]


class ResidentKey:
    """A key on a device, ready for the sums of proofs."""

    def __init__(self, key: ProvingKey, backend: Backend) -> None:
        self.key, self.backend = key, backend
        self._home = resident(key, backend)
        self._qap = Qap(backend, self._home.a, self._home.b)
        self._l_start = key.n_public + 1 + key.n_committed if key.commitments else 0

    @property
    def commitments(self) -> list[tuple[Points, Points]]:
        """For each of its commitments, the queries for D and for sigma D."""
        return list(zip(self._home.committed, self._home.knowledge, strict=True))

    def pairs(self, assignment: Limbs) -> list[tuple[Points, Vector]]:
        """The queries with the scalars they meet: A, B in G1, B in G2, L, H."""
        home, z = self._home, self.backend.borrowed(assignment)
        h = self._qap.quotient(z)
        private = self.backend.borrowed(assignment[self._l_start :]) if self._l_start else z
        queries = ((home.a_query, z), (home.b_g1_query, z), (home.b_g2_query, z), (home.l_query, private))
        return [*queries, (home.h_query, h)]


def resident(key: ProvingKey, backend: Backend) -> Resident:
    """The key on the device: made once of a key file, and kept in the cache when the device's form allows it."""
    form, digest = backend.resident_form, key.file_digest
    if form is None or digest is None:
        return _made(key, backend)
    kept: Resident | None = prepared.load(digest, form)
    if kept is None:
        with prepared.making():
            kept = _made(key, backend)
        prepared.keep(digest, form, kept)
        if key.domain_size >= LARGE:
            kept = prepared.load(digest, form) or kept
    return kept


def _made(key: ProvingKey, backend: Backend) -> Resident:
    g1, g2 = backend.curve.g1, backend.curve.g2
    order = Domain(backend.curve.scalar_field, key.domain_size).bit_reversal
    left = list(key.matrices())  # each goes when the next form of it is there
    b, a = (backend.matrix(left.pop().take_rows(order)) for _ in range(2))
    return Resident(
        a=a,
        b=b,
        a_query=backend.points(g1, key.a_query),
        b_g1_query=backend.points(g1, key.b_g1_query),
        b_g2_query=backend.points(g2, key.b_g2_query),
        l_query=backend.points(g1, key.l_query if key.commitments else _for_all_wires(key)),
        h_query=backend.points(
            g1, np.take(key.h_query, order, axis=0, out=aligned_empty(key.h_query.shape), mode="clip")
        ),
        committed=tuple(backend.points(g1, queries.committed_query) for queries in key.commitments),
        knowledge=tuple(backend.points(g1, queries.knowledge_query) for queries in key.commitments),
    )


def _for_all_wires(key: ProvingKey) -> Limbs:
    out = aligned_empty((key.n_wires, key.l_query.shape[1]))
    out[: key.n_public + 1], out[key.n_public + 1 :] = 0, key.l_query
    return out
