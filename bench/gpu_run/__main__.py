"""`python bench/gpu_run 470 [cuda13]`: all that only a GPU can show, within so many seconds. `.ci/gpu` starts it.

Each step is a process of its own within a limit of its own, so that a lost CUDA context or a compiler that never ends
is the end of that step alone. Needs nothing but Python itself.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from gpu_run import modules
from gpu_run.results import ROOT, Results, folder, lines_of

LOG = "gpu.log"
SAMPLED = "timestamp,clocks.sm,clocks.mem,power.draw,temperature.gpu,utilization.gpu,memory.used"
LEAST = 5.0  # seconds that a step needs to be begun
FIGURES = ("rates", "bench", "tiles", "groth16", "zkml", "plonk")
TESTS = ("tests/cuda", "tests/laws")
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")
SECTIONS = (
    "SpeedOfLight",
    "ComputeWorkloadAnalysis",
    "MemoryWorkloadAnalysis",
    "SchedulerStats",
    "WarpStateStats",
    "InstructionStats",
    "Occupancy",
    "LaunchStats",
)
WORTH_PROFILING = 0.03  # the least share of a transform or a sum that ncu looks at a kernel for


@dataclass(frozen=True)
class Step:
    """A step alone on the GPU, the most seconds of USUAL it may take, and whether the rest is in vain if it fails."""

    name: str
    seconds: float
    vital: bool = False


ALONE = (
    Step("environment", 30),
    Step("smoke", 90, vital=True),
    Step("rates", 30),
    Step("bench", 80),
    Step("tiles", 15),
    Step("groth16", 80),
    Step("zkml", 25),
    Step("plonk", 25),
)
USUAL = 470.0  # seconds of a whole run that the limits of steps are for; with more time they grow alike
KEPT = 0.28  # the share of all seconds that is kept for what comes after them
USES_CPU_KERNELS, FOR_WARMING = "groth16", 60.0  # the first such step; seconds to compile these beside earlier ones
FOR_PROFILE = 45.0  # seconds kept for ncu, after what runs side by side


@dataclass
class Run:
    """The whole: seconds, the Python and the paths that steps get, and where their output goes."""

    seconds: float
    emulated: bool
    python: str = sys.executable
    paths: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    results: Results = field(default_factory=lambda: Results("run"))
    failed: list[str] = field(default_factory=list)

    def left(self) -> float:
        return self.seconds - (time.monotonic() - self.began)

    def environment(self, **more: str) -> dict[str, str]:
        path = os.pathsep.join([*self.paths, str(ROOT), str(ROOT / "bench")])
        driver = {"ZKGPU_GPU_DRIVER": "emulated"} if self.emulated else {}
        return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **driver, **more}

    def start(self, name: str, command: list[str], seconds: float, beside: bool = False, **more: str) -> Process:
        """A process that is to end well within so many seconds. One beside others has a log of its own until then."""
        more = {"ZKGPU_STEP_SECONDS": str(max(1.0, seconds - 3)), **more}
        folder().mkdir(parents=True, exist_ok=True)
        return Process(name, command, self.environment(**more), folder() / (f"{name}.log" if beside else LOG))

    def finish(self, process: Process, seconds: float) -> bool:
        """Whether a process ended well within its limit; a line says how it ended."""
        code, taken = process.wait(seconds)
        self.results.add(what=process.name, exit=code, wall=taken)
        if code != 0:
            self.failed.append(process.name)
        return code == 0

    def skip(self, name: str, why: str) -> None:
        self.results.add(what=name, skipped=why)

    def step(self, step: Step, tool: tuple[str, ...] = (), kept: float = 2.0) -> bool:
        """Whether a step ended well, or had no time to begin; `kept` are the seconds that others need."""
        seconds = min(step.seconds * max(1.0, self.seconds / USUAL), self.left() - kept)
        if seconds < LEAST:
            self.skip(step.name, "out of time")
            return True
        command = [*tool, self.python, "-m", "gpu_run.steps", step.name]
        return self.finish(self.start(step.name, command, seconds), seconds)


class Process:
    """A command in a session of its own, its output in a log."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], log: Path):
        self.name, self._log, self._began = name, log, time.monotonic()
        with log.open("ab") as file:
            file.write(f"\n==== {name}: {' '.join(command)}\n".encode())
            file.flush()
            self._process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, env=environment, cwd=ROOT, start_new_session=True
            )

    def wait(self, seconds: float) -> tuple[int | str, float]:
        """(its exit code, or that time ran out and it was ended; the seconds it took)."""
        code: int | str
        try:
            code = self._process.wait(timeout=max(1.0, seconds))
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            code = "out of time"
        self._join_log()
        return code, round(time.monotonic() - self._began, 1)

    def _join_log(self) -> None:
        """Append a log of its own to that of the run."""
        if self._log.name != LOG:
            with (self._log.parent / LOG).open("ab") as whole:
                whole.write(self._log.read_bytes())
            self._log.unlink()


