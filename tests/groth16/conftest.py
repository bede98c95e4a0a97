"""Small statements over every backend: x^3 + x + 5 = y for a secret x, and circom's three-constraint multiplier."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from committed_statement import CommittedStatement, make

from tests.devices import gpu
from zkgpu.backend import Backend, open_backend
from zkgpu.circuits import R1CS, Circuit
from zkgpu.fields.field import Limbs
from zkgpu.groth16 import ProvingKey, unsafe_setup
from zkgpu.jit.isa import PORTABLE, supported

CPU_PATHS = sorted({supported()[0].name, PORTABLE.name})  # the laws hold the others to the same
SAMPLES = Path(__file__).parents[1] / "data" / "samples"


@dataclass(frozen=True)
class Statement:
    """A circuit, a witness for it and a key."""

    r1cs: R1CS
    assignment: Limbs
    key: ProvingKey


@pytest.fixture(params=["reference", *(f"cpu-{name}" for name in CPU_PATHS), *gpu()])
def backend(request: pytest.FixtureRequest) -> Backend:
    device, _, instructions = request.param.partition("-")
    return open_backend(device, threads=2, instructions=instructions or None)


@pytest.fixture(scope="session")
def statement() -> Statement:
    """x^3 + x + 5 = y, x = 3 secret, y = 35 public, and a public input `unused` that no constraint reads."""
    circuit = Circuit()
    x, y, unused = circuit.private("x"), circuit.public("y"), circuit.public("unused")
    circuit.assert_equal(x**3 + x + 5, y, label="cubic")
    assert unused.shape == ()
    compiled = circuit.compile()
    assignment = compiled.witness({"x": 3, "y": 35, "unused": 77})
    return Statement(compiled.r1cs, assignment, unsafe_setup(compiled.r1cs, open_backend("reference")))


@pytest.fixture(scope="session")
def samples() -> Path:
    """Files of circom and snarkjs, see tests/data/samples/README.md."""
    return SAMPLES


@pytest.fixture(scope="session")
def committed() -> CommittedStatement:
    """See committed_statement."""
    return make()
