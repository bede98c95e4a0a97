"""Reads what the benches recorded: bench/results/*.jsonl, one JSON object a line, the newest last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PUBLISHED = HERE / "published.json"
UNTOLD = {"threads": 1, "circuit": "chain"}  # what a line means that leaves it out
Line = dict[str, Any]


def recorded(bench: str) -> list[Line]:
    """All lines of a bench, each with its `source`, such as "primitives.jsonl:12"."""
    path = RESULTS / f"{bench}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [{**UNTOLD, **json.loads(text), "source": f"{path.name}:{n}"} for n, text in enumerate(lines, 1)]


def newest(bench: str, *keys: str, **wanted: Any) -> list[Line]:
    """The last line of each combination of `keys`, in the order in which the combinations first occur.

    wanted   values that a line must have
    Lines that say nothing about this machine, being those of a crowd, are left out.
    """
    lines = [line for line in recorded(bench) if not of_a_crowd(line)]
    lines = [line for line in lines if all(line.get(key) == value for key, value in wanted.items())]
    return list({tuple(line.get(key) for key in keys): line for line in lines}.values())


def of_a_crowd(line: Line) -> bool:
    """Whether several threads shared each core with so many others that even their best run says nothing."""
    return bool(line["threads"] > 1 and line.get("load", 0) > 4 * line.get("cores", 1))


def published() -> dict[str, Any]:
    """Figures of other provers from another machine: see published.json for where they come from."""
    figures: dict[str, Any] = json.loads(PUBLISHED.read_text())
    return figures


def macs() -> dict[str, int]:
    """Multiply-accumulates of the models that large and architectures measure, as macs.py counts them."""
    counts: dict[str, int] = json.loads((HERE / "macs.json").read_text())
    return counts


def settled_seconds(line: Line) -> float:
    """The median; where more processes were ready to run than there are cores, the best run.

    Of one thread that is the processor's time when it is less: what the clock says when nobody else is there.
    """
    if line["load"] <= line["cores"]:
        return float(line["seconds"])
    alone = line.get("cpu_seconds", line["best"]) if line["threads"] == 1 else line["best"]
    return float(min(alone, line["best"]))


def duration(seconds: float) -> str:
    """Three digits, in the unit that suits them."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
