"""What a process pays before it computes: imports, cached kernels, and compiling everything the first time.

`python bench/startup.py` prints a table and appends to bench/results/startup.jsonl.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from harness import ROOT, Recorder
from measuring import Measurement, measure, seconds_of

MAIN = "from zkgpu.cli import main; main()"
CORES = os.cpu_count()
SAMPLE = ROOT / "tests" / "data" / "samples" / "range"


def run(cache: str, *arguments: object) -> None:
    """`zkgpu ARGUMENTS` in a fresh process with its kernels kept in `cache`. Exits when the command fails."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKGPU_CACHE_DIR": cache}
    command = [sys.executable, "-c", MAIN, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"zkgpu {arguments[0]}: {done.stderr}")


def import_seconds() -> float:
    """Seconds that `import zkgpu` takes within a fresh process."""
    probe = "import time; t = time.perf_counter(); import zkgpu; print(time.perf_counter() - t)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return float(subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, check=True).stdout)


def cold(*arguments: object) -> Measurement:
    """With an empty cache each time; three runs, for each takes long."""
    taken = []
    for _ in range(3):
        with TemporaryDirectory() as cache:
            taken.append(seconds_of(partial(run, cache, *arguments)))
    return Measurement(tuple(taken))


def main() -> None:
    recorder = Recorder("startup")
    verify: list[object] = ["verify", *(SAMPLE / f"groth16_{name}.json" for name in ("vk", "public", "proof"))]
    recorder.add(Measurement(tuple(import_seconds() for _ in range(9))), what="import zkgpu", checked=True)
    recorder.add(measure(partial(run, "", "--version"), repeats=9), what="zkgpu --version", checked=True)
    with TemporaryDirectory() as cache, TemporaryDirectory() as folder:
        outputs = ["--proof", Path(folder, "proof.json"), "--public", Path(folder, "public.json")]
        prove: list[object] = ["prove", SAMPLE / "range_groth16.zkey", SAMPLE / "witness.wtns", *outputs]
        made_by_circom = [SAMPLE / "input.json", SAMPLE / "range.wasm", SAMPLE / "range_groth16.zkey"]
        fullprove: list[object] = ["fullprove", *made_by_circom, *outputs]
        demos: dict[str, list[object]] = {name: [*name.split()] for name in ("demo", "demo --membership")}
        proofs = {"prove, 575 constraints": prove, "fullprove, 575 constraints": fullprove}
        for what, command in {"verify": verify, **proofs, **demos}.items():
            recorder.add(cold(*command), what=f"zkgpu {what}", threads=CORES, cache="empty", checked=True)
            warm = measure(partial(run, cache, *command))
            recorder.add(warm, what=f"zkgpu {what}", threads=CORES, cache="warm", checked=True)
        recorder.add(cold("cache", "warm"), what="zkgpu cache warm", threads=CORES, cache="empty", checked=True)


if __name__ == "__main__":
    main()
