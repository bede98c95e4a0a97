"""Witness calculators of circom 2.2.3, run in the sandbox."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from zkgpu.circom import Calculator, compute_witness
from zkgpu.circom.signals import flatten, name_hash
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import FormatError, InputError, ResourceError, UnsatisfiedError, UsageError
from zkgpu.formats.circuit_inputs import read_inputs
from zkgpu.formats.wtns import write_wtns

wasmtime = pytest.importorskip("wasmtime")

SAMPLES = Path(__file__).parent.parent / "data" / "samples"
MULTIPLIER = SAMPLES / "multiplier" / "multiplier.wasm"
RANGE = SAMPLES / "range" / "range.wasm"


@pytest.mark.parametrize("name", ["multiplier", "range"])
def test_the_witness_file_equals_that_of_circoms_own_script(tmp_path, name):
    folder = SAMPLES / name
    witness = compute_witness(folder / f"{name}.wasm", read_inputs(folder / "input.json"), Fr)
    write_wtns(tmp_path / "witness.wtns", Fr, witness)
    assert (tmp_path / "witness.wtns").read_bytes() == (folder / "witness.wtns").read_bytes()


def test_a_negative_input_counts_from_the_modulus():
    negative = compute_witness(MULTIPLIER, {"a": -3, "b": "-0xb", "k": 4}, Fr)
    canonical = compute_witness(MULTIPLIER, {"a": Fr.modulus - 3, "b": str(Fr.modulus - 11), "k": "4"}, Fr)
    assert np.array_equal(negative, canonical)


def test_a_failed_assertion_is_reported_with_circoms_trace():
    inputs = {"x": 5, "salt": 1, "lo": 6, "hi": 9}
    with pytest.raises(UnsatisfiedError, match=r"assertion of the circuit: .*template Range_75 line: 13") as error:
        compute_witness(RANGE, inputs, Fr)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"a": 3, "b": 11}, "takes 3"),
        ({}, "takes 3"),
        ({"a": 3, "b": 11, "k": 4, "z": 1}, "'z' is not an input"),
        ({"a": [3, 3], "b": 11, "k": 4}, "'a' has 2 values"),
        ({"a": "three", "b": 11, "k": 4}, "'a'"),
        ({"a": "0x", "b": 11, "k": 4}, "'a'"),
        ({"a": 1.5, "b": 11, "k": 4}, "'a': a float"),
        ({"a": True, "b": 11, "k": 4}, "'a': a bool"),
        ({"a": None, "b": 11, "k": 4}, "'a': a NoneType"),
        ({"a": Fr.modulus, "b": 11, "k": 4}, "'a': a value is not between"),
        ({"a": -Fr.modulus, "b": 11, "k": 4}, "'a': a value is not between"),
    ],
)
def test_wrong_inputs_are_refused_by_name(inputs, message):
    with pytest.raises(UsageError, match=message):
        compute_witness(MULTIPLIER, inputs, Fr)


def test_arrays_keep_their_name_and_buses_name_their_members():
    inputs = {
        "grid": [[1, 2], [3, "4"]],
        "array": np.array([5, 6]),
        "bus": {"x": 7, "y": [8, 9]},
        "buses": [{"x": 1}, {"x": 2}],
    }
    assert flatten(inputs, Fr) == {
        "grid": [1, 2, 3, 4],
        "array": [5, 6],
        "bus.x": [7],
        "bus.y": [8, 9],
        "buses[0].x": [1],
        "buses[1].x": [2],
    }


@pytest.mark.parametrize(
    "value",
    [[[1, 2], [3]], [1, [2]], [[[1], [2]], [[3]]], [[[1], [2]], [[3, 4], [5, 6]]], [np.array([1, 2]), [3]]],
    ids=["rows", "mixed", "blocks", "rows of blocks", "array"],
)
def test_rows_of_different_lengths_are_refused_as_no_array_of_a_circuit_has_them(value):
    with pytest.raises(InputError, match="input 'x': its rows have different lengths"):
        flatten({"x": value}, Fr)
    with pytest.raises(InputError, match=r"input 'bus\.x': its rows"):
        flatten({"bus": {"x": value}}, Fr)


def test_names_are_hashed_by_fnv_1a():
    # test vectors of draft-eastlake-fnv
    assert name_hash("") == 0xCBF29CE484222325
    assert name_hash("a") == 0xAF63DC4C8601EC8C
    assert name_hash("foobar") == 0x85944171F73967E8


def module(tmp_path, text):
    (tmp_path / "module.wasm").write_bytes(wasmtime.wat2wasm(text))
    return tmp_path / "module.wasm"


@pytest.mark.parametrize(
    "wanted",
    [
        '"wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32))',
        '"env" "write" (func)',
        '"runtime" "random" (func (result i32))',
        '"runtime" "memory" (memory 1)',
    ],
)
def test_a_module_that_asks_for_more_than_circoms_callbacks_is_refused(tmp_path, wanted):
    text = f"(module (import {wanted}))"
    with pytest.raises(FormatError, match="refused"):
        compute_witness(module(tmp_path, text), {}, Fr)


def test_a_module_without_circoms_interface_is_refused(tmp_path):
    with pytest.raises(FormatError, match="not a witness calculator of circom 2"):
        compute_witness(module(tmp_path, '(module (memory (export "memory") 1))'), {}, Fr)


@pytest.mark.parametrize("size", [0, 3, 4, 8, 1000, 34000])
def test_a_truncated_module_is_refused(tmp_path, size):
    (tmp_path / "cut.wasm").write_bytes(MULTIPLIER.read_bytes()[:size])
    with pytest.raises(FormatError):
        compute_witness(tmp_path / "cut.wasm", {"a": 3, "b": 11, "k": 4}, Fr)


def test_a_text_is_not_taken_for_a_module(tmp_path):
    (tmp_path / "text.wasm").write_text("(module)")
    with pytest.raises(FormatError, match="not a WebAssembly module"):
        compute_witness(tmp_path / "text.wasm", {}, Fr)


def test_a_module_that_traps_gives_an_error(tmp_path):
    names = ("getSharedRWMemoryStart", "getFieldNumLen32", "getInputSize", "getWitnessSize", "getMessageChar")
    functions = " ".join(f'(func (export "{name}") (result i32) i32.const 0)' for name in names)
    text = f"""(module (memory (export "memory") 1) {functions}
        (func (export "getVersion") (result i32) i32.const 2) (func (export "getRawPrime"))
        (func (export "init") (param i32) unreachable) (func (export "getWitness") (param i32))
        (func (export "setInputSignal") (param i32 i32 i32))
        (func (export "getInputSignalSize") (param i32 i32) (result i32) i32.const 1))"""
    with pytest.raises(FormatError, match="the calculator failed"):
        compute_witness(module(tmp_path, text), {}, Fr)


def test_a_module_with_a_function_missing_is_refused(tmp_path):
    text = MULTIPLIER.read_bytes().replace(b"getVersion", b"getVersiom")
    (tmp_path / "renamed.wasm").write_bytes(text)
    with pytest.raises(FormatError, match="1 functions missing"):
        compute_witness(tmp_path / "renamed.wasm", {"a": 3, "b": 11, "k": 4}, Fr)


def test_without_wasmtime_the_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "wasmtime", None)
    with pytest.raises(ResourceError, match=r"pip install 'zkgpu\[circom\]'"):
        compute_witness(MULTIPLIER, {"a": 3, "b": 11, "k": 4}, Fr)


INPUTS = {"a": 3, "b": 11, "k": 4}


def test_one_calculator_computes_many_witnesses_in_threads_too():
    calculator = Calculator(MULTIPLIER)
    expected = {b: compute_witness(MULTIPLIER, INPUTS | {"b": b}, Fr).tobytes() for b in range(4)}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda b: (b, calculator.witness(INPUTS | {"b": b}).tobytes()), [*range(4)] * 6))
    assert all(witness == expected[b] for b, witness in found)
    assert repr(calculator) == f"<calculator {MULTIPLIER}>"


def test_a_failed_witness_leaves_the_calculator_as_it_was():
    calculator = Calculator(MULTIPLIER)
    before = calculator.witness(INPUTS).tobytes()
    with pytest.raises(UsageError):
        calculator.witness({"a": 3})
    assert calculator.witness(INPUTS).tobytes() == before


def address_space():
    """Bytes that this process has mapped."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmSize:\s+(\d+) kB", status)[1]) << 10


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_witnesses_right_and_refused_leave_no_memory_behind():
    """An instance takes gigabytes of addresses, so one that is kept shows at once."""

    def some(n):
        for _ in range(n):
            compute_witness(MULTIPLIER, INPUTS, Fr)
            for inputs in ({"a": 3}, {"a": 3, "b": 11, "k": 4, "z": 1}):
                with pytest.raises(UsageError):
                    compute_witness(MULTIPLIER, inputs, Fr)
            with pytest.raises(UnsatisfiedError):
                compute_witness(RANGE, {"x": 5, "salt": 1, "lo": 6, "hi": 9}, Fr)

    some(2)
    before = address_space()
    some(3)
    assert address_space() < before + (1 << 30)


