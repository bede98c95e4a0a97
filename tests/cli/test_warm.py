"""A first start shares its compilation with a second process; commands are imported when they are called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zkgpu.backend import machine, open_backend
from zkgpu.cli import warm
from zkgpu.cli.parsing import cli
from zkgpu.cli.program import COMMANDS
from zkgpu.cli.session import COMPILING, Session
from zkgpu.curves import BN254, execution
from zkgpu.curves.pairing import is_in_subgroup_g2
from zkgpu.fields import sparse, transpose_kernel
from zkgpu.jit.kernel import kernel

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """The folder of this process's kernels, empty."""
    monkeypatch.setattr(machine, "folder_in_use", lambda: tmp_path)
    monkeypatch.setattr(machine, "shipped_folders", lambda: ())
    monkeypatch.setattr(warm.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(warm, "_PROGRAM", "import time; time.sleep(100)")
    return tmp_path


@pytest.fixture(scope="module")
def backend():
    return open_backend("cpu")


def test_the_second_process_ends_with_the_first_one_s_work(folder, backend):
    with warm.second_process(backend) as process:
        assert process.poll() is None
    assert process.returncode is not None
    with pytest.raises(ZeroDivisionError), warm.second_process(backend) as process:
        raise ZeroDivisionError
    assert process.returncode is not None


def test_there_is_none_where_there_is_nothing_to_share(folder, backend, monkeypatch):
    with warm.second_process(open_backend("reference")) as process:
        assert process is None
    monkeypatch.setattr(warm.os, "cpu_count", lambda: 1)
    with warm.second_process(backend) as process:
        assert process is None
    monkeypatch.setattr(warm.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(machine, "shipped_folders", lambda: (folder,))
    with warm.second_process(backend) as process:
        assert process is None, "a release has all kernels"
    monkeypatch.setattr(machine, "shipped_folders", lambda: ())
    (folder / "kernel.code").write_bytes(b"")
    with warm.second_process(backend) as process:
        assert process is None
    monkeypatch.setattr(machine, "folder_in_use", lambda: None)
    with warm.second_process(backend) as process:
        assert process is None


def test_every_command_is_there_under_its_name():
    for name in COMMANDS:
        command = cli.get_command(None, name)
        assert command.name == name
        assert command.help
    assert cli.get_command(None, "no such command") is None


PROBE = "import sys; from zkgpu.cli import main; sys.argv[1:] = {arguments}\ntry: main()\nfinally: print(*sys.modules)"


@pytest.mark.parametrize("arguments", [["fullprove", "--help"], ["prove", "--help"]])
def test_what_a_command_does_not_need_is_not_imported(arguments):
    command = [sys.executable, "-c", PROBE.format(arguments=arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    loaded = set(done.stdout.split("\n")[-2].split())
    assert "zkgpu.cli.proof" in loaded
    assert not loaded & {"numba", "numpy._core", "rich", "onnx", "zkgpu.cli.zkml", "zkgpu.plonk", "zkgpu.groth16"}


SAMPLE = ROOT / "tests" / "data" / "samples" / "range"
HEAVY = {  # what compiles, reads models, draws, talks to others, or belongs to other commands
    *("numba", "llvmlite", "rich", "onnx", "onnxruntime", "cupy", "pydantic", "scipy", "sympy", "wasmtime"),
    *("numpy.testing", "numpy.ctypeslib", "numpy.random", "numpy.ma", "numpy.polynomial", "numpy.fft", "numpy.f2py"),
    *("asyncio", "email", "filelock", "http", "multiprocessing", "platformdirs", "socket", "ssl", "subprocess"),
    *("tempfile", "unittest", "shutil"),
    *("zkgpu.circuits.builder", "zkgpu.circuits.program", "zkgpu.gpu", "zkgpu.jit.compiling", "zkgpu.jit.emitter"),
    *("zkgpu.inference", "zkgpu.plonk", "zkgpu.solidity", "zkgpu.zkml", "zkgpu.groth16.setup", "zkgpu.circom"),
}
OF_VERIFY = {
    *("numpy._core", "zkgpu.curves.ate", "concurrent.futures", "secrets", "signal", "zkgpu.backend.cpu"),
    *("zkgpu.groth16.proof", "zkgpu.msm"),
}
OF_PYTHON = {"signal", "subprocess"} if sys.version_info < (3, 11) else set()  # by the module platform there
WARM = {
    "verify": (HEAVY | OF_VERIFY, *(SAMPLE / f"groth16_{name}.json" for name in ("vk", "public", "proof"))),
    "prove": (HEAVY, SAMPLE / "range_groth16.zkey", SAMPLE / "witness.wtns"),
    "fullprove": (
        HEAVY - {"wasmtime", "zkgpu.circom", "subprocess"},
        *(SAMPLE / name for name in ("input.json", "range.wasm", "range_groth16.zkey")),
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="images, which need no LLVM, are Linux's")
@pytest.mark.parametrize("command", WARM)
def test_a_warm_command_imports_nothing_heavy(command, tmp_path):
    heavy, *files = WARM[command]
    execution.use_kernel()
    assert is_in_subgroup_g2(BN254.g2.generator)  # on the kernel, which is kept from now on
    loaded = modules_of(tmp_path, command, *files)
    assert {"numpy", "zkgpu.groth16.verifier"} <= loaded
    assert not loaded & (heavy - OF_PYTHON)


def modules_of(tmp_path, *arguments):
    """What a second run of a command imports: the first compiles the kernels that are not there."""
    arguments = ["--device", "cpu", *map(str, arguments)]
    program = [sys.executable, "-c", PROBE.format(arguments=arguments)]
    for _ in range(2):
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(program, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n")[-2].split())


OF_COMPILE = {
    *("numba", "llvmlite", "rich", "onnx", "onnxruntime", "wasmtime", "scipy", "numpy.random", "numpy.ma"),
    *("zkgpu.zkml.calibration", "zkgpu.zkml.counting", "zkgpu.zkml.layers.network", "zkgpu.zkml.lowering.builder"),
    *("zkgpu.zkml.onnx_import", "zkgpu.zkml.onnx_worker", "zkgpu.zkml.precision", "zkgpu.zkml.quantize"),
}


@pytest.mark.skipif(sys.platform != "linux", reason="images, which need no LLVM, are Linux's")
def test_proving_a_compiled_model_imports_nothing_that_compiles_one(tmp_path, command):
    pytest.importorskip("onnx")
    from tests.cli.test_zkml_refusals import PIXELS, dense, onnx

    onnx.save(dense(), tmp_path / "m.onnx")
    np.save(tmp_path / "m.npy", PIXELS)
    np.save(tmp_path / "one.npy", PIXELS[:1])
    build = tmp_path / "built"
    assert command("zkml", "compile", tmp_path / "m.onnx", "--calibrate", tmp_path / "m.npy", "-o", build).code == 0
    assert command("zkml", "setup", build, "--unsafe").code == 0
    loaded = modules_of(tmp_path, "zkml", "prove", build, tmp_path / "one.npy")
    assert {"zkgpu.zkml.storage", "zkgpu.groth16.proof"} <= loaded
    assert not loaded & OF_COMPILE


@pytest.mark.slow
def test_two_processes_compile_every_kernel_once(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKGPU_CACHE_DIR": str(tmp_path / "cache")}
    command = [sys.executable, "-c", "from zkgpu.cli import main; main()", "--device", "cpu", "cache", "warm"]
    written = []
    for _ in range(2):
        subprocess.run(command, env=environment, check=True, capture_output=True)
        written.append({path.name: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.code")})
    assert written[0] == written[1]
    assert len(written[0]) > 30


FIRST_USE = "import sys; from zkgpu.cli import main; main(sys.argv[1:])"
SHIPS_NONE = "from pathlib import Path; from zkgpu.jit import cache; cache.SHIPPED = Path('nowhere'); "


def first_use(cache, *options):
    """What a command says that needs one kernel, where the package has none of a release."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKGPU_CACHE_DIR": str(cache), "ZKGPU_CPU_PATH": "portable"}
    samples = ROOT / "tests" / "data" / "samples" / "multiplier"
    command = [sys.executable, "-c", SHIPS_NONE + FIRST_USE, *options, "--threads", "1", "export", "vk"]
    command += [str(samples / "multiplier_groth16.zkey"), os.devnull]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stderr.splitlines()


def test_a_first_use_says_that_it_compiles_and_the_second_does_not(tmp_path):
    cache = tmp_path / "cache"
    assert first_use(cache) == [f"{COMPILING} (about 12 s)"]
    assert first_use(cache) == []
    assert first_use(tmp_path / "other", "--quiet") == []


def test_a_cache_that_cannot_be_written_is_one_warning(tmp_path):
    (tmp_path / "file").write_text("in the way")
    said = " ".join(first_use(tmp_path / "file" / "cache"))
    assert said.count("warning: ") == said.count("not kept") == 1
    assert COMPILING in said


def test_the_display_hears_how_far_compiling_is(monkeypatch):
    monkeypatch.setattr(machine, "kernels_at_hand", lambda: 0)

    class Display:
        def __init__(self):
            self.names, self.parts = set(), []

        def steps(self, name, steps):
            self.names.add(name)
            self.parts.append(steps.done / steps.total)

    shown = Display()
    session = Session(_display=shown)
    for _ in range(40):
        session.on_compiling("sum")
    (name,) = shown.names
    assert name.startswith(COMPILING)
    assert shown.parts == sorted(shown.parts)
    assert 0 < shown.parts[0] < shown.parts[-1] == 1


@pytest.mark.parametrize(
    ("at_hand", "said", "part"),
    [(0, "about 12 s", 1 / 24), (1, "about 12 s", 1 / 23), (13, "about 6 s", 1 / 11), (22, "about 1 s", 1 / 2)]
    + [(at_hand, "about a second each", 1) for at_hand in (23, 24, 40)],
)
def test_the_time_said_is_that_of_the_kernels_that_are_missing(monkeypatch, capsys, at_hand, said, part):
    monkeypatch.setattr(machine, "kernels_at_hand", lambda: at_hand)
    session = Session()
    session.on_compiling("sum")
    assert session._kernels.done / session._kernels.total == part
    session.on_compiling("sum")
    assert capsys.readouterr().err == f"{COMPILING} ({said})\n"


@pytest.mark.slow
def test_a_warm_cache_has_every_kernel_that_a_command_needs(tmp_path):
    samples, cache = ROOT / "tests" / "data" / "samples", tmp_path / "cache"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKGPU_CACHE_DIR": str(cache)}

    def done(*arguments):
        command = [sys.executable, "-c", FIRST_USE, "--device", "cpu", *map(str, arguments)]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True).stderr

    done("cache", "warm")
    multiplier, ptau = samples / "multiplier", samples / "pot6_final.ptau"
    for system in ("groth16", "plonk"):
        key = tmp_path / f"{system}.zkey"
        commands = [
            ("setup", multiplier / "multiplier.r1cs", ptau, key, "--protocol", system),
            ("prove", key, multiplier / "witness.wtns", "--circuit", multiplier / "multiplier.r1cs"),
            ("export", "vk", key, tmp_path / "vk.json"),
            ("verify", tmp_path / "vk.json", tmp_path / "public.json", tmp_path / "proof.json"),
        ]
        for command in commands:
            assert COMPILING not in done(*command), command
    range_key = samples / "range" / "range_groth16.zkey"
    for command in (["prove", range_key, samples / "range" / "witness.wtns"], ["demo"], ["demo", "--membership"]):
        assert COMPILING not in done(*command), command


def test_v_says_what_computes_from_which_kernels_and_what_is_compiled(capsys):
    session = Session(verbosity=1, device="cpu", threads=1)
    session.start_logging()
    session.backend()
    session.on_compiling("sum_of_points")
    said = " ".join(capsys.readouterr().err.split())
    assert "computing on cpu (" in said
    assert ", 1 thread)" in said
    assert machine.kernels_in_use().split()[0] in said.partition("kernels: ")[2]
    assert "compiling kernel 1: sum_of_points" in said


def test_large_matrices_are_transposed_without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = kernel(transpose_kernel.transposed.__wrapped__)  # type: ignore[attr-defined]
    monkeypatch.setattr(transpose_kernel, "transposed", fresh)
    monkeypatch.setattr(sparse, "MANY", 0)
    warm.warm_matrices()
    compiled = fresh().met()
    for values in (2, 300, (1 << 16) + 1):
        ids = np.array([values - 1, 0])
        table = np.zeros((values, 4), np.uint64)
        sparse.SparseMatrix((1, 2), np.array([0, 2]), np.array([1, 0], np.int32), ids, table).transpose()
    assert fresh().met() == compiled


DEEP = """
import resource
from zkgpu import cli
from zkgpu.cli import program

def deep(n):
    return n and deep(n - 1)

def run(given):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for n in range(0, 400, 4):
        for _ in range(20):
            deep(n)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

program.main = run
cli.main([])
"""


@pytest.mark.skipif(sys.platform != "linux" or sys.implementation.name != "cpython", reason="of CPython's frames")
def test_calls_from_the_command_line_find_room_for_their_frames():
    done = subprocess.run([sys.executable, "-c", DEEP], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 300
