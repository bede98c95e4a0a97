"""The order of ARCHITECTURE.md: a file may import the rooms that come before its own in ORDER, and no others."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import zkgpu

PACKAGE = Path(zkgpu.__file__).parent

ORDER = (
    *("records", "errors", "stages", "notebook", "faces", "extras"),
    *("jit", "fields", "curves", "gpu", "ntt"),
    *("circuits", "msm", "store", "backend"),
    *("formats", "ceremony", "transcript", "evm", "provers", "poly", "groth16", "plonk", "systems"),
    *("circom", "solidity", "zkml", "inference", "audit", "profile", "api", "testing", "demo"),
    "service",
    *("cli", "__main__"),
)
HEAVY = {"numba", "llvmlite", "cupy", "wasmtime", "onnx", "onnxruntime"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imported_modules(tree: ast.AST) -> set[str]:
    """All modules of the package that a file imports, also inside of functions and for types only."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module] if node.module != "zkgpu" else [f"zkgpu.{alias.name}" for alias in node.names])
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {name for name in names if name.startswith("zkgpu.")}


def imported_rooms(tree: ast.AST) -> set[str]:
    return {name.split(".")[1] for name in imported_modules(tree)} & set(ORDER)


def top_level_imports(tree: ast.Module) -> set[str]:
    modules: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            modules.update(alias.name.split(".")[0] for alias in node.names)
    return modules


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_the_rooms_below_its_own(path: Path) -> None:
    own = ORDER.index(room_of(path))
    for room in imported_rooms(ast.parse(path.read_text())):
        assert ORDER.index(room) <= own, f"'{room}' does not come before '{ORDER[own]}'"


MAKES_CODE = ("zkgpu.jit", "zkgpu.fields.cpu")


@pytest.mark.parametrize("room", ORDER[ORDER.index("backend") + 1 :])
def test_a_room_above_the_backend_emits_no_code_and_computes_beside_no_backend(room: str) -> None:
    for path in sources():
        if room_of(path) == room:
            found = [m for m in imported_modules(ast.parse(path.read_text())) if m.startswith(MAKES_CODE)]
            assert not found, f"{path.relative_to(PACKAGE)} imports {found[0]}"


def test_every_room_is_in_the_order_once() -> None:
    assert {room_of(p) for p in sources()} == set(ORDER)
    assert len(set(ORDER)) == len(ORDER)


def test_the_files_of_circuits_import_each_other_in_one_order() -> None:
    """Also inside of functions, and for types only: each file can be read after those it builds on."""
    files = {name_of(p): imported_modules(ast.parse(p.read_text())) for p in sources() if room_of(p) == "circuits"}
    tuple(TopologicalSorter({name: found - {name} for name, found in files.items()}).static_order())


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
