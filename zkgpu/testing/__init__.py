"""Testing circuits: inputs that should satisfy and should not, a search for second witnesses, and real proofs.

    from zkgpu.testing import check_circuit

    def test_a_root_is_determined():
        check_circuit(root_circuit(), valid=[{"x": 9}], invalid=[{"x": 10}], systems=["groth16"])

The search, `attack_circuit`, has provers who answer hints otherwise, and changed wires. It finds what was left
unconstrained, and proves nothing.
"""

from zkgpu.testing.attack import attack_assignment, attack_circuit
from zkgpu.testing.check import check_circuit
from zkgpu.testing.draws import Draws
from zkgpu.testing.forging import Forger, Lie, Spot, answering
from zkgpu.testing.hints import HintAttack
from zkgpu.testing.jacobian import free_wires
from zkgpu.testing.report import Change, Finding, FreeWire, SoundnessReport

__all__ = [
    "Change",
    "Draws",
    "Finding",
    "Forger",
    "FreeWire",
    "HintAttack",
    "Lie",
    "SoundnessReport",
    "Spot",
    "answering",
    "attack_assignment",
    "attack_circuit",
    "check_circuit",
    "free_wires",
]
