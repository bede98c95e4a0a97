"""What the command line does when it cannot do what it is asked: one line, the right exit code, no partial output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zkgpu.cli import machine, proof


@pytest.fixture
def key(samples: Path) -> Path:
    return samples / "multiplier" / "multiplier_groth16.zkey"


@pytest.fixture
def witness(samples: Path) -> Path:
    return samples / "multiplier" / "witness.wtns"


def test_a_wrong_witness_gives_exit_code_4_the_constraint_s_name_and_no_file(
    samples: Path, work: Any, command: Any, key: Path, wrong_witness: Path
) -> None:
    circuit = samples / "multiplier" / "multiplier.r1cs"
    with_circuit = command("prove", key, wrong_witness, "--circuit", circuit, *work.outputs)
    assert "constraint 0" in with_circuit.error(4)
    without = command("prove", key, wrong_witness, *work.outputs)
    assert "zkgpu check" in without.error(4)
    assert not {"proof.json", "public.json"} & work.names()


def test_a_witness_of_another_circuit_is_refused(samples: Path, work: Any, command: Any, key: Path) -> None:
    outcome = command("prove", key, samples / "range" / "witness.wtns", *work.outputs)
    assert "another circuit" in outcome.error(2)
    assert not {"proof.json", "public.json"} & work.names()


def test_a_key_without_contribution_needs_a_flag_and_is_called_insecure(
    samples: Path, work: Any, command: Any, witness: Path
) -> None:
    uncontributed = samples / "multiplier" / "m_0.zkey"
    assert "insecure key" in command("prove", uncontributed, witness, *work.outputs).error(3)
    assert "insecure key" in command("export", "vk", uncontributed, work / "vk.json").error(3)
    assert not {"proof.json", "public.json", "vk.json"} & work.names()
    outcome = command("prove", "--allow-insecure-key", uncontributed, witness, *work.outputs)
    assert outcome.code == 0
    assert "INSECURE" in outcome.err


def test_a_key_of_another_curve_is_named(samples: Path, work: Any, command: Any, witness: Path) -> None:
    key = samples / "bls12381" / "multiplier_groth16.zkey"
    assert "no supported curve" in command("prove", key, witness, *work.outputs).error(3)


@pytest.mark.parametrize(("number", "name"), [(10, "FFLONK"), (77, "protocol 77")])
def test_a_key_of_another_protocol_is_named(work: Any, command: Any, key: Path, witness: Path, number: int, name: str):
    data = bytearray(key.read_bytes())
    data[24:28] = number.to_bytes(4, "little")
    (work / "other.zkey").write_bytes(data)
    assert name in command("prove", work / "other.zkey", witness, *work.outputs).error(3)


@pytest.mark.parametrize("end", [0, 4, 100, 700, -1])
def test_a_truncated_key_is_a_bad_file(work: Any, command: Any, key: Path, witness: Path, end: int) -> None:
    (work / "cut.zkey").write_bytes(key.read_bytes()[:end])
    assert "cut.zkey" in command("prove", work / "cut.zkey", witness, *work.outputs).error(3)


def test_a_key_with_a_point_off_its_curve_is_a_bad_file(work: Any, command: Any, key: Path, witness: Path) -> None:
    data = bytearray(key.read_bytes())
    data[-40] ^= 1  # within the last point of the last section
    for position in range(200, len(data) - 200, 997):
        data[position] ^= 1
    (work / "damaged.zkey").write_bytes(data)
    assert "damaged.zkey" in command("prove", work / "damaged.zkey", witness, *work.outputs).error(3)


def test_a_file_that_is_not_there_is_named(work: Any, command: Any, witness: Path) -> None:
    assert "absent.zkey" in command("prove", work / "absent.zkey", witness, *work.outputs).error(2)


@pytest.mark.parametrize("option", ["--proof", "--public"])
def test_an_output_that_cannot_be_written_leaves_nothing(
    work: Any, command: Any, key: Path, witness: Path, option: str
) -> None:
    outputs = {"--proof": work / "proof.json", "--public": work / "public.json", option: work / "nowhere" / "out.json"}
    arguments = [part for pair in outputs.items() for part in pair]
    assert "nowhere" in command("prove", key, witness, *arguments).error(5)
    assert not {"proof.json", "public.json"} & work.names()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["export"], 2, "Missing command: give zkgpu export vk|"),
        (["cache"], 2, "Missing command"),
        (["nonsense"], 2, "nonsense"),
        (["prove", "x"], 2, "'x' does not exist"),
        (["prove", "-", "x"], 2, "standard input is not read"),
        (["inspect"], 2, "Missing argument 'FILE': give zkgpu inspect [OPTIONS] FILE"),
        (["doctor", "x"], 2, "extra argument (x): give zkgpu doctor [OPTIONS]"),
        (["zkml", "check", __file__], 3, "test_refusals.py: not an ONNX model"),
        (["witness", __file__, "a.py:circuit", "-o", "x"], 2, "'a.py:circuit' is a Python circuit, not a file"),
        (["--device", "gpu", "doctor"], 2, "unknown device 'gpu'"),
        (["--device", "cuda", "doctor"], 5, "cuda"),
        (["--device", "cuda:1", "doctor"], 5, "cuda:1"),
        (["--threads", "0", "doctor"], 2, "--threads"),
        (["verify"], 2, "VERIFICATION_KEY.json"),
        (["--no-such-option", "demo"], 2, "--no-such-option"),
    ],
)
def test_a_question_that_makes_no_sense_gets_one_line(
    command: Any, arguments: list[str], code: int, reason: str
) -> None:
    assert reason in command(*arguments).error(code)


def test_no_command_at_all_shows_the_help(command: Any) -> None:
    outcome = command()
    assert outcome.code == 0
    assert "fullprove" in outcome.out


def test_a_failure_under_json_is_one_object_too(samples: Path, work: Any, command: Any) -> None:
    outcome = command("--json", "check", samples / "pot6_final.ptau", samples / "multiplier" / "witness.wtns")
    assert outcome.code == 3
    assert outcome.json == {"schema": 1, "ok": False, "error": outcome.json["error"], "exit_code": 3}
    assert outcome.err == f"error: {outcome.json['error']}\n"


def test_success_under_json_is_one_object_with_the_timings_asked_for(
    work: Any, command: Any, key: Path, witness: Path
) -> None:
    outcome = command("--json", "--timings", "prove", key, witness, *work.outputs)
    facts = outcome.json
    assert outcome.out.count("\n") == 1
    assert facts["ok"] is True
    assert facts["verified"] is True
    assert facts["proof"] == str(work / "proof.json")
    assert facts["seconds"] > 0
    assert "open key" in [stage["stage"] for stage in facts["stages"]]


def test_an_invalid_proof_is_ok_false_neither_but_valid_false(samples: Path, work: Any, command: Any) -> None:
    folder = samples / "multiplier"
    (work / "public.json").write_text(json.dumps(["1107", "224", "5"]))
    files = folder / "groth16_vk.json", work / "public.json", folder / "groth16_proof.json"
    outcome = command("--json", "verify", *files)
    assert outcome.code == 1
    assert outcome.json["valid"] is False
    assert command("-q", "verify", *files).code == 1


def test_quiet_prints_nothing_but_errors(work: Any, command: Any, samples: Path, key: Path, witness: Path) -> None:
    outcome = command("-q", "prove", key, witness, *work.outputs)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert command("-q", "prove", samples / "pot6_0.ptau", witness).error(3)


def test_a_bug_is_one_line_with_exit_code_70(
    work: Any, command: Any, key: Path, witness: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise IndexError("off by one\nand more")

    monkeypatch.setattr(proof, "_read_key", fail)
    error = command("prove", key, witness, *work.outputs).error(70)
    assert "internal error (IndexError): " in error
    assert "ZKGPU_TRACEBACK" in error
    error = command("--show-values", "prove", key, witness, *work.outputs).error(70)
    assert "off by one and more" in error


@pytest.mark.parametrize(("error", "code"), [(MemoryError(), 5), (KeyboardInterrupt(), 130)])
def test_running_out_of_memory_or_being_interrupted_has_its_own_code(
    command: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(machine, "_cache_facts", fail)
    assert command("cache", "info").error(code)


def test_an_interruption_is_one_line(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(machine, "_cache_facts", fail)
    assert command("cache", "info").err == "error: interrupted: nothing half-made stays: run the command again\n"


def zkgpu(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh process, as a shell would run it."""
    program = [sys.executable, "-c", "from zkgpu.cli import command; command()"]
    return subprocess.run(
        [*program, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


def test_a_fresh_process_exits_with_the_verdict(samples: Path, work: Any) -> None:
    folder = samples / "range"
    files = [folder / f"groth16_{name}.json" for name in ("vk", "public", "proof")]
    valid = zkgpu("verify", *files)
    assert (valid.returncode, valid.stdout, valid.stderr) == (0, "valid proof\n", "")
    (work / "public.json").write_text(json.dumps(["1", "2", "3"]))
    wrong = zkgpu("verify", files[0], work / "public.json", files[2])
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (1, "INVALID proof\n", "")


def test_a_fresh_process_shows_no_traceback_unless_asked(samples: Path) -> None:
    files = [samples / "multiplier" / f"groth16_{name}.json" for name in ("public", "public", "proof")]
    plain, asked = zkgpu("verify", *files), zkgpu("verify", *files, ZKGPU_TRACEBACK="1")
    assert plain.returncode == asked.returncode == 3
    assert plain.stderr.count("\n") == 1
    assert "Traceback" in asked.stderr


def test_a_proof_can_go_down_a_pipe(samples: Path) -> None:
    folder = samples / "multiplier"
    files = folder / "multiplier_groth16.zkey", folder / "witness.wtns"
    piped = zkgpu("-q", "prove", *files, "--proof", "/dev/stdout", "--public", os.devnull)
    assert piped.returncode == 0, piped.stderr
    assert json.loads(piped.stdout)["protocol"] == "groth16"


_CUT = """
import builtins, sys
real = builtins.__import__
def cut(name, *rest):
    if name == {name!r} and not cut.done:
        cut.done = True
        raise KeyboardInterrupt
    return real(name, *rest)
cut.done = False
builtins.__import__ = cut
from zkgpu.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize(
    ("name", "options"),
    [("click", ["--json", "-vq"]), ("zkgpu.cli.session", []), ("zkgpu.systems.inspection", []), ("numpy", [])],
)
def test_ctrl_c_while_modules_are_read_is_an_interruption(name: str, options: list[str], key: Path) -> None:
    command = [sys.executable, "-c", _CUT.format(name=name), "inspect", os.fspath(key), *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 130, done.stderr
    assert done.stderr == "error: interrupted: nothing half-made stays: run the command again\n"
    assert not options or json.loads(done.stdout)["exit_code"] == 130


def test_what_fails_since_an_import_was_cut_short_is_an_interruption(
    key: Path, command: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(_: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("CPU dispatcher tracer already initialized")

    monkeypatch.setattr("zkgpu.systems.inspection.inspect_file", cut)
    assert "interrupted" in command("inspect", key).error(130)
