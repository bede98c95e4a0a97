"""The arrows of ARCHITECTURE.md, as a table: a room may import the rooms named beside it, and no others."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import zkgpu

PACKAGE = Path(zkgpu.__file__).parent

BASE = {"errors", "stages"}
ROOMS: dict[str, set[str]] = {
    "errors": set(),
    "stages": set(),
    "jit": BASE,
    "gpu": BASE,
    "fields": BASE | {"jit"},
    "curves": BASE | {"jit", "fields"},
    "circuits": BASE | {"fields", "curves"},  # of curves, only the numbers of a scalar field
    "testing": BASE | {"fields", "circuits"},
    "ntt": BASE | {"gpu", "jit", "fields"},
    "msm": BASE | {"gpu", "jit", "fields", "curves", "circuits"},  # of circuits, only the type of sparse matrices
    "backend": BASE | {"gpu", "jit", "fields", "curves", "circuits", "ntt", "msm"},
    "ceremony": BASE | {"fields", "curves", "ntt", "backend", "formats"},
    "groth16": BASE | {"fields", "curves", "circuits", "ntt", "backend", "ceremony", "formats"},
    "transcript": BASE | {"fields", "curves"},
    "poly": BASE | {"fields", "curves", "ntt", "backend", "ceremony", "formats"},
    "plonk": BASE | {"fields", "curves", "circuits", "ntt", "backend", "transcript", "poly", "formats"},
    "formats": BASE | {"jit", "fields", "curves", "circuits", "groth16", "plonk", "msm"},
    "circom": BASE | {"fields", "curves", "formats"},
    "zkml": BASE | {"fields", "curves", "circuits"},  # of curves, only the numbers of a scalar field
    "solidity": BASE | {"fields", "curves", "circuits", "groth16", "plonk"},  # of circuits, only packed values' layout
    "inference": {
        *BASE,
        *("fields", "curves", "circuits", "zkml", "backend", "groth16", "formats", "solidity"),
    },
    "__main__": {"cli"},
    "cli": {
        *BASE,
        *("jit", "fields", "curves", "circuits", "ntt", "backend", "groth16", "plonk"),
        *("formats", "circom", "solidity", "zkml", "inference", "testing"),
    },
}
HEAVY = {"numba", "llvmlite", "cupy", "wasmtime", "onnx", "onnxruntime"}


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def sources() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def imported_rooms(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.update([node.module] if node.module != "zkgpu" else [f"zkgpu.{alias.name}" for alias in node.names])
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    return {name.split(".")[1] for name in names if name.startswith("zkgpu.")}


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
    room = room_of(path)
    allowed = ROOMS[room] | {room}
    assert imported_rooms(ast.parse(path.read_text())) <= allowed


def test_every_room_is_on_the_map() -> None:
    assert {room_of(p) for p in sources()} <= set(ROOMS)
