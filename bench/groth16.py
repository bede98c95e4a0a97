"""A whole proof, step by step: circuit, witness, setup, key, proof, verification, for Poseidon chains that fill 2^k.

`python bench/groth16.py [--sizes 12 14 16] [--ptau FILE]` prints a table and appends to bench/results/groth16.jsonl.
`--steps setup key --sizes 18 --known-powers` makes the powers of tau it needs, which takes seconds at 2^18.
`--steps prove --sizes 12 13 14 15 16 17 18 19 20` is how proofs scale, on one thread and on two, with the memory that
each takes beyond the mapped key, in a process of its own.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from chain import chain, hashes_for, inputs_for
from files import CircuitFiles
from harness import Recorder
from measuring import Measurement, measure, measure_interleaved, measure_once
from powers import KnownPowers
from workers import require_valid, zkgpu_worker
from zkgpu_worker import PeakMemory, anonymous_bytes

from zkgpu import open_backend
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.formats.public_values import read_public
from zkgpu.groth16 import Prover, ProvingKey, setup, unsafe_setup, verify
from zkgpu.groth16.json import read_proof
from zkgpu.groth16.zkey import read_zkey

THREADS = (1, 2)
STEPS = ("circuit", "setup", "key", "prove", "tables")
TABLES = (1, 4, 17)  # multiples of each point that are kept


class Steps:
    """The steps for one size, each checked, then recorded with the facts they share."""

    def __init__(self, log_size: int, folder: Path, repeats: int):
        self.log_size, self.folder, self.repeats = log_size, folder, repeats
        self.hashes = hashes_for(log_size)
        self.inputs = inputs_for(self.hashes)
        self.compiled = chain(self.hashes).compile()
        self.assignment = self.compiled.witness(self.inputs)
        self.recorder = Recorder("groth16")

    def record(self, step: str, measurement: Measurement, **facts: Any) -> None:
        size = {"log_size": self.log_size, "constraints": self.compiled.r1cs.n_constraints}
        self.recorder.add(measurement, step=step, **size, **facts, checked=True)

    def circuit(self) -> None:
        """`witness` raises when a constraint does not hold, so both steps are checked by having run."""
        self.record("compile", measure(lambda: chain(self.hashes).compile(), self.repeats))
        self.record("witness", measure(lambda: self.compiled.witness(self.inputs), self.repeats))

    def make_files(self) -> CircuitFiles:
        """Circuit, witness, and an unsafe key that works."""
        key = unsafe_setup(self.compiled.r1cs, open_backend("cpu"))
        self._require_working(key, "unsafe_setup")
        files = CircuitFiles(self.folder, "chain")
        files.write(self.compiled.r1cs, self.assignment, key)
        return files

    def setup(self, ptau_file: str | None) -> None:
        backend = open_backend("cpu")
        facts = {"device": backend.name, "threads": backend.host_threads}
        if ptau_file:
            run = lambda: setup(self.compiled.r1cs, read_ptau(ptau_file), backend)  # noqa: E731
            key, memory = with_peak_memory(run)
            self._require_working(key, "setup")
            self.record("setup", measure(run, self.repeats, warm_up=0), **facts, **memory)
        taken = measure(lambda: unsafe_setup(self.compiled.r1cs, backend), self.repeats, warm_up=0)
        self.record("unsafe_setup", taken, **facts)

    def _require_working(self, key: ProvingKey, what: str) -> None:
        prover = Prover(key, open_backend("cpu"))
        proof = prover.prove(self.assignment)
        if key.domain_size != 1 << self.log_size or not verify(key.verifying_key, self._public(prover), proof):
            raise SystemExit(f"the key of {what} does not work")

    def _public(self, prover: Prover) -> list[int]:
        return prover.public_inputs(self.assignment)

    def open_key(self, files: CircuitFiles) -> None:
        """From the file to a prover: the first time, with the check of every point, and then again."""
        backend = open_backend("cpu")
        facts = {"device": backend.name, "threads": backend.host_threads, "key_bytes": files.key.stat().st_size}
        with TemporaryDirectory() as cache:
            for step, again in (("open key, points checked", False), ("open key", True)):
                run = partial(_opened, files, backend, Path(cache), again)
                if run().prove(self.assignment) is None or not list(Path(cache).iterdir()):
                    raise SystemExit("the key does not work, or is not remembered")
                self.record(step, measure(run, self.repeats), **facts)

    def prove(self, files: CircuitFiles) -> None:
        """Proofs in a process of its own, the key open; each proof verified there and the last one here."""
        zkgpu_worker(files.key, files.witness, 1, self.folder).close()  # the first opening prepares the later ones
        for threads in THREADS:
            worker = zkgpu_worker(files.key, files.witness, threads, self.folder)
            worker.prove()
            taken = Measurement.joined([worker.measure() for _ in range(self.repeats)])
            memory = {name: worker.prove()[name] for name in ("peak_bytes", "idle_bytes")}
            worker.close()
            require_valid(worker.name, files.verifying_key, worker.public, worker.proof)
            facts = {"device": worker.opened["device"], "threads": threads, "load_seconds": worker.opened["seconds"]}
            self.record("prove", taken, **facts, **memory)

    def tables(self, files: CircuitFiles) -> None:
        """Proofs with multiples of the key's points at hand, in turns with proofs without; each verified."""
        key = read_zkey(files.key)
        for threads in THREADS:
            backends = {tables: open_backend("cpu", threads=threads, tables=tables) for tables in TABLES}
            runs = {tables: self._proofs(Prover(key, backend)) for tables, backend in backends.items()}
            for tables, taken in measure_interleaved(runs, self.repeats).items():
                facts = {"device": backends[tables].name, "threads": threads, "tables": tables}
                self.record("prove, key in memory", taken, **facts)

    def _proofs(self, prover: Prover) -> Callable[[], Measurement]:
        return lambda: measure_once(lambda: prover.prove(self.assignment))

    def verify(self, files: CircuitFiles) -> None:
        key = read_zkey(files.key).verifying_key
        proof, public = read_proof(self.folder / "zkgpu-1.proof.json"), read_public(self.folder / "zkgpu-1.public.json")
        if not verify(key, public, proof) or verify(key, [public[0] ^ 1, *public[1:]], proof):
            raise SystemExit("the verifier is wrong")
        self.record("verify", measure(lambda: verify(key, public, proof), repeats=21))


