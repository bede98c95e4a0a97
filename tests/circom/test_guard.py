"""Calculators that would run for ever, or take all memory, are ended; other threads, and Ctrl+C, notice nothing."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zkgpu.circom import Calculator, Limits, compute_witness
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, ResourceError

wasmtime = pytest.importorskip("wasmtime")

MULTIPLIER = Path(__file__).parent.parent / "data" / "samples" / "multiplier" / "multiplier.wasm"
INPUTS = {"a": 3, "b": 11, "k": 4}
FOREVER = "(loop $again (br $again))"
PRIME = "".join(f"\\{byte:02x}" for byte in Fr.modulus.to_bytes(32, "little"))


def hostile(folder: Path, init: str = "", *, size: int = 7, extra: str = "", memory: int = 1) -> Path:
    """A calculator without inputs that does `init` when it starts and says that its witness has `size` values."""
    zero = ("getSharedRWMemoryStart", "getInputSize")
    functions = " ".join(f'(func (export "{name}") (result i32) i32.const 0)' for name in zero)
    text = f"""(module
        (import "runtime" "printErrorMessage" (func $print))
        (memory (export "memory") {memory}) (data (i32.const 0) "{PRIME}") {extra} {functions}
        (func (export "getFieldNumLen32") (result i32) i32.const 8)
        (func (export "getMessageChar") (result i32) i32.const 97)
        (func (export "getWitnessSize") (result i32) i32.const {size})
        (func (export "getVersion") (result i32) i32.const 2) (func (export "getRawPrime"))
        (func (export "init") (param i32) {init}) (func (export "getWitness") (param i32))
        (func (export "setInputSignal") (param i32 i32 i32))
        (func (export "getInputSignalSize") (param i32 i32) (result i32) i32.const 1))"""
    (folder / "hostile.wasm").write_bytes(wasmtime.wat2wasm(text))
    return folder / "hostile.wasm"


START = f"(func $start {FOREVER}) (start $start)"


@pytest.mark.parametrize("how", [{"init": FOREVER}, {"extra": START}], ids=["init", "start"])
def test_a_calculator_that_never_ends_is_ended(tmp_path, how):
    before = time.monotonic()
    with pytest.raises(ResourceError, match=r"more than 0\.3 s.*--witness-timeout"):
        compute_witness(hostile(tmp_path, **how), {}, Fr, Limits(seconds=0.3))
    assert time.monotonic() - before < 30


def test_ctrl_c_ends_a_calculator_at_once(tmp_path, ctrl_c):
    before = time.monotonic()
    ctrl_c(0.3)
    with pytest.raises(KeyboardInterrupt):
        compute_witness(hostile(tmp_path, FOREVER), {}, Fr, Limits(seconds=60))
    assert time.monotonic() - before < 30


def test_the_witness_of_another_thread_comes_about_all_the_same(tmp_path):
    """Stopping one run stops all that the engine runs: the others begin again."""
    calculator = Calculator(MULTIPLIER)
    expected, found = calculator.witness(INPUTS).tobytes(), []
    stop = threading.Event()

    def disturb():
        while not stop.wait(0.0005):
            calculator.engine.increment_epoch()

    other = threading.Thread(target=disturb)
    other.start()
    try:
        for _ in range(20):
            found.append(calculator.witness(INPUTS).tobytes())
    finally:
        stop.set()
        other.join()
    assert set(found) == {expected}


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


GROW = """(local $i i32) (loop $again
    (drop (memory.grow (i32.const 64)))
    (memory.fill (i32.const 4096) (i32.const 1) (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 4096)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $i) (i32.const 200))))"""  # 800 MB, if it may


def test_memory_grows_no_further_than_the_limit(tmp_path):
    before = peak()
    with pytest.raises(FormatError, match="not below the prime"):  # what it gives is no witness either
        compute_witness(hostile(tmp_path, GROW, size=0), {}, Fr, Limits(memory=32 << 20))
    assert peak() - before < 64 << 20


def test_a_calculator_that_begins_with_more_memory_is_refused(tmp_path):
    with pytest.raises(ResourceError, match="--memory"):
        compute_witness(hostile(tmp_path, memory=1 << 14), {}, Fr, Limits(memory=32 << 20))


@pytest.mark.parametrize("extra", ["(memory 1)", "(memory 1) (memory 1)", "(table 9999999 funcref)"])
def test_more_memories_and_large_tables_are_refused(tmp_path, extra):
    with pytest.raises((FormatError, ResourceError)):
        compute_witness(hostile(tmp_path, extra=extra), {}, Fr)


def test_a_witness_of_another_size_than_the_keys_is_refused_before_it_is_read(tmp_path):
    with pytest.raises(FormatError, match=r"a witness of 4,294,967,295 values, but the key is for 7"):
        compute_witness(hostile(tmp_path, size=-1), {}, Fr, Limits(wires=7))
    with pytest.raises(ResourceError, match="--memory"):
        compute_witness(hostile(tmp_path, size=-1), {}, Fr)


def test_a_calculator_that_prints_for_ever_is_ended_and_not_listened_to(tmp_path, monkeypatch):
    monkeypatch.setattr("zkgpu.circom.calculator._MAX_SAID", 1 << 12)
    runs = []
    monkeypatch.setattr("zkgpu.circom.calculator._Run.close", lambda run: runs.append(run))
    with pytest.raises(ResourceError, match="runs for more than"):
        compute_witness(hostile(tmp_path, "(loop $again (call $print) (br $again))"), {}, Fr, Limits(seconds=0.8))
    assert len(runs[0]._messages) < 3


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits")
def test_two_gigabytes_of_addresses_are_enough():
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
from zkgpu.circom import Calculator
calculator = Calculator({str(MULTIPLIER)!r})
print([len(calculator.witness({INPUTS})) for _ in range(30)][-1])
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stdout.strip()) == (0, "7"), run.stderr
