"""What examples/web takes to verify a proof in headless Chromium: 20 valid and 20 altered ones of each kind, all judged
right. Lines go to bench/results/browser.jsonl, one a kind and verdict; the first proof of a page is a line of its own.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from harness import ROOT, Recorder
from measuring import Measurement

sys.path.insert(0, str(ROOT))

from tests.web.in_browser import CHROMIUM, KINDS, PROOFS, WEB, ask, serving


def measure(kind: str, recorder: Recorder) -> None:
    """Asks a page that was just opened, whose first proof meets code that is not compiled yet."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = shutil.copytree(WEB, Path(scratch, "web"))
        with serving(folder) as address:
            answers, times = ask(kind, folder, address)
    if answers != [True] * PROOFS + [False] * PROOFS:
        raise SystemExit(f"browser: {kind}: wrong verdicts: {answers}")
    seconds = tuple(time / 1000 for time in times)
    for what, part in (("first", seconds[:1]), ("valid", seconds[1:PROOFS]), ("altered", seconds[PROOFS:])):
        recorder.add(Measurement(part), kind=kind, what=what, checked=True)


if __name__ == "__main__":
    if not CHROMIUM:
        raise SystemExit("browser: no Chromium: apt-get install chromium")
    for name in KINDS:
        measure(name, Recorder("browser"))
