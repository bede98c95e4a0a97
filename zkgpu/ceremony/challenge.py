"""From transcripts to points: the encodings, hashes and random stream that both phases of a ceremony use.

Hashes are BLAKE2b-512. Points are hashed affine, big-endian, not Montgomery; in G2 the imaginary part comes first;
infinity is all zero. The formats are those of snarkjs' ceremonies.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zkgpu.backend.protocol import Backend
from zkgpu.curves.points import Curve, Group, Point
from zkgpu.fields.field import Field, Limbs
from zkgpu.fields.quadratic import QuadraticExtension
from zkgpu.records import dataclass


def blake2b(*parts: bytes) -> bytes:
    """BLAKE2b-512 of the parts, one after another."""
    state = hashlib.blake2b()
    for part in parts:
        state.update(part)
    return state.digest()


def encode(*points: Point) -> bytes:
    """The points as they are hashed."""
    return b"".join(_encode_coordinates(point.group, point.coordinates()) for point in points)


def encode_rows(group: Group, rows: Limbs, backend: Backend) -> bytes:
    """The points of a host array as they are hashed, infinity being all zero."""
    base = group.base_field
    words = _canonical(group, rows, backend).reshape(len(rows), -1, base.limbs)
    if group.degree == 2:
        words = words[:, [1, 0, 3, 2]]  # the imaginary part first
    return words[:, :, ::-1].astype(">u8").tobytes()


def encode_short(group: Group, rows: Limbs, backend: Backend) -> bytes:
    """The points of a host array as responses are hashed: x alone, the top bit telling the greater of the two y."""
    base = group.base_field
    words = _canonical(group, rows, backend).reshape(len(rows), 2, group.degree, base.limbs)
    words = words[:, :, ::-1]  # the imaginary part first
    deciding = words[:, 1, 0]
    if group.degree == 2:
        deciding = np.where(deciding.any(axis=1, keepdims=True), deciding, words[:, 1, 1])
    x: Limbs = words[:, 0, :, ::-1].reshape(len(rows), -1).copy()
    x[:, 0] |= _exceeds(deciding, base.to_limbs([base.modulus // 2])[0]).astype(np.uint64) << np.uint64(63)
    return x.astype(">u8").tobytes()


def _canonical(group: Group, rows: Limbs, backend: Backend) -> Limbs:
    """Coordinates as plain integers. Rows may start at any byte and be read-only, as those of a mapped file are."""
    return backend.canonical_rows(group, np.require(rows, requirements=["A", "W"]))


def _exceeds(values: Limbs, bound: Limbs) -> NDArray[np.bool_]:
    """Which of (n, limbs) values are above a bound: the highest limb that differs decides."""
    above = np.zeros(len(values), np.bool_)
    for k in range(len(bound)):
        above = (values[:, k] > bound[k]) | (above & (values[:, k] == bound[k]))
    return above


def _encode_coordinates(group: Group, coordinates: Any) -> bytes:
    size = group.base_field.bytes
    if group.degree == 2:
        x0, x1, y0, y1 = coordinates
        coordinates = (x1, x0, y1, y0)
    return b"".join(value.to_bytes(size, "big") for value in coordinates)


@dataclass(frozen=True)
class Stream:
    """Endless draws from a hash: ChaCha20 (20 rounds, counter and nonce 0) under the first 32 bytes as its key.

    The key is eight words, big-endian in the hash. Words of 64 bits take two of the stream, the high one first.
    """

    _cipher: Any

    @staticmethod
    def seeded(digest: bytes) -> Stream:
        from Crypto.Cipher import ChaCha20

        key = b"".join(digest[i : i + 4][::-1] for i in range(0, 32, 4))
        return Stream(ChaCha20.new(key=key, nonce=bytes(8)))

    def u32(self) -> int:
        return int.from_bytes(self._cipher.encrypt(bytes(4)), "little")

    def u64(self) -> int:
        return self.u32() << 32 | self.u32()

    def element(self, field: Field) -> int:
        """An element of a prime field. What is drawn, until it is below the modulus, is its Montgomery form."""
        while True:
            value = sum(self.u64() << 64 * i for i in range(field.limbs)) & ((1 << field.bits) - 1)
            if value < field.modulus:
                return field.from_montgomery(value)

    def point(self, group: Group) -> Point:
        """A point of the subgroup: draw x and a sign until x is on the curve, then clear the cofactor."""
        while True:
            x = self._coordinate(group)
            greater = bool(self.u32() & 1)
            y = group.field.sqrt(group.field.add(group.field.mul(group.field.square(x), x), group.b))
            if y is not None:
                point = Point(group, x, y if _is_greater(group, y) == greater else group.field.neg(y))
                return group.clear_cofactor(point)

    def _coordinate(self, group: Group) -> Any:
        if isinstance(group.field, QuadraticExtension):
            return self.element(group.base_field), self.element(group.base_field)
        return self.element(group.base_field)


def hash_to_g2(curve: Curve, digest: bytes) -> Point:
    """The point of G2 that a BLAKE2b-512 digest determines and whose logarithm nobody knows."""
    return Stream.seeded(digest).point(curve.g2)


def _is_greater(group: Group, y: Any) -> bool:
    """Whether y exceeds (q - 1) / 2; in F_q^2 by its imaginary part unless that is zero."""
    deciding = (y[1] or y[0]) if isinstance(y, tuple) else y
    return bool(deciding > group.base_field.modulus // 2)
