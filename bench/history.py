"""Every line of bench/results as a row of docs/reference/history.md: a hook of mkdocs, which makes them when it builds.

What a line measured is told by its fields of KINDS; lines that agree in these are one figure over time. Tables are made
for reading and sorting by docs/javascripts/history.js; without it all rows show.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))  # where mkdocs does not look

from lines import RESULTS, UNTOLD, Line, duration, recorded, settled_seconds

PAGE, PLACE = "reference/history.md", "<!-- figures -->"
KINDS: dict[str, str] = {
    **dict.fromkeys(("what", "step", "primitive", "prover", "program", "circuit", "title", "model", "table"), "{}"),
    **dict.fromkeys(("contract", "kernel", "module", "architecture", "path"), "{}"),
    "weights": "{} weights",
    "inputs": "{} inputs",
    "cache": "{} cache",
    "width": "width {}",
    "affine_rounds": "affine rounds",
    "public_inputs": "{} public inputs",
    "packed_values": "{} packed values",
    "log_size": "2^{}",
    "gpu_gb": "GPU of {} GB",
    "committed_wires": "{:,} committed wires",
}
PLACES = ("cpu", "device", "machine", "evm", "compiler")  # fields that say where a line was measured
FIGURES: tuple[tuple[str, Callable[[Line], float], Callable[[float], str]], ...] = (
    ("seconds", lambda line: settled_seconds(line) if "load" in line else line["seconds"], duration),
    ("best", lambda line: line["best"], duration),
    ("witness_seconds", lambda line: line["witness_seconds"], duration),
    ("verify_gas", lambda line: line["verify_gas"], lambda gas: f"{gas:,} gas"),
    ("gas", lambda line: line["gas"], lambda gas: f"{gas:,} gas"),
    ("host_ms", lambda line: line["host_ms"] / 1e3, duration),
    ("most_bytes", lambda line: line["most_bytes"], lambda nbytes: f"{nbytes / 1e9:.2f} GB"),
    ("registers", lambda line: line["registers"], lambda registers: f"{registers} registers"),
    ("agreement", lambda line: line["agreement"], lambda share: f"{share:.1%} agree"),
)
"""The first of them that a line has is its figure: (field, value, in words)."""


@dataclass(frozen=True)
class Row:
    """One line: what it measured, its figure as a number and in words, and what it takes to compare it."""

    bench: str
    what: str
    value: float
    figure: str
    line: Line


def rows() -> list[Row]:
    """Of all lines that have a figure, bench by bench, in the order in which they were recorded."""
    return [row for path in sorted(RESULTS.glob("*.jsonl")) for row in _rows_of(path.stem)]


def _rows_of(bench: str) -> Iterator[Row]:
    for line in recorded(bench):
        found = next((figure for figure in FIGURES if line.get(figure[0]) is not None), None)
        if found:
            value = found[1](line)
            yield Row(bench, _described(line), value, found[2](value), line)


def _described(line: Line) -> str:
    told = {**line, "circuit": None} if line["circuit"] == UNTOLD["circuit"] else line
    kinds = [text.format(told[kind]) for kind, text in KINDS.items() if told.get(kind) not in (None, "", False)]
    return ", ".join(dict.fromkeys((*kinds, *([f"{line['threads']} threads"] if line["threads"] > 1 else []))))


def tables() -> str:
    """A heading and the HTML of a table for each bench."""
    benches: dict[str, list[Row]] = {}
    for row in rows():
        benches.setdefault(row.bench, []).append(row)
    return "\n\n".join(_table(bench, found) for bench, found in benches.items())


def _table(bench: str, found: list[Row]) -> str:
    newest = {row.what: row for row in found}
    heads = "".join(f"<th>{name}</th>" for name in ("What", "Figure", "Date", "Commit", "Calibration", "Load", "Where"))
    body = "\n".join(_cells(row, newest[row.what] is row) for row in reversed(found))
    count = f"{len(newest):,} figures, {len(found):,} lines" if len(newest) < len(found) else f"{len(found):,} figures"
    table = f'<table class="figures">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'
    head = f"## {bench}\n\n`bench/results/{bench}.jsonl`: {count}."
    return f'{head}\n\n<div class="figures" data-bench="{bench}">\n{table}\n</div>'


def _cells(row: Row, is_newest: bool) -> str:
    line, place = row.line, next((str(row.line[name]) for name in PLACES if name in row.line), "")
    cells = [
        _cell(row.what),
        _cell(row.figure, row.value),
        _cell(line.get("date", "")),
        _cell(line["commit"]),
        _cell(f"{line['calibration_ns']} ns", line["calibration_ns"]) if "calibration_ns" in line else _cell(""),
        _cell(f"{line['load']:.1f}", line["load"]) if "load" in line else _cell(""),
        _cell(place),
    ]
    return f'<tr class="{"newest" if is_newest else "older"}">{"".join(cells)}</tr>'


def _cell(text: str, value: float | None = None) -> str:
    """A number is sorted by its value."""
    return f"<td>{escape(text)}</td>" if value is None else f'<td data-value="{value:.9g}">{escape(text)}</td>'


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """mkdocs asks this of every page before it is rendered."""
    return markdown.replace(PLACE, tables()) if page.file.src_uri == PAGE else markdown
