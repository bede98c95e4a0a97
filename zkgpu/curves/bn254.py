"""BN254 (alt_bn128, snarkjs' bn128): numbers only, each with where it comes from.

The curve is y^2 = x^3 + 3 over F_q, of prime order r; its sextic twist is y^2 = x^3 + 3/(9 + u) over
F_q[u]/(u^2 + 1). q and r follow from the parameter x of Barreto and Naehrig (eprint 2005/133):
q = 36x^4 + 36x^3 + 24x^2 + 6x + 1 and r = q - 6x^2. Values as in EIP-196 and EIP-197.
"""

from __future__ import annotations

from zkgpu.curves.points import Curve, Group, Precompiles
from zkgpu.curves.tower import Tower
from zkgpu.curves.twist import Twist
from zkgpu.fields import Field, QuadraticExtension

x = 4965661367192848881  # the Barreto-Naehrig parameter (EIP-197)

Fq = Field("BN254 Fq", 36 * x**4 + 36 * x**3 + 24 * x**2 + 6 * x + 1, generator=3)
Fr = Field("BN254 Fr", Fq.modulus - 6 * x**2, generator=5)
Fq2 = QuadraticExtension(Fq)

xi = (9, 1)  # the non-residue of the twist and of the tower: v^3 = xi (EIP-197)

G1 = Group("BN254 G1", Fq, b=3, order=Fr.modulus, cofactor=1, generator_xy=(1, 2))
G2 = Group(
    "BN254 G2",
    Fq2,
    b=Fq2.scale(Fq2.inverse(xi), 3),
    order=Fr.modulus,
    cofactor=2 * Fq.modulus - Fr.modulus,  # of the twist: q - 1 + t with t = q + 1 - r
    generator_xy=(  # EIP-197
        (
            10857046999023057135944570762232829481370756359578518086990519993285655852781,
            11559732032986387107991004021392285783925812861821192530917403151452391805634,
        ),
        (
            8495653923123431417604973247489272438418190587263600148770280649306958101930,
            4082367875863433681332203403145435568316851327593401208105741076214120093531,
        ),
    ),
    twist=Twist("bn", "D", x, Tower(Fq, xi), cofactor_prime=10069),
)

BN254 = Curve(
    name="bn254",
    title="BN254",
    snarkjs_name="bn128",
    aliases=("bn254", "altbn128"),  # of gnark and of Ethereum
    circom_name="bn128",
    scalar_field=Fr,
    base_field=Fq,
    g1=G1,
    g2=G2,
    precompiles=Precompiles("EIP-197", coordinate_bytes=32, imaginary_first=True),
    first_challenges=(  # BLAKE2b of the accumulators that the Perpetual Powers of Tau and Hermez' ceremony started from
        (
            27,
            "36bcd31f9d5ed309ded4a17ee8279e34eceec40b56be88e2fb604aebe2c714ba"
            "fbf99218e7269f20ec3392bab9d45f5198b826c94bd3d3c2d780f46dfd65be67",
        ),
        (
            28,
            "93da91920d5a54a8a0fde55cd9dc3a10c4f3eef768b62c0948741370864254b4"
            "c1920f3f29d4ebc0ef3acecf2e2db63a755713d77e1ed77347a56fbc317c7a93",
        ),
    ),
)
