"""What a release makes of the README: a package index shows pictures and links by absolute addresses alone."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
RELATIVE = re.compile(r'(?:\]\(|src="|srcset=")(?!https://|#)')


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """hatch_build.py, which hatchling runs in an environment of its own."""
    plugin = ModuleType("hatchling.metadata.plugin.interface")
    plugin.MetadataHookInterface = SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, plugin.__name__, plugin)
    return runpy.run_path(str(ROOT / "hatch_build.py"))


def metadata_of(built: dict[str, Any]) -> dict[str, Any]:
    metadata: dict[str, Any] = {"version": "1.2"}
    built["ReleasedMetadata"](root=str(ROOT)).update(metadata)
    return metadata


def test_with_an_address_no_link_is_relative_and_each_leads_to_a_file(
    built: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZKGPU_ADDRESS", "https://example.org/o/zkgpu/")
    metadata = metadata_of(built)
    text = metadata["readme"]["text"]
    assert RELATIVE.search(README)
    assert not RELATIVE.search(text)
    places = re.findall(r"https://example\.org/o/zkgpu/(raw|blob)/v1\.2/([^)\"#]+)", text)
    assert all((ROOT / path).is_file() for _, path in places)
    assert {path for kind, path in places if kind == "raw"} == {
        "bench/pictures/groth16-dark.svg",
        "bench/pictures/groth16-light.svg",
    }
    assert metadata["urls"]["Source"] == "https://example.org/o/zkgpu"


def test_without_an_address_the_readme_is_as_it_is(built: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ZKGPU_ADDRESS", raising=False)
    assert metadata_of(built) == {
        "version": "1.2",
        "readme": {"content-type": "text/markdown", "text": README},
        "urls": {},
    }


@pytest.mark.parametrize(
    ("link", "wanted"),
    [
        ("[a](docs/b.md)", "[a](A/blob/v1/docs/b.md)"),
        ("![a](b.svg)", "![a](A/raw/v1/b.svg)"),
        ('<img src="b.svg">', '<img src="A/raw/v1/b.svg">'),
        ("[a](https://b)", "[a](https://b)"),
        ("[a](#b)", "[a](#b)"),
    ],
)
def test_links_and_pictures(built: dict[str, Any], link: str, wanted: str) -> None:
    assert built["absolute"](link, "A", "v1") == wanted


def test_the_readme_is_a_page() -> None:
    assert len(README.splitlines()) <= 95
