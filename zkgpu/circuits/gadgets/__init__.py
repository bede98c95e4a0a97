"""Gadgets: constraints for what field arithmetic does not say by itself, on single wires and on arrays of them.

A gadget checks what it relies on: an operand that must be boolean, or below 2^bits, is constrained to be so
unless earlier constraints have already proven it. Every wire a gadget adds is determined by its inputs.
"""

from zkgpu.circuits.gadgets.bits import assert_boolean, from_bits, range_check, to_bits
from zkgpu.circuits.gadgets.comparison import (
    assert_less_than,
    is_equal,
    is_zero,
    less_equal,
    less_than,
    maximum,
    minimum,
)
from zkgpu.circuits.gadgets.division import divide, integer_divide, inverse
from zkgpu.circuits.gadgets.freivalds import matmul
from zkgpu.circuits.gadgets.limbs import assert_in_range
from zkgpu.circuits.gadgets.logic import logical_and, logical_not, logical_or, logical_xor, select
from zkgpu.circuits.gadgets.lookup import Table
from zkgpu.circuits.gadgets.merkle import MerklePath, MerkleTree, assert_merkle_path, merkle_root
from zkgpu.circuits.gadgets.permutation import assert_permutation
from zkgpu.circuits.gadgets.poseidon import poseidon, poseidon_hash

__all__ = [
    "MerklePath",
    "MerkleTree",
    "Table",
    "assert_boolean",
    "assert_in_range",
    "assert_less_than",
    "assert_merkle_path",
    "assert_permutation",
    "divide",
    "from_bits",
    "integer_divide",
    "inverse",
    "is_equal",
    "is_zero",
    "less_equal",
    "less_than",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "matmul",
    "maximum",
    "merkle_root",
    "minimum",
    "poseidon",
    "poseidon_hash",
    "range_check",
    "select",
    "to_bits",
]
