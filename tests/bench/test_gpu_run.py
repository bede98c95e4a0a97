"""The run on a machine with a GPU: it needs no network, ends in time, loses no line, and passes a dry run here."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, TextIO

import pytest

from tests.emulation.driver import missing

ROOT = Path(__file__).parents[2]
BENCHES = ROOT / "bench"
STEPS = ["environment", "smoke", "rates", "bench", "tiles", "warm", "groth16", "zkml", "plonk"]
BESIDE = ["tests", "sizes", "tiny"]


@pytest.fixture
def gpu_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(BENCHES))
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    import gpu_run.__main__ as module

    return module


def lines(tmp_path: Path) -> list[dict[str, Any]]:
    path = tmp_path / "out" / "gpu.jsonl"
    return [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_failure_is_a_line_and_what_comes_after_it_still_runs(gpu_run: Any, tmp_path: Path) -> None:
    results = gpu_run.Results("step")

    def fail() -> None:
        raise ValueError("the answer is 43")

    assert not results.attempt("sum", fail)
    assert results.attempt("more", lambda: None)
    results.add(what="more", ok=True)
    failed, passed = lines(tmp_path)
    assert (failed["what"], failed["failed"]) == ("sum", "ValueError: the answer is 43")
    assert passed["ok"]


def test_a_lost_context_ends_its_process_with_its_line_on_disk(gpu_run: Any, tmp_path: Path) -> None:
    code = """
