"""The README's Python runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = [block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "..." not in block]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_of_the_readme_runs(block: str) -> None:
    exec(compile(block, "README.md", "exec"), {})


def test_there_is_one_to_run() -> None:
    assert any("zkgpu.Prover" in block for block in BLOCKS)
