"""zkgpu beside groth16py and snarkjs: the same .zkey and .wtns, in one run, in turns A B C A B C.

    npm install snarkjs circom2 circomlib                          # in some folder; the last two for sha256
    python -m venv peers && peers/bin/pip install groth16py
    python bench/peers.py --node-modules node_modules --groth16py peers/bin/python [--sizes 12 14 16]
    python bench/peers.py --circuit sha256 --sizes 15 18 ...      # a circom circuit whose wires are nearly all bits

Every prover keeps its key in memory; "command" rows are whole processes from nothing. zkgpu verifies every prover's
last proof, and snarkjs verifies zkgpu's. zkgpu verifies its own proof before it hands it out, and that is in its time.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chain import chain_files
from files import CircuitFiles
from harness import Recorder
from measuring import Measurement, measure_interleaved
from programs import ZKGPU, Program, run, run_program
from sha256 import lacks, sha256_files, share_of_bits
from workers import HERE, Worker, closing, require_valid, zkgpu_worker

from zkgpu import open_backend
from zkgpu.formats.wtns import read_wtns
from zkgpu.jit.isa import PORTABLE


def start_workers(files: CircuitFiles, folder: Path, chosen: argparse.Namespace) -> dict[str, Worker]:
    """The provers that keep their key, by the name their rows get."""
    workers = {f"zkgpu, {n} thread{'s'[: n - 1]}": zkgpu_worker(files.key, files.witness, n, folder) for n in (1, 2)}
    if chosen.portable:
        portable = zkgpu_worker(files.key, files.witness, 1, folder, PORTABLE.name)
        workers["zkgpu portable, 1 thread"] = portable
    if chosen.groth16py:
        command = [chosen.groth16py, HERE / "groth16py_worker.py", files.key, files.witness]
        workers["groth16py, 1 thread"] = Worker(command, folder, "groth16py")
    if chosen.node_modules:
        command = ["node", HERE / "snarkjs_worker.cjs", files.key, files.witness]
        workers["snarkjs, warm"] = Worker(command, folder, "snarkjs", {"NODE_PATH": chosen.node_modules})
    return workers


def commands(files: CircuitFiles, folder: Path, chosen: argparse.Namespace) -> dict[str, Program]:
    """Whole processes: from the start of the program to the proof on disk; from inputs where there is a calculator."""
    proof, public = folder / "command.proof.json", folder / "command.public.json"
    ours = ["--proof", proof, "--public", public]
    programs: dict[str, Program] = {"zkgpu, command": [*ZKGPU, "prove", files.key, files.witness, *ours]}
    calculated = [files.inputs, files.calculator, files.key]
    if files.calculator.exists():
        programs["zkgpu fullprove, command"] = [*ZKGPU, "fullprove", *calculated, *ours]
    if chosen.node_modules:
        groth16 = [*snarkjs(chosen), "groth16"]
        programs["snarkjs, command"] = [*groth16, "prove", files.key, files.witness, proof, public]
        if files.calculator.exists():
            programs["snarkjs fullprove, command"] = [*groth16, "fullprove", *calculated, proof, public]
    return programs


def snarkjs(chosen: argparse.Namespace) -> Program:
    return ["node", Path(chosen.node_modules, "snarkjs", "build", "cli.cjs")]


def check(workers: dict[str, Worker], files: CircuitFiles, chosen: argparse.Namespace) -> None:
    ours = next(iter(workers.values()))
    for name, worker in workers.items():
        public = worker.public if worker.public.exists() else ours.public
        require_valid(name, files.verifying_key, public, worker.proof)
    if chosen.node_modules:
        for worker in workers.values():
            if worker.name.startswith("zkgpu"):
                run([*snarkjs(chosen), "groth16", "verify", files.verifying_key, worker.public, worker.proof])


def check_commands(files: CircuitFiles, folder: Path, chosen: argparse.Namespace) -> None:
    """Every program, once, makes a proof that zkgpu accepts."""
    for name, program in commands(files, folder, chosen).items():
        run(program)
        proof, public = folder / "command.proof.json", folder / "command.public.json"
        require_valid(name, files.verifying_key, public, proof)
        proof.unlink()


def compare(files: CircuitFiles, chosen: argparse.Namespace) -> dict[str, Measurement]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        check_commands(files, folder, chosen)
        with closing(start_workers(files, folder, chosen)) as workers:
            for worker in workers.values():
                worker.prove()
            check(workers, files, chosen)
            provers: dict[str, Callable[[], Measurement]] = {name: worker.measure for name, worker in workers.items()}
            programs = commands(files, folder, chosen)
            whole = {name: lambda program=program: run_program(program) for name, program in programs.items()}
            taken = measure_interleaved({**provers, **whole}, chosen.repeats)
            check(workers, files, chosen)
        return taken


def circuit_files(log_size: int, chosen: argparse.Namespace) -> AbstractContextManager[CircuitFiles]:
    backend = open_backend("cpu")
    if chosen.circuit == "sha256":
        return sha256_files(log_size, backend, chosen.node_modules)
    return chain_files(log_size, backend)


def record(taken: dict[str, Measurement], facts: dict[str, Any]) -> None:
    recorder, ours = Recorder("peers"), taken["zkgpu, 1 thread"]
    for prover, measurement in taken.items():
        ratios = {
            "over_zkgpu_1_thread": round(measurement.median / ours.median, 2),
            "cpu_over_zkgpu_1_thread": round(measurement.cpu_median / ours.cpu_median, 2),
        }
        threads = 1 if prover.endswith("1 thread") else os.cpu_count()
        recorder.add(measurement, prover=prover, threads=threads, **facts, **ratios, checked=True)


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--node-modules", help="the node_modules folder that holds snarkjs")
    parser.add_argument("--groth16py", help="a Python program whose environment has groth16py")
    parser.add_argument("--portable", action="store_true", help="also time zkgpu's portable path")
    parser.add_argument("--circuit", choices=["chain", "sha256"], default="chain", help="what is proven")
    parser.add_argument("--sizes", type=int, nargs="+", help="logarithms of the domains; 15 and 18 for sha256")
    parser.add_argument("--repeats", type=int, default=5)
    return parser


def main() -> None:
    chosen = options().parse_args()
    chosen.node_modules = chosen.node_modules and str(Path(chosen.node_modules).resolve())
    missing = lacks(chosen.node_modules) if chosen.circuit == "sha256" else ""
    if missing:
        print(f"sha256 is skipped: {missing}")
        return
    for log_size in chosen.sizes or ([15, 18] if chosen.circuit == "sha256" else [12, 14, 16]):
        with circuit_files(log_size, chosen) as files:
            facts = {"circuit": chosen.circuit, "log_size": log_size}
            facts["share_of_bits"] = round(share_of_bits(read_wtns(files.witness)), 3)
            record(compare(files, chosen), facts)


if __name__ == "__main__":
    main()
