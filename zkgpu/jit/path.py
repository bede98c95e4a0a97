"""The ways CPU kernels are generated, and the choice between them.

    ifma      AVX-512 IFMA: 8 elements at a time, 5 limbs of 52 bits, R = 2^260
    fma       AVX2 and FMA, the same layout: products of limbs by fused multiply-adds of doubles
    portable  any 64-bit CPU: 1 element at a time, 4 limbs of 64 bits, R = 2^256

All give the same numbers; only the memory layout and the Montgomery factor R differ.
"""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, replace

from zkgpu.errors import ResourceError, UsageError

ENVIRONMENT_VARIABLE = "ZKGPU_CPU_PATH"


@dataclass(frozen=True)
class InstructionPath:
    """Shape of one block: `lanes` elements side by side, each of `limbs` limbs of `limb_bits` bits.

    A vector of n elements is a 64-bit integer array of shape (blocks(n), limbs, lanes), in Montgomery
    form with R = 2^montgomery_bits; the lanes beyond n are zero. A wide row holds one element in row_words words.
    Prepared factors consist of factor_parts multiples in tables, of constant_parts in code: see multiples().
    """

    name: str
    lanes: int
    limbs: int
    limb_bits: int
    montgomery_bits: int
    row_words: int
    factor_parts: int
    constant_parts: int

    @property
    def block_words(self) -> int:
        """64-bit words of one block of `lanes` elements."""
        return self.limbs * self.lanes

    def blocks(self, n: int) -> int:
        """Number of blocks that n elements fill."""
        return -(-n // self.lanes)

    def shape(self, n: int) -> tuple[int, int, int]:
        """Array shape of a vector of n elements."""
        return self.blocks(n), self.limbs, self.lanes

    def montgomery_factor(self, modulus: int) -> int:
        """R modulo the field's modulus."""
        return (1 << self.montgomery_bits) % modulus

    def part_limbs(self, parts: int) -> int:
        """Limbs of the other operand that each of so many multiples of a prepared factor is multiplied by."""
        return -(-self.limbs // parts)

    def multiples(self, parts: int, modulus: int) -> list[int]:
        """What a factor f is multiplied by to prepare it: each run of limbs of x gets its own multiple of f.

        The sum over k of (limbs k * size .. of x) * f * 2^(limb_bits * size * (k + 1)) is x * f * 2^(limb_bits * size)
        modulo p: a product that needs `size` steps of reduction instead of `limbs`, for size = part_limbs(parts).
        """
        bits = self.limb_bits * self.part_limbs(parts)
        return [pow(2, bits * (k + 1), modulus) for k in range(parts)]


IFMA = InstructionPath(
    "ifma", lanes=8, limbs=5, limb_bits=52, montgomery_bits=260, row_words=8, factor_parts=3, constant_parts=5
)
FMA = replace(IFMA, name="fma")
PORTABLE = InstructionPath(
    "portable", lanes=1, limbs=4, limb_bits=64, montgomery_bits=256, row_words=4, factor_parts=2, constant_parts=2
)
FEATURES: dict[str, set[str]] = {"ifma": {"avx512f", "avx512ifma"}, "fma": {"avx2", "fma"}, "portable": set()}
PATHS = {path.name: path for path in (IFMA, FMA, PORTABLE)}


def code_generation_target() -> tuple[str, str, str]:
    """(triple, CPU name, features) Numba really compiles for: NUMBA_CPU_NAME and NUMBA_CPU_FEATURES count."""
    from numba.core.registry import cpu_target

    triple, name, features = cpu_target.target_context.codegen().magic_tuple()
    return str(triple), str(name), str(features)


@functools.cache
def supported() -> tuple[InstructionPath, ...]:
    """The paths this process can compile, fastest first.

    An instruction emitted without its feature ends the process inside LLVM, so this looks at the
    features Numba will use and not at the CPU's.
    """
    features = {feature[1:] for feature in code_generation_target()[2].split(",") if feature.startswith("+")}
    return tuple(path for path in PATHS.values() if FEATURES[path.name] <= features)


def choose(name: str | None = None) -> InstructionPath:
    """The path of that name, else the one named by ZKGPU_CPU_PATH, else the fastest supported one.

    Raises UsageError for an unknown name, ResourceError for a path this CPU cannot run.
    """
    name = name or os.environ.get(ENVIRONMENT_VARIABLE) or supported()[0].name
    if name not in PATHS:
        raise UsageError(
            f"CPU path {name!r} is unknown: use one of {', '.join(PATHS)}, or unset {ENVIRONMENT_VARIABLE}"
        )
    if PATHS[name] not in supported():
        needed = ", ".join(sorted(FEATURES[name])).upper()
        fastest = supported()[0].name
        raise ResourceError(f"CPU path {name!r} needs {needed}, which Numba does not target here: use {fastest!r}")
    return PATHS[name]
