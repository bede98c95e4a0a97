"""`zkgpu profile`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Workspace
from tests.conftest import Command

CIRCOM = Path(__file__).parents[1] / "data" / "circom"


def test_a_table_and_a_page_of_a_python_circuit(work: Workspace, command: Command) -> None:
    outcome = command("profile", work.source(), "-o", work / "page.html")
    assert outcome.code == 0, outcome.err
    assert [line.split()[-4:] for line in outcome.out.splitlines()[:3]] == [
        ["scope", "constraints", "share", "entries"],
        ["cubic.py:circuit", "2", "100.0%", "8"],
        ["cubic", "1", "50.0%", "5"],
    ]
    assert (work / "page.html").read_text().startswith("<!doctype html>")


def test_components_of_circom(command: Command) -> None:
    found = command("--json", "profile", CIRCOM / "mixed_O0.r1cs").json["profile"]
    (main,) = found["children"]
    assert (main["name"], main["constraints"], [c["name"] for c in main["children"]]) == ("main", 9, ["s"])


def test_a_circuit_without_names_is_said_to_have_none(work: Workspace, command: Command) -> None:
    work.done("compile", work.source(), "-o", work / "cubic.r1cs")
    assert "nothing in it has a name" in command("profile", work / "cubic.r1cs").out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["absent.r1cs"], 2, "no such file"),
        (["key.zkey"], 3, "a constraint system (.r1cs) was expected"),
        (["cubic.py:circuit", "--calibrate", "key.zkey"], 2, "--calibrate is for a MODEL.onnx"),
        (["cubic.py:circuit", "--sym", "key.zkey"], 2, "--sym is for .r1cs files"),
        (["cubic.py:circuit", "-o", "cubic.py"], 2, "read as well as written"),
        (["."], 2, "model.npz"),
    ],
)
def test_what_it_refuses(
    arguments: list[str], code: int, words: str, work: Workspace, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(work.folder)
    (work / "key.zkey").write_bytes(b"zkey" + bytes(60))
    assert words in command("profile", *arguments).error(code)