from gpu_run.results import Results
def lose(): raise RuntimeError("cudaErrorIllegalAddress: an illegal memory access was encountered")
Results("step").attempt("sum", lose)
print("still here")
"""
    path = {"PYTHONPATH": str(BENCHES)}
    done = subprocess.run(python(code), env={**os.environ, **path}, capture_output=True, text=True)
    assert (done.returncode, "still here" in done.stdout) == (3, False)
    assert "illegal memory access" in lines(tmp_path)[-1]["failed"]


def test_a_line_that_was_cut_off_is_left_out(gpu_run: Any, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_text('{"a": 1}\n{"b": ')
    assert list(gpu_run.lines_of(path)) == [{"a": 1}]


def wait_for_lock(file: TextIO) -> None:
    """Until no other process holds it; one that is ended may take a moment to be gone."""
    until = time.monotonic() + 60
    while True:
        try:
            return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_step_that_outlasts_its_limit_is_ended_with_its_children(gpu_run: Any, tmp_path: Path) -> None:
    run = gpu_run.Run(60, emulated=True)
    held = tmp_path / "held"
    child = f"import fcntl, time; f = open({str(held)!r}, 'w'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(600)"
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {child!r}]); time.sleep(600)"
    began = time.monotonic()
    assert not run.finish(run.start("slow", python(parent), 1), 1)
    assert time.monotonic() - began < 60
    with held.open("a") as file:
        wait_for_lock(file)
    assert lines(tmp_path)[-1]["exit"] == "out of time"


def test_a_step_that_has_no_time_left_is_skipped_and_said_to_be(gpu_run: Any, tmp_path: Path) -> None:
    run = gpu_run.Run(4, emulated=True)
    assert run.step(gpu_run.ALONE[0])
    gpu_run.side_by_side(run)
    assert [(line["what"], line["skipped"]) for line in lines(tmp_path)] == [
        ("environment", "out of time"),
        ("tests and sanitizers", "out of time"),
    ]


def test_time_for_tests_and_sanitizers_is_left_whatever_steps_take(
    gpu_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, clock = gpu_run.Run(470, emulated=False, began=0.0), [0.0]
    monkeypatch.setattr(gpu_run.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(gpu_run.Run, "start", lambda *_, **__: None)

    def whole_limit(_: Any, process: Any, seconds: float) -> bool:
        clock[0] += seconds
        return False

    monkeypatch.setattr(gpu_run.Run, "finish", whole_limit)
    for step in gpu_run.ALONE:
        run.step(step, kept=gpu_run.KEPT * run.seconds)
    assert run.left() - gpu_run.FOR_PROFILE > 80


def test_processes_side_by_side_leave_one_log_with_their_outputs_apart(gpu_run: Any, tmp_path: Path) -> None:
    run = gpu_run.Run(60, emulated=True)
    code = "import time\nfor _ in range(3): print({0!r}, flush=True); time.sleep(0.1)"
    processes = [run.start(name, python(code.format(name)), 30, beside=True) for name in ("first", "second")]
    assert all(run.finish(process, 30) for process in processes)
    assert [path.name for path in (tmp_path / "out").glob("*.log")] == ["gpu.log"]
    text = (tmp_path / "out" / "gpu.log").read_text()
    assert "first\nfirst\nfirst\n" in text
    assert "second\nsecond\nsecond\n" in text


def test_a_device_that_computes_wrong_is_the_end_of_the_run(
    gpu_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []

    def failing(_: Any, step: Any, **__: Any) -> bool:
        begun.append(step.name)
        return False

    monkeypatch.setattr(gpu_run.Run, "step", failing)
    gpu_run.do_all(gpu_run.Run(470, emulated=False))
    assert begun == ["environment", "smoke"]


def test_nothing_is_fetched_where_the_modules_are(
    gpu_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> str:
        raise AssertionError("it asked for the network")

    monkeypatch.setattr(gpu_run.modules, "fetched", refuse)
    run = gpu_run.Run(60, emulated=True)
    gpu_run.prepare(run, tmp_path / "no wheels", "cuda13", tmp_path / "site")
    assert run.python == sys.executable


def test_a_module_that_is_missing_comes_from_a_wheel_beside_the_checkout(
    gpu_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_run.modules, "NEEDED", ("module_of_a_wheel",))
    monkeypatch.setattr(gpu_run.modules, "fetched", None)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "module_of_a_wheel-1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("module_of_a_wheel/__init__.py", "answer = 42")
    run = gpu_run.Run(60, emulated=True)
    gpu_run.prepare(run, wheels, "cuda13", tmp_path / "site")
    process = run.start("import", python("import module_of_a_wheel as m; raise SystemExit(m.answer)"), 30)
    assert process.wait(30)[0] == 42


def test_without_network_and_wheels_it_says_which_are_missing_and_goes_on(
    gpu_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_run.modules, "NEEDED", ("no_such_module",))

    def no_network(*_: Any) -> str:
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(gpu_run.modules, "fetched", no_network)
    run = gpu_run.Run(60, emulated=True)
    gpu_run.prepare(run, tmp_path / "wheels", "cuda13", tmp_path / "site")
    assert run.python == sys.executable
    assert "no_such_module missing" in lines(tmp_path)[-1]["failed"]


def test_what_is_profiled_are_the_kernels_that_took_longest(gpu_run: Any) -> None:
    results = gpu_run.Results("bench")
    times = {"add_pieces": 9.0, "weigh": 5.0, "scan": 0.3}
    results.add(primitive="msm_g1", kernels={name: {"launches": 1, "ms": ms} for name, ms in times.items()})
    assert gpu_run.worst_kernels() == ["add_pieces", "weigh"]


@pytest.mark.parametrize("module", ["py_ecc", "onnx"])
def test_a_machine_without_other_tests_needs_collects_the_tests_of_the_device(gpu_run: Any, module: str) -> None:
    command = gpu_run.tests(emulated=True)[2:]
    code = f"import sys; sys.modules[{module!r}] = None; import pytest; sys.exit(pytest.main({command!r}))"
    done = subprocess.run(python(code), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


def test_without_py_ecc_its_tests_are_skipped_and_none_is_an_error() -> None:
    command = ["-q", "--collect-only", "-p", "no:cacheprovider", "tests/curves", "tests/msm"]
    code = f"import sys; sys.modules['py_ecc'] = None; import pytest; sys.exit(pytest.main({command!r}))"
    done = subprocess.run(python(code), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.slow
@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_dry_run_of_the_whole_command_passes_on_the_emulated_device(tmp_path: Path) -> None:
    """With more seconds than it takes: limits of steps grow with them, for machines that are busy with other tests."""
    out = {"OUT": str(tmp_path / "out"), "ZKGPU_GPU_DRIVER": "emulated", "PYTHON": sys.executable}
    done = subprocess.run([ROOT / ".ci" / "gpu", "3600"], env={**os.environ, **out}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    found = lines(tmp_path)
    assert [line["what"] for line in found if "failed" in line or "skipped" in line] == ["tile kernels"]
    ended = [line["what"] for line in found if line["step"] == "run" and "exit" in line]
    assert ended == [*STEPS, *BESIDE, "once"]
    figures = [line["primitive"] for line in found if line.get("checked")]
    assert {"ntt", "msm_g1", "msm_g2", "groth16", "zkml", "plonk", "rate of IMAD.WIDE"} <= set(figures)
