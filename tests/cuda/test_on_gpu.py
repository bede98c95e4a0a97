"""What only a GPU can show beside the laws, which run there too; skipped, with the reason, where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from tests.devices import no_gpu
from zkgpu.backend import open_backend
from zkgpu.backend.auto import describe_gpu, gpu_problem
from zkgpu.circuits import Circuit
from zkgpu.curves.bn254 import Fr
from zkgpu.groth16 import Prover, unsafe_setup
from zkgpu.groth16.prover import Blinding
from zkgpu.ntt.domain import Domain

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(no_gpu() is not None, reason=str(no_gpu()))]


def test_auto_takes_the_gpu_and_describes_it() -> None:
    assert gpu_problem() is None
    assert describe_gpu().startswith("cuda:0: ")
    assert open_backend().name == "cuda:0"


def test_a_transform_of_many_blocks_comes_back_as_it_went() -> None:
    backend, domain = open_backend("cuda"), Domain(Fr, 1 << 18)
    limbs = np.random.default_rng(1).integers(0, 1 << 60, (domain.size, 4), dtype=np.uint64)
    assert np.array_equal(backend.limbs(backend.intt(backend.ntt(backend.vector(limbs), domain), domain)), limbs)


def test_a_proof_of_thousands_of_constraints_is_that_of_the_cpu() -> None:
    circuit = Circuit()
    x = circuit.private("x", shape=5000)
    circuit.output("y", (x * x * x).sum())
    compiled = circuit.compile()
    assignment = compiled.witness({"x": range(5000)})
    gpu, cpu = open_backend("cuda"), open_backend("cpu")
    key, blinding = unsafe_setup(compiled.r1cs, gpu), Blinding(12, 34)
    right = Prover(key, cpu).prove(assignment, _blinding=blinding)
    prover = Prover(key, gpu)
    for _ in range(3):
        assert prover.prove(assignment, _blinding=blinding) == right
