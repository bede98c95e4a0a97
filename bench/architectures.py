"""What the architectures that people bring cost, and how near their proofs are to the float model's answers.

    python bench/architectures.py                         # all of them, each in a process of its own
    python bench/architectures.py lenet unet              # these
    python bench/architectures.py lenet --weights private
    python bench/architectures.py --list                  # their names

appends a line each to bench/results/architectures.jsonl. `models/` builds them, with random weights and the nodes that
exporters write. A model is compiled with the limit on error that every model has, calibrated with some samples and
tested with others; set up with a key that is for tests only; proven and verified. What a proof shows must be what the
integer model computes, about what onnxruntime gives, and must not verify when it is changed. A model that fails is one
line on standard error, and the exit code 1.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from harness import Recorder
from inference import WEIGHTS, require_verdicts, warm_up
from measuring import measure, seconds_of
from models import Architecture, builders

from examples.measured import timed
from zkgpu import open_backend
from zkgpu.errors import ZkgpuError
from zkgpu.inference import CompiledModel, Prover, compile_model, unsafe_setup, values_of, verify

CALIBRATION, TEST = 48, 32  # samples
PROOFS = 3
FARTHEST = 0.15  # share of the output's size that one proven sample may be from onnxruntime's answer
THREADS = 2


def record(name: str, weights: Any) -> None:
    """Compiles, sets up, proves and verifies one model, and records the line. Raises SystemExit for a wrong result."""
    architecture, backend = Architecture(*builders()[name]()), open_backend(threads=THREADS)
    warm_up(backend)
    samples = [architecture.draw(count, np.random.default_rng(seed)) for seed, count in ((1, CALIBRATION), (2, TEST))]
    compiled, compile_seconds = timed(lambda: compiled_circuit(architecture, weights, *samples))
    key, setup_seconds = timed(lambda: unsafe_setup(compiled, backend))
    prover, tests = Prover(compiled, key, backend), cycle([sample_of(samples[1], i) for i in range(PROOFS)])
    proven: list[tuple[Any, Any]] = []

    def prove() -> None:
        sample = next(tests)
        proven.append((sample, prover.prove(sample, clamp=True)))

    proving = measure(prove, repeats=PROOFS)
    checked = require_verdicts(key.verifying_key, [statement for _, statement in proven])
    for sample, statement in proven[:PROOFS]:
        require_answers(architecture, compiled, sample, values_of(key.verifying_key, statement))
    statement = proven[0][1]
    facts = {
        **facts_of(compiled),
        "compile_seconds": round(compile_seconds, 3),
        "setup_seconds": round(setup_seconds, 3),
        "verify_seconds": round(measure(lambda: verify(key.verifying_key, statement)).median, 5),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
    }
    Recorder("architectures").add(
        proving, model=name, weights=weights, threads=THREADS, **facts, checked=f"{checked}; outputs as the models'"
    )


def compiled_circuit(architecture: Architecture, weights: Any, calibration: Any, test: Any) -> CompiledModel:
    """The model with its circuit built."""
    compiled = compile_model(
        architecture.model, calibration, weights=weights, test_data=test, **dict(architecture.options)
    )
    _ = compiled.circuit
    return compiled


def facts_of(compiled: CompiledModel) -> dict[str, Any]:
    """Sizes, and how far the integers are from the floats on samples that the calibration has not seen."""
    r1cs, accuracy = compiled.circuit.r1cs, compiled.accuracy
    assert accuracy is not None
    return {
        "parameters": compiled.model.n_weights,
        "constraints": r1cs.n_constraints,
        "wires": r1cs.n_wires,
        "entries": sum(len(side.indices) for side in (r1cs.a, r1cs.b, r1cs.c)),
        "error": round(accuracy.worst_output.error, 5),
        "agreement": round(min(output.agreement for output in accuracy.outputs), 4),
        "samples": accuracy.samples,
    }


def sample_of(samples: Any, i: int) -> Any:
    return {name: array[i] for name, array in samples.items()} if isinstance(samples, Mapping) else samples[i]


def require_answers(architecture: Architecture, compiled: CompiledModel, sample: Any, shown: Mapping[str, Any]) -> None:
    """Raises SystemExit unless a proof shows what the integer model computes, and about what onnxruntime does."""
    integers, wanted = compiled.run(compiled.quantized(sample, clamp=True), clamp=True), answers(architecture, sample)
    named = {o.name for o in compiled.accuracy.outputs if o.named} if compiled.accuracy else set()
    for tensor in compiled.model.outputs:
        value = shown[tensor.name]
        if not np.array_equal(value, integers[tensor.name]):
            raise SystemExit(f"the proof shows another '{tensor.name}' than the integer model computes")
        floats = np.asarray(wanted[tensor.name], dtype=np.float64).reshape(value.shape)
        distance = np.linalg.norm(value * tensor.scale - floats) / (np.linalg.norm(floats) or 1.0)
        if tensor.name not in named and not distance <= FARTHEST:
            raise SystemExit(f"the proven '{tensor.name}' is {distance:.1%} from onnxruntime's")


def answers(architecture: Architecture, sample: Any) -> dict[str, Any]:
    """What onnxruntime gives for one sample, by output."""
    import onnxruntime

    session = onnxruntime.InferenceSession(architecture.model.SerializeToString(), providers=["CPUExecutionProvider"])
    given = sample if isinstance(sample, Mapping) else {session.get_inputs()[0].name: sample}
    fed = {}
    for info in session.get_inputs():
        shape = [d if isinstance(d, int) else 1 for d in info.shape]
        kind = TYPES.get(info.type, np.float32)
        fed[info.name] = np.asarray(given[info.name]).reshape(shape).astype(kind)
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, fed), strict=True))


TYPES: Mapping[str, Any] = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(bool)": np.bool_}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these models")
    parser.add_argument("--weights", choices=WEIGHTS, default="public")
    parser.add_argument("--list", action="store_true", help="print the names alone")
    parser.add_argument("--here", action="store_true", help="in this process: for a profile")
    chosen, known = parser.parse_args(), builders()
    if chosen.list:
        print("\n".join(known))
        return 0
    for name in set(chosen.names) - set(known):
        parser.error(f"no model '{name}': there are {', '.join(known)}")
    failed = [name for name in chosen.names or known if not (tried if chosen.here else alone)(name, chosen.weights)]
    return 1 if failed else 0


def alone(name: str, weights: str) -> bool:
    """Whether the model passes, in a process of its own, whose peak memory is then its own."""
    command = [sys.executable, __file__, "--here", name, "--weights", weights]
    done: list[subprocess.CompletedProcess[bytes]] = []
    seconds = seconds_of(lambda: done.append(subprocess.run(command, check=False)))
    if done[0].returncode not in (0, 1):  # a crash, or killed: it has given no reason of its own
        print(f"{name}: the process ended with {done[0].returncode}", file=sys.stderr)
    print(f"{seconds:>80.1f} s in all", flush=True)
    return done[0].returncode == 0


def tried(name: str, weights: str) -> bool:
    """Whether the model passes; else why not, in one line."""
    try:
        record(name, weights)
    except (ZkgpuError, SystemExit, MemoryError) as error:
        print(f"{name}: {str(error) or type(error).__name__}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
