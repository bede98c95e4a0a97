"""What a process pays before it computes: imports, cached kernels, and compiling everything the first time.

`python bench/startup.py` prints a table and appends to bench/results/startup.jsonl. Modules are byte-compiled first, as
they are wherever pip installed them; a warm cache is one that `zkgpu cache warm` filled.

    python bench/startup.py stages                       # where the time of warm commands goes: see `stages`
    python bench/startup.py aims [NODE_MODULES] [SIZE..] # warm commands, in turns with snarkjs', proofs of 2^SIZE too
    RAPIDSNARK=PROGRAM python bench/startup.py aims ...  # these also in turns with what rapidsnark.py built
    python bench/startup.py cold                         # a machine's first demo, without shipped kernels and with
"""

from __future__ import annotations

import compileall
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness import ROOT, Recorder
from measuring import Measurement, measure_interleaved

MAIN = "from zkgpu.cli import command; command()"
CORES = os.cpu_count()
SAMPLE = ROOT / "tests" / "data" / "samples" / "range"


REPEATS = 9
# adds what loading kernels took to what Python says of imports
PROGRAM = """
import sys, time
from zkgpu.cli import TEXTS_FOR_HELP, command
from zkgpu.faces import leave_out, put_off
leave_out(*TEXTS_FOR_HELP)  # as the command line does before it imports anything
if "verify" in sys.argv:
    put_off("numpy")
from zkgpu.jit import cache
load, taken = cache.entry, []
def entry(*arguments):
    start = time.perf_counter()
    try:
        return load(*arguments)
    finally:
        taken.append(time.perf_counter() - start)
cache.entry = entry
import atexit
atexit.register(lambda: print(f"kernels: {len(taken)} {sum(taken)}", file=sys.stderr))
command()
"""


def run(cache: str, *arguments: object, options: tuple[str, ...] = (), program: str = MAIN) -> str:
    """`zkgpu ARGUMENTS` in a fresh process with its kernels kept in `cache`: what it says on standard error.

    Exits when the command fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKGPU_CACHE_DIR": cache}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, *options, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"zkgpu {arguments[0]}: {done.stderr}")
    return done.stderr


def once(cache: str, *arguments: object) -> Measurement:
    """One run, with the processor's time of the process."""
    start, cpu = time.perf_counter(), _of_children()
    run(cache, *arguments)
    return Measurement((time.perf_counter() - start,), (_of_children() - cpu,))


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


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
            taken.append(once(cache, *arguments))
    return Measurement.joined(taken)


def warm(cache: str, *arguments: object) -> Measurement:
    """With what this command and those before it left in the cache."""
    run(cache, *arguments)
    return Measurement.joined([once(cache, *arguments) for _ in range(REPEATS)])


def stages(cache: str, *arguments: object) -> dict[str, float]:
    """Milliseconds of a warm run by what they went to, medians of some runs.

    "imports of X" is the time of X's modules alone, which Python's own clock of imports makes longer by a tenth or so;
    "Python" is a process that does nothing; "all else" is what the command was run for.
    """
    runs = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        said = run(cache, *arguments, options=("-X", "importtime"), program=PROGRAM)
        total = 1e3 * (time.perf_counter() - start)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        parts: dict[str, float] = defaultdict(float, {"Python": 1e3 * (time.perf_counter() - start)})
        for line in said.splitlines():
            if line.startswith("import time:") and "self" not in line:
                own, _, module = line.removeprefix("import time:").split("|")
                parts[f"imports of {_owner(module.strip())}"] += int(own) / 1e3
            elif line.startswith("kernels:"):
                parts["loading kernels"] = 1e3 * float(line.split()[2])
        runs.append({**parts, "all else": total - sum(parts.values()), "total": total})
    return {name: round(statistics.median(r.get(name, 0.0) for r in runs), 1) for name in runs[-1]}


def aims(recorder: Recorder, cache: str, node_modules: str, sizes: Sequence[int]) -> None:
    """Whole commands with a warm cache, each in turns with snarkjs' and rapidsnark's where there are such."""
    import rapidsnark
    from chain import chain_files
    from programs import ZKGPU, Program, run_program
    from workers import require_valid

    from zkgpu import open_backend

    os.environ["ZKGPU_CACHE_DIR"] = cache
    built = os.environ.get("RAPIDSNARK", "")
    versions = {rapidsnark.PROGRAM: {"version": rapidsnark.version_of(Path(built))}} if built else {}
    missing = {name for name, found in (("snarkjs", node_modules), (rapidsnark.PROGRAM, built)) if not found}

    def together(what: str, **programs: Program) -> None:
        chosen = {name: p for name, p in programs.items() if name not in missing}
        taken = measure_interleaved({name: partial(run_program, p) for name, p in chosen.items()}, REPEATS)
        for name, measurement in taken.items():
            facts = {"what": what, "program": name, **versions.get(name, {})}
            recorder.add(measurement, **facts, threads=CORES, cache="warm", checked=True)

    snarkjs = ["node", Path(node_modules, "snarkjs", "build", "cli.cjs"), "groth16"]
    verified = [SAMPLE / f"groth16_{name}.json" for name in ("vk", "public", "proof")]
    together("--version", zkgpu=[*ZKGPU, "--version"])
    together("verify", zkgpu=[*ZKGPU, "verify", *verified], snarkjs=[*snarkjs, "verify", *verified])
    with TemporaryDirectory() as folder:
        proof, public = Path(folder, "proof.json"), Path(folder, "public.json")
        ours = ["--proof", proof, "--public", public]
        given = [SAMPLE / name for name in ("input.json", "range.wasm", "range_groth16.zkey")]
        theirs: Program = [*snarkjs, "fullprove", *given, proof, public]
        together("fullprove, 575 constraints", zkgpu=[*ZKGPU, "fullprove", *given, *ours], snarkjs=theirs)
        build, image = Path(folder, "build"), Path(folder, "image.npz")
        run(cache, "demo", "--output", build)
        _write_image(image)
        together("zkml prove, digits CNN", zkgpu=[*ZKGPU, "zkml", "prove", build, image, "-o", proof])
        for log_size in sizes:
            with chain_files(log_size, open_backend("cpu")) as files:
                proven = [files.key, files.witness]
                provers: dict[str, Program] = {
                    "zkgpu": [*ZKGPU, "prove", *proven, *ours],
                    "snarkjs": [*snarkjs, "prove", *proven, proof, public],
                    rapidsnark.PROGRAM: [built, *proven, proof, public],
                }
                for name in provers.keys() - missing:
                    run_program(provers[name])
                    require_valid(name, files.verifying_key, public, proof)
                    proof.unlink()
                together(f"prove, 2^{log_size}", **provers)


