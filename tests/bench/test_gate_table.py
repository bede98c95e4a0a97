"""The table of the compile gate: what was recorded last of each kernel, and none that its source no longer has."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

BENCHES = Path(__file__).parents[2] / "bench"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(BENCHES))
    monkeypatch.delitem(sys.modules, "table", raising=False)
    import lines
    import table

    monkeypatch.setattr(lines, "RESULTS", tmp_path)
    return table


def line(kernel: str, architecture: str, digest: str, registers: int, spills: int = 0) -> str:
    sizes = {"registers": registers, "spills": spills, "stack": 0, "local": 0, "multiply_slots": 7}
    return json.dumps(
        {"module": "a.cu", "kernel": kernel, "architecture": architecture, "digest": digest, "commit": digest, **sizes}
    )


def test_the_newest_text_of_each_source_is_told(table: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = [line("add", "sm_90", "1", 40), line("gone", "sm_90", "1", 50)]
    new = [line("add", "sm_100", "2", 42), line("add", "sm_90", "2", 41), line("mul", "sm_90", "2", 60, spills=8)]
    (tmp_path / "gate.jsonl").write_text("\n".join([*old, *new]))
    table.print_gate()
    assert capsys.readouterr().out.split("\n")[2:-2] == [
        "| a.cu add | 41; 7 | 42; 7 |",
        "| a.cu mul | 60; 7, 8 B spills |  |",
    ]


def test_nothing_recorded_prints_nothing(table: Any, capsys: pytest.CaptureFixture[str]) -> None:
    table.print_gate()
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_what_is_recorded_is_of_the_kernels_of_today(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python bench/gate.py` records what is missing: a changed kernel is another."""
    monkeypatch.syspath_prepend(str(BENCHES))
    import gate

    from tests.gate.nvrtc import ARCHITECTURES, all_sources

    recorded = {(line["digest"], line["architecture"], line["kernel"]): line for line in gate.lines()}
    kernels = [
        (gate.digest(source), a, k) for source in all_sources() for a in ARCHITECTURES for k in source.signatures()
    ]
    assert [kernel for kernel in kernels if kernel not in recorded] == []
    assert [kernel for kernel in kernels if recorded[kernel]["spills"] or recorded[kernel]["local"]] == []
