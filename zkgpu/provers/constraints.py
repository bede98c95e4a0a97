"""Whether an assignment satisfies a circuit, by the device that proves: no vector of it comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkgpu.backend.protocol import Backend
from zkgpu.fields.field import Limbs

if TYPE_CHECKING:
    from zkgpu.circuits.r1cs import R1CS


class DeviceConstraints:
    """The three matrices of a circuit on a device."""

    def __init__(self, r1cs: R1CS, backend: Backend) -> None:
        self._backend, self._rows = backend, r1cs.n_constraints
        self._matrices = [backend.matrix(matrix) for matrix in (r1cs.a, r1cs.b, r1cs.c)] if self._rows else []

    def hold(self, assignment: Limbs) -> bool:
        """Whether (A w) * (B w) = C w in every row, for canonical limbs w of which the first is 1.

        The differences, as coefficients, are a polynomial: unless all are 0, it is 0 at a random point with a
        probability below n / r. A faulty device may give any answer: after a yes the proof must be verified.
        """
        if not self._rows:
            return True
        w = self._backend.vector(assignment)
        a, b, c = (self._backend.matvec(matrix, w) for matrix in self._matrices)
        differences = self._backend.pointwise(lambda a, b, c: a * b - c, a, b, c)
        return self._backend.evaluate(differences, self._backend.curve.scalar_field.random()) == 0
