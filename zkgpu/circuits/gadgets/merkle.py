"""Merkle trees of Poseidon hashes: membership in a circuit, and the tree itself in plain Python.

An empty leaf is 0, so 0 is no member: a tree takes no such leaf, and `assert_merkle_path` admits none. A leaf should be
a hash, of what it stands for and perhaps a secret: the leaf itself is hashed as any inner node is, and they differ in
depth alone, which a circuit fixes.
"""

from __future__ import annotations

from collections.abc import Sequence

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.gadgets.logic import select
from zkgpu.circuits.gadgets.poseidon import poseidon, poseidon_hash
from zkgpu.circuits.wires import Wires, stack
from zkgpu.curves import DEFAULT
from zkgpu.errors import UsageError
from zkgpu.fields.field import Field
from zkgpu.records import dataclass


def merkle_root(leaf: Wires, index_bits: Wires, siblings: Wires) -> Wires:
    """The root that a leaf and its path lead to: 241 constraints a level, and one for each bit not known to be one.

    Args:
        leaf: shape (...)
        index_bits: (..., depth): bit i of the leaf's index, lowest first: 1 where the node is the right child
        siblings: (..., depth): the neighbor on each level, from the leaf's upwards

    Raises UsageError when the shapes do not agree.
    """
    if index_bits.shape != siblings.shape or index_bits.shape[:-1] != leaf.shape or not index_bits.ndim:
        raise UsageError(
            f"a leaf of shape {leaf.shape} needs index bits and siblings of shape {(*leaf.shape, 'depth')}, "
            f"not {index_bits.shape} and {siblings.shape}"
        )
    node = leaf
    for level in range(index_bits.shape[-1]):
        sibling = siblings[..., level]
        left = select(index_bits[..., level], sibling, node)
        node = poseidon(stack([left, node + sibling - left], axis=-1))
    return node


def assert_merkle_path(leaf: Wires, index_bits: Wires, siblings: Wires, root: Wires) -> None:
    """Constrains that the leaf lies under the root, at the place the path says, and is not 0. As merkle_root.

    'leaf is not empty': leaf * inverse = 1, one constraint a leaf; without it, 0 would be a member of every tree that
    has room left.
    """
    with leaf.builder.scope("leaf is not empty"):
        leaf.inverse()
    Circuit.of(leaf).assert_equal(merkle_root(leaf, index_bits, siblings), root, label="merkle_root")


@dataclass(frozen=True)
class MerklePath:
    """Where a leaf lies.

    Attributes:
        index_bits: of its index, lowest first
        siblings: its neighbor on each level, from the leaves up
    """

    index_bits: tuple[int, ...]
    siblings: tuple[int, ...]


class MerkleTree:
    """A tree of 2^depth leaves, of which the first ones are given and the others are 0, which stands for empty.

    Raises UsageError for more leaves than that, and for one that is 0.
    """

    def __init__(self, leaves: Sequence[int], depth: int, field: Field = DEFAULT.scalar_field) -> None:
        if len(leaves) > 1 << depth:
            raise UsageError(f"{len(leaves)} leaves do not fit a tree of depth {depth}")
        if any(leaf % field.modulus == 0 for leaf in leaves):
            raise UsageError("leaf 0 stands for an empty place: hash what a leaf stands for")
        self.depth, self._field = depth, field
        self._empty = [0]
        self._levels = [list(leaves)]
        for _ in range(depth):
            self._levels.append(self._parents(self._levels[-1]))
            self._empty.append(poseidon_hash([self._empty[-1]] * 2, field))

    @property
    def root(self) -> int:
        return self._node(self.depth, 0)

    def path(self, index: int) -> MerklePath:
        """The path from leaf `index` to the root. Raises UsageError outside of the tree."""
        if not 0 <= index < 1 << self.depth:
            raise UsageError(f"leaf {index} does not exist in a tree of depth {self.depth}")
        bits = tuple(index >> level & 1 for level in range(self.depth))
        return MerklePath(bits, tuple(self._node(level, index >> level ^ 1) for level in range(self.depth)))

    def _node(self, level: int, index: int) -> int:
        nodes = self._levels[level]
        return nodes[index] if index < len(nodes) else self._empty[level]

    def _parents(self, nodes: list[int]) -> list[int]:
        padded = nodes + self._empty[-1:] if len(nodes) % 2 else nodes
        return [poseidon_hash(padded[i : i + 2], self._field) for i in range(0, len(padded), 2)]
