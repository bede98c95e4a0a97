"""From constraints to polynomials: the quadratic arithmetic program of an R1CS, and its quotient.

Groth, eprint 2016/260, section 2.3. Constraint j sits at omega^j. Rows n_constraints .. n_constraints + n_public of A
hold the public wires alone, which makes their polynomials independent and so binds unused public inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from zkgpu.backend.protocol import Backend, Matrix, Vector
from zkgpu.errors import ResourceError
from zkgpu.fields.field import Field
from zkgpu.fields.sparse import SparseMatrix
from zkgpu.ntt.domain import Domain

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS


class QapMatrices(NamedTuple):
    """A, B and C with domain_size rows, the binding rows included."""

    a: SparseMatrix
    b: SparseMatrix
    c: SparseMatrix


def domain_for(field: Field, n_constraints: int, n_public: int) -> Domain:
    """The smallest domain with room for the constraints and the n_public + 1 binding rows; two points at least.

    So it is for snarkjs, whose key of a circuit without either has two.
    """
    size = max(2, 1 << (n_constraints + n_public).bit_length())
    if size > 1 << (field.two_adicity - 1):
        raise ResourceError(
            f"{n_constraints} constraints and {n_public} public inputs need a domain of {size} points, and "
            f"{field.name} allows 2^{field.two_adicity - 1}: split the circuit"
        )
    return Domain(field, size)


def qap_matrices(r1cs: R1CS) -> QapMatrices:
    """The matrices of an R1CS, padded to the domain's size, with the rows that bind public inputs."""
    size = domain_for(r1cs.field, r1cs.n_constraints, r1cs.n_public).size
    return QapMatrices(
        _padded(_with_binding_rows(r1cs), size),
        _padded(r1cs.b, size),
        _padded(r1cs.c, size),
    )


def _with_binding_rows(r1cs: R1CS) -> SparseMatrix:
    """A, then one row (s: 1) for the constant wire and each public wire s."""
    a, bound = r1cs.a, r1cs.n_public + 1
    return SparseMatrix(
        (a.shape[0] + bound, a.shape[1]),
        np.concatenate([a.indptr, a.indptr[-1] + np.arange(1, bound + 1)]),
        np.concatenate([a.indices, np.arange(bound, dtype=np.int32)]),
        np.concatenate([a.coefficient, np.full(bound, a.table.shape[0], dtype=np.int32)]),
        np.concatenate([a.table, r1cs.field.to_limbs([1])]),
    )


def _padded(m: SparseMatrix, rows: int) -> SparseMatrix:
    indptr = np.concatenate([m.indptr, np.full(rows - m.shape[0], m.indptr[-1])])
    return SparseMatrix((rows, m.shape[1]), indptr, m.indices, m.coefficient, m.table)


def odd_coset(domain: Domain) -> Domain:
    """The points of the domain of twice the size that are not in this one: omega_2n * <omega_n>."""
    return domain.coset(domain.field.root_of_unity(2 * domain.size))


class Qap:
    """The matrices of a key on a device, ready to make quotients.

    Args:
        a, b: matrices on the device, their rows in bit-reversed order, so that products come out as the evaluations a
            transform takes
    """

    def __init__(self, backend: Backend, a: Matrix, b: Matrix) -> None:
        self.domain = Domain(backend.curve.scalar_field, a.shape[0])
        self._backend, self._a, self._b = backend, a, b

    def quotient(self, assignment: Vector) -> Vector:
        """(a b - c) on the odd coset, bit-reversed; the Lagrange points of the key's h_query divide by the rest.

        a, b interpolate A z and B z; c interpolates their products, which equal C z when the witness is right.
        """
        backend = self._backend
        a = backend.matvec(self._a, assignment)
        b = backend.matvec(self._b, assignment)
        forms = [a, b, backend.pointwise(lambda x, y: x * y, a, b)]
        del a, b  # each vector goes when the next form of it is there
        forms = [backend.intt(forms.pop(0), self.domain, in_place=True) for _ in range(3)]
        a, b, c = (backend.ntt(forms.pop(0), odd_coset(self.domain), in_place=True) for _ in range(3))
        return backend.pointwise(lambda x, y, z: x * y - z, a, b, c, in_place=True)
