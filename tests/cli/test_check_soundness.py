"""`zkgpu check --soundness`: what it says of circuits that have one witness, and of those that have two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SQUARE = """
from zkgpu import Circuit
from zkgpu.circuits.gadgets import range_check

def root(bounded):
    c = Circuit()
    x = c.private("x")
    r = c.hint(lambda v: 3, [x], label="root")
    if bounded:
        range_check(r, 8)
    c.assert_equal(r * r, x)
    c.output("root", r)
    return c

def sound(): return root(True)
def unsound(): return root(False)
"""


@pytest.fixture
def roots(tmp_path: Path) -> Path:
    (tmp_path / "roots.py").write_text(SQUARE)
    (tmp_path / "input.json").write_text('{"x": 9}')
    return tmp_path


def test_a_circuit_s_own_program_is_checked_without_files(roots: Path, command: Any) -> None:
    outcome = command("check", f"{roots / 'roots.py'}:unsound", roots / "input.json")
    assert (outcome.code, outcome.out) == (0, "ok: all 2 constraints hold\n")


def test_inputs_without_a_witness_are_refused(roots: Path, command: Any) -> None:
    (roots / "input.json").write_text('{"x": 10}')
    for flags in ((), ("--soundness",)):
        assert "constraint" in command("check", f"{roots / 'roots.py'}:sound", roots / "input.json", *flags).error(4)


def test_nothing_is_found_of_a_sound_circuit(roots: Path, command: Any) -> None:
    outcome = command("check", f"{roots / 'roots.py'}:sound", roots / "input.json", "--soundness")
    assert outcome.code == 0, outcome
    assert "no second witness found" in outcome.out


def test_the_hint_that_may_lie_is_named(roots: Path, command: Any) -> None:
    outcome = command("check", f"{roots / 'roots.py'}:unsound", roots / "input.json", "--soundness")
    line = outcome.error(4)
    assert "'root' may have another value: a second output 'root'" in line


def test_the_values_of_a_second_witness_are_shown_where_asked_for(roots: Path, command: Any) -> None:
    check = ("check", f"{roots / 'roots.py'}:unsound", roots / "input.json", "--soundness", "--show-values")
    assert command(*check).error(4).endswith("('root' may be -3 in place of 3)")
    assert command("--json", *check).json["values"] == "'root' may be -3 in place of 3"


def test_the_report_is_one_json_object(roots: Path, command: Any) -> None:
    sound, unsound = (
        command("--json", "check", f"{roots / 'roots.py'}:{name}", roots / "input.json", "--soundness")
        for name in ("sound", "unsound")
    )
    assert (sound.code, sound.json["ok"], sound.json["sound"], sound.json["findings"]) == (0, True, True, [])
    assert sound.json["tried"]["hints"] > 10
    assert (unsound.code, unsound.json["ok"], unsound.json["sound"]) == (4, False, False)
    assert unsound.json["findings"][0]["changes"][0]["name"] == "root"
    assert unsound.json["findings"][0]["second_output"]


def test_wires_are_changed_where_there_is_no_program(roots: Path, command: Any) -> None:
    for name, code in (("sound", 0), ("unsound", 4)):
        source, files = f"{roots / 'roots.py'}:{name}", (roots / "c.r1cs", roots / "w.wtns")
        assert command("compile", source, "-o", files[0]).code == 0
        assert command("witness", source, roots / "input.json", "-o", files[1]).code == 0
        assert command("check", *files, "--soundness").code == code


def test_a_circuit_that_is_not_there_is_named(roots: Path, command: Any) -> None:
    assert "nowhere.r1cs: no such file" in command("check", roots / "nowhere.r1cs", roots / "input.json").error(2)
