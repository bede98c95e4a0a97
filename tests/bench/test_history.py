"""The page of every recorded figure: each line that has one is a row, the newest of each kind marked."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "bench"))

import history  # noqa: E402
from lines import RESULTS  # noqa: E402

ROW = re.compile(r'<tr class="(newest|older)"><td>(.*?)</td><td data-value="(.*?)">(.*?)</td>')


def test_every_line_with_a_figure_is_a_row() -> None:
    found = Counter(row.bench for row in history.rows())
    for path in RESULTS.glob("*.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        timed = [line for line in lines if any(line.get(key) is not None for key in ("seconds", "best", "verify_gas"))]
        assert found[path.stem] >= max(len(timed), 1), path.name
    assert len(ROW.findall(history.tables())) == found.total()


def test_one_row_of_each_kind_is_its_newest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    line = {"bench": "a", "commit": "c", "cpu": "<x>", "cores": 2, "threads": 2, "what": "prove", "load": 0.5}
    lines = [{**line, "seconds": s, "best": s, "calibration_ns": 20.0, **more} for s, more in ((3.0, {}), (2.0, {}))]
    lines += [{**line, "what": "verify", "gas": 5000}, {**line, "ok": True}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    monkeypatch.setattr("history.RESULTS", tmp_path)
    monkeypatch.setattr("lines.RESULTS", tmp_path)
    assert ROW.findall(history.tables()) == [
        ("newest", "verify, 2 threads", "5000", "5,000 gas"),
        ("newest", "prove, 2 threads", "2", "2 s"),
        ("older", "prove, 2 threads", "3", "3 s"),
    ]
    assert "&lt;x&gt;" in history.tables()


def test_only_its_page_gets_the_tables() -> None:
    text = (ROOT / "docs" / history.PAGE).read_text()
    assert history.PLACE in text
    for page, changed in ((history.PAGE, True), ("index.md", False)):
        shown = history.on_page_markdown(text, SimpleNamespace(file=SimpleNamespace(src_uri=page)))
        assert ('<table class="figures">' in shown) == changed


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CLICKS = """<script>addEventListener("load", () => {
  const rows = () => [...document.querySelectorAll("tbody tr")];
  const shown = () => rows().filter((row) => !row.hidden).map((row) => row.cells[1].textContent);
  const [text, newest] = document.querySelectorAll(".figures-panel input"), seen = [shown()];
  newest.click(); seen.push(shown());
  const head = document.querySelectorAll("th button")[1];
  head.click(); seen.push(shown()); head.click(); seen.push(shown());
  text.value = "ntt 2^12"; text.dispatchEvent(new Event("input")); seen.push(shown());
  document.title = JSON.stringify(seen);
});</script>"""


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium")
def test_tables_are_filtered_and_sorted_in_a_browser(tmp_path: Path) -> None:
    rows = [("older", "ntt, 2^12", 0.5, "500 ms"), ("newest", "ntt, 2^12", 0.01, "10 ms"), ("newest", "msm", 2, "2 s")]
    cells = "".join(f'<tr class="{k}"><td>{w}</td><td data-value="{v}">{t}</td></tr>' for k, w, v, t in rows)
    table = f"<table class=figures><thead><tr><th>What</th><th>Figure</th></tr></thead><tbody>{cells}</tbody></table>"
    script = (ROOT / "docs" / "javascripts" / "history.js").read_text()
    page = f"<article><h2>a</h2><p></p><div data-bench=a>{table}</div></article><script>{script}</script>{CLICKS}"
    (tmp_path / "page.html").write_text(page)
    program = [str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile"]
    program += ["--virtual-time-budget=3000", "--dump-dom", f"file://{tmp_path}/page.html"]
    dom = subprocess.run(program, capture_output=True, text=True, timeout=120, check=True).stdout
    assert json.loads(re.search(r"<title>(.*?)</title>", dom)[1]) == [
        ["10 ms", "2 s"],
        ["500 ms", "10 ms", "2 s"],
        ["10 ms", "500 ms", "2 s"],
        ["2 s", "500 ms", "10 ms"],
        ["500 ms", "10 ms"],
    ]
