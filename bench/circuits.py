"""What circuits cost before any proving: seconds to write and compile one, and to compute and check a witness.

`python bench/circuits.py` prints a table and appends to bench/results/circuits.jsonl: medians of five runs after one to
warm up, each run checked against Python's or NumPy's own result.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from harness import Recorder
from measuring import REPEATS, Measurement, measure_once

from zkgpu.circuits import Circuit, CompiledCircuit, stack
from zkgpu.circuits.gadgets import poseidon, poseidon_hash
from zkgpu.curves.bn254 import Fr
from zkgpu.fields.field import Limbs

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


def run_once(name: str, case: Case) -> dict[str, Measurement]:
    """Seconds to compile, and to compute a witness, which is checked."""
    build, inputs, expected = case
    circuits: list[CompiledCircuit] = []
    compiling = measure_once(lambda: circuits.append(build()))
    assignments: list[Limbs] = []
    solving = measure_once(lambda: assignments.append(circuits[0].witness(inputs)))
    if circuits[0].value("y", assignments[0]).ravel().tolist() != expected:
        raise SystemExit(f"{name}: the witness is wrong")
    return {"compile": compiling, "witness": solving}


def main() -> None:
    recorder = Recorder("circuits")
    for name, make in CASES.items():
        case = make()
        r1cs = case[0]().r1cs
        terms = [r1cs.a.entries, r1cs.b.entries, r1cs.c.entries]
        rounds = [run_once(name, case) for _ in range(REPEATS + 1)]
        for step in rounds[0]:
            taken = Measurement.joined([each[step] for each in rounds[1:]])
            facts = {"circuit": name, "constraints": r1cs.n_constraints, "terms": terms}
            recorder.add(taken, step=step, **facts, checked=True)


if __name__ == "__main__":
    main()
