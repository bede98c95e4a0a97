"""The examples in docstrings run as they stand."""

from __future__ import annotations

import doctest
from importlib import import_module
from pathlib import Path

import pytest

import zkgpu

PACKAGE = Path(zkgpu.__file__).parent
WITH_EXAMPLES = sorted(path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text())
MODULES = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in WITH_EXAMPLES]


@pytest.mark.parametrize("name", [name.removesuffix(".__init__") for name in MODULES])
def test_examples_run(name: str) -> None:
    results = doctest.testmod(import_module(name))
    assert results.attempted > 0
    assert results.failed == 0


def test_the_package_and_what_circuits_are_written_with_have_examples() -> None:
    assert {"zkgpu.__init__", "zkgpu.circuits.circuit", "zkgpu.testing.check"} <= set(MODULES)
    assert sum(name.startswith("zkgpu.circuits.gadgets.") for name in MODULES) >= 6
