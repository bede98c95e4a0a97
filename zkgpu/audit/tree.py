"""The Merkle tree of a batch, as the contract computes it: Keccak-256, a byte before leaves (0) and nodes (1).

Leaves name chain, contract, model, batch and place, so that one of them is good for nothing elsewhere. Where a level
has an odd number of nodes, 32 zero bytes stand for the leaves that are missing, and no leaf hashes to those.
"""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.evm.abi import WORD_BYTES
from zkgpu.transcript import keccak256

MOST = (1 << 20) - 1  # leaves of a batch
TAG = keccak256(b"zkgpu audit 1")


def words(*values: int | bytes) -> bytes:
    """Integers as words of 32 bytes, bytes as they are."""
    return b"".join(v if isinstance(v, bytes) else v.to_bytes(WORD_BYTES, "big") for v in values)


def domain_of(chain: int, contract: int, model: bytes, batch: int) -> bytes:
    """What tells a batch from all others, on this and any other chain."""
    return keccak256(words(TAG, chain, contract, model, batch))


def leaf_of(domain: bytes, index: int, request: bytes, inputs: bytes, outputs: bytes) -> bytes:
    """The leaf of an inference; all but the index are 32 bytes."""
    return keccak256(words(b"\0", domain, index, request, inputs, outputs))


def node_of(left: bytes, right: bytes) -> bytes:
    return keccak256(b"\1" + left + right)


def depth_of(count: int) -> int:
    """Levels above the leaves."""
    return (count - 1).bit_length()


def root_of(node: bytes, index: int, path: Sequence[bytes]) -> bytes:
    """The root over a leaf, from the nodes beside its way, the lowest first."""
    for level, other in enumerate(path):
        node = node_of(other, node) if index >> level & 1 else node_of(node, other)
    return node


class Tree:
    """The tree over at least one leaf."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._levels, missing = [list(leaves)], bytes(WORD_BYTES)
        while len(self._levels[-1]) > 1:
            level = self._levels[-1]
            if len(level) % 2:
                level.append(missing)
            self._levels.append([node_of(a, b) for a, b in zip(level[::2], level[1::2], strict=True)])
            missing = node_of(missing, missing)

    @property
    def root(self) -> bytes:
        return self._levels[-1][0]

    def path(self, index: int) -> list[bytes]:
        """The nodes beside the way from a leaf to the root, the lowest first."""
        return [level[(index >> i) ^ 1] for i, level in enumerate(self._levels[:-1])]
