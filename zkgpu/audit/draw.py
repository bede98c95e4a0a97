"""Which inferences of a batch must be proven: drawn by a block that was named before it was known.

As in the contract: Floyd's algorithm (J. Bentley and R. Floyd, A sample of brilliance, CACM 30, 1987), by which each
set of the wanted size is as likely as any other, but for the 2^-236 that a remainder of 256 bits leaves.
"""

from __future__ import annotations

from zkgpu.audit.tree import words
from zkgpu.transcript import keccak256

MOST_SAMPLES = 256


def seed_of(domain: bytes, randao: bytes, root: bytes, count: int) -> bytes:
    """What a batch's samples are drawn from."""
    return keccak256(words(domain, randao, root, count))


def sample(seed: bytes, count: int, wanted: int) -> list[int]:
    """`wanted` different numbers below `count`, in the order of their positions."""
    found: list[int] = []
    for i in range(wanted):
        last = count - wanted + i
        index = int.from_bytes(keccak256(words(seed, i)), "big") % (last + 1)
        found.append(last if index in found else index)
    return found
