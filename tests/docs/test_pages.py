"""The pages under docs: what they tell a reader to do is done, in the order of the page, and the site builds."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.M | re.S)
RUN = ["tutorials/first-circuit.md", "tutorials/circom.md", "tutorials/scikit-learn.md"]
RUN += ["how-to/test-a-circuit.md", "how-to/see-where-constraints-go.md"]
NEEDS = {
    "tutorials/circom.md": ["wasmtime"],
    "tutorials/scikit-learn.md": ["sklearn", "skl2onnx", "onnxruntime", "pyrevm"],
}
EXAMPLES = {"how-to/see-where-constraints-go.md": ["sh"]}  # kinds of blocks that name files which are not there


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it is, if it is one, and its lines."""

    language: str
    file: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(*found.groups("")) for found in FENCE.finditer(page.read_text())]


def follow(page: str, folder: Path, docs: Path = DOCS) -> None:
    """Does what a page says in an empty folder."""
    tools = Path(sys.executable).parent
    environment = {**os.environ, "ZKGPU": str(ROOT), "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    environment["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    for block in blocks(docs / page):
        if block.file:
            (folder / block.file).write_text(block.text)
        elif block.language in ("sh", "python") and block.language not in EXAMPLES.get(page, ()):
            lines = [line for line in block.text.splitlines() if not line.startswith("pip install")]
            script = "\n".join(lines).replace("zkgpu ", f"{sys.executable} -m zkgpu ") if block.language == "sh" else ""
            program = ["bash", "-euc", script] if script else [sys.executable, "-c", block.text]
            if block.language == "sh" and not script.strip():
                continue
            done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
            assert done.returncode == 0, f"{page}:\n{block.text}\n{done.stdout}{done.stderr}"


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_what_a_page_says_works(page: str, tmp_path: Path) -> None:
    for package in NEEDS.get(page, ()):
        pytest.importorskip(package)
    if "npm install" in (DOCS / page).read_text() and not shutil.which("npm"):
        pytest.skip("no npm")
    follow(page, tmp_path)


def test_a_page_that_is_wrong_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# A page\n\n```sh\ntest -f absent\n```\n")
    with pytest.raises(AssertionError, match="test -f absent"):
        follow("page.md", tmp_path, tmp_path)


def documented() -> dict[str, str]:
    """What docs/cli.md, which is made by the program itself, says of each command; "" is for options of all."""
    head, *sections = re.split(r"^### (zkgpu [\w -]+)$", (DOCS / "cli.md").read_text(), flags=re.M)
    return {"": head, **dict(zip(sections[::2], sections[1::2], strict=True))}


def commands(text: str) -> list[str]:
    """Lines of code that run zkgpu, without comments, whole where they are continued."""
    code = "\n".join(re.findall(r"^ *```(?:sh)?\n(.*?)^ *```$", text, re.M | re.S)).replace("\\\n", " ")
    return [line.partition(" #")[0].strip() for line in code.splitlines() if re.match(r" *zkgpu ", line)]


def unknown_in(line: str, told: dict[str, str]) -> list[str]:
    """The line, if the program does not have its command or an option of it."""
    bare = re.sub(r"--(?:device|threads|server|token-file) \S+ ", "", line)
    name = max((name for name in told if name and f"{bare} ".startswith(f"{name} ")), key=len, default="")
    options = re.findall(r"(?<!\S)--[a-z-]+", bare)
    return [] if name and all(option in told[name] + told[""] for option in options) else [line]


@pytest.mark.parametrize("page", ["README.md", *sorted(str(p.relative_to(ROOT)) for p in DOCS.rglob("*.md"))])
def test_commands_of_a_page_are_those_of_the_program(page: str) -> None:
    told = documented()
    found = [line for line in commands((ROOT / page).read_text()) if "cli.md" not in page]
    assert [wrong for line in found for wrong in unknown_in(line, told)] == []


def test_a_command_that_there_is_not_is_found_out() -> None:
    told = documented()
    assert commands("```sh\nzkgpu prove a b \\\n  --proof c # d\n```") == ["zkgpu prove a b    --proof c"]
    assert not unknown_in("zkgpu --device cuda doctor", told)
    assert not unknown_in("zkgpu zkml compile a --calibrate b", told)
    for line in ("zkgpu provr a", "zkgpu prove a --calibrate b", "zkgpu zkml a"):
        assert unknown_in(line, told) == [line]


def test_every_page_is_in_the_navigation() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M))
    assert listed == {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")}


def test_links_between_pages_lead_somewhere() -> None:
    for page in DOCS.rglob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            assert link.startswith("https://") or (page.parent / link).is_file(), f"{page}: {link}"


def test_no_table_has_an_escaped_bar_in_code() -> None:
    """Half of the readers of Markdown show the backslash: <code>a&#124;b</code> is read alike by all."""
    for page in DOCS.rglob("*.md"):
        assert not re.findall(r"^\|.*`[^`\n]*\\\|[^`\n]*`.*$", page.read_text(), re.M), page


def referred(page: str) -> list[str]:
    """What a page of the reference takes from docstrings: modules, and names in them, by their paths."""
    found: list[str] = []
    for path, members in re.findall(
        r"^::: ([\w.]+)(?:\n    options:\n      members: \[(.*)\])?$", (DOCS / "reference" / page).read_text(), re.M
    ):
        found += [path, *(f"{path}.{name}" for name in members.split(", ") if name)]
    return found


def of_path(path: str) -> object:
    """What a path names: a module, or a name in one, which may be that of a module too."""
    module, _, name = path.rpartition(".")
    found: object = getattr(importlib.import_module(module), name, None)
    return importlib.import_module(path) if found is None else found


@pytest.mark.parametrize("page", ["python.md", "inference.md"])
def test_what_the_reference_refers_to_can_be_imported(page: str) -> None:
    paths = referred(page)
    assert len(paths) > 7
    assert all(of_path(path) is not None for path in paths)


def test_a_reference_to_nothing_is_found_out() -> None:
    with pytest.raises(ImportError):
        of_path("zkgpu.api.absent")


@pytest.mark.parametrize("room", ["", ".circom", ".circuits.gadgets", ".groth16", ".inference", ".plonk", ".solidity"])
def test_the_reference_has_what_the_package_offers(room: str) -> None:
    """Each name of `__all__`: itself, or the module that it is of; of rooms, something that they have."""
    offered = set(importlib.import_module(f"zkgpu{room}").__all__)
    paths = [*referred("python.md"), *referred("inference.md")]
    modules = [found for path in paths if isinstance(found := of_path(path), ModuleType)]
    named = {part for path in paths for part in path.split(".")} | {name for m in modules for name in vars(m)}
    assert offered - {"__version__"} <= named


@pytest.mark.skipif(not importlib.util.find_spec("mkdocs"), reason="no mkdocs: pip install '.[docs]'")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    done = subprocess.run(
        program, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert "Verifier" in (tmp_path / "tutorials" / "scikit-learn.html").read_text()
    assert '<tr class="newest">' in (tmp_path / "reference" / "history.html").read_text()
    for page in tmp_path.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|iframe)[^>]* src="([^"]+)"|<link[^>]* href="([^"]+)"', page.read_text())
        assert not [one for pair in loaded for one in pair if one.startswith(("http", "//"))], page
        assert "<blockquote>" not in page.read_text(), f"{page}: an example of a docstring without its heading"
