"""BLS12-381 as a value: the numbers that a curve consists of, for tests that curves are values.

draft-irtf-cfrg-pairing-friendly-curves, section 4.2.1; Bowe, "BLS12-381: New zk-SNARK Elliptic Curve Construction".
"""

from __future__ import annotations

from zkgpu.curves import Curve, Group, Twist
from zkgpu.curves.tower import Tower
from zkgpu.fields import Field, QuadraticExtension

x = -0xD201000000010000

Fr = Field("BLS12-381 Fr", x**4 - x**2 + 1, generator=7)
Fq = Field("BLS12-381 Fq", (x - 1) ** 2 * Fr.modulus // 3 + x, generator=2)
Fq2 = QuadraticExtension(Fq)

G1 = Group(
    "BLS12-381 G1",
    Fq,
    b=4,
    order=Fr.modulus,
    cofactor=(x - 1) ** 2 // 3,
    generator_xy=(
        0x17F1D3A73197D7942695638C4FA9AC0FC3688C4F9774B905A14E3A3F171BAC586C55E83FF97A1AEFFB3AF00ADB22C6BB,
        0x08B3F481E3AAA0F1A09E30ED741D8AE4FCF5E095D5D00AF600DB18CB2C04B3EDD03CC744A2888AE40CAA232946C5E7E1,
    ),
)
G2 = Group(
    "BLS12-381 G2",
    Fq2,
    b=(4, 4),
    order=Fr.modulus,
    cofactor=(x**8 - 4 * x**7 + 5 * x**6 - 4 * x**4 + 6 * x**3 - 4 * x**2 - 4 * x + 13) // 9,
    generator_xy=(
        (
            0x024AA2B2F08F0A91260805272DC51051C6E47AD4FA403B02B4510B647AE3D1770BAC0326A805BBEFD48056C8C121BDB8,
            0x13E02B6052719F607DACD3A088274F65596BD0D09920B61AB5DA61BBDC7F5049334CF11213945D57E5AC7D055D042B7E,
        ),
        (
            0x0CE5D527727D6E118CC9CDC6DA2E351AADFD9BAA8CBDD3A76D429A695160D12C923AC9CC3BACA289E193548608B82801,
            0x0606C4A02EA734CC32ACD2B02BC28B99CB3E287E85A763AF267492AB572E99AB3F370D275CEC1DA1AAA9075FF05F79BE,
        ),
    ),
    twist=Twist("bls12", "M", x, Tower(Fq, (1, 1)), cofactor_prime=13),
)

BLS12_381 = Curve(
    name="bls12_381",
    title="BLS12-381",
    snarkjs_name="bls12381",
    aliases=(),
    circom_name="bls12381",
    scalar_field=Fr,
    base_field=Fq,
    g1=G1,
    g2=G2,
)
