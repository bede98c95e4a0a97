"""docs/cli.md says what the program does. Its tables of JSON keys are held to by tests/conftest.py, in every test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pytest

from tests.cli.test_global_options import all_commands
from tests.json_objects import require_documented
from zkgpu.cli import declaring, outcome, program, terminal
from zkgpu.cli.documented import document
from zkgpu.cli.keys import KEYS
from zkgpu.cli.parsing import Group
from zkgpu.cli.session import Session
from zkgpu.errors import ZkgpuError

DOCUMENT = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_document_is_that_of_the_program() -> None:
    assert DOCUMENT.read_text() == document(), "python -m zkgpu.cli.documented > docs/cli.md"


def test_every_command_has_its_keys_and_there_are_no_others() -> None:
    leaves = {path for path, command in all_commands().items() if not isinstance(command, click.Group)}
    assert leaves == set(KEYS)


def test_every_exit_code_of_an_error_is_listed() -> None:
    def below(kind: type[ZkgpuError]) -> list[type[ZkgpuError]]:
        return [kind, *(one for sub in kind.__subclasses__() for one in below(sub))]

    assert {kind.exit_code for kind in below(ZkgpuError)} <= set(program.EXIT_CODES)
    assert {outcome.EXIT_INTERRUPTED, terminal.EXIT_CLOSED_PIPE} <= set(program.EXIT_CODES)


@pytest.mark.parametrize(
    "found",
    [
        {"ok": True, "schema": 1, "cleared": True},
        {"schema": 1, "ok": True, "clear ed": True},
        {"schema": 1, "ok": True, "cleared": "yes"},
        {"schema": 1, "ok": True, "unheard": 1},
        {"schema": 1, "ok": False, "cleared": True},
    ],
)
def test_an_object_that_differs_is_seen(found: dict[str, Any]) -> None:
    require_documented(["cache", "clear"], {"schema": 1, "ok": True, "cleared": True})
    with pytest.raises(AssertionError):
        require_documented(["cache", "clear"], found)


@pytest.mark.parametrize(
    "file", ["pot6_final.ptau", "range/range.r1cs", "range/witness.wtns", "range/range_groth16.zkey"]
)
def test_what_a_file_holds_is_documented(samples: Path, command: Any, file: str) -> None:
    assert command("inspect", samples / file, "--json").json["format"]


def test_numbers_that_json_does_not_have_are_null(capsys: Any) -> None:
    Session(json=True).finish({"error": float("inf"), "of": [{"x": float("nan")}, 1.5, (2, None)]})
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert (found["error"], found["of"]) == (None, [{"x": None}, 1.5, [2, None]])


def test_a_machine_is_described_by_numbers(command: Any) -> None:
    facts = command("doctor", "--json").json
    assert [type(facts[name]) for name in ("cores", "cache_bytes", "outdated_folders")] == [int] * 3
    assert command("cache", "info", "--json").json.keys() < facts.keys()


def test_commands_stand_in_their_order_whichever_was_called_first() -> None:
    late = {"setup": "zkml_setup.setup_command", "prove": "zkml_proof.prove_command"}
    declared = declaring.Group("some", "Some.", late)
    declared.command("first")(lambda session: None)
    group = Group(declared)
    assert group.get_command(click.Context(group), "prove") is not None
    assert group.list_commands(click.Context(group)) == ["first", "setup", "prove"]
