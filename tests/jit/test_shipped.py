"""Kernels that a release ships: run without a compiler, whole or not at all, never for a CPU that lacks features."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.jit.test_images import fill
from zkgpu.backend import shipping
from zkgpu.curves import kept
from zkgpu.curves.bn254 import Fr
from zkgpu.fields.cpu import CpuField
from zkgpu.fields.kernels import multiply_by_progression
from zkgpu.jit import cache, kernel, target
from zkgpu.jit.isa import LEVELS, supported

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
import numpy as np
from tests.jit.test_images import fill
from zkgpu.jit import cache
cache.SHIPPED = Path(sys.argv[1])
out = np.ones(6, np.uint64)
fill(4)(out, 1)
print(out.tolist(), "compiled" if "numba" in sys.modules else "loaded")
"""
RIGHT = [1, 104, 111, 118, 125, 132]


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A folder of shipped kernels with one kernel for each level."""
    monkeypatch.setattr(cache, "SHIPPED", tmp_path / "kernels")
    cache.shipped_folders()  # as this process found them: none of these
    fill(4)(np.ones(6, np.uint64), 1)
    monkeypatch.setattr(kernel, "known", [fill(4)])
    monkeypatch.setattr(kept, "met", {})
    shipping.build()
    return tmp_path / "kernels"


def outcome(shipped, tmp_path, **more):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKGPU_CACHE_DIR": str(tmp_path / "cache"), **more}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(shipped)], env=environment, capture_output=True, text=True, check=True
    )
    *numbers, how = done.stdout.replace("[", "").replace("]", "").replace(",", "").split()
    assert [int(number) for number in numbers] == RIGHT
    return how, done.stderr


def test_every_level_is_built_where_the_cpu_has_the_instruction_sets(shipped):
    levels = sorted(folder.name[25:] for folder in shipped.iterdir())
    wanted = ["aarch64", "x86-64", *(f"x86-64-{isa.name}" for isa in supported() if isa.lanes > 1)]
    assert levels == sorted(wanted)
    assert all(len(list(folder.iterdir())) == 1 for folder in shipped.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="images are Linux's")
def test_a_machine_that_never_compiled_runs_them(shipped, tmp_path):
    assert outcome(shipped, tmp_path)[0] == "loaded"
    assert not list((tmp_path / "cache").rglob("*.code"))
    assert outcome(shipped, tmp_path, NUMBA_CPU_FEATURES="+sse2")[0] == "loaded", "those of any CPU"


@pytest.mark.skipif(sys.platform != "linux", reason="images are Linux's")
@pytest.mark.parametrize("how", ["damaged", "another kernel's", "for another CPU", "of other sources", "not there"])
def test_what_is_not_right_is_compiled_anew(shipped, tmp_path, how):
    (entry,) = cache.shipped_folder(target.host_targets()[0]).iterdir()
    for folder in shipped.iterdir():
        if folder != entry.parent:
            (folder / entry.name).unlink()
    data = bytearray(entry.read_bytes())
    if how == "damaged":
        data[-40] ^= 1
        entry.write_bytes(data)
    elif how == "another kernel's":
        entry.write_bytes(cache.sealed("fill-0000.code", cache.opened(entry.name, bytes(data))))
    elif how == "for another CPU":
        payload = bytes(cache.opened(entry.name, bytes(data))).replace(b'"needs": [', b'"needs": ["none-has-this", ', 1)
        payload = payload.replace(b'", ]', b'"]', 1)
        entry.write_bytes(cache.sealed(entry.name, payload))
    elif how == "of other sources":
        entry.parent.rename(shipped / ("0" * 24 + entry.parent.name[24:]))
    else:
        entry.unlink()
    compiled, said = outcome(shipped, tmp_path)
    assert compiled == "compiled"
    assert ("install zkgpu again" in said) == (how in ("damaged", "another kernel's", "for another CPU"))


@pytest.mark.skipif(sys.platform != "linux", reason="images are Linux's")
def test_a_cpu_that_lacks_features_compiles_rather_than_runs_what_needs_them(shipped, tmp_path):
    best = target.host_targets()[0]
    if not best.features:
        pytest.skip("this CPU is of the least level")
    for folder in shipped.iterdir():
        if folder != cache.shipped_folder(best):
            shutil.rmtree(folder)
    assert outcome(shipped, tmp_path)[0] == "loaded"
    assert outcome(shipped, tmp_path, NUMBA_CPU_FEATURES="+sse2")[0] == "compiled"


@pytest.mark.skipif(sys.platform != "linux", reason="images are Linux's")
@pytest.mark.parametrize("isa", supported(), ids=lambda isa: isa.name)
def test_a_shipped_kernel_gives_the_bytes_of_one_compiled_here(isa, tmp_path, monkeypatch):
    """What a level's release holds is for any CPU of the level; what is compiled here is for the best that this has."""
    cpu, run = CpuField(Fr, isa, 1), multiply_by_progression(isa, Fr.modulus)
    vector = cpu.from_integers([pow(3, k, Fr.modulus) for k in range(100)] + [Fr.modulus - 1, 0, 1])
    expected = cpu.multiply_by_powers(vector, 5, scale=-7)
    monkeypatch.setattr(cache, "SHIPPED", tmp_path)
    monkeypatch.setattr(kernel, "known", [run])
    level = LEVELS.get(isa.name, shipping.levels()[-1])
    folder = shipping.build([level])[0].parent
    monkeypatch.setattr(cache, "shipped_folders", lambda: (folder,))
    monkeypatch.setattr(cache, "folder_in_use", lambda: pytest.fail("it is not the shipped one"))
    monkeypatch.setattr(run, "_entries", {})
    monkeypatch.setattr(run, "_latest", {})
    assert (cpu.multiply_by_powers(vector, 5, scale=-7).blocks == expected.blocks).all()


def test_shipped_kernels_of_features_that_the_cpu_lacks_are_not_looked_at(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "SHIPPED", tmp_path)
    for level in target.LINUX:
        cache.shipped_folder(level).mkdir()
    monkeypatch.setattr(target, "host_features", lambda: frozenset({"avx", "avx2", "sse4.2"}))
    target.host_targets.cache_clear()
    cache.shipped_folders.cache_clear()
    try:
        assert all("ifma" not in folder.name and "fma" not in folder.name for folder in cache.shipped_folders())
    finally:
        monkeypatch.undo()
        target.host_targets.cache_clear()
        cache.shipped_folders.cache_clear()