@contextmanager
def clocks_sampled() -> Iterator[None]:
    """In smi.csv, twice a second, the clocks, the power and the temperature that figures were measured at."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        yield
        return
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "smi.csv").open("ab") as file:
        command = [tool, f"--query-gpu={SAMPLED}", "--format=csv,noheader", "-lms", "500"]
        sampler = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            sampler.terminate()
            sampler.wait()


def prepare(run: Run, wheels: Path, cuda: str, site: Path) -> None:
    """The Python at hand with the wheels carried along; where modules are still missing, a new environment."""
    unpacked = modules.unpack(wheels, site)
    needed = [*modules.NEEDED, *([] if run.emulated else ["cupy"])]
    missing = modules.missing(needed, site)
    run.results.add(what="modules", wheels=unpacked, missing=missing)
    run.paths.append(str(site))
    if missing:
        try:
            run.python = modules.fetched(site / "environment", ROOT, f"test,{cuda}")
        except (OSError, subprocess.SubprocessError) as error:
            advice = f"carry their wheels in {wheels}: see bench/gpu_run/modules.py"
            run.results.add(what="modules", failed=f"{', '.join(missing)} missing, pip failed ({error}): {advice}")


def side_by_side(run: Run) -> None:
    """Tests and sanitizers, which need no quiet GPU, all at once."""
    seconds = run.left() - FOR_PROFILE
    if seconds < LEAST:
        run.skip("tests and sanitizers", "out of time")
        return
    processes = [
        run.start("tests", [run.python, *tests(run.emulated)], seconds, beside=True),
        run.start("sizes", [run.python, "-m", "gpu_run.steps", "sizes"], seconds, beside=True),
    ]
    if run.emulated:
        processes.append(run.start("tiny", [run.python, "-m", "gpu_run.steps", "tiny"], seconds, beside=True))
    elif shutil.which("compute-sanitizer"):
        processes += [run.start(tool, sanitized(run, tool), seconds, True, **alone_in(tool)) for tool in SANITIZERS]
    else:
        run.skip("sanitizers", "compute-sanitizer is not here: it comes with CUDA's toolkit")
    until = time.monotonic() + seconds
    for process in processes:
        run.finish(process, until - time.monotonic())


def tests(emulated: bool) -> list[str]:
    """pytest on the device's own tests, which need no package but pytest's own; in a dry run they are collected."""
    marks = ["--collect-only", "-m", "not slow"] if emulated else ["-m", "gpu and not slow"]
    return ["-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider", *marks, *TESTS]


def sanitized(run: Run, tool: str) -> list[str]:
    options = ["--tool", tool, "--error-exitcode", "9"]
    return ["compute-sanitizer", *options, run.python, "-m", "gpu_run.steps", "tiny"]


def alone_in(tool: str) -> dict[str, str]:
    """Arrays with memory of their own, so that a sanitizer sees where each ends."""
    return {"ZKGPU_TEST_POOL": "0", "ZKGPU_STEP_TOOL": tool}


def profile(run: Run) -> None:
    """ncu on the kernels that took most of a sum and a transform."""
    if run.emulated:
        run.step(Step("once", FOR_PROFILE))
    elif not shutil.which("ncu"):
        run.skip("ncu", "ncu is not here: it comes with CUDA's toolkit")
    else:
        sections = [word for section in SECTIONS for word in ("--section", section)]
        names = ["-k", f"regex:^({'|'.join(worst_kernels())})$", "--filter-mode", "per-launch-config", "-c", "1"]
        log = ["--print-details", "all", "--log-file", str(folder() / "ncu.txt")]
        run.step(Step("once", FOR_PROFILE), ("ncu", "--clock-control", "none", *names, *sections, *log))


def worst_kernels() -> list[str]:
    """The kernels that took most milliseconds of the last transform and of the last sum in G1 that were timed."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for line in lines_of(folder() / "gpu.jsonl"):
        if line.get("primitive") in ("ntt", "msm_g1") and line.get("kernels"):
            found[line["primitive"]] = line["kernels"]
    worst = [name for kernels in found.values() for name in _worth_profiling(kernels)]
    return worst or ["add_pieces", "transform_pass"]


def _worth_profiling(kernels: dict[str, dict[str, float]]) -> list[str]:
    least = WORTH_PROFILING * sum(kernel["ms"] for kernel in kernels.values())
    return [name for name, kernel in kernels.items() if kernel["ms"] >= least]


def summary(run: Run, first: int) -> None:
    """Failures, and a line a figure: the end of the output is what comes back first."""
    lines = list(lines_of(folder() / "gpu.jsonl"))[first:]
    for line in lines:
        if "failed" in line or line.get("skipped"):
            print(f"{line['step']}: {line.get('what')}: {line.get('failed') or line['skipped']}"[:300])
        elif line["step"] in FIGURES and "primitive" in line:
            named = " ".join(str(line[key]) for key in ("primitive", "log_size", "model") if key in line)
            facts = {k: line[k] for k in ("best", "per_clock", "bytes_per_second", "host_us") if k in line}
            print(f"{line['step']}: {named}: {facts}")
    run.results.add(what="end", failed_steps=run.failed, wall=round(run.seconds - run.left(), 1))


def do_all(run: Run) -> None:
    warming = run.start("warm", [run.python, "-m", "zkgpu", "cache", "warm"], FOR_WARMING, beside=True)
    for step in ALONE:
        if step.name == USES_CPU_KERNELS:
            run.finish(warming, FOR_WARMING)
        if not run.step(step, kept=KEPT * run.seconds) and step.vital:
            run.finish(warming, 0)
            return
    side_by_side(run)
    profile(run)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("seconds", type=float, nargs="?", default=900, help="for the whole run")
    options.add_argument(
        "cuda", nargs="?", default="cuda13", choices=["cuda12", "cuda13"], help="where pip has to help"
    )
    options.add_argument("--wheels", type=Path, default=ROOT / modules.CARRIED, help="a folder of wheels to use")
    options.add_argument("--emulated", action="store_true", help="a dry run on the host, at tiny sizes")
    chosen = options.parse_args()
    emulated = chosen.emulated or os.environ.get("ZKGPU_GPU_DRIVER") == "emulated"
    run, first = Run(chosen.seconds, emulated), len(list(lines_of(folder() / "gpu.jsonl")))
    with tempfile.TemporaryDirectory() as site:
        prepare(run, chosen.wheels, chosen.cuda, Path(site))
        try:
            with clocks_sampled():
                do_all(run)
        finally:
            summary(run, first)
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
