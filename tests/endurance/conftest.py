"""A statement small enough to prove a thousand times: x^3 + x + 5 = y."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from zkgpu.backend import open_backend
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.groth16 import ProvingKey, unsafe_setup


@dataclass(frozen=True)
class Statement:
    """A circuit of x^degree = y, and a key for it."""

    circuit: CompiledCircuit
    key: ProvingKey
    degree: int

    def inputs(self, x: int) -> dict[str, object]:
        return {"x": x, "y": x**self.degree}


def power(degree: int) -> Statement:
    circuit = Circuit()
    x, y = circuit.private("x"), circuit.public("y")
    circuit.assert_equal(x**degree, y)
    compiled = circuit.compile()
    return Statement(compiled, unsafe_setup(compiled.r1cs, open_backend("cpu")), degree)


@pytest.fixture(scope="module")
def cubic() -> Statement:
    return power(3)


@pytest.fixture(scope="module")
def powers() -> list[Statement]:
    """Eight circuits of different sizes."""
    return [power(degree) for degree in (3, 5, 17, 33, 64, 100, 200, 250)]
