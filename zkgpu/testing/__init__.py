"""Testing circuits: a search for second witnesses, by provers who answer hints otherwise and by changed wires.

    from zkgpu.testing import assert_sound

    def test_a_root_is_determined():
        assert_sound(root_circuit(), {"x": 9})

It finds what was left unconstrained, and proves nothing: see check_circuit.
"""

from zkgpu.testing.check import assert_sound, check_assignment, check_circuit
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
    "assert_sound",
    "check_assignment",
    "check_circuit",
    "free_wires",
]
