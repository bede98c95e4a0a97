"""What setup, proof and verification of a circuit will cost, before anything long starts.

CPU seconds are those of a server with AVX-512, which `speed_of_this_machine` compares with. Whole commands, with
start-up, opening of files and self-check, are fitted to the large models of `bench/results/large.jsonl`, up to 15
million constraints and 222 million entries: a proof by a key that an earlier one has prepared. A proof alone takes that
but for the start.

Of memory, a proof takes 310 bytes for an element of the domain: three vectors at 40 bytes, tables of roots of 50, and
for the wires, of which there are about as many, the assignment at 32 and what is left of how it came about. Entries lie
in mapped files; a byte for each is what is made of the largest layer's for a while.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from zkgpu.circuits.r1cs import R1CS
from zkgpu.errors import FormatError, UsageError
from zkgpu.evm.gas import transaction_gas
from zkgpu.groth16.contract_commitment import arguments_size, packed_gas
from zkgpu.groth16.room import key_bytes, setup_memory
from zkgpu.ntt.domain import Domain
from zkgpu.records import dataclass
from zkgpu.zkml.calibration import FloatModel
from zkgpu.zkml.check import shapes_of_inputs
from zkgpu.zkml.compiled import CompiledModel
from zkgpu.zkml.compiling import compile_model
from zkgpu.zkml.frontends import as_onnx
from zkgpu.zkml.graph import Shape, Unsupported
from zkgpu.zkml.onnx_model import OnnxModel, Source
from zkgpu.zkml.samples import made_up
from zkgpu.zkml.tally import Size

# CPU seconds of a command, and of a row of the domain, a constraint, a wire, an entry in it
_SETUP = (0.35, 0.2e-6, 10e-6, 1.6e-6, 0.09e-6)
_PROVE = (0.42, 1.4e-6, 2.2e-6, 0.0, 0.044e-6)
_PROOF = (0.04, 1.4e-6, 2.2e-6, 0.0, 0.044e-6)  # of a proof with an open key
_PROVE_MEMORY = (60e6, 310.0, 0.0, 0.0, 1.0)  # bytes, beside what is mapped of files
_THREADS = 0.5  # what a number of threads is raised to: with two, CPU seconds are 1.4 times those of the clock
_REFERENCE = 0.41e-3  # CPU seconds of a transform of _TRANSFORM values
_TRANSFORM, _ODD = 1 << 14, 0x9E3779B97F4A7C15  # values, and what spreads them over 64 bits
_GAS = 256_900  # of a proof with a commitment, the whole transaction
_GAS_PER_INPUT = 7_157  # challenges and digest too
_SAMPLES = 4  # that are made up


@dataclass(frozen=True)
class Costs:
    """Estimated costs.

    Attributes:
        constraints, wires, entries, public: of the R1CS
        setup_seconds, prove_seconds: of whole commands, on all cores of this machine, when it has nothing else to do
        proof_seconds: of a proof alone, where the key is open
        memory: bytes, at the peak of setup or proof
        setup_memory, prove_memory: bytes at the peak of each; of prove, beside files that are mapped
        key_bytes: size of the proving key's file, about
        gas: of the contract's call
        calldata: bytes of it, beside ordinary public inputs
    """

    constraints: int
    wires: int
    entries: int
    setup_seconds: float
    prove_seconds: float
    memory: int
    key_bytes: int
    gas: int
    proof_seconds: float = 0.0
    public: int = 0
    setup_memory: int = 0
    prove_memory: int = 0
    calldata: int = 0


def estimate(circuit: R1CS | Size, speed: float = 1.0, threads: int | None = None) -> Costs:
    """The costs of a circuit, or of one of that size.

    Args:
        speed: of this machine, see `speed_of_this_machine`
        threads: those that will work; all by default
    """
    size = circuit if isinstance(circuit, Size) else _size(circuit)
    domain = 1 << (size.constraints + size.public).bit_length()
    at_once = speed * (threads or os.cpu_count() or 1) ** _THREADS
    counts = 1, domain, size.constraints, size.wires, size.entries
    setup, prove, proof = (_weighted(weights, counts) / at_once for weights in (_SETUP, _PROVE, _PROOF))
    calldata = arguments_size(0, sum(array.packed_size for array in size.arrays))
    memory = setup_memory(domain, size.wires, size.entries), int(_weighted(_PROVE_MEMORY, counts))
    return Costs(
        constraints=size.constraints,
        wires=size.wires,
        entries=size.entries,
        setup_seconds=setup,
        prove_seconds=prove,
        proof_seconds=proof,
        memory=max(memory),
        key_bytes=key_bytes(domain, size.wires),
        gas=transaction_gas(_GAS + _GAS_PER_INPUT * size.public + packed_gas(size.arrays), calldata),
        calldata=calldata,
        public=size.public,
        setup_memory=memory[0],
        prove_memory=memory[1],
    )


def _weighted(weights: tuple[float, ...], counts: tuple[int, ...]) -> float:
    return sum(weight * count for weight, count in zip(weights, counts, strict=True))


def _size(r1cs: R1CS) -> Size:
    entries = sum(len(side.indices) for side in (r1cs.a, r1cs.b, r1cs.c))
    arrays = tuple(array for round_ in r1cs.rounds for array in round_.arrays)
    return Size(r1cs.n_constraints, r1cs.n_wires, entries, r1cs.n_public, arrays)


def estimate_model(
    source: Source, calibration: Any = None, *, shapes: Mapping[str, Shape] | None = None, **options: Any
) -> tuple[CompiledModel, Size]:
    """A model quantized, and the size of its circuit, which is not built.

    Args:
        calibration: as of `compile_model`; without it numbers are made up, which say nothing of accuracy, and little
            of constraints where ranges matter
        shapes: of inputs whose lengths the file leaves open, where there is no calibration
        options: those of `compile_model`

    Raises as `compile_model`.
    """
    if calibration is not None:
        compiled = compile_model(source, calibration, **options)
        return compiled, compiled.account.size
    read = OnnxModel.read(as_onnx(source, options.get("example")))
    given, _ = shapes_of_inputs(read, shapes or {})
    try:
        inputs = FloatModel(read.with_shapes(given)).inputs
        samples = {name: made_up((_SAMPLES, *shape), kind) for name, (shape, kind) in inputs.items()}
        compiled = compile_model(read, samples, **{**options, "allow_error": np.inf})
    except Unsupported:
        raise
    except (FormatError, UsageError) as error:
        raise type(error)(f"with numbers that were made up: {error}: give samples, with --calibrate") from error
    compiled = replace(compiled, accuracy=None)
    return compiled, compiled.account.size


@cache
def speed_of_this_machine() -> float:
    """How many times as fast as the reference a thread of this machine transforms a vector: CPU seconds, the best of 7.

    1 where no kernel was compiled yet, as that would take longer than it is worth.
    """
    from zkgpu.backend import open_backend  # here, as Numba takes a while to load
    from zkgpu.backend.machine import needs_compiling

    if needs_compiling():
        return 1.0
    backend = open_backend("cpu")
    field = backend.curve.scalar_field
    rows = np.arange(1, _TRANSFORM * field.limbs + 1, dtype=np.uint64) * np.uint64(_ODD) >> np.uint64(4)
    vector = backend.vector(rows.reshape(_TRANSFORM, field.limbs))
    domain = Domain(field, _TRANSFORM)
    backend.ntt(vector, domain)
    return _REFERENCE / min(_cpu_seconds(backend.ntt, vector, domain) for _ in range(7))


def _cpu_seconds(function: Any, *arguments: Any) -> float:
    started = time.process_time()
    function(*arguments)
    return time.process_time() - started
