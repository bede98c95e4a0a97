"""What the pairing of a curve needs beside its two groups: the twist that holds the second one, and its family."""

from __future__ import annotations

from typing import Literal

from zkgpu.curves.tower import Fq2, Tower
from zkgpu.records import dataclass


@dataclass(frozen=True)
class Twist:
    """The sextic twist y^2 = x^3 + b/xi (kind D) or y^2 = x^3 + b*xi (kind M) of y^2 = x^3 + b.

    Attributes:
        family: Barreto-Naehrig or Barreto-Lynn-Scott of embedding degree 12: its polynomials give the loop of the
            pairing, the hard part of the last power, and the test of the subgroup
        x: the family's parameter, from which q and r follow; it may be negative
        cofactor_prime: the least prime that divides the number of points of the twist over r
    """

    family: Literal["bn", "bls12"]
    kind: Literal["D", "M"]
    x: int
    tower: Tower
    cofactor_prime: int

    def frobenius_constants(self) -> tuple[Fq2, Fq2]:
        """What psi multiplies the conjugates of x and y by.

        psi untwists, raises to the q-th power and twists back (Galbraith and Scott, eprint 2008/117, section 3). The
        untwist of kind D sends (x, y) to (x w^2, y w^3), that of kind M to (x / w^2, y / w^3).
        """
        of_x, of_y = (self.tower.frobenius_constant(1, i) for i in (2, 3))
        if self.kind == "D":
            return of_x, of_y
        invert, q = self.tower.base.inverse, self.tower.base.modulus
        return of_x.inverse(invert).reduced(q), of_y.inverse(invert).reduced(q)
