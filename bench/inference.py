"""What verifiable inference costs: the examples' models, with public, private and hashed weights.

    python bench/inference.py                                  # all of them
    python bench/inference.py --model cnn --weights private    # one of them

appends a line each to bench/results/inference.jsonl; `python bench/table.py` makes rows of docs/how-to/prove-a-model.md
of them. Each pair of model and weights has a process of its own, so that its peak memory is its own. Compiled kernels
are loaded before anything is timed; seconds of a line are those of a proof, witness and self-check included. Every
proof is checked, changed outputs are refused, and where the circuit has no weights another model's are proven under the
same key. Gas is that of a transaction to the model's contract, where node, solc and pyrevm are there.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "solidity")]

import onnx  # noqa: E402
from harness import Recorder  # noqa: E402
from measuring import measure, seconds_of  # noqa: E402
from onnx import numpy_helper  # noqa: E402

from examples import cnn, dense_classifier, diffusion_step, mlp, transformer_block  # noqa: E402
from examples.measured import Example, timed  # noqa: E402
from zkgpu import Circuit, groth16, open_backend  # noqa: E402
from zkgpu.circuits import gadgets  # noqa: E402
from zkgpu.groth16.keys import VerifyingKey  # noqa: E402
from zkgpu.inference import CompiledModel, Prover, compile_model, unsafe_setup, verify  # noqa: E402
from zkgpu.provers.statement import Statement  # noqa: E402
from zkgpu.solidity import calldata, verifier_source  # noqa: E402

EXAMPLES: dict[str, Callable[[], Example]] = {
    "dense": dense_classifier.example,
    "mlp": mlp.small,
    "cnn": cnn.example,
    "large": mlp.large,
    "transformer": transformer_block.example,
    "diffusion": diffusion_step.example,
}
WEIGHTS = ("public", "private", "hashed")
TOO_LARGE = {("large", "hashed")}  # three million constraints: more memory than most have
THREADS = 2
GAS = 10**8  # that a call may take: with a public image of 224 x 224 it is 17 million
COORDINATE = 32  # bytes
POINTS = {"a": 2, "b": 4, "c": 2, "commitment": 2, "knowledge": 2}  # coordinates of a proof with a commitment


def record(name: str, weights: str) -> None:
    """Compiles, sets up, proves and verifies one model, and records the line."""
    example, backend = EXAMPLES[name](), open_backend(threads=THREADS)
    warm_up(backend)
    compiled, compile_seconds = timed(lambda: compiled_circuit(example, weights))
    key, setup_seconds = timed(lambda: unsafe_setup(compiled, backend))
    prover, inputs = Prover(compiled, key, backend), cycle(example.test)
    proven: list[Statement] = []
    proving = measure(lambda: proven.append(prover.prove(next(inputs), clamp=True)))
    proven += with_other_weights(example, compiled, prover, inputs)
    checked = require_verdicts(key.verifying_key, proven)
    facts = {
        **facts_of_circuit(compiled),
        "compile_seconds": round(compile_seconds, 3),
        "setup_seconds": round(setup_seconds, 3),
        "verify_seconds": round(measure(lambda: verify(key.verifying_key, proven[0])).median, 5),
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10,
        "proof_bytes": COORDINATE * sum(POINTS.values()),
        **on_chain(key.verifying_key, proven[0]),
        **accuracy(compiled, example),
    }
    Recorder("inference").add(
        proving, model=name, title=example.name, weights=weights, threads=THREADS, **facts, checked=checked
    )


def warm_up(backend: Any) -> None:
    """Loads the kernels that circuits with lookups need, by proving a small one."""
    circuit = Circuit()
    gadgets.assert_in_range(circuit.public_array("x", 40, bits=8) * 3, 10)
    compiled = circuit.compile()
    prover = groth16.Prover(groth16.unsafe_setup(compiled.r1cs, backend), backend)
    prover.prove_circuit(compiled, {"x": np.arange(40)})


def compiled_circuit(example: Example, weights: Any) -> CompiledModel:
    """The model with its circuit built."""
    compiled = compile_model(example.model, example.calibration, weights=weights, test_data=example.test)
    _ = compiled.circuit
    return compiled


def with_other_weights(
    example: Example, compiled: CompiledModel, prover: Prover, inputs: Iterator[NDArray[Any]]
) -> list[Statement]:
    """Where the circuit has no weights, a proof of smaller ones under the same key, whose outputs differ."""
    if compiled.visibilities.weights == "public":
        return []
    other, sample = compiled.with_weights(shrunk(example.model)), next(inputs)
    found = [prover.prove(sample, clamp=True, weights=model) for model in (other, compiled)]
    if found[0].packed == found[1].packed:
        raise SystemExit(f"{example.name}: other weights gave the same outputs")
    return found


def shrunk(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with each weight of its matrices and filters made smaller by up to a tenth, at random."""
    other, random = onnx.ModelProto(), np.random.default_rng(7)
    other.CopyFrom(model)
    weights = {node.input[1] for node in model.graph.node if node.op_type in ("Conv", "Gemm", "MatMul")}
    for tensor in other.graph.initializer:
        if tensor.name in weights:
            values = numpy_helper.to_array(tensor)
            smaller = values * random.uniform(0.9, 1, values.shape).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(smaller, tensor.name))
    return other


