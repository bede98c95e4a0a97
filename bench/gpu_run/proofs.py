"""Whole proofs on a device: verified by their prover, timed, with their stages and kernels.

Circuits are not checked before a proof: that is the CPU's work, and the proof says whether they hold.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from gpu_run.checks import random_scalars
from gpu_run.devices import EMULATED, ObservedDriver, backend_on
from gpu_run.results import ROOT, Results
from zkgpu.backend.protocol import opaque
from zkgpu.circuits import Circuit
from zkgpu.curves.bn254 import Fr
from zkgpu.stages import listening

Left = Callable[[], float]
Work = tuple[str, Callable[[], object]]
NEEDED = {20: 20.0, 22: 30.0}  # seconds below which a circuit of this size is not begun
HASHED = 20  # the largest circuit of hashes: Python makes their wires one by one
GROTH16, PLONK = (12, 14, 16, 18, 20, 22), 16


def groth16(driver: ObservedDriver, results: Results, left: Left) -> Iterator[Work]:
    for k in (4,) if EMULATED else GROTH16:
        if left() > NEEDED.get(k, 5.0):
            yield f"groth16 of 2^{k}", partial(_groth16, driver, results, k)


def _groth16(driver: ObservedDriver, results: Results, log_size: int) -> None:
    from zkgpu.groth16 import Prover, unsafe_setup

    steps, backend = Steps(), opaque(backend_on(driver))
    kind, (circuit, inputs) = _circuit(log_size)
    compiled = steps.take("circuit_s", circuit.compile)
    assignment = steps.take("witness_s", lambda: compiled.witness(inputs))
    key = steps.take("setup_s", lambda: unsafe_setup(compiled.r1cs, backend))
    prover = steps.take("load_s", lambda: Prover(key, backend))
    facts = {"circuit": kind, "log_size": log_size, **steps.seconds}
    record(driver, results, lambda: prover.prove(assignment), primitive="groth16", **facts)


def _circuit(log_size: int) -> tuple[str, tuple[Circuit, dict[str, Any]]]:
    if EMULATED:
        return "squares", _squares(log_size)
    return ("chain", _hashes(log_size)) if log_size <= HASHED else ("products", _products(log_size))


def _products(log_size: int) -> tuple[Circuit, dict[str, Any]]:
    """x^3 + x of many values, all of whose constraints and Groth16's own just fit; and its inputs."""
    n, circuit = (1 << log_size - 1) - 2, Circuit()
    x = circuit.private("x", shape=n)
    circuit.output("sum", (x * x * x + x).sum())
    return circuit, {"x": Fr.from_limbs(random_scalars(n, 1))}


def _hashes(log_size: int) -> tuple[Circuit, dict[str, int]]:
    """A chain of Poseidon hashes, and its inputs."""
    from chain import chain, hashes_for, inputs_for

    return chain(hashes_for(log_size)), inputs_for(hashes_for(log_size))


def _squares(log_rows: int) -> tuple[Circuit, dict[str, int]]:
    """x -> x^2 + 3 x + step over and over, and its inputs."""
    from plonk import INPUTS, chain

    return chain(log_rows), INPUTS


def plonk(driver: ObservedDriver, results: Results, left: Left) -> Iterator[Work]:
    yield "plonk", lambda: _plonk(driver, results, 4 if EMULATED else PLONK)


def _plonk(driver: ObservedDriver, results: Results, log_size: int) -> None:
    from zkgpu.plonk import Prover, unsafe_setup

    steps, backend = Steps(), opaque(backend_on(driver))
    circuit, inputs = _squares(log_size)
    compiled = steps.take("circuit_s", circuit.compile)
    assignment = compiled.witness(inputs)
    key = steps.take("setup_s", lambda: unsafe_setup(compiled.r1cs, backend))
    prover = steps.take("load_s", lambda: Prover(key, backend))
    record(driver, results, lambda: prover.prove(assignment), primitive="plonk", log_size=log_size, **steps.seconds)


def zkml(driver: ObservedDriver, results: Results, left: Left) -> Iterator[Work]:
    for name in ("tiny",) if EMULATED else ("dense", "cnn"):
        yield f"model {name}", partial(_zkml, driver, results, name)


def _zkml(driver: ObservedDriver, results: Results, name: str) -> None:
    """A proof of a model's output, its weights private."""
    from zkgpu.inference import Prover, compile_model, unsafe_setup

    model, samples = _model(name)
    steps, backend = Steps(), opaque(backend_on(driver))
    compiled = steps.take("compile_s", lambda: compile_model(model, samples, weights="private"))
    key = steps.take("setup_s", lambda: unsafe_setup(compiled, backend))
    prover = steps.take("load_s", lambda: Prover(compiled, key, backend))
    facts = {"model": name, "constraints": compiled.circuit.r1cs.n_constraints, **steps.seconds}
    record(driver, results, lambda: prover.prove(samples[0], clamp=True), primitive="zkml", **facts)


def _model(name: str) -> tuple[Any, Any]:
    """A model, and 20 samples of what it takes: drawn at random, as nothing is learnt from them."""
    import onnx

    from examples.networks import perceptron

    if name == "tiny":
        model, shape = perceptron([np.eye(2)], [np.zeros(2)]), (2,)
    else:  # classifiers of digits, 8 by 8 pixels from 0 to 16
        model = onnx.load(ROOT / "examples" / "models" / f"digits_{name}.onnx")
        shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim[1:])
    return model, np.random.default_rng(1).integers(0, 17, (20, *shape)).astype(np.float32)


WORK: dict[str, Callable[[ObservedDriver, Results, Left], Iterator[Work]]] = {
    "groth16": groth16,
    "zkml": zkml,
    "plonk": plonk,
}


class Steps:
    """Seconds of what comes before a proof."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def take(self, name: str, run: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = run()
        self.seconds[name] = round(time.perf_counter() - began, 3)
        return result


def record(driver: ObservedDriver, results: Results, prove: Callable[[], object], **facts: object) -> None:
    """A line: seconds of a proof, which its prover has verified, then of its stages and of its kernels."""
    taken = driver.timed(prove)
    stages: dict[str, float] = defaultdict(float)

    def heard(name: str, seconds: float | None) -> None:
        stages[name] += seconds or 0.0

    with listening(heard):
        prove()
    in_ms = {name: round(seconds * 1e3, 3) for name, seconds in stages.items()}
    results.add(**facts, **taken.facts(), stages_ms=in_ms, kernels=driver.observed(prove), checked=True)
