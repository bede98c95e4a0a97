"""Between zkgpu's numbers and those of py_ecc, and readers of the EVM's encodings."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from zkgpu.curves import BN254, Point
from zkgpu.curves.pairing import is_in_subgroup_g2
from zkgpu.curves.tower import Fq12
from zkgpu.errors import FormatError, PointError

ecc = pytest.importorskip("py_ecc.optimized_bn128")
DATA = Path(__file__).parents[1] / "data"
Q = BN254.base_field.modulus
R = BN254.scalar_field.modulus


def fq12(coefficients: Iterable[int]) -> Fq12:
    return Fq12.of(coefficients, BN254.g2.twist.tower)


def reduced(f: Fq12) -> Fq12:
    return f.map(lambda c: c % Q)


def fq12_to_ecc(f: Fq12) -> ecc.FQ12:
    """py_ecc's Fq12 is Fq[w]/(w^12 - 18 w^6 + 82), so that u = w^6 - 9."""
    low = [g.c0 - 9 * g.c1 for g in f.powers_of_w()]
    return ecc.FQ12([*low, *(g.c1 for g in f.powers_of_w())])


def g1_to_ecc(p: Point) -> tuple:
    return ecc.Z1 if p.is_infinity else (ecc.FQ(p.x), ecc.FQ(p.y), ecc.FQ.one())


def g2_to_ecc(p: Point) -> tuple:
    return ecc.Z2 if p.is_infinity else (ecc.FQ2(p.x), ecc.FQ2(p.y), ecc.FQ2.one())


def pairing_of_ecc(p: Point, q: Point) -> ecc.FQ12:
    return ecc.pairing(g2_to_ecc(q), g1_to_ecc(p))


@functools.cache
def evm_vectors(name: str) -> list[tuple[bytes, bytes]]:
    """(input, output) of every call of one precompile; the output is empty where the EVM refuses."""
    cases = json.loads((DATA / "vectors" / "bn254_evm.json").read_text())[name]
    return [(bytes.fromhex(c["input"][2:]), bytes.fromhex(c["output"][2:])) for c in cases]


def _numbers(data: bytes) -> list[int]:
    numbers = [int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data), 32)]
    if any(n >= Q for n in numbers):
        raise FormatError("a coordinate is not below q")
    return numbers


def g1_of_evm(data: bytes) -> Point:
    """EIP-196: x, y; zeros are infinity."""
    x, y = _numbers(data)
    return BN254.g1.point(x, y) if x or y else BN254.g1.infinity


def g2_of_evm(data: bytes) -> Point:
    """EIP-197: x1, x0, y1, y0 (the imaginary part first); zeros are infinity. Checked by the fast subgroup test."""
    x1, x0, y1, y0 = _numbers(data)
    point = Point(BN254.g2, (x0, x1), (y0, y1)) if x0 or x1 or y0 or y1 else BN254.g2.infinity
    if not is_in_subgroup_g2(point):
        raise PointError("not a point of G2")
    return point


def pairs_of_evm(data: bytes) -> list[tuple[Point, Point]]:
    """EIP-197: 192 bytes a pair."""
    if len(data) % 192:
        raise FormatError("the input is not made of 192-byte pairs")
    rows = [data[i : i + 192] for i in range(0, len(data), 192)]
    return [(g1_of_evm(row[:64]), g2_of_evm(row[64:])) for row in rows]
