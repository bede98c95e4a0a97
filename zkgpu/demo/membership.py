"""Membership in a Merkle tree, proven without showing the leaf."""

from __future__ import annotations

from typing import Any

from zkgpu.circuits import Circuit
from zkgpu.circuits.gadgets import MerkleTree, assert_merkle_path

DEPTH = 20


def membership_circuit(depth: int) -> Circuit:
    """A circuit whose public input is a Merkle root and whose secrets are a leaf and the path to it."""
    circuit = Circuit()
    root = circuit.public("root")
    leaf = circuit.private("leaf")
    index_bits = circuit.private("index_bits", shape=(depth,))
    siblings = circuit.private("siblings", shape=(depth,))
    with circuit.scope("membership"):
        assert_merkle_path(leaf, index_bits, siblings, root)
    return circuit


def membership_inputs(depth: int) -> dict[str, Any]:
    """Inputs that show leaf 6 of a tree with a handful of members."""
    members = [1000 + i for i in range(11)]
    tree = MerkleTree(members, depth)
    path = tree.path(6)
    return {"root": tree.root, "leaf": members[6], "index_bits": path.index_bits, "siblings": path.siblings}
