"""One run of the five steps on a model, and the row of figures that it gives."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import onnx
from numpy.typing import NDArray

from zkgpu.backend import open_backend
from zkgpu.inference import Prover, compile_model, unsafe_setup, values_of, verify

Result = TypeVar("Result")
HEAD = "| model | weights | constraints | compile s | setup s | prove s | memory MB | answers as float | error |"


@dataclass(frozen=True)
class Example:
    """A model, and samples with a first axis that counts them: to calibrate by, and to test with.

    Attributes:
        calibration, test: (samples, ...) floats
        classifier: whether its answer is the largest output's place
    """

    name: str
    model: onnx.ModelProto
    calibration: NDArray[Any]
    test: NDArray[Any]
    classifier: bool = False


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What the work returns, and its seconds."""
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def measure(example: Example, weights: Literal["public", "private"]) -> str:
    """Compiles, sets up, proves twice and verifies; a row of the table of HEAD. The key is for tests only."""
    backend, test = open_backend(), example.test
    compiled, compile_seconds = timed(
        lambda: compile_model(example.model, example.calibration, weights=weights, test_data=test)
    )
    circuit, circuit_seconds = timed(lambda: compiled.circuit)
    key, setup_seconds = timed(lambda: unsafe_setup(compiled, backend))
    prover = Prover(compiled, key, backend)
    first = prover.prove(test[0], clamp=True)  # loads compiled kernels
    again, prove_seconds = timed(lambda: prover.prove(test[1], clamp=True))
    assert verify(key.verifying_key, first)
    assert verify(key.verifying_key, again)
    assert values_of(key.verifying_key, again)
    assert compiled.accuracy is not None  # there is test data
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
    return f"| {example.name} | {weights} | " + " | ".join(figures) + " |"


def table(example: Example) -> None:
    """Prints a row for public and one for private weights."""
    print(HEAD)
    print("|---" * HEAD.count(" | ") + "|---|")
    for weights in ("public", "private"):
        print(measure(example, weights), flush=True)
