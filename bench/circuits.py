"""What circuits cost before any proving: seconds to write and compile one, and to compute and check a witness.

`python bench/circuits.py` prints a table and appends one JSON line a row to bench/results/circuits.jsonl: medians of
five runs after one to warm up, each run checked against Python's or NumPy's own result.
"""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from zkgpu.circuits import Circuit, CompiledCircuit, stack
from zkgpu.circuits.gadgets import poseidon, poseidon_hash
from zkgpu.curves.bn254 import Fr

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "circuits.jsonl"
RUNS = 5

Case = tuple[Callable[[], CompiledCircuit], dict[str, object], list[int]]


def poseidon_hashes(inputs: int) -> Case:
    """One hash."""
    x = list(range(inputs))

    def build() -> CompiledCircuit:
        c = Circuit()
        c.output("y", poseidon(c.private("x", inputs)))
        return c.compile()

    return build, {"x": x}, [poseidon_hash(x)]


def poseidon_chain(length: int) -> Case:
    """Hashes of two inputs, each taking the one before."""

    def build() -> CompiledCircuit:
        c = Circuit()
        node = c.private("x")
        for i in range(length):
            node = poseidon(stack([node, c.constant(i)]))
        c.output("y", node)
        return c.compile()

    expected = 5
    for i in range(length):
        expected = poseidon_hash([expected, i])
    return build, {"x": 5}, [expected]


def products(n: int) -> Case:
    """n independent products."""
    a, b = np.arange(n), np.arange(n)[::-1]

    def build() -> CompiledCircuit:
        c = Circuit()
        c.output("y", c.private("a", n) * c.private("b", n))
        return c.compile()

    return build, {"a": a, "b": b}, (a * b).tolist()


def matrix_vector(rows: int, columns: int, private: bool) -> Case:
    """A vector times a matrix of 8-bit weights."""
    rng = np.random.default_rng(1)
    x, weights = rng.integers(-128, 128, rows), rng.integers(-128, 128, (rows, columns))

    def build() -> CompiledCircuit:
        c = Circuit()
        c.output("y", c.private("x", rows) @ (c.private("weights", (rows, columns)) if private else weights))
        return c.compile()

    inputs: dict[str, object] = {"x": x, "weights": weights} if private else {"x": x}
    return build, inputs, [v % Fr.modulus for v in (x @ weights).tolist()]


CASES: dict[str, Callable[[], Case]] = {
    **{f"Poseidon of {n}": partial(poseidon_hashes, n) for n in (1, 2, 4, 16)},
    "270 chained Poseidon hashes": partial(poseidon_chain, 270),
    "1,000,000 products": partial(products, 1_000_000),
    "784 x 1024 private weights": partial(matrix_vector, 784, 1024, True),
    "784 x 1024 constant weights": partial(matrix_vector, 784, 1024, False),
}


def measure(name: str, case: Case) -> dict[str, object]:
    build, inputs, expected = case
    compile_seconds, witness_seconds = [], []
    for _ in range(RUNS + 1):
        start = perf_counter()
        compiled = build()
        compile_seconds.append(perf_counter() - start)
        start = perf_counter()
        assignment = compiled.witness(inputs)
        witness_seconds.append(perf_counter() - start)
        if compiled.value("y", assignment).ravel().tolist() != expected:
            raise SystemExit(f"{name}: the witness is wrong")
    r1cs = compiled.r1cs
    return {
        "circuit": name,
        "constraints": r1cs.n_constraints,
        "terms": [r1cs.a.entries, r1cs.b.entries, r1cs.c.entries],
        "compile_seconds": round(median(compile_seconds[1:]), 4),
        "witness_seconds": round(median(witness_seconds[1:]), 4),
        "checked": True,
    }


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    context = {"bench": "circuits", "commit": commit.stdout.strip(), "machine": _machine(), "device": "cpu, one thread"}
    print(f"{'circuit':30}{'constraints':>12}{'terms of A, B, C':>30}{'compile s':>12}{'witness s':>12}")
    with RESULTS.open("a") as file:
        for name, make in CASES.items():
            row = measure(name, make())
            print("{circuit:30}{constraints:12,}{terms!s:>30}{compile_seconds:12}{witness_seconds:12}".format(**row))
            file.write(json.dumps(context | row) + "\n")


if __name__ == "__main__":
    main()
