"""Circuits in Python: wires, arrays of wires, gadgets, and the constraints and witnesses they compile to."""

from typing import TYPE_CHECKING

from zkgpu.faces import names_of

if TYPE_CHECKING:
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

_HOMES = {
    "Circuit": "zkgpu.circuits.circuit",
    "CommittedRound": "zkgpu.circuits.committed",
    "CompiledCircuit": "zkgpu.circuits.compiled",
    "FirstRound": "zkgpu.circuits.committed",
    "PublicArray": "zkgpu.circuits.committed",
    "R1CS": "zkgpu.circuits.r1cs",
    "Signal": "zkgpu.circuits.signals",
    "SparseMatrix": "zkgpu.fields.sparse",
    "Wires": "zkgpu.circuits.wires",
    "concatenate": "zkgpu.circuits.wires",
    "stack": "zkgpu.circuits.wires",
}
__getattr__ = names_of(__name__, _HOMES)
