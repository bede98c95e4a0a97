"""What reaches a terminal, and what becomes of the exit code when standard output is full, closed or not read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from zkgpu.cli import terminal
from zkgpu.errors import FormatError

ESCAPES = "\x1b[2J\x07\x9b31m\x00\u202e\u2066\u200b\ud800"
NAME = "x\x1b]0;title\x07y"


@pytest.fixture(autouse=True)
def _buffered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unbuffered streams have nothing left at the interpreter's end, where it fails."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def has_controls(text: str) -> bool:
    return any(not c.isprintable() for c in text.replace("\n", ""))


@pytest.mark.parametrize("text", [ESCAPES, "a\tb\r\nc" + ESCAPES * 5000, "\u2028\u2029\ue000\U000e0001"])
def test_a_message_is_one_printable_line_of_at_most_500_characters(text: str) -> None:
    shown = terminal.message(text)
    assert not has_controls(shown)
    assert "\n" not in shown
    assert len(shown) <= 500
    assert shown == terminal.message(shown)


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    shown = terminal.message("key.zkey: " + "x" * 10**6 + ": copy it again")
    assert shown.startswith("key.zkey: ")
    assert shown.endswith(": copy it again")


def test_ordinary_text_is_left_alone() -> None:
    for text in ("Prüfung 質問 ∑ é", "a  b   c"):
        assert terminal.plain(text) == text


def test_an_error_shows_no_escape_of_a_file_and_no_more_than_500_characters(tmp_path: Path, command: Any) -> None:
    wasm = Path(__file__).parents[1] / "data" / "samples" / "multiplier" / "multiplier.wasm"
    for name in (NAME, "long" * 10000):
        (tmp_path / "in.json").write_text(json.dumps({name: 1}))
        line = command("witness", wasm, tmp_path / "in.json", "-o", tmp_path / "w").error(3)
        assert not has_controls(line)
        assert len(line) <= 500
        as_json = command("--json", "witness", wasm, tmp_path / "in.json", "-o", tmp_path / "w")
        assert not has_controls(as_json.out + as_json.err)
        assert len(as_json.json["error"]) <= 500


def test_facts_of_a_file_show_no_escape_and_are_cut(tmp_path: Path, command: Any, monkeypatch: Any) -> None:
    contribution = {"number": 1, "name": NAME * 20, "beacon": None, "hash": "ab"}
    facts = {"format": "key", "public_arrays": [NAME * 1000], NAME: ESCAPES, "contributions": [contribution]}
    monkeypatch.setattr("zkgpu.systems.inspection.inspect_file", lambda _: facts)
    (tmp_path / "file").write_text("x")
    outcome = command("inspect", tmp_path / "file")
    assert not has_controls(outcome.out)
    assert max(map(len, outcome.out.splitlines())) < 600
    del facts[NAME]  # no key that is documented
    assert json.loads(command("--json", "inspect", tmp_path / "file").out)["format"] == "key"


def test_warnings_and_tracebacks_show_no_escape(tmp_path: Path, command: Any, monkeypatch: Any) -> None:
    def fail(_: object) -> None:
        raise FormatError(f"{NAME}: wrong")

    monkeypatch.setenv("ZKGPU_TRACEBACK", "1")
    monkeypatch.setattr("zkgpu.systems.inspection.inspect_file", fail)
    (tmp_path / "file").write_text("x")
    outcome = command("-vv", "inspect", tmp_path / "file")
    assert "Traceback" in outcome.err
    assert not has_controls(outcome.err)


PROGRAM = [sys.executable, "-c", "from zkgpu.cli import command; command()"]
LINES = {"help": ("--help",), "json": ("--json", "cache", "info")}  # printed by click, and by us
FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("name", LINES)
def test_a_full_standard_output_is_exit_code_5(name: str) -> None:
    with FULL.open("w") as full:
        done = subprocess.run([*PROGRAM, *LINES[name]], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize("name", LINES)
def test_a_closed_standard_output_is_exit_code_5(name: str) -> None:
    line = ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, *LINES[name]]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 5, done.stderr
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
@pytest.mark.parametrize("name", LINES)
def test_a_pipe_that_nobody_reads_is_exit_code_141_and_silence(name: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PROGRAM, *LINES[name]], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(not FULL.exists(), reason="needs Linux's /dev/full")
def test_a_standard_error_that_cannot_be_written_changes_no_exit_code(tmp_path: Path) -> None:
    for redirect in ("2>/dev/full", "2>&-"):
        line = ["sh", "-c", f'exec "$@" {redirect}', "sh", *PROGRAM, "inspect", str(tmp_path / "absent")]
        assert subprocess.run(line, capture_output=True, check=False).returncode == 2


def test_a_verdict_that_nobody_hears_is_not_exit_code_1(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "public.json").write_text(json.dumps(["1", "2", "3"]))
    vk, proof = (samples / "range" / f"groth16_{name}.json" for name in ("vk", "proof"))
    line = ["sh", "-c", 'exec "$@" >&-', "sh", *PROGRAM, "verify", *map(str, (vk, tmp_path / "public.json", proof))]
    assert subprocess.run(line, capture_output=True, check=False).returncode == 5
    quiet = [*line[:4], *PROGRAM, "-q", *line[len(PROGRAM) + 4 :]]
    assert subprocess.run(quiet, capture_output=True, check=False).returncode == 1


def test_a_circuit_s_file_that_exits_is_a_usage_error(tmp_path: Path, command: Any) -> None:
    (tmp_path / "c.py").write_text("import sys\nsys.exit(1)\n")
    assert "SystemExit" in command("compile", f"{tmp_path / 'c.py'}:c", "-o", tmp_path / "c.r1cs").error(2)
