"""Pages in headless Chromium, narrow and wide, light and dark: not blank, not wider than the window, no error.

ZKGPU_SCREENSHOTS=FOLDER keeps the pictures.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.web.in_browser import CHROMIUM, WEB, serving
from zkgpu.demo.samples import KEPT, sample

ROOT = Path(__file__).parents[2]
WIDTHS = (390, 1280)
SCHEMES = ("light", "dark")
PAGES = {
    "home": "site/index.html",
    "tutorial": "site/tutorials/scikit-learn.html",
    "how-to": "site/how-to/prove-a-model.html",
    "commands": "site/cli.html",
    "reference": "site/reference/inference.html",
    "operators": "site/operators.html",
    "speed": "site/reference/speed.html",
    "platforms": "site/reference/platforms.html",
    "history": "site/reference/history.html",
    "profile": "profile.html",
    "report": "report.html",
    "verify": "web/index.html#model",
}
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# of the first of these that paints itself
BACKGROUND = """() => [document.body, document.documentElement]
    .map(part => getComputedStyle(part).backgroundColor.match(/[\\d.]+/g).map(Number))
    .find(([, , , alpha]) => alpha !== 0).slice(0, 3)"""
# cells whose words are broken into letters
SQUEEZED = """() => [...document.querySelectorAll("td, th")]
    .filter(cell => cell.innerText.trim().length > 3 && cell.clientWidth && cell.clientWidth < 40)
    .filter(cell => cell.clientHeight > 60)
    .map(cell => cell.innerText)"""

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium")]


def run(*arguments: object, folder: Path = ROOT) -> None:
    program = [sys.executable, "-m", *map(str, arguments)]
    path = f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    environment = {**os.environ, "PYTHONPATH": path, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(program, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the site, the pages of a model and the page that verifies are served."""
    for module in ("mkdocs", "onnxruntime"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("pages")
    run("mkdocs", "build", "-q", "-d", folder / "site")
    shutil.copytree(WEB, folder / "web")
    for name in KEPT:
        (folder / name).write_bytes(sample(name))
    run("zkgpu", "zkml", "compile", "model.onnx", "--calibrate", "data.npz", "-o", "build", folder=folder)
    run("zkgpu", "profile", "build", "-o", "profile.html", folder=folder)
    run("zkgpu", "zkml", "report", "build", "-o", "report.html", folder=folder)
    with serving(folder) as served:
        yield served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
    with driver.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_looks_as_it_should(
    name: str, width: int, scheme: str, address: str, browser: Any, tmp_path: Path
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    wrong: list[str] = []
    page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("requestfailed", lambda request: wrong.append(request.url))
    page.on("response", lambda answer: wrong.append(f"{answer.status} {answer.url}") if answer.status > 399 else None)
    page.goto(f"{address}/{PAGES[name]}", wait_until="networkidle")
    kept = Path(os.environ.get("ZKGPU_SCREENSHOTS", tmp_path))
    page.screenshot(path=kept / f"{name}-{width}-{scheme}.png")
    said, squeezed = page.inner_text("body"), page.evaluate(SQUEEZED)
    beyond, background = page.evaluate(OVERFLOW), page.evaluate(BACKGROUND)
    page.close()
    assert wrong == []
    assert len(said.split()) > 30, said
    assert squeezed == []
    assert beyond <= 0, f"{beyond} pixels wider than the window"
    assert (sum(background) > 3 * 128) == (scheme == "light"), background
