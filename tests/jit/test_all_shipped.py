"""Nightly: a whole release's kernels against those compiled here, and the laws of backends over them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zkgpu.backend import shipping

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="images are Linux's")]
ROOT = Path(__file__).parents[2]
# every kernel that a command may need is run on the same numbers; what each leaves in its arrays goes into its hash
PROGRAM = """
import hashlib, json, os, random, sys
import numpy as np
draw = random.Random(1)
os.urandom = draw.randbytes
np.empty, np.empty_like = np.zeros, np.zeros_like
from zkgpu.backend import open_backend
from zkgpu.cli.warm import warm
from zkgpu.jit.kernel import Kernel
run, hashes = Kernel.__call__, {}

def take(digest, argument):
    if isinstance(argument, tuple):
        [take(digest, part) for part in argument]
    elif isinstance(argument, np.ndarray) and argument.dtype != np.int64:  # some of those are addresses
        digest.update(np.ascontiguousarray(argument).tobytes())

def hashed(self, *arguments):
    run(self, *arguments)
    take(hashes.setdefault(self.__name__, hashlib.sha256()), arguments)

Kernel.__call__ = hashed
warm(open_backend("cpu", threads=1, instructions=sys.argv[1]))
print(json.dumps([{name: digest.hexdigest() for name, digest in hashes.items()}, "numba" in sys.modules]))
"""
BLOCKED = 'raise ImportError("a kernel was to be compiled")\n'


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The package with its kernels, as a wheel would hold them."""
    folder = tmp_path_factory.mktemp("release")
    shutil.copytree(ROOT / "zkgpu", folder / "zkgpu", ignore=shutil.ignore_patterns("kernels", "__pycache__"))
    environment = {**os.environ, "PYTHONPATH": str(folder), "ZKGPU_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-m", "zkgpu.cli.kernels"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    assert "kernels," in done.stdout
    shutil.rmtree(folder / "cache")
    return folder


@pytest.fixture
def without_compiler(release, tmp_path):
    """The search path of a machine that has the release and cannot compile."""
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    for name in ("numba", "llvmlite"):
        (blocked / f"{name}.py").write_text(BLOCKED)
    return os.pathsep.join((str(blocked), str(release), str(ROOT)))


def environment(level, path, cache):
    return {**shipping.environment_of(level), "PYTHONPATH": path, "ZKGPU_CACHE_DIR": str(cache)}


@pytest.mark.parametrize("level", shipping.levels())
def test_every_shipped_kernel_leaves_the_bytes_of_one_compiled_here(release, without_compiler, tmp_path, level):
    def outcome(path, cache):
        command = [sys.executable, "-P", "-c", PROGRAM, shipping.instructions_of(level)]
        return json.loads(subprocess.check_output(command, env=environment(level, path, cache), cwd=tmp_path))

    shipped, used_numba = outcome(without_compiler, tmp_path / "none")
    compiled, compiles = outcome(str(ROOT), tmp_path / "cache")
    assert (used_numba, compiles) == (False, True)
    assert not list(tmp_path.glob("none/**/*.code"))
    assert shipped == compiled
    (folder,) = (folder for folder in (release / "zkgpu" / "kernels").iterdir() if folder.name[25:] == level)
    assert {file.name.rpartition("-")[0] for file in folder.glob("*.code")} == set(shipped)
    assert len(list(folder.glob("*.schedule"))) >= 3, "of a subgroup, and of the products that verifiers take"


@pytest.mark.parametrize("level", shipping.levels())
def test_the_laws_hold_over_shipped_kernels(release, tmp_path, level):
    """Kinds of arguments that no command has, such as of transforms of one value, are compiled."""
    kernels = f"cpu-{shipping.instructions_of(level)}"
    command = [sys.executable, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=", "-m", ""]
    done = subprocess.run(
        [*command, "tests/laws", "-k", kernels],
        env=environment(level, os.pathsep.join((str(release), str(ROOT))), tmp_path / "none"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    assert " passed" in done.stdout


def test_a_cpu_of_a_lesser_level_runs_none_of_the_others(release, without_compiler, tmp_path):
    """Where only kernels of better CPUs are shipped, a lesser one tries to compile."""
    best, *_, least = shipping.levels()
    if best == least:
        pytest.skip("this CPU is of the least level")
    crippled = tmp_path / "crippled"
    shutil.copytree(release / "zkgpu", crippled / "zkgpu")
    for folder in (crippled / "zkgpu" / "kernels").glob(f"*-{least}"):
        if folder.name[25:] == least:
            shutil.rmtree(folder)
    path = without_compiler.replace(str(release), str(crippled))
    command = [sys.executable, "-P", "-c", PROGRAM, shipping.instructions_of(least)]
    done = subprocess.run(
        command,
        env=environment(least, path, tmp_path / "none"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "a kernel was to be compiled" in done.stderr
