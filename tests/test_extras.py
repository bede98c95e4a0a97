"""Hints at extras: one form, one place that makes it, and names that pyproject.toml has."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

import zkgpu
from zkgpu import extras
from zkgpu.extras import EXTRAS, hint

ROOT = Path(__file__).parents[1]
PACKAGE = Path(zkgpu.__file__).parent
TEXTS = [ROOT / name for name in ("README.md", "SECURITY.md", "ARCHITECTURE.md", "bench/README.md", "tests/README.md")]
OWN = ("test", "docs", "browser", "examples", "all", "tile")  # for those who change zkgpu: no message asks for them
EXTRA = re.compile(r"^(\w+) = \[(.*?)\]$", re.MULTILINE | re.DOTALL)


def declared() -> dict[str, str]:
    """The extras of pyproject.toml, with the text of their packages."""
    section = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]\n")[2]
    return dict(EXTRA.findall(section.partition("\n[project.scripts]")[0]))


def test_every_extra_has_its_hint() -> None:
    assert {*EXTRAS, *OWN} == {*declared()}
    for name, extra in EXTRAS.items():
        assert hint(name).startswith(f"pip install 'zkgpu[{name}]'")
        own = extra.package.replace("cupy", f"cupy-{name}x").replace("nvidia", "nvidia-cuda-nvrtc")
        assert own in declared()[name]
        assert not extra.other or extra.other in declared()


def test_whatever_says_how_to_install_says_the_same() -> None:
    """Messages are made by zkgpu.extras; prose, which names extras too, writes them as these do."""
    for path in (*TEXTS, *(path for path in PACKAGE.rglob("*.py") if path.name != "extras.py")):
        text = path.read_text()
        for command in re.findall(r"pip install [^\n`]*", text):
            named = re.match(r"pip install 'zkgpu\[(\w+)\]'", command)
            checkout = command.startswith(("pip install .", "pip install '.[test]'", "pip install -e '.[test]'"))
            assert checkout or (named and named[1] in declared()), (path, command)
        if path.suffix == ".py":
            made = re.search(r"\"[^\"\n]*pip install", text.partition('"""\n')[2])
            assert not made, (path, "zkgpu.extras has the hint")


def test_a_python_without_wheels_is_told_which_has_them() -> None:
    evm = EXTRAS["evm"]
    assert evm.hint((3, 12)) == "pip install 'zkgpu[evm]'"
    assert evm.hint((3, 14)) == (
        "pip install 'zkgpu[evm]', with Python 3.12 or older: pyrevm has no wheels for 3.14 yet"
    )
    assert evm.newest is not None
    newer = f"python_version < '{evm.newest[0]}.{evm.newest[1] + 1}'"
    assert newer in declared()["test"], "CI installs it where there are wheels"
    assert "with Python up to 3.12" in (ROOT / "README.md").read_text()


def test_what_is_missing_is_listed_once_with_its_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    for extra in EXTRAS.values():
        monkeypatch.setitem(sys.modules, extra.package, None)
    assert not any(extra.is_installed for extra in EXTRAS.values())
    assert extras.missing()["wasmtime"].endswith(": pip install 'zkgpu[circom]'")
    assert set(extras.missing()) == {"wasmtime", "onnx", "pyrevm", "starlette", "cupy"}
