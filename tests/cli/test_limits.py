"""A machine that is short of something, and files that take too much of it: one line and exit code 3 or 5, never 70."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zkgpu.circom import guard
from zkgpu.cli.limits import size
from zkgpu.cli.process import MOST_THREADS
from zkgpu.cli.types import Refused
from zkgpu.errors import described

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "data" / "samples" / "multiplier"
PROVE = ("prove", SAMPLES / "multiplier_groth16.zkey", SAMPLES / "witness.wtns")

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits")


def limited(what: int, most: int, *arguments: object) -> tuple[int, str]:
    """Exit code and standard error of a command under a limit of the system."""
    program = f"""
import resource
resource.setrlimit({what}, ({most}, {most}))
import zkgpu.cli
zkgpu.cli.main()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    return run.returncode, run.stderr[run.stderr.find("error: ") :]  # before it the log may say that no kernel is kept


@linux
@pytest.mark.parametrize("megabytes", [60, 120, 350, 400, 450, 530, 767])
def test_under_tight_memory_a_command_refuses_before_llvm_aborts(tmp_path, megabytes):
    code, said = limited(resource.RLIMIT_AS, megabytes << 20, *PROVE, "--proof", tmp_path / "p.json")
    assert (code, len(said.splitlines())) == (5, 1)
    assert "ulimit -v" in said


@linux
def test_too_few_open_files_are_a_shortage():
    code, said = limited(resource.RLIMIT_NOFILE, 4, *PROVE)
    assert (code, len(said.splitlines())) == (5, 1), said
    assert "Too many open files" in said


def test_more_threads_than_make_sense_are_refused(command):
    assert f"at most {MOST_THREADS:,}" in command("--threads", 1_000_000, *PROVE).error(5)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, "Too many open files"),
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("can't start new thread"),
        ImportError("libx.so: failed to map segment from shared object"),
        MemoryError(),
    ],
)
def test_a_shortage_of_the_system_is_exit_code_5(error):
    line, code = described(error)
    assert code == 5
    assert "\n" not in line


def test_a_text_that_is_none_is_exit_code_3(command, tmp_path):
    (tmp_path / "in.json").write_text(r'{"a\ud800": 1}')
    assert "half a character" in command(
        "witness", SAMPLES / "multiplier.wasm", tmp_path / "in.json", "-o", tmp_path / "w"
    ).error(3)
    assert described(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"))[1] == 3


@pytest.mark.parametrize(
    ("text", "nbytes"), [("4G", 4 << 30), ("500m", 500 << 20), ("7", 7), ("2GiB", 2 << 30), ("1kB", 1 << 10)]
)
def test_sizes(text, nbytes):
    assert size(text) == nbytes


@pytest.mark.parametrize("text", ["", "0", "-1", "4 G", "1.5G", "G", "1e9", "9" * 20])
def test_what_is_no_size_is_refused(text):
    with pytest.raises(Refused):
        size(text)


@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "/dev/null"])
@pytest.mark.parametrize(
    "arguments",
    [
        ("zkml", "compile", "{}", "--calibrate", SAMPLES / "witness.wtns", "-o", "out"),
        ("zkml", "estimate", ROOT / "examples/models/digits_cnn.onnx", "--calibrate", "{}"),
        ("fullprove", "{}", SAMPLES / "multiplier.wasm", SAMPLES / "multiplier_groth16.zkey"),
        ("fullprove", SAMPLES / "input.json", "{}", SAMPLES / "multiplier_groth16.zkey"),
        ("prove", "{}", SAMPLES / "witness.wtns"),
        ("prove", SAMPLES / "multiplier_groth16.zkey", "{}"),
        ("inspect", "{}"),
    ],
    ids=lambda arguments: " ".join(str(a) for a in arguments if not isinstance(a, Path)),
)
def test_pipes_and_devices_are_no_files(command, tmp_path, monkeypatch, arguments, name):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    said = command(*(str(a).format(name) for a in arguments)).error(2)
    assert "not a regular file" in said


def test_fullprove_refuses_a_witness_of_another_circuits_size(command, tmp_path):
    other = SAMPLES.parent / "range"
    said = command(
        "fullprove",
        other / "input.json",
        other / "range.wasm",
        SAMPLES / "multiplier_groth16.zkey",
        "--proof",
        tmp_path / "p.json",
        "--public",
        tmp_path / "u.json",
    ).error(3)
    assert "but the key is for 7" in said


@pytest.mark.parametrize("seconds", ["nan", "inf", "-inf", "1e999", "0", "-1", "soon", ""])
@pytest.mark.parametrize("name", ["witness", "fullprove", "batch"])
def test_a_time_is_above_0_and_ends(command, tmp_path, name, seconds):
    inputs, wasm, key = SAMPLES / "input.json", SAMPLES / "multiplier.wasm", SAMPLES / "multiplier_groth16.zkey"
    line = {
        "witness": (wasm, inputs, "-o", tmp_path / "w.wtns"),
        "fullprove": (inputs, wasm, key, "--proof", tmp_path / "p.json"),
        "batch": (key, tmp_path, "-o", tmp_path / "out"),
    }[name]
    assert "--witness-timeout': give seconds" in command(name, *line, "--witness-timeout", seconds).error(2)
    assert not list(tmp_path.iterdir())


def test_a_time_that_no_wait_can_take_is_as_good_as_none(command, tmp_path):
    line = ("witness", SAMPLES / "multiplier.wasm", SAMPLES / "input.json", "-o", tmp_path / "w.wtns")
    assert command(*line, "--witness-timeout", "1e300").code == 0


def test_fullprove_ends_a_calculator_that_runs_too_long(command, tmp_path, monkeypatch):
    settle, large = guard._settle, SAMPLES.parent / "range"

    def late(future, task):
        time.sleep(0.5)
        settle(future, task)

    monkeypatch.setattr(guard, "_settle", late)
    said = command(
        "fullprove",
        large / "input.json",
        large / "range.wasm",
        large / "range_groth16.zkey",
        "--witness-timeout",
        "0.05",
        "--proof",
        tmp_path / "p.json",
    ).error(5)
    assert "it runs for more than 0.05 s: give it longer with --witness-timeout" in said


def test_a_folder_that_is_gone_is_named_as_such(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(FileNotFoundError) as error:
        os.getcwd()
    assert described(error.value) == ("the folder that this was started in is gone: change to one that is there", 3)
    assert "there.zkey" in described(FileNotFoundError(errno.ENOENT, "No such file or directory", "there.zkey"))[0]
