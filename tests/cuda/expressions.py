"""The expressions that provers, setups and self-tests trace, found by running them on a CPU that keeps a record.

`python -m tests.cuda.expressions` writes them to cuda/expressions.txt, whose kernels are compiled ahead of time.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.groth16.committed_statement import INPUTS, squares
from zkgpu import groth16, plonk
from zkgpu.backend.auto import require_right_results
from zkgpu.backend.cpu import CpuBackend
from zkgpu.backend.expression import trace
from zkgpu.ceremony.powers import verify_powers
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.circuits import Circuit, CompiledCircuit
from zkgpu.cli.machine import self_test
from zkgpu.cli.warm import warm_group, warm_system
from zkgpu.curves.bn254 import BN254
from zkgpu.errors import UnsatisfiedError
from zkgpu.gpu.catalogue import EXPRESSIONS
from zkgpu.gpu.source import folder
from zkgpu.systems.registry import system

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "zkgpu"
ROOMS = ("groth16", "plonk", "poly", "ceremony", "inference", "cli", "backend/auto.py")
HEADER = """\
// The kernels of the expressions that provers, setups and self-tests trace (zkgpu/backend/expression.py), which are
// compiled ahead of time with all others. Written by `python -m tests.cuda.expressions`.
"""

Site = tuple[str, int]


class Recorder(CpuBackend):
    """The CPU, and which expressions it got from which lines."""

    def __init__(self) -> None:
        super().__init__(BN254)
        self.texts: set[str] = set()
        self.sites: set[Site] = set()

    def pointwise(self, f: Callable[..., Any], *vectors: Any, in_place: bool = False) -> Any:
        self.texts.add(trace(f, len(vectors)).text)
        caller = sys._getframe(1)
        self.sites.add((str(Path(caller.f_code.co_filename).relative_to(PACKAGE)), caller.f_lineno))
        return super().pointwise(f, *vectors, in_place=in_place)


def record() -> Recorder:
    """What everything that runs on a device evaluates."""
    recorder = Recorder()
    require_right_results(recorder)  # type: ignore[arg-type]
    self_test(recorder)
    warm_system(recorder, system("plonk"))
    for group in (BN254.g1, BN254.g2):
        warm_group(recorder, group)
    powers = read_ptau(TESTS / "data" / "samples" / "pot6_final.ptau")
    for log_size in (0, 3, powers.power):
        verify_powers(powers, log_size, recorder)
    for circuit, inputs in statements():
        _run_groth16(recorder, circuit, inputs, powers)
        _run_plonk(recorder, circuit, inputs, powers)
    committed = squares()
    groth16.Prover(groth16.unsafe_setup(committed.r1cs, recorder), recorder).prove_circuit(committed, INPUTS)
    return recorder


def statements() -> Iterator[tuple[CompiledCircuit, dict[str, Any]]]:
    """Circuits from the smallest on, with none and several public inputs, and sums that PLONK cuts."""
    for n, public in ((1, 0), (1, 1), (4, 3), (9, 2)):
        circuit = Circuit()
        x = circuit.private("x", shape=n)
        for k in range(public):
            circuit.assert_equal(circuit.public(f"y{k}"), x[0] + k)
        circuit.assert_equal(x * x, x.sum() * x[0] - x * (n - 1))
        yield circuit.compile(), {"x": [1] * n, **{f"y{k}": 1 + k for k in range(public)}}


def _run_groth16(recorder: Recorder, circuit: CompiledCircuit, inputs: dict[str, Any], powers: Any) -> None:
    for key in (groth16.unsafe_setup(circuit.r1cs, recorder), groth16.setup(circuit.r1cs, powers, recorder)):
        groth16.Prover(key, recorder).prove(circuit.witness(inputs))


def _run_plonk(recorder: Recorder, circuit: CompiledCircuit, inputs: dict[str, Any], powers: Any) -> None:
    witness = circuit.witness(inputs)
    for key in (plonk.unsafe_setup(circuit.r1cs, recorder), plonk.setup(circuit.r1cs, powers, recorder)):
        plonk.Prover(key, recorder).prove(witness)
    false = witness.copy()
    false[-1, 0] += 1
    with suppress(UnsatisfiedError):
        plonk.Prover(key, recorder).prove(false)


def sites() -> set[Site]:
    """Every line of the package that gives a backend an expression."""
    found = set()
    for room in ROOMS:
        for path in [PACKAGE / room] if room.endswith(".py") else (PACKAGE / room).rglob("*.py"):
            calls = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
            named = (c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "pointwise")
            found |= {(str(path.relative_to(PACKAGE)), call.lineno) for call in named}
    return found


def main() -> None:
    texts = sorted(record().texts, key=lambda text: (len(text), text))
    (folder() / EXPRESSIONS).write_text("\n".join([HEADER, *texts]), encoding="utf-8")


if __name__ == "__main__":
    main()