def _write_image(path: Path) -> None:
    """The demo's image, as an input of its model."""
    import numpy as np

    from zkgpu.demo.digits import IMAGE, model

    image: dict[str, Any] = {model().model.inputs[0].name: np.asarray(IMAGE)}
    np.savez(path, **image)


def first_demos(recorder: Recorder) -> None:
    """The demo on a machine that never ran it: seconds, and what it says of compiling."""
    from zkgpu.backend import shipping

    found = Path(shipping.__file__).resolve().parents[2]
    if found != ROOT.resolve():
        raise SystemExit(f"zkgpu is that of {found}, whose kernels would go: set PYTHONPATH to {ROOT}")
    if shipping.exist():
        raise SystemExit(f"{ROOT} has kernels of a release, which this would remove: move zkgpu/kernels away")
    for kernels in ("compiled", "shipped"):
        if kernels == "shipped":
            subprocess.run([sys.executable, "-m", "zkgpu.cli.kernels"], cwd=ROOT, capture_output=True, check=True)
        try:
            with TemporaryDirectory() as cache:
                said = run(cache, "demo").strip()
            recorder.add(cold("demo"), what="demo", kernels=kernels, cache="empty", said=said, checked=True)
        finally:
            shipping.clear()


def _owner(module: str) -> str:
    name = module.partition(".")[0]
    return name if name in ("zkgpu", "numpy", "click") else "others"


def main() -> None:
    compileall.compile_dir(ROOT / "zkgpu", quiet=2)
    recorder, (mode, *given) = Recorder("startup"), (*sys.argv[1:], "")
    if mode == "cold":
        first_demos(recorder)
        return
    if mode == "aims":
        sizes = [int(word) for word in given if word.isdigit()]
        with TemporaryDirectory() as cache:
            run(cache, "cache", "warm")
            aims(recorder, cache, next((word for word in given if not word.isdigit()), ""), sizes or [12, 14])
        return
    verify: list[object] = ["verify", *(SAMPLE / f"groth16_{name}.json" for name in ("vk", "public", "proof"))]
    recorder.add(Measurement(tuple(import_seconds() for _ in range(9))), what="import zkgpu", checked=True)
    recorder.add(warm("", "--version"), what="zkgpu --version", checked=True)
    with TemporaryDirectory() as cache, TemporaryDirectory() as folder:
        outputs = ["--proof", Path(folder, "proof.json"), "--public", Path(folder, "public.json")]
        prove: list[object] = ["prove", SAMPLE / "range_groth16.zkey", SAMPLE / "witness.wtns", *outputs]
        made_by_circom = [SAMPLE / "input.json", SAMPLE / "range.wasm", SAMPLE / "range_groth16.zkey"]
        fullprove: list[object] = ["fullprove", *made_by_circom, *outputs]
        demos: dict[str, list[object]] = {name: [*name.split()] for name in ("demo", "demo --membership")}
        proofs = {"prove, 575 constraints": prove, "fullprove, 575 constraints": fullprove}
        run(cache, "cache", "warm")
        if mode == "stages":
            for what, command in {"verify": verify, **proofs}.items():
                parts = stages(cache, *command)
                seconds = Measurement((parts["total"] / 1e3,))
                recorder.add(seconds, what=f"zkgpu {what}, stages", cache="warm", milliseconds=parts, checked=True)
                print(*(f"    {name:<20} {value:8.1f} ms" for name, value in parts.items()), sep="\n")
            return
        for what, command in {"verify": verify, **proofs, **demos}.items():
            recorder.add(cold(*command), what=f"zkgpu {what}", threads=CORES, cache="empty", checked=True)
            recorder.add(warm(cache, *command), what=f"zkgpu {what}", threads=CORES, cache="warm", checked=True)
        recorder.add(cold("cache", "warm"), what="zkgpu cache warm", threads=CORES, cache="empty", checked=True)


if __name__ == "__main__":
    main()
