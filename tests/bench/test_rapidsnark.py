"""The program made of rapidsnark's library for Android, with a library in its place that calls Android's C library."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
SYMBOLS = ["__errno", "__sF", "fprintf", "memcmp", "memcpy", "snprintf", "strerror_r", "sysconf"]
pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or not (shutil.which("gcc") and shutil.which("nm")),
    reason="needs gcc and nm on x86-64",
)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(HERE.parents[1] / "bench"))
    import rapidsnark

    return rapidsnark


@pytest.fixture
def package(bench: Any, tmp_path: Path) -> Path:
    package = tmp_path / "package"
    library, linked = package / bench.LIBRARY, tmp_path / "linked"
    library.parent.mkdir(parents=True)
    linked.mkdir()
    (package / "package.json").write_text(json.dumps({"name": "fake", "version": "0.1"}))
    stub = bench.build_stub(SYMBOLS, linked)
    options = ["-shared", "-fPIC", "-nostdlib", "-fno-builtin", f"-Wl,-soname,{library.name}"]
    subprocess.run(["gcc", *options, HERE / "fake_rapidsnark.c", stub, "-o", library], check=True)
    return package


def proven(program: Path, witness: bytes) -> subprocess.CompletedProcess[str]:
    """The program's run in its folder on files `key` and `witness`."""
    folder = program.parent
    (folder / "key").write_bytes(b"key")
    (folder / "witness").write_bytes(witness)
    names = ["key", "witness", "proof.json", "public.json"]
    return subprocess.run([program, *names], cwd=folder, capture_output=True, text=True, check=False)


def test_a_library_of_android_runs_on_glibc(bench: Any, package: Path, tmp_path: Path) -> None:
    assert bench.undefined_symbols(package / bench.LIBRARY) == SYMBOLS
    program = bench.build(package, tmp_path / "built")
    assert bench.version_of(program) == "fake 0.1"
    done = proven(program, b"[1]")
    assert (done.returncode, done.stderr) == (0, "on standard error\n")
    cores, page = os.sysconf("SC_NPROCESSORS_ONLN"), os.sysconf("SC_PAGESIZE")
    assert json.loads((program.parent / "proof.json").read_text()) == {"cores": cores, "page": page, "share": 0.25}
    assert (program.parent / "public.json").read_text() == "[1]"


def test_what_the_library_refuses_is_told(bench: Any, package: Path, tmp_path: Path) -> None:
    program = bench.build(package, tmp_path / "built")
    refused = proven(program, b"invalid")
    assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, "rapidsnark: witness: Invalid argument")
    aborted = proven(program, b"unknown")
    assert (aborted.returncode, aborted.stderr.splitlines()[-1]) == (-6, "rapidsnark_shim: sysconf(1) is not known")
    assert not (program.parent / "proof.json").exists()


def test_a_folder_without_the_library_is_refused(bench: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"has no .*librapidsnark\.so"):
        bench.build(tmp_path, tmp_path / "built")
