"""What no source of the package may do: run text or files as code, or draw randomness from anywhere but the system."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import zkgpu

PACKAGE = Path(zkgpu.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "random", "yaml", "dill", "cloudpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile"}
ALLOWED = {
    "curves/machine_python.py": {"exec()"},  # text made of the opcodes of a program of ours
    "records.py": {"exec()"},  # as the standard library's dataclasses: text made of the names of fields of ours
}
DRAWS_RANDOMNESS = "fields/field.py"


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def offences(tree: ast.AST) -> Iterator[str]:
    yield from (name for name in imports(tree) if name.split(".")[0] in FORBIDDEN_MODULES or name == "numpy.random")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
            yield f"{node.func.id}()"
        if (name := dotted(node)) in {"np.random", "numpy.random", "os.system"}:
            yield name
        if isinstance(node, ast.keyword) and node.arg in {"shell", "allow_pickle"} and not is_false(node.value):
            yield f"{node.arg}={ast.unparse(node.value)}"


def dotted(node: ast.AST) -> str:
    """os.urandom for that; "" for what is no name of a module and one in it."""
    is_name = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    return f"{node.value.id}.{node.attr}" if is_name else ""


def is_false(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@cache
def tree_of(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def draws(tree: ast.AST) -> bool:
    """Whether it asks the system for random bytes, or for what makes numbers of them."""
    asks = {"secrets", "os.urandom", "os.getrandom"}
    return bool(asks & {*imports(tree), *map(dotted, ast.walk(tree))})


def test_no_source_runs_data_or_draws_weak_randomness() -> None:
    found = {str(path.relative_to(PACKAGE)): set(offences(tree_of(path))) for path in SOURCES}
    assert {name: what for name, what in found.items() if what} == ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from random import randrange",
        "import numpy.random",
        "eval('1')",
        "np.random.rand()",
        "subprocess.run('ls', shell=True)",
        "np.load(path, allow_pickle=True)",
        "os.system('ls')",
    ],
)
def test_the_search_finds_what_it_is_for(text: str) -> None:
    assert list(offences(ast.parse(text)))


def test_randomness_is_drawn_in_one_place() -> None:
    users = [str(path.relative_to(PACKAGE)) for path in SOURCES if draws(tree_of(path))]
    assert users == [DRAWS_RANDOMNESS]


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "SECURITY.md", "tests/README.md"])
def test_the_files_that_a_page_names_are_there(page: str) -> None:
    root = PACKAGE.parent
    named = set(re.findall(r"[\w.]+(?:/[\w.]+)+\.(?:py|cuh?|txt)", (root / page).read_text()))
    missing = [name for name in named if not any((start / name).exists() for start in (root, PACKAGE, root / "tests"))]
    assert named
    assert not missing
