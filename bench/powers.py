"""A prepared powers-of-tau file of any size within seconds, for benches and cross-checks of setup.

`python bench/powers.py 16 pot16.ptau`: whoever runs this knows tau for a moment, so keys made from such a file protect
nothing, and the name of its one contribution says so. A ceremony's file of this size takes snarkjs an hour to prepare.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zkgpu import open_backend
from zkgpu.backend import Backend
from zkgpu.backend.protocol import Vector
from zkgpu.ceremony import ptau
from zkgpu.ceremony.chain import Draws, first_challenge
from zkgpu.ceremony.challenge import blake2b
from zkgpu.ceremony.contributors import NORMAL
from zkgpu.ceremony.ptau import PowersState
from zkgpu.curves.points import Point
from zkgpu.fields.field import Limbs
from zkgpu.formats.container import BytesLike, write_container
from zkgpu.formats.points import point_bytes
from zkgpu.ntt.domain import Domain
from zkgpu.store.open_hash import STATE_BYTES

NAME = "UNSAFE bench powers: tau is known to their maker"


@dataclass(frozen=True)
class KnownPowers:
    """Secrets of a first phase, and what follows from them on a device."""

    backend: Backend
    power: int
    tau: int
    alpha: int
    beta: int

    @staticmethod
    def random(backend: Backend, power: int) -> KnownPowers:
        return KnownPowers(backend, power, *(backend.curve.scalar_field.random_nonzero() for _ in range(3)))

    def write(self, path: str | os.PathLike[str]) -> None:
        """The file, prepared for phase 2, with one contribution that proves the secrets known."""
        n, curve = 1 << self.power, self.backend.curve
        powers = self._powers(2 * n - 1)
        first = self.backend.vector(self.backend.limbs(powers)[:n])
        beta_g2 = self.beta * curve.g2.generator
        sections: list[tuple[int, list[BytesLike]]] = [
            (ptau.HEADER, [ptau.header_bytes(curve, self.power, self.power)]),
            (ptau.TAU_G1, [self._g1(powers)]),
            (ptau.TAU_G2, [self._g2(first)]),
            (ptau.ALPHA_TAU_G1, [self._g1(first, self.alpha)]),
            (ptau.BETA_TAU_G1, [self._g1(first, self.beta)]),
            (ptau.BETA_G2, [point_bytes(beta_g2)]),
            (ptau.CONTRIBUTIONS, [self._contribution(beta_g2)]),
            (ptau.LAGRANGE_TAU_G1, [self._g1(values) for values in self._lagrange(self.power + 1)]),
            (ptau.LAGRANGE_TAU_G2, [self._g2(values) for values in self._lagrange(self.power)]),
            (ptau.LAGRANGE_ALPHA_G1, [self._g1(values, self.alpha) for values in self._lagrange(self.power)]),
            (ptau.LAGRANGE_BETA_G1, [self._g1(values, self.beta) for values in self._lagrange(self.power)]),
        ]
        write_container(path, ptau.MAGIC, ptau.VERSION, sections)

    def _powers(self, count: int) -> Vector:
        """tau^0 .. tau^(count - 1)."""
        factors = np.tile(self.backend.curve.scalar_field.to_limbs([self.tau]), (count, 1))
        factors[:1] = self.backend.curve.scalar_field.to_limbs([1])
        return self.backend.prefix_product(self.backend.vector(factors))

    def _lagrange(self, largest: int) -> list[Vector]:
        """L_j(tau) over the domain of 2^p, for p = 0 .. largest: inverse transforms of the powers."""
        powers, field = self.backend.limbs(self._powers(1 << largest)), self.backend.curve.scalar_field
        domains = [Domain(field, 1 << p) for p in range(largest + 1)]
        return [self.backend.intt(self.backend.vector(powers[: d.size][d.bit_reversal]), d) for d in domains]

    def _g1(self, scalars: Vector, factor: int = 1) -> Limbs:
        scaled = scalars if factor == 1 else self.backend.pointwise(lambda x: factor * x, scalars)
        return self.backend.fixed_base(self.backend.curve.g1.generator, scaled)

    def _g2(self, scalars: Vector) -> Limbs:
        return self.backend.fixed_base(self.backend.curve.g2.generator, scalars)

    def _contribution(self, beta_g2: Point) -> bytes:
        """Section 7: one record, from the generators to this tau, alpha and beta; its hashes are of nothing."""
        curve, g1, g2 = self.backend.curve, self.backend.curve.g1.generator, self.backend.curve.g2.generator
        state = PowersState(self.tau * g1, self.tau * g2, self.alpha * g1, self.beta * g1, beta_g2)
        bases = tuple(curve.scalar_field.random_nonzero() * g1 for _ in range(3))
        draws = Draws(self.tau, self.alpha, self.beta, bases)
        tau, alpha, beta = draws.proofs(curve, first_challenge(curve, self.power))
        hashes = bytes(STATE_BYTES), blake2b(NAME.encode())
        return ptau.contributions_bytes(
            [ptau.PhaseOneContribution(*state, tau, alpha, beta, *hashes, NORMAL, NAME, None)]
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("power", type=int, help="logarithm of the largest circuit the file serves")
    options.add_argument("file", type=Path)
    chosen = options.parse_args()
    KnownPowers.random(open_backend("cpu"), chosen.power).write(chosen.file)


if __name__ == "__main__":
    main()
