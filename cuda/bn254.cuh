// BN254: the words of its moduli (EIP-196) and the names kernels use.
#pragma once

#include "quadratic.cuh"

// the scalar field, of the group's order r
using Scalar = Fp<Modulus<
    0xf0000001, 0x43e1f593, 0x79b97091, 0x2833e848, 0x8181585d, 0xb85045b6, 0xe131a029, 0x30644e72>>;

// the field of coordinates, modulo q
using Base = Fp<Modulus<
    0xd87cfd47, 0x3c208c16, 0x6871ca8d, 0x97816a91, 0x8181585d, 0xb85045b6, 0xe131a029, 0x30644e72>>;


// a scalar as a plain number, not in Montgomery form
using Number = Words<8>;