def with_peak_memory(run: Callable[[], ProvingKey]) -> tuple[ProvingKey, dict[str, int]]:
    """What `run` returns, and the most memory that the process had meanwhile, beside what it had before."""
    memory, idle = PeakMemory(), anonymous_bytes()
    memory.start()
    key = run()
    memory.watching = False
    return key, {"peak_bytes": memory.peak, "idle_bytes": idle}


def _opened(files: CircuitFiles, backend: Any, cache: Path, again: bool) -> Prover:
    """A prover for the key, with this folder for what is kept of it, emptied before a first time."""
    if not again:
        for entry in cache.iterdir():
            entry.unlink()
    with patch("zkgpu.store.digests._folder", lambda: cache), patch("zkgpu.store.prepared._folder", lambda: cache):
        return Prover(read_zkey(files.key, backend.first_invalid_point), backend)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=[12, 14, 16], help="logarithms of the domains")
    options.add_argument("--ptau", help="a prepared powers-of-tau file, to time setup with; at least the largest size")
    options.add_argument("--known-powers", action="store_true", help="make such a file, with a known tau")
    options.add_argument("--steps", choices=STEPS, nargs="+", default=STEPS[:-1], help="which steps to time")
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    os.environ.pop("ZKGPU_CPU_PATH", None)
    for log_size in chosen.sizes:
        with TemporaryDirectory() as folder:
            ptau_file = known_powers(log_size, Path(folder)) if chosen.known_powers else chosen.ptau
            time_steps(Steps(log_size, Path(folder), chosen.repeats), chosen.steps, ptau_file)


def known_powers(log_size: int, folder: Path) -> str:
    path = folder / "known.ptau"
    KnownPowers.random(open_backend("cpu"), log_size).write(path)
    return str(path)


def time_steps(steps: Steps, chosen: Sequence[str], ptau_file: str | None) -> None:
    if "circuit" in chosen:
        steps.circuit()
    files = steps.make_files()
    if "setup" in chosen:
        steps.setup(ptau_file)
    if "key" in chosen:
        steps.open_key(files)
    if "tables" in chosen:
        steps.tables(files)
    if "prove" in chosen:
        steps.prove(files)
        steps.verify(files)


if __name__ == "__main__":
    main()
