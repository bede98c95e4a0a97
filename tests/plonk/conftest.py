"""Statements, keys and devices for the tests of PLONK."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.devices import gpu
from tests.emulation.driver import EmulatedDriver, compiler
from zkgpu.backend import Backend, open_backend
from zkgpu.backend.cuda import CudaBackend
from zkgpu.circuits import R1CS, Circuit
from zkgpu.curves.bn254 import BN254, Fr
from zkgpu.fields.field import Limbs
from zkgpu.jit.isa import PORTABLE, supported
from zkgpu.plonk import ProvingKey, unsafe_setup
from zkgpu.plonk.prover import Blinding

SAMPLES = Path(__file__).parents[1] / "data" / "samples"
CPU_PATHS = sorted({supported()[0].name, PORTABLE.name})  # the laws hold the others to the same
DEVICES = ["reference", *(f"cpu-{name}" for name in CPU_PATHS), "emulated", *gpu()]


@dataclass(frozen=True)
class Statement:
    """A circuit, a witness for it and a key."""

    r1cs: R1CS
    assignment: Limbs
    key: ProvingKey


@pytest.fixture(scope="session")
def emulated() -> Iterator[CudaBackend]:
    if compiler() is None:
        pytest.skip("the emulation needs g++")
    driver = EmulatedDriver()
    yield CudaBackend(driver, BN254, log_tile=4)
    driver.close()


@pytest.fixture(params=DEVICES)
def backend(request: pytest.FixtureRequest) -> Backend:
    if request.param == "emulated":
        return request.getfixturevalue("emulated")
    device, _, instructions = request.param.partition("-")
    return open_backend(device, threads=2, instructions=instructions or None)


def seeded_blinding(seed: int) -> Blinding:
    """What the sample proofs were blinded with."""
    source = random.Random(seed)
    return Blinding(tuple(source.randrange(Fr.modulus) for _ in range(11)))


@pytest.fixture(scope="session")
def statement() -> Statement:
    """x^3 + x + 5 = y, x = 3 secret, y = 35 public, and a public input that no constraint reads."""
    circuit = Circuit()
    x, y, unused = circuit.private("x"), circuit.public("y"), circuit.public("unused")
    circuit.assert_equal(x**3 + x + 5, y, label="cubic")
    assert unused.shape == ()
    compiled = circuit.compile()
    assignment = compiled.witness({"x": 3, "y": 35, "unused": 77})
    return Statement(compiled.r1cs, assignment, unsafe_setup(compiled.r1cs, open_backend("cpu")))