CIRCOM = SAMPLES.parent / "circom"
LOGS = {
    "2.0.3": ["log: 5", "log: 6"],
    "2.2.3": ["log: a is 5 and b 6 7", "log: 6", "log: only text", "log: "],
}


@pytest.mark.parametrize("version", LOGS)
def test_calculators_with_and_without_sizes_of_signals_compute_alike(version):
    assert Fr.from_limbs(compute_witness(CIRCOM / f"log_{version}.wasm", {"a": 5, "b": [6, 8]}, Fr)) == [1, 30, 5, 6]


@pytest.mark.parametrize("version", LOGS)
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"a": [5, 6, 8]}, "'a' has 3 values but the circuit takes 1"),  # over b, which is not given
        ({"a": [5, 6], "b": [8]}, "'a' has 2 values but the circuit takes 1"),
        ({"b": [1, 2, 3]}, "'b' has 3 values but the circuit takes 2"),  # beyond the last input
        ({"a": 5, "b": [6]}, "'b' has 1 values but the circuit takes 2"),
        ({"a": 5}, "a signal is missing"),
        ({"a": 5, "b": [6, 8], "z": 1}, "'z' is not an input signal"),
    ],
)
def test_sizes_of_signals_are_checked_where_the_calculator_does_not_tell_them(version, inputs, message):
    with pytest.raises(UsageError, match=message):
        compute_witness(CIRCOM / f"log_{version}.wasm", inputs, Fr)


