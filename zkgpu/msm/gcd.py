"""The inverse of one integer modulo an odd prime, as emitted code: Pornin's binary gcd (eprint 2020/972).

31 steps of the binary algorithm are decided on 64-bit approximations of a and b (their low 31 and top 33 bits) and
summed up in a matrix of small factors, which is then applied to the full numbers. Seventeen such rounds bring any
a of 254 bits to 0 and b to the gcd, in a quarter of the time of the power p - 2.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STEPS = 31


def rounds(modulus: int) -> int:
    """Rounds after which b is the gcd, for a and b below the modulus (the paper's section 3)."""
    return -(-(2 * modulus.bit_length() - 1) // STEPS)


def inverse(builder: Any, value: Any, modulus: int) -> Any:
    """value^-1 modulo the prime, for a value with 0 < value < modulus; both of its whole words."""
    return _Gcd(builder, modulus).run(value)


class _Gcd:
    """The variables a, b and u, v of the algorithm, with a = value * u and b = value * v modulo the modulus."""

    def __init__(self, builder: Any, modulus: int):
        from llvmlite import ir

        self.ir, self.builder, self.modulus = ir, builder, modulus
        self.bits = -(-modulus.bit_length() // 64) * 64
        self.word, self.wide, self.full = ir.IntType(64), ir.IntType(self.bits), ir.IntType(self.bits + 64)

    def run(self, value: Any) -> Any:
        zero, one = self.ir.Constant(self.wide, 0), self.ir.Constant(self.wide, 1)
        a, b = self._variable(value), self._variable(self.ir.Constant(self.wide, self.modulus))
        u, v = self._variable(one), self._variable(zero)
        with self._repeat(rounds(self.modulus)):
            (f0, g0), (f1, g1) = self._matrix(self._load(a), self._load(b))
            x, y = self._load(a), self._load(b)
            x, f0, g0 = self._apply(x, y, f0, g0)
            y, f1, g1 = self._apply(self._load(a), y, f1, g1)
            self._store(a, x)
            self._store(b, y)
            p, q = self._load(u), self._load(v)
            self._store(u, self._apply_modulo(p, q, f0, g0))
            self._store(v, self._apply_modulo(p, q, f1, g1))
        return self._load(v)

    def _matrix(self, a: Any, b: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """Factors (f0, g0), (f1, g1), at most 2^31 in size, of 31 steps: (f0 a + g0 b) / 2^31 is the new a."""
        high = self._high_shift(self.builder.or_(a, b))
        names = [self._approximate(a, high), self._approximate(b, high), 1, 0, 0, 1]
        slots = [self._variable(x if not isinstance(x, int) else self._int(x)) for x in names]
        with self._repeat(STEPS):
            for slot, value in zip(slots, self._step(*[self._load(slot) for slot in slots]), strict=True):
                self._store(slot, value)
        _, _, f0, g0, f1, g1 = (self._load(slot) for slot in slots)
        return (f0, g0), (f1, g1)

    def _step(self, a: Any, b: Any, f0: Any, g0: Any, f1: Any, g1: Any) -> list[Any]:
        """One step: an even a is halved; of an odd a the smaller of a and b is taken off the larger first."""
        builder, zero, one = self.builder, self._int(0), self._int(1)
        odd = builder.trunc(a, self.ir.IntType(1))
        swap = builder.and_(odd, builder.icmp_unsigned("<", a, b))
        a, b = builder.select(swap, b, a), builder.select(swap, a, b)
        f0, f1 = builder.select(swap, f1, f0), builder.select(swap, f0, f1)
        g0, g1 = builder.select(swap, g1, g0), builder.select(swap, g0, g1)
        a, f0, g0 = (builder.sub(x, builder.select(odd, y, zero)) for x, y in ((a, b), (f0, f1), (g0, g1)))
        return [builder.lshr(a, one), b, f0, g0, builder.shl(f1, one), builder.shl(g1, one)]

    def _high_shift(self, bits: Any) -> Any:
        """n - 33 for the n bits of the larger number, n at least 64: where the high part of a word comes from."""
        zeros = self.builder.ctlz(bits, self.ir.Constant(self.ir.IntType(1), 0))
        shift = self.builder.sub(self.ir.Constant(self.wide, self.bits - STEPS - 2), zeros)
        least = self.ir.Constant(self.wide, STEPS)
        return self.builder.select(self.builder.icmp_signed("<", shift, least), least, shift)

    def _approximate(self, x: Any, high: Any) -> Any:
        """The low 31 bits of x below the 33 bits from `high` on."""
        top = self.builder.trunc(self.builder.lshr(x, high), self.word)
        low = self.builder.and_(self.builder.trunc(x, self.word), self._int((1 << STEPS) - 1))
        return self.builder.or_(self.builder.shl(top, self._int(STEPS)), low)

    def _apply(self, a: Any, b: Any, f: Any, g: Any) -> tuple[Any, Any, Any]:
        """(|a f + b g| / 2^31, f, g), the factors negated where the sum was negative."""
        builder = self.builder
        total = builder.ashr(self._sum(a, b, f, g), self.ir.Constant(self.full, STEPS))
        negative = self._negative(total)
        size = builder.trunc(builder.select(negative, builder.neg(total), total), self.wide)
        f, g = (builder.select(negative, builder.neg(x), x) for x in (f, g))
        return size, f, g

    def _apply_modulo(self, u: Any, v: Any, f: Any, g: Any) -> Any:
        """(u f + v g) / 2^31 modulo the modulus, below it: a multiple of the modulus makes the division exact."""
        builder, modulus = self.builder, self.ir.Constant(self.full, self.modulus)
        total = self._sum(u, v, f, g)
        factor = builder.mul(builder.trunc(total, self.word), self._int(-pow(self.modulus, -1, 1 << STEPS)))
        factor = builder.zext(builder.and_(factor, self._int((1 << STEPS) - 1)), self.full)
        total = builder.ashr(builder.add(total, builder.mul(factor, modulus)), self.ir.Constant(self.full, STEPS))
        # |u f + v g| <= 2^31 p, so the quotient lies between -p and 2p
        total = builder.select(self._negative(total), builder.add(total, modulus), total)
        less = builder.sub(total, modulus)
        return builder.trunc(builder.select(self._negative(less), total, less), self.wide)

    def _negative(self, x: Any) -> Any:
        return self.builder.icmp_signed("<", x, self.ir.Constant(self.full, 0))

    def _sum(self, x: Any, y: Any, f: Any, g: Any) -> Any:
        """x f + y g with its sign."""
        products = [
            self.builder.mul(self.builder.zext(z, self.full), self.builder.sext(factor, self.full))
            for z, factor in ((x, f), (y, g))
        ]
        return self.builder.add(*products)

    def _int(self, value: int) -> Any:
        return self.ir.Constant(self.word, value)

    def _variable(self, value: Any) -> Any:
        from numba.core import cgutils

        slot = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, slot)
        return slot

    def _load(self, slot: Any) -> Any:
        return self.builder.load(slot)

    def _store(self, slot: Any, value: Any) -> None:
        self.builder.store(value, slot)

    @contextmanager
    def _repeat(self, count: int) -> Iterator[None]:
        from numba.core import cgutils

        with cgutils.for_range(self.builder, self._int(count), intp=self.word):
            yield
