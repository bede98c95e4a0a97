"""The structured reference string of KZG: powers of a tau that nobody may know."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from zkgpu.backend.protocol import Backend
from zkgpu.ceremony.powers import verify_tau_powers
from zkgpu.curves.points import Curve, Point
from zkgpu.errors import UsageError
from zkgpu.fields.field import Limbs
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from zkgpu.ceremony.ptau import PowersOfTau


@dataclass(frozen=True)
class Srs:
    """tau^i in G1 for i below some number, and tau in G2.

    Attributes:
        powers_g1: (count, 8) uint64 points rows
        is_unsafe: whether one party drew tau and could forge openings
    """

    curve: Curve
    powers_g1: Limbs
    tau_g2: Point
    is_unsafe: bool = False

    @staticmethod
    def from_powers_of_tau(ptau: PowersOfTau, count: int, backend: Backend) -> Srs:
        """The first `count` powers of a ceremony, after the checks of zkgpu.ceremony.powers.

        Raises UsageError when the file is for another curve or too small, FormatError when it is not what it says.
        """
        if ptau.curve is not backend.curve:
            raise UsageError(f"the powers of tau are for {ptau.curve.name}, the circuit for {backend.curve.name}")
        verify_tau_powers(ptau, count, backend)
        tau_g2 = ptau.curve.g2.from_rows(ptau.tau_g2[1:2])[0]
        return Srs(ptau.curve, np.ascontiguousarray(ptau.tau_g1[:count]), tau_g2)

    @staticmethod
    def unsafe(count: int, backend: Backend, *, _tau: int | None = None) -> Srs:
        """Powers of a tau drawn here and forgotten: whoever runs this could forge. For tests."""
        curve, field = backend.curve, backend.curve.scalar_field
        tau = _tau or field.random_nonzero()
        powers = [1]
        while len(powers) < count:
            powers.append(powers[-1] * tau % field.modulus)
        rows = backend.fixed_base(curve.g1.generator, backend.vector(field.to_limbs(powers)))
        return Srs(curve, rows, tau * curve.g2.generator, is_unsafe=True)
