"""F[u]/(u^2 + 1) over a prime field where -1 is not a square: the field of G2's coordinates."""

from __future__ import annotations

from functools import cached_property
from typing import TypeAlias

from zkgpu.fields.field import Field
from zkgpu.records import dataclass

Fq2: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class QuadraticExtension:
    """Elements are pairs (c0, c1) of canonical integers, standing for c0 + c1*u with u^2 = -1."""

    base: Field

    zero: Fq2 = (0, 0)
    one: Fq2 = (1, 0)

    @property
    def name(self) -> str:
        return f"{self.base.name}^2"

    @property
    def limbs(self) -> int:
        return 2 * self.base.limbs

    @cached_property
    def modulus(self) -> int:
        return self.base.modulus

    def add(self, a: Fq2, b: Fq2) -> Fq2:
        q = self.modulus
        return (a[0] + b[0]) % q, (a[1] + b[1]) % q

    def sub(self, a: Fq2, b: Fq2) -> Fq2:
        q = self.modulus
        return (a[0] - b[0]) % q, (a[1] - b[1]) % q

    def neg(self, a: Fq2) -> Fq2:
        q = self.modulus
        return -a[0] % q, -a[1] % q

    def mul(self, a: Fq2, b: Fq2) -> Fq2:
        q = self.modulus
        m0, m1 = a[0] * b[0], a[1] * b[1]
        return (m0 - m1) % q, ((a[0] + a[1]) * (b[0] + b[1]) - m0 - m1) % q

    def square(self, a: Fq2) -> Fq2:
        q = self.modulus
        return (a[0] + a[1]) * (a[0] - a[1]) % q, 2 * a[0] * a[1] % q

    def scale(self, a: Fq2, k: int) -> Fq2:
        q = self.modulus
        return a[0] * k % q, a[1] * k % q

    def conjugate(self, a: Fq2) -> Fq2:
        return a[0], -a[1] % self.modulus

    def inverse(self, a: Fq2) -> Fq2:
        """1/a. Raises ZeroDivisionError for 0."""
        norm = self.base.inverse(a[0] * a[0] + a[1] * a[1])
        return a[0] * norm % self.modulus, -a[1] * norm % self.modulus

    def sqrt(self, a: Fq2) -> Fq2 | None:
        """A square root of a, or None. By the norm: sqrt(c0 + c1 u) = x + y u with x^2 = (c0 ± |a|) / 2."""
        f, q = self.base, self.modulus
        if a[1] == 0:
            root = f.sqrt(a[0])
            if root is not None:
                return root, 0
            root = f.sqrt(-a[0] % q)
            return None if root is None else (0, root)
        norm = f.sqrt((a[0] * a[0] + a[1] * a[1]) % q)
        if norm is None:
            return None
        half = f.inverse(2)
        for candidate in (a[0] + norm, a[0] - norm):
            x = f.sqrt(candidate * half % q)
            if x is not None:
                return x, a[1] * f.inverse(2 * x) % q
        return None

    def coefficients(self, a: Fq2) -> Fq2:
        return a
