// BLS12-381: the words of its moduli (Bowe 2017; draft-irtf-cfrg-pairing-friendly-curves).
#pragma once

#include "quadratic.cuh"

// the scalar field, of the group's order r: 255 bits leave no room for lazy products
using Scalar = Fp<Modulus<
    0x00000001, 0xffffffff, 0xfffe5bfe, 0x53bda402, 0x09a1d805, 0x3339d808, 0x299d7d48, 0x73eda753>>;

// the field of coordinates, modulo q: 12 words
using Base = Fp<Modulus<
    0xffffaaab, 0xb9feffff, 0xb153ffff, 0x1eabfffe, 0xf6b0f624, 0x6730d2a0, 0xf38512bf, 0x64774b84, 0x434bacd7,
    0x4b1ba7b6, 0x397fe69a, 0x1a0111ea>>;