def require_verdicts(key: VerifyingKey, proven: list[Statement]) -> str:
    """Says what was checked: all proofs are accepted, and none with its last packed value changed by one."""
    for inference in proven:
        changed = inference.packed[:-1] + bytes([inference.packed[-1] ^ 1])
        if not verify(key, inference) or verify(key, replace(inference, packed=changed)):
            raise SystemExit("a proof got the wrong verdict")
    return f"{len(proven)} proofs of other inputs and weights accepted, each refused with an output changed"


def facts_of_circuit(compiled: CompiledModel) -> dict[str, int]:
    r1cs = compiled.circuit.r1cs
    return {
        "constraints": r1cs.n_constraints,
        "wires": r1cs.n_wires,
        "committed": r1cs.n_committed,
        "public_values": sum(array.size for round_ in r1cs.rounds for array in round_.arrays),
    }


def accuracy(compiled: CompiledModel, example: Example) -> dict[str, float | int]:
    """On the example's test samples: how many have the float model's largest output, and the mean relative error."""
    assert compiled.accuracy is not None
    (output,) = compiled.accuracy.outputs
    samples = len(example.test)
    return {
        "classifier": example.classifier,
        "agreeing": round(output.agreement * samples),
        "samples": samples,
        "error": round(output.error, 5),
    }


def on_chain(key: VerifyingKey, inference: Statement, refused: Sequence[Statement] = ()) -> dict[str, int | None]:
    """Gas of the transaction that verifies, deployment, and bytes of code; None where an EVM or solc is missing.

    Raises SystemExit unless the contract accepts the one statement, and none of those that are to be refused.
    """
    try:
        from contracts import compile_sources
        from evm import TRUE, Contract

        code = bytes.fromhex(compile_sources({"Verifier": verifier_source(key)})["Verifier"])
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError):
        return {"gas": None, "deploy_gas": None, "runtime_bytes": None}
    contract = Contract(code)
    wrong, right = [
        [contract.call(calldata(s.proof, s.public_inputs, "verifyProof", s.packed), gas=GAS) for s in statements]
        for statements in (refused, [inference])
    ]
    if right != [TRUE]:
        raise SystemExit("the contract refuses a valid proof")
    if TRUE in wrong:
        raise SystemExit("the contract accepts a changed answer")
    return {"gas": contract.gas_used, "deploy_gas": contract.deploy_gas, "runtime_bytes": contract.runtime_size}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", choices=EXAMPLES, action="append", help="only this model; may be given several times"
    )
    parser.add_argument("--weights", choices=WEIGHTS, help="only with these weights")
    parser.add_argument("--here", action="store_true", help="in this process: for a profile")
    chosen = parser.parse_args()
    pairs = [(m, w) for m in chosen.model or EXAMPLES for w in WEIGHTS if chosen.weights in (None, w)]
    pairs = [pair for pair in pairs if pair not in TOO_LARGE or chosen.weights]
    for model, weights in pairs:
        if chosen.here:
            record(model, weights)
        else:
            one = [sys.executable, __file__, "--here", "--model", model, "--weights", weights]
            print(f"{seconds_of(partial(subprocess.run, one, check=True)):>80.1f} s in all", flush=True)


if __name__ == "__main__":
    main()
