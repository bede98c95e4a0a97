"""How much memory a setup and a proof take beside mapped files, in bytes a constraint.

`python bench/memory.py [--circuit chain|lookups] [--sizes 16 18] [--quick]` sets up a circuit that fills a domain of
2^k, then opens its key in a process of its own, and proves twice. It prints, and appends to bench/results/memory.jsonl,
a line a step: the peak of the pages that no file backs (RssAnon), less what the process had before, over the number of
constraints. A first opening makes the prepared key in the cache folder, the second one maps it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from chain import chain, hashes_for, inputs_for

from zkgpu import Circuit, open_backend
from zkgpu.circuits import CompiledCircuit
from zkgpu.circuits.gadgets import Table
from zkgpu.groth16 import Prover, unsafe_setup
from zkgpu.groth16.zkey import read_zkey, write_zkey
from zkgpu.stages import listening

RESULTS = Path(__file__).parent / "results" / "memory.jsonl"
SIZES, SMALL = (16, 18, 20), (12,)
ROWS = 1 << 12  # of the table that lookups meet
INTERVAL = 0.002  # seconds between two looks at the process


def anonymous_bytes() -> int:
    """Pages of this process that no file backs."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) << 10
    raise SystemExit("this system does not tell what a process has in memory: Linux does")


@dataclass
class Peak:
    """The most that was seen while it watched, beside what there was at first; seconds by clock and processor."""

    before: int = field(default_factory=anonymous_bytes)
    most: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    stages: dict[str, int] = field(default_factory=dict)
    _within: list[str] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        with listening(self._on_stage):
            yield from self._watched()

    def _on_stage(self, name: str, seconds: float | None) -> None:
        if seconds is None:
            self._within.append(name)
        else:
            self._within.remove(name)

    def _watched(self) -> Iterator[None]:
        over, began = threading.Event(), (time.perf_counter(), time.process_time())
        watcher = threading.Thread(target=self._watch, args=(over,))
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()
            self.seconds, self.cpu_seconds = time.perf_counter() - began[0], time.process_time() - began[1]

    def _watch(self, over: threading.Event) -> None:
        while True:
            now = anonymous_bytes() - self.before
            self.most = max(self.most, now)
            for name in self._within[-1:]:
                self.stages[name] = max(self.stages.get(name, 0), now)
            if over.wait(INTERVAL):
                return


def lookups(log_size: int) -> Circuit:
    """Values of 12 bits, each looked up beside its square's: nearly all of its wires follow from challenges."""
    circuit, rows = Circuit(), range(ROWS)
    x = circuit.private("x", (lookups_for(log_size),))
    Table("squares", [list(rows), [row * row for row in rows]]).look_up(x, x * x)
    return circuit


def lookups_for(log_size: int) -> int:
    """How many values fit a domain of 2^log_size: three constraints each, one for a row, and a few."""
    return ((1 << log_size) - ROWS - 64) // 3


def circuit_of(name: str, log_size: int) -> tuple[Circuit, Mapping[str, object]]:
    if name == "chain":
        hashes = hashes_for(log_size)
        return chain(hashes), inputs_for(hashes)
    return lookups(log_size), {"x": np.random.default_rng(1).integers(0, ROWS, lookups_for(log_size))}


def report(what: str, name: str, log_size: int, constraints: int, peak: Peak) -> None:
    line = {
        "bench": "memory",
        "step": what,
        "circuit": name,
        "log_size": log_size,
        "constraints": constraints,
        "bytes_a_constraint": round(peak.most / constraints, 1),
        "seconds": round(peak.seconds, 3),
        "cpu_seconds": round(peak.cpu_seconds, 3),
        "stages": {name: round(most / constraints, 1) for name, most in peak.stages.items()},
    }
    print(json.dumps(line), flush=True)


def set_up(name: str, log_size: int, path: Path) -> None:
    backend = open_backend("cpu")
    compiled = circuit_of(name, log_size)[0].compile()
    unsafe_setup(circuit_of(name, 10 if name == "chain" else 14)[0].compile().r1cs, backend)  # compiles what it needs
    peak = Peak()
    with peak.watching():
        write_zkey(path, unsafe_setup(compiled.r1cs, backend))
    report("setup", name, log_size, compiled.r1cs.n_constraints, peak)


def prove(name: str, log_size: int, path: Path) -> None:
    backend = open_backend("cpu")
    circuit, inputs = circuit_of(name, log_size)
    compiled: CompiledCircuit = circuit.compile()
    n = compiled.r1cs.n_constraints
    del circuit
    witness: Any = compiled.witness(inputs)
    opening = Peak()
    with opening.watching():
        prover = Prover(read_zkey(path, backend.first_invalid_point), backend)
    report("open", name, log_size, n, opening)
    for what in ("prove first", "prove"):
        peak = Peak(before=opening.before)
        with peak.watching():
            if compiled.r1cs.rounds:
                del witness
                prover.prove_circuit(compiled, inputs)
                witness = None
            else:
                prover.prove(witness)
        report(what, name, log_size, n, peak)
    made = Peak()
    with made.watching():
        compiled.witness(inputs)
    report("witness", name, log_size, n, made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--circuit", choices=("chain", "lookups"), action="append")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--step", choices=("setup", "prove"))
    parser.add_argument("--key", type=Path)
    given = parser.parse_args()
    if given.step:
        {"setup": set_up, "prove": prove}[given.step](given.circuit[0], given.sizes[0], given.key)
        return
    for name in given.circuit or ("chain", "lookups"):
        for size in given.sizes:
            with TemporaryDirectory() as folder:
                for step in ("setup", "prove", "prove"):
                    own = ("--circuit", name, "--sizes", str(size), "--step", step, "--key", f"{folder}/key.zkey")
                    subprocess.run([sys.executable, __file__, *own], check=True)


if __name__ == "__main__":
    main()
