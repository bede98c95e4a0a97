"""SECURITY.md names a test for each promise, and there is such a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| ([A-Z][^|]*) \| ([^|]*) \|$", TEXT, re.MULTILINE)


def test_every_promise_has_a_row() -> None:
    promised = TEXT[TEXT.index("## What is promised") : TEXT.index("## What is not promised")]
    titles = re.findall(r"^- \*([^*.]+)\.?\*", promised, re.MULTILINE)
    assert len(titles) > 8
    assert set(titles) <= {title for title, _ in ROWS}


@pytest.mark.parametrize(("title", "named"), ROWS, ids=[title for title, _ in ROWS])
def test_the_tests_that_are_named_exist(title: str, named: str) -> None:
    tests = re.findall(r"`([^`]+)`", named)
    assert tests, title
    for test in tests:
        path, _, name = test.partition("::")
        tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert name in defined if name else any(found.startswith("test_") for found in defined), test
