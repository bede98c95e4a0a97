"""Choices that look random and repeat for the same seed. No secret may come from here."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A stream of choices: the SHA-256 hashes of the seed and a counter."""

    def __init__(self, seed: int) -> None:
        self._seed, self._count = seed, 0

    def below(self, bound: int) -> int:
        """An integer from 0 to bound - 1."""
        self._count += 1
        words = range(-(-bound.bit_length() // 256) + 1)
        digest = b"".join(sha256(f"{self._seed}/{self._count}/{i}".encode()).digest() for i in words)
        return int.from_bytes(digest, "big") % bound

    def one_of(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def some_of(self, items: Sequence[T], count: int) -> list[T]:
        """`count` of the items, in their order; all of them when there are no more."""
        if count >= len(items):
            return list(items)
        left, chosen = list(range(len(items))), []
        for i in range(count):
            j = i + self.below(len(left) - i)
            left[i], left[j] = left[j], left[i]
            chosen.append(left[i])
        return [items[i] for i in sorted(chosen)]
