"""The primes that files declare: the supported curve's, and the names of others so that a refusal can name them."""

from __future__ import annotations

from zkgpu.curves.bn254 import BN254, Fq
from zkgpu.curves.points import Curve
from zkgpu.fields.field import Field
from zkgpu.formats.container import SectionReader

CURVES: tuple[Curve, ...] = (BN254,)

# Scalar fields that circom --prime knows and zkgpu does not; each from its curve's specification.
_UNSUPPORTED = {
    0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001: "bls12381",
    8444461749428370424248824938781546531375899335154063827935233455917409239041: "bls12377",
    2**64 - 2**32 + 1: "goldilocks",
    Fq.modulus: "grumpkin",
    0x40000000000000000000000000000000224698FC0994A8DD8C46EB2100000001: "pallas",
    0x40000000000000000000000000000000224698FC094CF91B992D30ED00000001: "vesta",
    115792089210356248762697446949407573529996955224135760342422259061068512044369: "secq256r1",
}
_WIDEST_PRIME = 64  # bytes; enough to name any prime in use


def read_prime(section: SectionReader) -> int:
    """The integer that a field's header `n8 u32 | prime STD(n8)` declares."""
    size = section.u32()
    if size % 8 or not 8 <= size <= _WIDEST_PRIME:
        raise section.error(f"a prime of {size:,} bytes is declared: the file is damaged, copy it again")
    return section.integer(size)


def read_scalar_field(section: SectionReader) -> Field:
    """The scalar field declared at the reader's place. Raises FormatError unless it is a supported curve's."""
    prime = read_prime(section)
    for curve in CURVES:
        if prime == curve.scalar_field.modulus:
            return curve.scalar_field
    name = _UNSUPPORTED.get(prime, f"{prime:#x}")
    raise section.error(f"the prime is that of {name}, which zkgpu does not support: compile for bn128 (BN254)")


def read_curve(section: SectionReader) -> Curve:
    """The curve whose base field is declared at the reader's place. Raises FormatError unless it is supported."""
    prime = read_prime(section)
    for curve in CURVES:
        if prime == curve.base_field.modulus:
            return curve
    raise section.error(f"the base field {prime:#x} is no supported curve's: use a file for bn128 (BN254)")
