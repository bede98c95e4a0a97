"""Compiled calculators: kept on disk under the trust of kernels, and a few of them in a process."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from zkgpu.circom import Calculator, Limits, modules
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import ResourceError
from zkgpu.jit import cache

wasmtime = pytest.importorskip("wasmtime")

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "data" / "samples"
MULTIPLIER = SAMPLES / "multiplier" / "multiplier.wasm"
INPUTS = {"a": 3, "b": 11, "k": 4}


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """An empty cache, and a process that has used no calculator. Gives the folder, and a way to forget."""
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(modules, "_at_hand", type(modules._at_hand)())
    return tmp_path / "cache" / "calculators"


@pytest.fixture
def compiled(monkeypatch):
    """The sizes of all modules that are compiled."""
    seen, make = [], wasmtime.Module

    class Watched(make):
        def __init__(self, engine, data):
            seen.append(len(data))
            super().__init__(engine, data)

    monkeypatch.setattr(wasmtime, "Module", Watched)
    return seen


def witness(**limits):
    return Fr.from_limbs(Calculator(MULTIPLIER, limits=Limits(**limits)).witness(INPUTS))


def test_a_calculator_is_compiled_once_for_all_processes(fresh, compiled):
    first = witness()
    assert len(compiled) == 2, "the calculator and what moves values"
    modules._at_hand.clear()
    assert witness() == first
    assert len(compiled) == 2
    assert len(list(fresh.glob("*.module"))) == 2


def test_a_process_keeps_the_calculators_it_used_last(fresh, compiled, monkeypatch, tmp_path):
    monkeypatch.setattr(modules, "MOST_AT_HAND", 2)
    loads = []
    monkeypatch.setattr(modules.native, "load", lambda name, restore: loads.append(name))
    paths = [tmp_path / f"{k}.wasm" for k in range(3)]
    for k, path in enumerate(paths):
        custom = bytes([0, 2, 1, 65 + k])  # a section of its own that says nothing: another file, another digest
        path.write_bytes(MULTIPLIER.read_bytes() + custom)
    for k in (0, 1, 0, 2, 0, 1):
        Calculator(paths[k])
    assert len(compiled) == 2 * 4, "0, 1 and 2, and 1 again, which 2 had displaced; a mover with each"


def spoiled():
    return {
        "cut": lambda path: path.write_bytes(path.read_bytes()[:1000]),
        "a bit flipped": lambda path: path.write_bytes(path.read_bytes()[:-9] + b"!" + path.read_bytes()[-8:]),
        "another one's": lambda path: path.write_bytes(
            next(p for p in path.parent.glob("*.module") if p != path).read_bytes()
        ),
        "writable by others": lambda path: path.chmod(0o606),
        "a link": lambda path: (path.rename(path.with_suffix(".old")), path.symlink_to(path.stem + ".old")),
        "of another version": lambda path: path.write_bytes(cache.sealed(path.name, b"\x7fELF not wasmtime's" * 99)),
    }


@pytest.mark.skipif(os.name != "posix", reason="permission bits and links are POSIX")
@pytest.mark.parametrize("how", spoiled())
def test_an_entry_that_is_not_whole_and_the_users_own_is_compiled_again(fresh, compiled, how, caplog, monkeypatch):
    first = witness()
    (entry,) = (path for path in fresh.glob("*.module") if path.stat().st_size > 100_000)
    spoiled()[how](entry)
    modules._at_hand.clear()
    given = []
    restore = wasmtime.Module.deserialize
    watched = classmethod(lambda _, engine, code: (given.append(code[:16]), restore(engine, code))[1])
    monkeypatch.setattr(wasmtime.Module, "deserialize", watched)
    with caplog.at_level(logging.WARNING):
        assert witness() == first
    assert "compiling again" in caplog.text
    assert len(compiled) == 3
    # the mover's; wasmtime itself refuses what another version of it made
    assert len(given) == (2 if how == "of another version" else 1)
    modules._at_hand.clear()
    assert witness() == first
    assert len(compiled) == 3, "the new entry is in the old one's place"


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch, compiled):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(modules, "_at_hand", type(modules._at_hand)())
    assert witness()[1:] == witness()[1:]


def test_one_calculator_serves_threads(fresh):
    calculator, results = Calculator(MULTIPLIER), []
    work = [
        threading.Thread(target=lambda: results.append(Fr.from_limbs(calculator.witness(INPUTS)))) for _ in range(4)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert len(results) == 4
    assert all(result == results[0] for result in results)


def test_memory_that_hands_values_over_is_limited(fresh):
    with pytest.raises(ResourceError, match="--memory"):
        witness(memory=1 << 16)


@pytest.mark.skipif(sys.platform != "linux", reason="address-space limits as Linux has them")
def test_an_address_space_of_one_and_a_half_gigabytes_is_enough(tmp_path):
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (1500 << 20, 1500 << 20))
from zkgpu.circom import Calculator
from zkgpu.formats.circuit_inputs import read_inputs
from zkgpu.curves.bn254 import Fr
for _ in range(2):
    calculator = Calculator({str(SAMPLES / "range" / "range.wasm")!r})
    print(len(calculator.witness(read_inputs({str(SAMPLES / "range" / "input.json")!r}, Fr))))
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKGPU_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(set(done.stdout.split())) == 1
