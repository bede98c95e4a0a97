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
from zkgpu.ceremony.chain import first_challenge
from zkgpu.ceremony.challenge import blake2b, encode, hash_to_g2
from zkgpu.ceremony.contributors import NORMAL, params_bytes
from zkgpu.curves.points import Point
from zkgpu.fields.field import Limbs
from zkgpu.formats.container import BytesLike, write_container
from zkgpu.formats.points import point_bytes
from zkgpu.ntt.domain import Domain

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
            (ptau.HEADER, [self._header()]),
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

    def _header(self) -> bytes:
        base = self.backend.curve.base_field
        prime = base.bytes.to_bytes(4, "little") + base.modulus.to_bytes(base.bytes, "little")
        return prime + 2 * self.power.to_bytes(4, "little")

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
        """Section 7: one record, from the generators to this tau, alpha and beta."""
        g1, g2 = self.backend.curve.g1.generator, self.backend.curve.g2.generator
        after = (self.tau * g1, self.tau * g2, self.alpha * g1, self.beta * g1, beta_g2)
        proofs = [self._knowledge(i, secret) for i, secret in enumerate((self.tau, self.alpha, self.beta))]
        pairs, in_g2 = [p for pair, _ in proofs for p in pair], [p for _, p in proofs]
        partial_hash, next_challenge = bytes(216), blake2b(NAME.encode())
        record = point_bytes(*after, *pairs, *in_g2) + partial_hash + next_challenge
        return (1).to_bytes(4, "little") + record + params_bytes(NORMAL, NAME, None)

    def _knowledge(self, personalization: int, secret: int) -> tuple[tuple[Point, Point], Point]:
        """(s, secret s) and secret times the hash of both to G2."""
        curve = self.backend.curve
        s = curve.scalar_field.random_nonzero() * curve.g1.generator
        challenge = first_challenge(curve, self.power)
        digest = blake2b(bytes((personalization,)), challenge, encode(s, secret * s))
        return (s, secret * s), secret * hash_to_g2(curve, digest)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("power", type=int, help="logarithm of the largest circuit the file serves")
    options.add_argument("file", type=Path)
    chosen = options.parse_args()
    KnownPowers.random(open_backend("cpu"), chosen.power).write(chosen.file)


if __name__ == "__main__":
    main()
