"""Circuits in Python: wires, arrays of wires, gadgets, and the constraints and witnesses they compile to."""

from zkgpu.circuits.r1cs import R1CS
from zkgpu.circuits.sparse import SparseMatrix

__all__ = ["R1CS", "SparseMatrix"]
