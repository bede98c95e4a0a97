"""The primes that files declare: the supported curves', and the names of others so that a refusal can name them."""

from __future__ import annotations

from zkgpu.curves import CURVES, Curve, known_curves
from zkgpu.fields.field import Field
from zkgpu.formats.container import SectionReader

# Primes that circom --prime has and zkgpu does not, by circom's names (program_structure, constants.rs)
_UNSUPPORTED = {
    0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001: "bls12381 (BLS12-381)",
    8444461749428370424248824938781546531375899335154063827935233455917409239041: "bls12377 (BLS12-377)",
    2**64 - 2**32 + 1: "goldilocks",
    21888242871839275222246405745257275088696311157297823662689037894645226208583: "grumpkin",
    0x40000000000000000000000000000000224698FC094CF91B992D30ED00000001: "pallas",
    0x40000000000000000000000000000000224698FC0994A8DD8C46EB2100000001: "vesta",
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF: "secq256r1",
}
# base fields of curves that snarkjs and its relatives have
_UNSUPPORTED_BASES = {
    0x1A0111EA397FE69A4B1BA7B6434BACD764774B84F38512BF6730D2A0F6B0F6241EABFFFEB153FFFFB9FEFFFFFFFFAAAB: "BLS12-381",
    0x01AE3A4617C510EAC63B05C06CA1493B1A22D9F300F5138F1EF3622FBA094800170B5D44300000008508C00000000001: "BLS12-377",
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
    raise section.error(f"the prime is that of {name}, which zkgpu does not support: compile for {known_curves()}")


def read_curve(section: SectionReader) -> Curve:
    """The curve whose base field is declared at the reader's place. Raises FormatError unless it is supported."""
    prime = read_prime(section)
    for curve in CURVES:
        if prime == curve.base_field.modulus:
            return curve
    name = f"that of {_UNSUPPORTED_BASES[prime]}" if prime in _UNSUPPORTED_BASES else f"{prime:#x}"
    raise section.error(f"the base field is {name}, which is no supported curve's: use a file for {known_curves()}")
