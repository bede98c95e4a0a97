"""One run of the five steps on a model, and the row of figures that it gives."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import numpy as np

from zkgpu.backend import open_backend
from zkgpu.inference import Prover, compile_model, unsafe_setup, values_of, verify

Result = TypeVar("Result")
HEAD = "| model | weights | constraints | compile s | setup s | prove s | memory MB | answers as float | error |"


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What the work returns, and its seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def measure(
    name: str, model: Any, calibration: Any, test: Any, weights: Literal["public", "private"], **options: Any
) -> str:
    """Compiles, sets up, proves twice and verifies; a row of the table of HEAD. The key is for tests only."""
    backend = open_backend()
    compiled, compile_seconds = timed(
        lambda: compile_model(model, calibration, weights=weights, test_data=test, **options)
    )
    circuit, circuit_seconds = timed(lambda: compiled.circuit)
    key, setup_seconds = timed(lambda: unsafe_setup(compiled, backend))
    prover = Prover(compiled, key, backend)
    first = prover.prove(np.asarray(test)[0], clamp=True)  # loads compiled kernels
    again, prove_seconds = timed(lambda: prover.prove(np.asarray(test)[1], clamp=True))
    assert verify(key.verifying_key, first)
    assert verify(key.verifying_key, again)
    assert values_of(key.verifying_key, again)
    (output,) = compiled.accuracy.outputs
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = (
        f"{circuit.r1cs.n_constraints:,}",
        f"{compile_seconds + circuit_seconds:.2f}",
        f"{setup_seconds:.2f}",
        f"{prove_seconds:.3f}",
        f"{memory:.0f}",
        f"{output.agreement:.4f}",
        f"{output.error:.4f}",
    )
    return f"| {name} | {weights} | " + " | ".join(figures) + " |"


def table(name: str, model: Any, calibration: Any, test: Any, **options: Any) -> None:
    """Prints a row for public and one for private weights."""
    print(HEAD)
    print("|---" * HEAD.count(" | ") + "|---|")
    for weights in ("public", "private"):
        print(measure(name, model, calibration, test, weights, **options), flush=True)
