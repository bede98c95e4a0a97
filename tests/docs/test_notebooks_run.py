"""The notebooks under examples run from the first cell to the last, and are kept without outputs."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def run(sources: list[str], name: str) -> list[Any]:
    """What each cell shows: the value of its last line, where that is an expression."""
    names: dict[str, Any] = {}
    shown = []
    for number, source in enumerate(sources, 1):
        body = ast.parse(source).body
        last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), f"{name}, cell {number}", "exec"), names)
        if isinstance(last, ast.Expr):
            shown.append(eval(compile(ast.Expression(last.value), f"{name}, cell {number}", "eval"), names))
    return shown


def test_there_are_two() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["circuit", "model"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path) -> None:
    assert run(["".join(cell["source"]) for cell in cells(path)], path.name)
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path))


def test_a_cell_that_fails_is_found_out() -> None:
    with pytest.raises(ZeroDivisionError):
        run(["x = 1", "x / 0"], "wrong")
