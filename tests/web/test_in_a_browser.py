"""The page and the module of examples/web in headless Chromium, served as files are."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.web.in_browser import CHROMIUM, KINDS, PROOFS, WEB, ask, chromium, serving

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium")]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of the page's folder, and its address."""
    folder = shutil.copytree(WEB, tmp_path / "web")
    with serving(folder) as address:
        yield folder, address


def page_at(address: str, folder: Path) -> str:
    """What the page has become once its scripts are done, by a clock that waits for nothing."""
    program = [*chromium(folder), "--virtual-time-budget=20000", "--dump-dom", address]
    return subprocess.run(program, capture_output=True, check=True, timeout=120, text=True).stdout


def text_of(page: str, name: str) -> str:
    (found,) = re.findall(rf'id="{name}"[^>]*>(.*?)</', page, re.S)
    return html.unescape(found)


@pytest.mark.parametrize("sample", KINDS)
def test_the_page_verifies_its_samples(sample: str, served: tuple[Path, str]) -> None:
    folder, address = served
    page = page_at(f"{address}/index.html#{sample}", folder)
    assert text_of(page, "verdict").startswith("valid proof (")
    assert ("UNSAFE key" in text_of(page, "unsafe")) == (sample == "model")
    assert ("output gemm4" in page) == (sample == "model")
    public = json.loads((folder / sample / "public.json").read_text())
    if sample == "model":
        public["packed"] = public["packed"][:-2] + f"{int(public['packed'][-2:], 16) ^ 1:02x}"
    else:
        public[0] = str(int(public[0]) + 1)
    (folder / sample / "public.json").write_text(json.dumps(public))
    assert text_of(page_at(f"{address}/index.html#{sample}", folder), "verdict").startswith("INVALID proof (")


@pytest.mark.parametrize("kind", KINDS)
def test_twenty_proofs_and_twenty_altered_ones_in_less_than_fifty_milliseconds_each(
    kind: str, served: tuple[Path, str]
) -> None:
    answers, times = ask(kind, *served)
    assert answers == [True] * PROOFS + [False] * PROOFS
    print(f"\n{kind}: median {median(times):.1f} ms, first {times[0]:.1f} ms, largest {max(times):.1f} ms")
    is_quiet = os.getloadavg()[0] < (os.cpu_count() or 1)
    assert (median(times) if is_quiet else min(times)) < 50
