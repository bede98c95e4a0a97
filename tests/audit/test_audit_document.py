"""docs/audit.md has the tables that the code makes, and the gas that was measured."""

from __future__ import annotations

import json
from pathlib import Path

from zkgpu.audit.odds import tables

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "audit.md").read_text()
BEGIN, END = "<!-- tables: python -m zkgpu.audit.odds -->\n", "<!-- end of tables -->"


def test_the_tables_of_odds_are_those_that_are_computed() -> None:
    assert DOCUMENT.partition(BEGIN)[2].partition(END)[0].strip() == tables().strip()


def test_the_gas_is_that_of_the_last_bench() -> None:
    rows = [json.loads(line) for line in (ROOT / "bench" / "results" / "audit.jsonl").read_text().splitlines()]
    newest = {row["what"]: row["gas"] for row in rows if "gas" in row}
    told = {"answer 1": "answer of 1 sample", "answer 4": "answer of 4", "answer 16": "answer of 16"}
    for what in ("deploy", "commit", "draw", *told, "slash", "release", "withdraw"):
        assert f"| {told.get(what, what)} | {newest[what]:,} |\n" in DOCUMENT
