"""Three kernels in NVIDIA's tile language (cuTile), to be held against those of cuda/.

A tile is what a block works on at once; the compiler shares it out to threads, and chooses shared memory, copies and
tensor cores. Elements of a field are planes of 32-bit limbs, (8, n) uint32, in Montgomery form, below 2 r; the language
has neither carries nor a high half of a product, so limbs are added and multiplied in 64 bits.
"""

from __future__ import annotations

from typing import Any

import cuda.tile as ct

from zkgpu.curves.bn254 import Fr

r = Fr.modulus
LIMBS = tuple(r >> 32 * i & 0xFFFFFFFF for i in range(8))
TWICE = tuple(2 * r >> 32 * i & 0xFFFFFFFF for i in range(8))
INVERSE = -pow(r, -1, 1 << 32) % (1 << 32)  # of -r, modulo the base
NONE: Any = ()  # limbs, before the first
LANES = 128  # elements of a tile: one a thread


@ct.kernel  # type: ignore[untyped-decorator]
def multiply_bytes(
    left: Any, right: Any, out: Any, rows: ct.Constant[int], columns: ct.Constant[int], depth: ct.Constant[int]
) -> None:
    """out = left right^T, a tile of (rows, columns) a block: (m, k) and (n, k) int8 into (m, n) int32."""
    i, j = ct.bid(0), ct.bid(1)
    total = ct.zeros((rows, columns), dtype=ct.int32)
    for k in range(ct.num_tiles(left, axis=1, shape=(rows, depth))):
        x = ct.load(left, index=(i, k), shape=(rows, depth), padding_mode=ct.PaddingMode.ZERO)
        y = ct.load(right, index=(j, k), shape=(columns, depth), padding_mode=ct.PaddingMode.ZERO)
        total = ct.mma(x, ct.transpose(y), total)
    ct.store(out, index=(i, j), tile=total)


@ct.kernel  # type: ignore[untyped-decorator]
def products(factors: Any, out: Any, count: int) -> None:
    """out = out factors^count, elementwise: products alone in a loop."""
    block = ct.bid(0)
    x, y = load_planes(out, block), load_planes(factors, block)
    for _ in range(count):
        x = product(x, y)
    store_planes(out, block, x)


@ct.kernel  # type: ignore[untyped-decorator]
def pass_of_four(values: Any, twiddles: Any, imaginary: Any, quarter: int) -> None:
    """A pass of an NTT by decimation in frequency, two of its steps at once: values n/4 apart, in place.

    twiddles   w^i, w^2i and w^3i as three columns of `quarter` tiles; imaginary: w^(n/4) in every place of a tile
    """
    i = ct.bid(0)
    a, b = load_planes(values, i), load_planes(values, i + quarter)
    c, d = load_planes(values, i + 2 * quarter), load_planes(values, i + 3 * quarter)
    even, odd = add(a, c), add(b, d)
    turned = product(subtract(b, d), load_planes(imaginary, 0))
    plain = subtract(a, c)
    store_planes(values, i, add(even, odd))
    store_planes(values, i + quarter, product(subtract(even, odd), load_planes(twiddles, i + quarter)))
    store_planes(values, i + 2 * quarter, product(add(plain, turned), load_planes(twiddles, i)))
    store_planes(values, i + 3 * quarter, product(subtract(plain, turned), load_planes(twiddles, i + 2 * quarter)))


def load_planes(array: Any, block: Any) -> Any:
    """The limbs of a tile's elements, from the lowest."""
    planes = NONE
    for i in ct.static_iter(range(8)):
        planes += (ct.load(array, index=(i, block), shape=(1, LANES)),)
    return planes


def store_planes(array: Any, block: Any, planes: Any) -> None:
    for i in ct.static_iter(range(8)):
        ct.store(array, index=(i, block), tile=planes[i])


def wide(x: Any) -> Any:
    return ct.astype(x, ct.uint64)


def low(x: Any) -> Any:
    return ct.astype(x, ct.uint32)


def product(x: Any, y: Any) -> Any:
    """x y / 2^256 modulo r, below 2 r as x and y are: operands in turn (Koc, Acar and Kaliski 1996, CIOS)."""
    rest = NONE
    for _ in ct.static_iter(range(9)):
        rest += (ct.zeros((1, LANES), dtype=ct.uint32),)
    for i in ct.static_iter(range(8)):
        carry = ct.zeros((1, LANES), dtype=ct.uint64)
        sums = NONE
        for j in ct.static_iter(range(8)):
            total = wide(x[j]) * wide(y[i]) + wide(rest[j]) + carry
            sums += (low(total),)
            carry = total >> 32
        top = wide(rest[8]) + carry
        factor = wide(low(wide(sums[0]) * INVERSE))
        carry = (factor * LIMBS[0] + wide(sums[0])) >> 32
        rest = NONE
        for j in ct.static_iter(range(1, 8)):
            total = factor * LIMBS[j] + wide(sums[j]) + carry
            rest += (low(total),)
            carry = total >> 32
        rest += (low(top + carry), low((top + carry) >> 32))
    return (rest[0], rest[1], rest[2], rest[3], rest[4], rest[5], rest[6], rest[7])


def add(x: Any, y: Any) -> Any:
    """x + y, less 2 r where that leaves something."""
    sums = NONE
    carry = ct.zeros((1, LANES), dtype=ct.uint64)
    for i in ct.static_iter(range(8)):
        carry = carry + wide(x[i]) + wide(y[i])
        sums += (low(carry),)
        carry = carry >> 32
    return reduced(sums)


def reduced(x: Any) -> Any:
    """x below 4 r, less 2 r where that leaves something."""
    rest = NONE
    borrow = ct.zeros((1, LANES), dtype=ct.uint64)
    for i in ct.static_iter(range(8)):
        total = wide(x[i]) - TWICE[i] - borrow
        rest += (low(total),)
        borrow = total >> 63
    found = NONE
    for i in ct.static_iter(range(8)):
        found += (ct.where(borrow == 0, rest[i], x[i]),)
    return found


def subtract(x: Any, y: Any) -> Any:
    """x - y, and 2 r more where that is below zero."""
    rest = NONE
    borrow = ct.zeros((1, LANES), dtype=ct.uint64)
    for i in ct.static_iter(range(8)):
        total = wide(x[i]) - wide(y[i]) - borrow
        rest += (low(total),)
        borrow = total >> 63
    found = NONE
    carry = ct.zeros((1, LANES), dtype=ct.uint64)
    for i in ct.static_iter(range(8)):
        carry = carry + wide(rest[i]) + borrow * TWICE[i]
        found += (low(carry),)
        carry = carry >> 32
    return found
