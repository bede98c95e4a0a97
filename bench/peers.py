"""zkgpu beside groth16py and snarkjs: the same .zkey and .wtns, in one run, in turns A B C A B C.

    npm install snarkjs                                            # in some folder
    python -m venv peers && peers/bin/pip install groth16py
    python bench/peers.py --node-modules node_modules --groth16py peers/bin/python [--sizes 12 14 16]

Every prover keeps its key in memory; "command" rows are whole processes from nothing. zkgpu verifies every prover's
last proof, and snarkjs verifies zkgpu's. zkgpu verifies its own proof before it hands it out, and that is in its time.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from chain import ChainFiles, chain_files
from harness import ROOT, Measurement, Recorder, measure_interleaved, seconds_of
from workers import HERE, Worker, closing, require_valid, zkgpu_worker

from zkgpu import open_backend
from zkgpu.jit.path import PORTABLE


def start_workers(files: ChainFiles, folder: Path, chosen: argparse.Namespace) -> dict[str, Worker]:
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


def commands(files: ChainFiles, folder: Path, chosen: argparse.Namespace) -> dict[str, Callable[[], Measurement]]:
    """Whole processes: from the start of the program to the proof on disk."""
    outputs = [folder / "command.proof.json", folder / "command.public.json"]
    zkgpu = [sys.executable, "-c", "from zkgpu.cli import main; main()", "prove", files.key, files.witness]
    programs = {"zkgpu, command": [*zkgpu, "--proof", outputs[0], "--public", outputs[1]]}
    if chosen.node_modules:
        snarkjs = Path(chosen.node_modules, ".bin", "snarkjs")
        programs["snarkjs, command"] = [snarkjs, "groth16", "prove", files.key, files.witness, *outputs]
    return {name: lambda program=program: run_program(program) for name, program in programs.items()}


def run_program(program: list[object]) -> Measurement:
    cpu = _cpu_of_ended_children()
    seconds = seconds_of(lambda: run(program))
    return Measurement((seconds,), (_cpu_of_ended_children() - cpu,))


def _cpu_of_ended_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(program: list[object]) -> str:
    done = subprocess.run(list(map(str, program)), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{program[0]}: {done.stdout}{done.stderr}")
    return done.stdout


def check(workers: dict[str, Worker], files: ChainFiles, chosen: argparse.Namespace) -> None:
    ours = next(iter(workers.values()))
    for name, worker in workers.items():
        public = worker.public if worker.public.exists() else ours.public
        require_valid(name, files.verifying_key, public, worker.proof)
    if chosen.node_modules:
        snarkjs = Path(chosen.node_modules, ".bin", "snarkjs")
        for worker in workers.values():
            if worker.name.startswith("zkgpu"):
                run([snarkjs, "groth16", "verify", files.verifying_key, worker.public, worker.proof])


def compare(log_size: int, chosen: argparse.Namespace) -> dict[str, Measurement]:
    with chain_files(log_size, open_backend("cpu")) as files, TemporaryDirectory() as name:
        folder = Path(name)
        with closing(start_workers(files, folder, chosen)) as workers:
            for worker in workers.values():
                worker.prove()
            check(workers, files, chosen)
            provers = {name: worker.measure for name, worker in workers.items()}
            taken = measure_interleaved({**provers, **commands(files, folder, chosen)}, chosen.repeats)
            check(workers, files, chosen)
        return taken


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--node-modules", help="the node_modules folder that holds snarkjs")
    options.add_argument("--groth16py", help="a Python program whose environment has groth16py")
    options.add_argument("--portable", action="store_true", help="also time zkgpu's portable path")
    options.add_argument("--sizes", type=int, nargs="+", default=[12, 14, 16], help="logarithms of the domains")
    options.add_argument("--repeats", type=int, default=5)
    chosen = options.parse_args()
    chosen.node_modules = chosen.node_modules and str(Path(chosen.node_modules).resolve())
    recorder = Recorder("peers")
    for log_size in chosen.sizes:
        taken = compare(log_size, chosen)
        ours = taken["zkgpu, 1 thread"]
        for prover, measurement in taken.items():
            ratios = {
                "over_zkgpu_1_thread": round(measurement.median / ours.median, 2),
                "cpu_over_zkgpu_1_thread": round(measurement.cpu_median / ours.cpu_median, 2),
            }
            recorder.add(measurement, prover=prover, log_size=log_size, **ratios, checked=True)


if __name__ == "__main__":
    main()