@pytest.mark.parametrize("version", LOGS)
def test_log_is_shown_a_line_a_call_before_a_failed_assertion(tmp_path, command, version):
    (tmp_path / "in.json").write_text('{"a": 5, "b": [6, 7]}')
    line = (CIRCOM / f"log_{version}.wasm", tmp_path / "in.json", "-o", tmp_path / "w")
    for options in ([], ["-v"]):
        outcome = command(*options, "witness", "--show-values", *line)
        assert outcome.code == 4
        said = outcome.err.splitlines()
        assert [text for text in said if text.startswith("log:")] == [text.rstrip() for text in LOGS[version]]
        assert said[-1].startswith("error: ")
    hidden = command("witness", *line)
    assert "log:" not in hidden.err
    assert "log() printed may be secret: --show-values" in hidden.err


@pytest.mark.parametrize("version", LOGS)
def test_log_of_a_good_witness_is_shown_when_asked_for(tmp_path, command, version):
    (tmp_path / "in.json").write_text('{"a": 5, "b": [6, 8]}')
    line = ("witness", "--show-values", CIRCOM / f"log_{version}.wasm", tmp_path / "in.json", "-o", tmp_path / "w")
    assert "log:" not in command(*line).err
    assert command("-v", *line).err.count("log:") == len(LOGS[version]) + 1


def test_a_calculator_of_circom_1_is_called_one(tmp_path):
    text = """(module (import "env" "memory" (memory 1)) (import "runtime" "logSetSignal" (func (param i32 i32)))
        (func (export "getPWitness") (param i32) (result i32) i32.const 0)
        (func (export "getSignalOffset32") (param i32 i32 i32 i32)))"""
    with pytest.raises(FormatError, match="calculator of circom 1: compile the circuit with circom 2"):
        compute_witness(module(tmp_path, text), {}, Fr)
