"""Transforms, sums and proofs of this tree beside those of another commit, in turns, on one thread and on two.

    python bench/before.py d671116 [--quick] [--ntt 16 18 20 22] [--msm 14 16 18 20] [--prove 12 14 16 18 20]

prints a table and appends to bench/results/before.jsonl. The other commit is checked out into a folder that vanishes;
both compute in processes of their own. Both must give the same numbers, and this tree verifies the proofs of both.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chain import chain_files
from harness import ROOT, Recorder
from measuring import Measurement, measure_interleaved
from workers import Worker, closing, require_valid

from zkgpu import open_backend

THREADS = (1, 2)
SIZES = {"ntt": [16, 18, 20, 22], "msm": [14, 16, 18, 20], "prove": [12, 14, 16, 18, 20]}
QUICK = {"ntt": [16, 20], "msm": [14, 18], "prove": [12, 16]}


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The tree of a commit."""
    with TemporaryDirectory() as folder:
        tree = Path(folder, "tree")
        subprocess.run(["git", "worktree", "add", "--detach", tree, commit], cwd=ROOT, capture_output=True, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, capture_output=True, check=True)


def primitive_workers(trees: dict[str, Path], threads: int) -> dict[str, Worker]:
    command = [sys.executable, ROOT / "bench" / "before_worker.py", threads]
    return {name: Worker(command, ROOT, name, {"PYTHONPATH": str(tree)}) for name, tree in trees.items()}


def asked(worker: Worker, digests: dict[str, set[str]], what: str, log_size: int) -> Measurement:
    answer: dict[str, Any] = worker.ask(f"{what} {log_size}")
    digests.setdefault(f"{what} {log_size}", set()).add(answer["digest"])
    return Measurement((answer["seconds"],), (answer["cpu_seconds"],))


def primitives(recorder: Recorder, trees: dict[str, Path], sizes: dict[str, list[int]], repeats: int) -> None:
    for threads in THREADS:
        with closing(primitive_workers(trees, threads)) as workers:
            for what, log_size in [("ntt", k) for k in sizes["ntt"]] + [("msm", k) for k in sizes["msm"]]:
                digests: dict[str, set[str]] = {}
                runs = {name: partial(asked, worker, digests, what, log_size) for name, worker in workers.items()}
                taken = measure_interleaved(runs, repeats)
                if any(len(found) > 1 for found in digests.values()):
                    raise SystemExit(f"{what} 2^{log_size}: the two trees give different numbers")
                for name, measurement in taken.items():
                    recorder.add(measurement, what=what, log_size=log_size, threads=threads, tree=name, checked=True)


def prover(tree: Path, files: Any, name: str, threads: int) -> Worker:
    command = [sys.executable, tree / "bench" / "zkgpu_worker.py", files.key, files.witness, threads]
    return Worker(command, files.folder, name, {"PYTHONPATH": str(tree)})


def proofs(recorder: Recorder, trees: dict[str, Path], log_size: int, repeats: int) -> None:
    with chain_files(log_size, open_backend("cpu")) as files:
        for threads in THREADS:
            with closing({name: prover(tree, files, name, threads) for name, tree in trees.items()}) as workers:
                taken = measure_interleaved({name: worker.measure for name, worker in workers.items()}, repeats)
                for name, worker in workers.items():
                    require_valid(name, files.verifying_key, worker.public, worker.proof)
            for name, measurement in taken.items():
                recorder.add(measurement, what="prove", log_size=log_size, threads=threads, tree=name, checked=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and runs")
    parser.add_argument("--repeats", type=int)
    for what in SIZES:
        parser.add_argument(f"--{what}", type=int, nargs="*")
    chosen = parser.parse_args()
    defaults = QUICK if chosen.quick else SIZES
    given = {what: getattr(chosen, what) for what in SIZES}
    sizes = {what: defaults[what] if given[what] is None else given[what] for what in SIZES}
    repeats, recorder = chosen.repeats or (5 if chosen.quick else 9), Recorder("before")
    with checked_out(chosen.commit) as other:
        trees = {chosen.commit: other, "this": ROOT}
        primitives(recorder, trees, sizes, repeats)
        for log_size in sizes["prove"]:
            proofs(recorder, trees, log_size, repeats)


if __name__ == "__main__":
    main()
