"""A prime field: its constants, arithmetic on Python integers, and the limb arrays every room exchanges."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from zkgpu.errors import UsageError
from zkgpu.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIMB_BITS = 64
Limbs: TypeAlias = "NDArray[np.uint64]"


def random_bytes(n: int) -> bytes:
    """From the operating system's generator, as all randomness is."""
    return os.urandom(n)


def random_below(bound: int) -> int:
    """A uniform integer of 0 .. bound - 1: `secrets.randbelow`, without the modules that it imports."""
    bits = bound.bit_length()
    while True:
        value = int.from_bytes(random_bytes(-(-bits // 8)), "little") >> (-bits % 8)
        if value < bound:
            return value


@dataclass(frozen=True)
class Field:
    """The integers modulo a prime.

    Elements are Python integers in [0, modulus). Arrays of elements are (n, limbs) uint64, little-endian,
    canonical unless a name says Montgomery; Montgomery form is x * 2^(64 * limbs) mod modulus.

    Attributes:
        name: what messages call it
        modulus: an odd prime
        generator: a quadratic non-residue whose powers give the roots of unity (5 for the fields used here)
    """

    name: str
    modulus: int
    generator: int

    @cached_property
    def bits(self) -> int:
        return self.modulus.bit_length()

    @cached_property
    def limbs(self) -> int:
        """Number of 64-bit limbs of an element."""
        return -(-self.bits // LIMB_BITS)

    @property
    def bytes(self) -> int:
        return 8 * self.limbs

    @cached_property
    def montgomery_radix(self) -> int:
        """R mod modulus, with R = 2^(64 * limbs): the form that key files hold."""
        return (1 << (LIMB_BITS * self.limbs)) % self.modulus

    @cached_property
    def _montgomery_radix_inverse(self) -> int:
        return pow(self.montgomery_radix, -1, self.modulus)

    @cached_property
    def two_adicity(self) -> int:
        """The largest s such that 2^s divides modulus - 1."""
        return ((self.modulus - 1) & -(self.modulus - 1)).bit_length() - 1

    def root_of_unity(self, size: int) -> int:
        """omega of order `size`, a power of two: generator^((modulus - 1) / size), the root snarkjs uses."""
        if size < 1 or size & (size - 1) or size.bit_length() - 1 > self.two_adicity:
            raise UsageError(
                f"{self.name} has no root of unity of order {size}: "
                f"the order must be a power of two up to 2^{self.two_adicity}"
            )
        return _power(self.generator, (self.modulus - 1) // size, self.modulus)

    # arithmetic on canonical integers

    def add(self, a: int, b: int) -> int:
        return (a + b) % self.modulus

    def sub(self, a: int, b: int) -> int:
        return (a - b) % self.modulus

    def mul(self, a: int, b: int) -> int:
        return a * b % self.modulus

    def square(self, a: int) -> int:
        return a * a % self.modulus

    def neg(self, a: int) -> int:
        return -a % self.modulus

    def scale(self, a: int, k: int) -> int:
        """a times a small integer."""
        return a * k % self.modulus

    def inverse(self, a: int) -> int:
        """1/a. Raises ZeroDivisionError for 0."""
        if a % self.modulus == 0:
            raise ZeroDivisionError(f"0 has no inverse in {self.name}")
        return pow(a, -1, self.modulus)

    def sqrt(self, a: int) -> int | None:
        """A square root of a, or None when a is not a square. Tonelli-Shanks."""
        p = self.modulus
        if a == 0:
            return 0
        if pow(a, (p - 1) // 2, p) != 1:
            return None
        s = self.two_adicity
        q = (p - 1) >> s
        m, c, t, root = s, pow(self.generator, q, p), pow(a, q, p), pow(a, (q + 1) // 2, p)
        while t != 1:
            order, square = 0, t
            while square != 1:
                square, order = square * square % p, order + 1
            b = pow(c, 1 << (m - order - 1), p)
            m, c = order, b * b % p
            t, root = t * c % p, root * b % p
        return root

    zero = 0
    one = 1

    def random(self) -> int:
        """A uniform element, from the operating system's generator."""
        return random_below(self.modulus)

    def random_nonzero(self) -> int:
        return 1 + random_below(self.modulus - 1)

    def random_weights(self, n: int) -> Limbs:
        """(n, limbs) uint64: independent uniform 128-bit elements, for random linear combinations."""
        weights = np.zeros((n, self.limbs), dtype=np.uint64)
        weights[:, :2] = np.frombuffer(random_bytes(16 * n), dtype="<u8").reshape(n, 2)
        return weights

    # what callers give

    def element(self, value: object, what: str) -> int:
        """The canonical integer `value`: NumPy's integers are integers, bools and floats are not.

        Raises UsageError, naming `what`, for anything else and for an integer outside [0, modulus).
        """
        number = integer(value, what)
        if not 0 <= number < self.modulus:
            raise UsageError(f"{what} is not in [0, r): values are never reduced, give the canonical one")
        return number

    def elements(self, values: object, what: str) -> list[int]:
        """As `element` for each of a sequence or array; messages number them."""
        several = isinstance(values, Sequence) or isinstance(values, np.ndarray)  # noqa: SIM101 - NumPy may not be loaded
        if not several or isinstance(values, str | bytes | bytearray):
            raise UsageError(f"{what}s are given as a {type(values).__name__}: give a list of integers")
        given: Any = values
        return [self.element(value, f"{what} {i}") for i, value in enumerate(given)]

    # limb arrays

    def to_limbs(self, values: Iterable[int]) -> Limbs:
        """(n, limbs) uint64, the canonical little-endian limbs of each value mod modulus."""
        modulus = self.modulus
        return self.limbs_of_elements([v % modulus for v in values])

    def limbs_of_elements(self, elements: Iterable[int]) -> Limbs:
        """The same for integers that are in [0, modulus) already, as is not looked at; twice as fast."""
        size = self.bytes
        data = b"".join([v.to_bytes(size, "little") for v in elements])
        limbs: Limbs = np.frombuffer(data, dtype="<u8").reshape(-1, self.limbs).copy()
        return limbs

    def from_limbs(self, limbs: Limbs) -> list[int]:
        """The integers whose little-endian limbs are the rows of `limbs`; not reduced."""
        rows = np.ascontiguousarray(limbs, dtype="<u8").reshape(-1, self.limbs)
        data, step = rows.tobytes(), self.bytes
        return [int.from_bytes(data[i : i + step], "little") for i in range(0, len(data), step)]

    def to_montgomery(self, a: int) -> int:
        return a * self.montgomery_radix % self.modulus

    def from_montgomery(self, a: int) -> int:
        return a * self._montgomery_radix_inverse % self.modulus

    def to_montgomery_limbs(self, values: Iterable[int]) -> Limbs:
        """(n, limbs) uint64 in Montgomery form, R = 2^(64 * limbs)."""
        return self.to_limbs(self.to_montgomery(v) for v in values)

    def from_montgomery_limbs(self, limbs: Limbs) -> list[int]:
        return [self.from_montgomery(v) for v in self.from_limbs(limbs)]

    def is_canonical(self, limbs: Limbs) -> NDArray[np.bool_]:
        """(n,) bool: whether each row of limbs is an integer below the modulus."""
        return below(limbs, self.modulus)


def integer(value: object, what: str) -> int:
    """`value` as a Python integer. Raises UsageError, naming `what`, for a bool, a float and whatever else is none."""
    if type(value) is int:
        return value
    try:
        if isinstance(value, bool | np.bool_):  # of which older releases of NumPy make an index
            raise TypeError("bool")
        return int(operator.index(value))  # type: ignore[arg-type]
    except TypeError:
        kind = type(value).__name__
        raise UsageError(f"{what} is a {kind}, not an integer: nothing is converted, give an integer") from None


def below(limbs: Limbs, bound: int) -> NDArray[np.bool_]:
    """(n,) bool: whether each row, read as a little-endian integer, is below `bound`."""
    rows = np.asarray(limbs)
    less: NDArray[np.bool_] = rows[:, -1] < np.uint64(bound >> (LIMB_BITS * (rows.shape[1] - 1)))
    undecided = np.flatnonzero(~less)  # mostly none: one pass over one limb, without arrays of the others' results
    less[undecided] = _all_limbs_below(rows[undecided], bound)
    return less


def _all_limbs_below(rows: Limbs, bound: int) -> NDArray[np.bool_]:
    less = np.zeros(rows.shape[0], dtype=bool)
    equal = np.ones(rows.shape[0], dtype=bool)
    for j in range(rows.shape[1] - 1, -1, -1):
        word = np.uint64((bound >> (LIMB_BITS * j)) & (2**LIMB_BITS - 1))
        less |= equal & (rows[:, j] < word)
        equal &= rows[:, j] == word
    return less


@lru_cache(maxsize=256)
def _power(base: int, exponent: int, modulus: int) -> int:
    """A power that each proof needs again, and that takes as long as a dozen launches."""
    return pow(base, exponent, modulus)


def batch_inverse(field: Field, values: Sequence[int]) -> list[int]:
    """1/v for each v: batch inversion, by Montgomery's trick. Raises ZeroDivisionError if one is 0."""
    prefix = [1]
    for v in values:
        prefix.append(prefix[-1] * v % field.modulus)
    inverse = field.inverse(prefix[-1])
    out = [0] * len(values)
    for i in range(len(values) - 1, -1, -1):
        out[i] = inverse * prefix[i] % field.modulus
        inverse = inverse * values[i] % field.modulus
    return out
