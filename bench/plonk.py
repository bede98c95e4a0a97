"""A whole PLONK proof, step by step, for circuits that fill 2^k rows: setup, key file, proof, verification.

`python bench/plonk.py [--sizes 12 14 16] [--ptau FILE]` prints a table and appends to bench/results/plonk.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import Recorder
from measuring import Measurement, measure
from workers import zkgpu_worker

from zkgpu import Circuit, open_backend
from zkgpu.ceremony.ptau import read_ptau
from zkgpu.formats.public_values import read_public
from zkgpu.formats.wtns import write_wtns
from zkgpu.plonk import Prover, ProvingKey, setup, unsafe_setup, verify
from zkgpu.plonk.json import proof_from_json
from zkgpu.plonk.zkey import read_plonk_zkey, write_plonk_zkey

THREADS = (1, 2)
INPUTS = {"start": 123456789, "seed": 987654321}


def chain(log_rows: int) -> Circuit:
    """x -> x^2 + 3 x + step over and over, with two public values: values fill the field, rows fill 2^log_rows."""
    circuit = Circuit()
    x = circuit.public("start") + circuit.private("seed")
    for step in range(((1 << log_rows) - 4) // 3):
        x = x * x + 3 * x + step
    circuit.output("end", x)
    return circuit


class Steps:
    """The steps for one size, each checked, then recorded with the facts they share."""

    def __init__(self, log_rows: int, folder: Path):
        self.log_rows, self.folder = log_rows, folder
        self.compiled = chain(log_rows).compile()
        self.assignment = self.compiled.witness(INPUTS)
        self.backend = open_backend("cpu")
        self.recorder = Recorder("plonk")
        self.key_file, self.witness_file = folder / "chain.zkey", folder / "chain.wtns"
        write_wtns(self.witness_file, self.compiled.r1cs.field, self.assignment)

    def record(self, step: str, measurement: Measurement, **facts: object) -> None:
        size = {"log_size": self.log_rows, "constraints": self.compiled.r1cs.n_constraints}
        self.recorder.add(measurement, step=step, **size, **facts, checked=True)

    def setup(self, ptau_file: str | None) -> None:
        """From a ceremony, key file written, when there is one; the proofs that follow check the key."""
        facts = {"device": self.backend.name, "threads": self.backend.host_threads}
        key = unsafe_setup(self.compiled.r1cs, self.backend)
        self._require_working(key)
        if ptau_file:
            run = partial(self._setup_from, ptau_file)
            run()
            self._require_working(read_plonk_zkey(self.key_file, self.backend.first_invalid_point))
            self.record("setup from .ptau to .zkey", measure(run, repeats=3, warm_up=0), **facts)
        else:
            write_plonk_zkey(self.key_file, key)
        self.record("unsafe_setup", measure(lambda: unsafe_setup(self.compiled.r1cs, self.backend)), **facts)

    def _setup_from(self, ptau_file: str) -> None:
        write_plonk_zkey(self.key_file, setup(self.compiled.r1cs, read_ptau(ptau_file), self.backend))

    def _require_working(self, key: ProvingKey) -> None:
        prover = Prover(key, self.backend, circuit=self.compiled.r1cs)
        proof, public = prover.prove(self.assignment), prover.public_inputs(self.assignment)
        if key.domain_size != 1 << self.log_rows or not verify(key.verifying_key, public, proof):
            raise SystemExit(f"the key does not work, or its domain is {key.domain_size}")

    def prove(self) -> None:
        """Proofs in a process of its own, the key open; each proof verified there and the last one here."""
        for threads in THREADS:
            worker = zkgpu_worker(self.key_file, self.witness_file, threads, self.folder)
            worker.prove()
            taken = Measurement.joined([worker.measure() for _ in range(5)])
            memory = {name: worker.prove()[name] for name in ("peak_bytes", "idle_bytes")}
            worker.close()
            key = read_plonk_zkey(self.key_file).verifying_key
            proof, public = proof_from_json(json.loads(worker.proof.read_text())), read_public(worker.public)
            if not verify(key, public, proof) or verify(key, [public[0] ^ 1, *public[1:]], proof):
                raise SystemExit("the proof is not valid, or the verifier is wrong")
            facts = {"device": worker.opened["device"], "threads": threads, "load_seconds": worker.opened["seconds"]}
            self.record("prove", taken, **facts, **memory)
        self.record("verify", measure(lambda: verify(key, public, proof), repeats=21))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=[12, 14, 16], help="logarithms of the rows")
    options.add_argument("--ptau", help="a powers-of-tau file, to time setup with; at least the largest size")
    chosen = options.parse_args()
    os.environ.pop("ZKGPU_CPU_PATH", None)
    for log_rows in chosen.sizes:
        with TemporaryDirectory() as folder:
            steps = Steps(log_rows, Path(folder))
            steps.setup(chosen.ptau)
            steps.prove()


if __name__ == "__main__":
    main()
