"""Fiat-Shamir by Keccak-256, as snarkjs' PLONK does it: what a proof says and what is hashed are one call.

transcript = Transcript(curve)
transcript.absorb(*key_points, *public_inputs)        # what both sides know
transcript.write(a=a, b=b, c=c)                       # what the prover says: absorbed, and kept in `written`
beta = transcript.challenge()

A challenge is the hash of everything absorbed since the one before it, so a protocol that needs earlier challenges
to count absorbs them. Scalars are hashed as whole words and points as x then y, big-endian, the imaginary part of a
coordinate first, infinity being all zero; bytes as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from zkgpu.ceremony.challenge import encode
from zkgpu.curves.points import Curve, Point

Item: TypeAlias = "Point | int | bytes"


def keccak256(data: bytes) -> bytes:
    from Crypto.Hash import keccak  # where it is used: most proofs are verified without

    return keccak.new(digest_bits=256, data=data).digest()


class Transcript:
    """A conversation over one curve, with the challenges that the other side would have drawn."""

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._pending = bytearray()
        self._written: dict[str, Item] = {}

    @property
    def written(self) -> Mapping[str, Item]:
        """What the prover has said so far, by name."""
        return dict(self._written)

    def absorb(self, *items: Item) -> None:
        """Points, canonical scalars and bytes that both sides know and that the next challenge depends on."""
        for item in items:
            self._pending += self._encode(item)

    def write(self, **items: Item) -> None:
        """Points, canonical scalars and bytes that the prover says, each under a name of its own."""
        for name, item in items.items():
            assert name not in self._written, f"{name} was written before"
            self._written[name] = item
            self.absorb(item)

    def digest(self) -> bytes:
        """Keccak-256 of all that was absorbed since the last challenge or digest."""
        digest = keccak256(bytes(self._pending))
        self._pending.clear()
        return digest

    def challenge(self) -> int:
        """The digest as a scalar."""
        return int.from_bytes(self.digest(), "big") % self._curve.scalar_field.modulus

    def _encode(self, item: Item) -> bytes:
        if isinstance(item, Point):
            return encode(item)
        return item if isinstance(item, bytes) else item.to_bytes(self._curve.scalar_field.bytes, "big")
