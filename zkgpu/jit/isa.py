"""The ways CPU kernels are generated, and the choice between them.

    ifma      AVX-512 IFMA: 8 elements at a time, limbs of 52 bits
    fma       AVX2 and FMA, the same layout: products of limbs by fused multiply-adds of doubles
    portable  any 64-bit CPU: 1 element at a time, limbs of 64 bits

All give the same numbers; only the memory layout and the Montgomery factor R differ. How many limbs an element has is
a matter of the field: see Layout. Primes of 254 bits have 5 limbs of 52 (R = 2^260) or 4 of 64, those of 381 bits have
8 (R = 2^416) or 6.
"""

from __future__ import annotations

import functools
import os
from dataclasses import replace

from zkgpu.errors import ResourceError, UsageError
from zkgpu.jit.target import LINUX, is_runnable
from zkgpu.records import dataclass

ENVIRONMENT_VARIABLE = "ZKGPU_CPU_PATH"


@dataclass(frozen=True)
class InstructionSet:
    """A block is `lanes` elements side by side, each of limbs of `limb_bits` bits.

    Attributes:
        spare_bits: that the limbs of an element must have beyond the modulus: what sums grow into
        most_limbs: of an element
    """

    name: str
    lanes: int
    limb_bits: int
    spare_bits: int
    most_limbs: int

    def blocks(self, n: int) -> int:
        """Number of blocks that n elements fill."""
        return -(-n // self.lanes)

    def over(self, modulus: int) -> Layout:
        """The shape of elements modulo an odd prime. Raises UsageError when there is no arithmetic for it."""
        return _layout(self, modulus)


LEAST_TOP_BITS = 10  # bits of the modulus in its top limb, by which quotients are estimated where lanes are


@dataclass(frozen=True)
class Layout:
    """How elements modulo one prime lie in memory on one instruction set.

    Attributes:
        words: 64-bit words of an element outside of blocks, in rows of points and arrays of the host
        limbs: limbs of an element in blocks
        montgomery_bits: R = 2^montgomery_bits
        row_words: words of a wide row, which holds one element
        factor_parts: multiples that a prepared factor consists of in tables; constant_parts in code: see multiples()

    A vector of n elements is a 64-bit integer array of shape (blocks(n), limbs, lanes), in Montgomery form; the lanes
    beyond n are zero.
    """

    isa: InstructionSet
    modulus: int
    words: int
    limbs: int
    row_words: int
    factor_parts: int
    constant_parts: int

    @property
    def montgomery_bits(self) -> int:
        return self.limbs * self.isa.limb_bits

    @property
    def block_words(self) -> int:
        """64-bit words of one block of `lanes` elements."""
        return self.limbs * self.isa.lanes

    def shape(self, n: int) -> tuple[int, int, int]:
        """Array shape of a vector of n elements."""
        return self.isa.blocks(n), self.limbs, self.isa.lanes

    @property
    def montgomery_factor(self) -> int:
        """R modulo the field's modulus."""
        return (1 << self.montgomery_bits) % self.modulus

    @property
    def room(self) -> int:
        """Values below this multiple of the modulus fit in the limbs."""
        return (1 << self.montgomery_bits) // self.modulus

    def part_limbs(self, parts: int) -> int:
        """Limbs of the other operand that each of so many multiples of a prepared factor is multiplied by."""
        return -(-self.limbs // parts)

    def multiples(self, parts: int) -> list[int]:
        """What a factor f is multiplied by to prepare it: each run of limbs of x gets its own multiple of f.

        The sum over k of (limbs k * size .. of x) * f * 2^(limb_bits * size * (k + 1)) is x * f * 2^(limb_bits * size)
        modulo p: a product that needs `size` steps of reduction instead of `limbs`, for size = part_limbs(parts).
        """
        bits = self.isa.limb_bits * self.part_limbs(parts)
        return [pow(2, bits * (k + 1), self.modulus) for k in range(parts)]


@functools.lru_cache(maxsize=64)
def _layout(isa: InstructionSet, modulus: int) -> Layout:
    bits = modulus.bit_length()
    limbs, words = -(-(bits + isa.spare_bits) // isa.limb_bits), -(-bits // 64)
    top_bits = bits - isa.limb_bits * (limbs - 1)
    fits = top_bits >= LEAST_TOP_BITS if isa.lanes > 1 else limbs == words
    if modulus % 2 == 0 or limbs > isa.most_limbs or not fits:
        raise UsageError(
            f"the CPU instruction set {isa.name} has no arithmetic modulo a number of {bits} bits such as {modulus}"
        )
    if isa.lanes > 1:
        return Layout(isa, modulus, words, limbs, row_words=8, factor_parts=-(-limbs // 2), constant_parts=limbs)
    # a product with two multiples of a factor leaves values up to 3p
    parts = 2 if 3 * modulus < 1 << (limbs * isa.limb_bits) and limbs % 2 == 0 else 1
    return Layout(isa, modulus, words, limbs, row_words=limbs, factor_parts=parts, constant_parts=parts)


IFMA = InstructionSet("ifma", lanes=8, limb_bits=52, spare_bits=5, most_limbs=8)
FMA = replace(IFMA, name="fma")
PORTABLE = InstructionSet("portable", lanes=1, limb_bits=64, spare_bits=1, most_limbs=8)
LEVELS = {"ifma": "x86-64-ifma", "fma": "x86-64-fma"}  # of `target`, whose features an instruction set needs
ISAS = {isa.name: isa for isa in (IFMA, FMA, PORTABLE)}


def features_of(isa: InstructionSet) -> tuple[str, ...]:
    """What its kernels need of a CPU, as LLVM calls it."""
    return next((level.features for level in LINUX if level.name == LEVELS.get(isa.name)), ())


@functools.cache
def supported() -> tuple[InstructionSet, ...]:
    """The instruction sets this process can run, fastest first.

    An instruction emitted without its feature ends the process inside LLVM, so this looks at the features that code
    is generated for: those of the CPU unless NUMBA_CPU_FEATURES says others.
    """
    return tuple(isa for isa in ISAS.values() if is_runnable(features_of(isa)))


def choose(name: str | None = None) -> InstructionSet:
    """The instruction set of that name, else the one named by ZKGPU_CPU_PATH, else the fastest supported one.

    Raises UsageError for an unknown name, ResourceError for an instruction set this CPU cannot run.
    """
    name = name or os.environ.get(ENVIRONMENT_VARIABLE) or supported()[0].name
    if name not in ISAS:
        raise UsageError(
            f"CPU instruction set {name!r} is unknown: use one of {', '.join(ISAS)}, or unset {ENVIRONMENT_VARIABLE}"
        )
    if ISAS[name] not in supported():
        needed = ", ".join(sorted(features_of(ISAS[name]))).upper()
        fastest = supported()[0].name
        raise ResourceError(
            f"CPU instruction set {name!r} needs {needed}, which this CPU does not have all: use {fastest!r}"
        )
    return ISAS[name]
