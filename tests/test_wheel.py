"""A wheel of this tree: what is in it, and the README's commands, run from it alone in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from zkgpu.demo.samples import KEPT

ROOT = Path(__file__).parents[1]
MADE = shutil.ignore_patterns("__pycache__", "cubins", "kernels")  # a release has these, a checkout need not

pytestmark = pytest.mark.slow


def run(program: list[str], folder: Path, path: Path | None = None) -> str:
    own = {**os.environ, "PYTHONPATH": str(path or "")}
    done = subprocess.run(program, cwd=folder, env=own, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, f"{program}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("zkgpu", "cuda"):
        shutil.copytree(ROOT / name, source / name, ignore=MADE)
    for path in filter(Path.is_file, ROOT.iterdir()):
        shutil.copy(path, source)
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(out), str(source)], out)
    (made,) = out.glob("*.whl")
    return made


def test_it_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0].partition("-")[0] for name in names} == {"zkgpu"}
    wanted = {f"zkgpu/demo/samples/{name}" for name in KEPT} | {"zkgpu/py.typed", "zkgpu/profile/page.html"}
    wanted |= {f"zkgpu/cuda/{path.relative_to(ROOT / 'cuda')}" for path in (ROOT / "cuda").rglob("*") if path.is_file()}
    assert wanted <= names
    assert not [name for name in names if "/tests/" in name or name.endswith(".pyc")]
    assert wheel.stat().st_size < 2_000_000


def test_the_commands_of_the_readme_run_from_it(wheel: Path, tmp_path: Path) -> None:
    for module in ("wasmtime", "onnxruntime"):
        pytest.importorskip(module)
    installed, folder = tmp_path / "installed", tmp_path / "empty"
    folder.mkdir()
    run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(installed), str(wheel)], folder)
    where = "import zkgpu; print(zkgpu.__file__)"
    assert str(installed) in run([sys.executable, "-c", where], folder, installed)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    text = "".join(block for language, block in blocks if not language)
    lines = [line for line in text.splitlines() if line.startswith(("zkgpu ", "pip install "))]
    assert len(lines) >= 10
    script = re.sub(r"\bzkgpu ", f'"{sys.executable}" -m zkgpu ', "\n".join(["zkgpu samples", *lines]))
    said = run(["bash", "-euc", script.replace("pip install . && ", "")], folder, installed)
    assert said.count("valid proof") >= 3
    assert (folder / "Verifier.sol").is_file()
    assert (folder / "build" / "Verifier.sol").is_file()
