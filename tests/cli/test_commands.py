"""Every command from the circuit to the contract: what it writes, what it prints, with which exit code."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from zkgpu.circuits.gadgets import MerkleTree
from zkgpu.demo.membership import DEPTH, membership_circuit, membership_inputs
from zkgpu.errors import UnsatisfiedError
from zkgpu.extras import hint


def test_a_circuit_goes_all_the_way_to_a_verified_proof_and_a_contract(work: Any, command: Any) -> None:
    work.proven()
    verdict = command("verify", work / "vk.json", work / "public.json", work / "proof.json")
    assert (verdict.code, verdict.out) == (0, "valid proof\n")
    assert "UNSAFE" in verdict.err
    assert json.loads((work / "public.json").read_text()) == ["35"]
    work.done("export", "solidity", work / "key.zkey", work / "Verifier.sol", "--name", "Cubic")
    source = (work / "Verifier.sol").read_text()
    assert "contract Cubic" in source
    assert "UNSAFE" in source


def test_compile_says_how_large_the_circuit_is(work: Any, command: Any) -> None:
    outcome = command("compile", work.source("ready"), "-o", work / "c.r1cs")
    assert (outcome.code, outcome.out) == (0, f"{work / 'c.r1cs'}: 2 constraints, 4 wires, 1 public\n")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent", "has no 'absent'"),
        ("number", "is a int, not a Circuit"),
        ("broken", "RuntimeError: two lines"),
    ],
)
def test_compile_refuses_what_is_not_a_circuit(work: Any, command: Any, name: str, reason: str) -> None:
    assert reason in command("compile", work.source(name), "-o", work / "c.r1cs").error(2)
    assert work.names() <= {"cubic.py", "__pycache__"}


def test_compile_refuses_a_source_without_a_name_or_a_file(work: Any, command: Any) -> None:
    assert "FILE.py:name" in command("compile", work / "cubic.py", "-o", work / "c.r1cs").error(2)
    assert "no such file" in command("compile", "nowhere.py:circuit", "-o", work / "c.r1cs").error(2)
    (work / "bad.py").write_text("def circuit(:\n")
    assert "SyntaxError" in command("compile", f"{work / 'bad.py'}:circuit", "-o", work / "c.r1cs").error(2)


@pytest.mark.parametrize(
    ("values", "code", "reason"),
    [
        ({"x": 3}, 3, "input.json: missing input 'y'"),
        ({"x": 3, "y": 35, "z": 1}, 3, "input.json: unknown input 'z'"),
        ({"x": [3], "y": 35}, 3, "input.json: input 'x'"),
        ({"x": "three", "y": 35}, 3, "'x'"),
        ({"x": 3, "y": 36}, 4, "'cubic'"),
    ],
    ids=["missing", "unknown", "misshapen", "not a number", "unsatisfied"],
)
def test_witness_names_the_wrong_input_or_the_broken_constraint(
    work: Any, command: Any, values: dict[str, Any], code: int, reason: str
) -> None:
    outcome = command("witness", work.source(), work.input(**values), "-o", work / "w.wtns")
    assert reason in outcome.error(code)
    assert "w.wtns" not in work.names()


def test_witness_takes_decimal_and_hexadecimal_strings(work: Any, command: Any) -> None:
    work.prepared()
    for x in ("3", "0x3"):
        work.done("witness", work.source(), work.input(x=x, y="35"), "-o", work / "again.wtns")
        assert (work / "again.wtns").read_bytes() == (work / "witness.wtns").read_bytes()


def test_witness_runs_circoms_calculator_too(samples: Path, work: Any, command: Any) -> None:
    pytest.importorskip("wasmtime")
    folder = samples / "range"
    work.done("witness", folder / "range.wasm", folder / "input.json", "-o", work / "w.wtns")
    assert (work / "w.wtns").read_bytes() == (folder / "witness.wtns").read_bytes()
    outcome = command("witness", work / "none.wasm", folder / "input.json", "-o", work / "again.wtns")
    assert "none.wasm' does not exist" in outcome.error(2)


def test_an_input_that_is_not_json_is_a_bad_file(work: Any, command: Any) -> None:
    (work / "input.json").write_text("{x: 3}")
    outcome = command("witness", work.source(), work / "input.json", "-o", work / "w.wtns")
    assert "line 1" in outcome.error(3)


def test_check_accepts_a_satisfied_circuit(samples: Path, command: Any) -> None:
    folder = samples / "range"
    outcome = command("check", folder / "range.r1cs", folder / "witness.wtns")
    assert (outcome.code, outcome.out) == (0, "ok: all 575 constraints hold\n")


def test_check_names_the_constraint_that_a_witness_breaks(samples: Path, wrong_witness: Path, command: Any) -> None:
    outcome = command("check", samples / "multiplier" / "multiplier.r1cs", wrong_witness)
    assert "constraint 0" in outcome.error(4)


def test_check_refuses_a_witness_of_another_circuit(samples: Path, command: Any) -> None:
    outcome = command("check", samples / "multiplier" / "multiplier.r1cs", samples / "range" / "witness.wtns")
    assert "another circuit" in outcome.error(2)


def test_setup_from_a_ceremony_makes_a_key_that_proves(work: Any, samples: Path, command: Any) -> None:
    work.prepared()
    work.done("setup", work / "circuit.r1cs", samples / "pot6_final.ptau", work / "key.zkey", "--name", "me")
    outcome = command("prove", work / "key.zkey", work / "witness.wtns", *work.outputs)
    assert outcome.code == 0
    assert "UNSAFE" not in outcome.err
    facts = command("--json", "inspect", work / "key.zkey").json
    assert "me" in json.dumps(facts)


@pytest.mark.parametrize("ptau", ["pot6_0.ptau", "pot6_1.ptau", "pot6_b.ptau"])
def test_setup_refuses_powers_of_tau_that_are_not_prepared(work: Any, samples: Path, command: Any, ptau: str) -> None:
    work.done("compile", work.source(), "-o", work / "circuit.r1cs")
    outcome = command("setup", work / "circuit.r1cs", samples / ptau, work / "key.zkey")
    assert "prepare" in outcome.error(3)
    assert "key.zkey" not in work.names()


def test_setup_refuses_too_small_a_ceremony(work: Any, samples: Path, command: Any) -> None:
    outcome = command("setup", samples / "range" / "range.r1cs", samples / "pot6_final.ptau", work / "key.zkey")
    assert "2^10" in outcome.error(2)
    assert "key.zkey" not in work.names()


def test_setup_counts_its_files(work: Any, samples: Path, command: Any) -> None:
    r1cs = samples / "multiplier" / "multiplier.r1cs"
    assert "POT.ptau" in command("setup", r1cs, work / "key.zkey").error(2)
    assert "POT.ptau" in command("setup", "--unsafe", r1cs, samples / "pot6_final.ptau", work / "key.zkey").error(2)


def test_an_unsafe_key_is_called_unsafe_by_every_command_that_reads_it(work: Any, command: Any) -> None:
    work.prepared()
    for arguments in (
        ("setup", work / "circuit.r1cs", "--unsafe", work / "key.zkey"),
        ("prove", work / "key.zkey", work / "witness.wtns", *work.outputs),
        ("export", "vk", work / "key.zkey", work / "vk.json"),
        ("export", "solidity", work / "key.zkey", work / "v.sol"),
    ):
        outcome = command(*arguments)
        assert outcome.code == 0
        assert "UNSAFE" in outcome.err, arguments
    assert "UNSAFE" in command("inspect", work / "key.zkey").out.upper()


def test_export_gives_snarkjs_own_verification_key(samples: Path, tmp_path: Path, command: Any) -> None:
    for name in ("multiplier", "range"):
        assert command("export", "vk", samples / name / f"{name}_groth16.zkey", tmp_path / "vk.json").code == 0
        assert (tmp_path / "vk.json").read_bytes() == (samples / name / "groth16_vk.json").read_bytes()


def test_export_gives_snarkjs_own_calldata(samples: Path, command: Any) -> None:
    for name in ("multiplier", "range"):
        folder = samples / name
        files = folder / "groth16_public.json", folder / "groth16_proof.json"
        outcome = command("export", "calldata", *files)
        assert outcome.out.strip() == (folder / "groth16_calldata.txt").read_text().strip()
        as_hex = command("export", "calldata", "--hex", *files).out.strip()
        assert len(bytes.fromhex(as_hex.removeprefix("0x"))) == 4 + 32 * (8 + 3)


def test_a_contract_s_name_must_be_an_identifier(samples: Path, tmp_path: Path, command: Any) -> None:
    key = samples / "multiplier" / "groth16_vk.json"
    outcome = command("export", "solidity", key, tmp_path / "v.sol", "--name", "A{}")
    assert "A{}" in outcome.error(2)
    assert not (tmp_path / "v.sol").exists()


def test_fullprove_runs_circom_s_calculator_and_proves(samples: Path, work: Any, command: Any) -> None:
    pytest.importorskip("wasmtime")
    folder = samples / "range"
    files = folder / "input.json", folder / "range.wasm", folder / "range_groth16.zkey"
    outcome = command("fullprove", *files, *work.outputs)
    assert outcome.code == 0, outcome.err
    assert (work / "public.json").read_bytes() == (folder / "groth16_public.json").read_bytes()
    assert command("verify", folder / "groth16_vk.json", work / "public.json", work / "proof.json").code == 0


def test_fullprove_reports_the_circuit_s_own_assertion(samples: Path, work: Any, command: Any) -> None:
    pytest.importorskip("wasmtime")
    folder = samples / "range"
    inputs = json.loads((folder / "input.json").read_text())
    large = {name: str(2**200) if isinstance(value, (str, int)) else value for name, value in inputs.items()}
    files = work.input(**large), folder / "range.wasm", folder / "range_groth16.zkey"
    assert command("fullprove", *files, *work.outputs).error(4)
    assert not {"proof.json", "public.json"} & work.names()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("multiplier/multiplier.r1cs", ["r1cs", "3"]),
        ("multiplier/witness.wtns", ["wtns"]),
        ("multiplier/multiplier_groth16.zkey", ["zkey", "sample"]),
        ("multiplier/groth16_vk.json", ["Groth16", "verification key", "3"]),
        ("multiplier/groth16_proof.json", ["Groth16", "proof"]),
        ("multiplier/groth16_public.json", ["public inputs", "3"]),
        ("multiplier/multiplier_plonk.zkey", ["PLONK", "proving key", "9"]),
        ("multiplier/plonk_vk.json", ["PLONK", "verification key", "3"]),
        ("multiplier/plonk_proof.json", ["PLONK", "proof"]),
        ("pot6_final.ptau", ["ptau", "6", "beacon"]),
    ],
)
def test_inspect_says_what_a_file_holds(samples: Path, command: Any, path: str, words: list[str]) -> None:
    outcome = command("inspect", samples / path)
    assert outcome.code == 0, outcome.err
    facts = command("--json", "inspect", samples / path).json
    for word in words:
        assert word in outcome.out
        assert word in json.dumps(facts)


def test_inspect_refuses_an_unknown_file(work: Any, command: Any) -> None:
    assert "cubic.py" in command("inspect", work / "cubic.py").error(3)


def test_the_cache_can_be_asked_and_cleared(command: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKGPU_CACHE_DIR", str(tmp_path / "cache"))
    before = command("--json", "cache", "info").json
    assert str(tmp_path / "cache") in json.dumps(before)
    assert command("cache", "clear").out == "cache cleared\n"
    assert command("--json", "cache", "info").json["cached_kernels"] == 0


def test_doctor_names_the_instruction_path_and_passes_its_self_test(command: Any) -> None:
    facts = command("--json", "doctor").json
    assert facts["instruction_set"] in facts["instruction_sets"]
    assert (facts["self_test"], facts["self_test_seconds"] > 0) == ("passed", True)
    assert "self test" in command("doctor").out


def test_the_demo_admits_no_member_at_an_empty_place():
    inputs = membership_inputs(DEPTH) | {"leaf": 0}
    empty = MerkleTree([1000 + i for i in range(11)], DEPTH).path(11)
    inputs |= {"index_bits": empty.index_bits, "siblings": empty.siblings}
    with pytest.raises(UnsatisfiedError, match="membership/leaf is not empty"):
        membership_circuit(DEPTH).compile().witness(inputs)


@pytest.mark.parametrize("options", [[], ["--membership"]], ids=["digits", "membership"])
def test_demo_leaves_files_that_verify(options: list[str], work: Any, command: Any) -> None:
    outcome = command("demo", *options, "--output", work / "kept")
    assert outcome.code == 0, outcome.err
    assert "valid proof" in outcome.out
    assert "UNSAFE" in outcome.err
    kept = work / "kept"
    files = kept / "verification_key.json", kept / "public.json", kept / "proof.json"
    assert command("verify", *files).code == 0
    assert "contract" in (kept / "Verifier.sol").read_text()


def test_the_demo_asks_the_contract_where_there_is_an_evm(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrevm", None)
    outcome = command("demo")
    assert (outcome.code, command("--json", "demo").json["on_chain"]) == (0, None)
    assert hint("evm") in outcome.out
    monkeypatch.undo()
    pytest.importorskip("pyrevm")
    costs = command("--json", "demo").json["on_chain"]
    assert 250_000 < costs["call_gas"] < 350_000 < costs["deploy_gas"]
    assert costs["code_bytes"] < 12_000
    assert "refuses it beside an altered score" in command("demo").out


def test_a_contract_that_judges_wrongly_stops_the_demo(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyrevm")
    always_true = bytes.fromhex("600a600c600039600a6000f3" + "600160005260206000f3")
    monkeypatch.setattr("zkgpu.solidity.CompiledContract.for_key", lambda self, key: always_true)
    assert "accepts an altered call" in command("demo").error(6)
