"""Circuits in Python: wires, arrays of wires, gadgets, and the constraints and witnesses they compile to."""

from zkgpu.circuits.circuit import Circuit
from zkgpu.circuits.committed import CommittedRound, FirstRound, PublicArray
from zkgpu.circuits.compiled import CompiledCircuit
from zkgpu.circuits.r1cs import R1CS
from zkgpu.circuits.signals import Signal
from zkgpu.circuits.wires import Wires, concatenate, stack
from zkgpu.fields.sparse import SparseMatrix

__all__ = [
    "R1CS",
    "Circuit",
    "CommittedRound",
    "CompiledCircuit",
    "FirstRound",
    "PublicArray",
    "Signal",
    "SparseMatrix",
    "Wires",
    "concatenate",
    "stack",
]
