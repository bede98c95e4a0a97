"""Lines of results, each on disk before anything else happens: what was measured stays when the machine goes.

They go to $OUT/gpu.jsonl, or where OUT is not set to bench/results/gpu.jsonl. Needs nothing but Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOST = ("illegal", "unspecified launch", "misaligned", "cudaErrorLaunch", "IllegalAddress", "device stopped")
LOST_DEVICE = 3  # exit code of a step whose CUDA context is gone
Line = dict[str, Any]


def folder() -> Path:
    """Where results and logs go."""
    named = os.environ.get("OUT")
    return Path(named) if named else ROOT / "bench" / "results"


class Results:
    """The lines of one step; `facts` are in each of them."""

    def __init__(self, step: str, **facts: object):
        self.step, self.path = step, folder() / "gpu.jsonl"
        self._facts = {"bench": "gpu", "step": step, "commit": version(), **facts}

    def add(self, **facts: object) -> None:
        """One line, on disk when this returns."""
        moment = {"date": time.strftime("%Y-%m-%d"), "at": round(time.time(), 1)}
        line = json.dumps({**self._facts, **moment, **facts}, default=str)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as file:
            file.write(line + "\n")
            file.flush()
            os.fsync(file.fileno())
        print(f"{self.step}: {json.dumps(facts, default=str)[:600]}", flush=True)

    def attempt(self, what: str, run: Callable[[], object]) -> bool:
        """Whether run() came to its end. A failure is a line and ends nothing, but for a lost device: that process."""
        began = time.perf_counter()
        try:
            run()
        except (Exception, SystemExit) as error:
            text = f"{type(error).__name__}: {error}"
            self.add(what=what, failed=text[:600], wall=round(time.perf_counter() - began, 2))
            if any(sign in text for sign in LOST):
                os._exit(LOST_DEVICE)  # nothing that this process has the device do will work
            return False
        return True


def lines_of(path: Path) -> Iterator[Line]:
    """The lines of a file of results; a last one that was cut off is left out."""
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            yield json.loads(text)
        except ValueError:
            print(f"{path}: a line that is no JSON was left out", file=sys.stderr)


@cache
def version() -> str:
    """The commit's short hash; in a copy without git a digest of the sources."""
    try:
        command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return f"source-{source_digest()}"


def source_digest() -> str:
    """Twelve hexadecimal digits of the sha256 of all that runs on a device or launches it."""
    digest = hashlib.sha256()
    for path in sorted([*(ROOT / "cuda").glob("*.cu*"), *(ROOT / "zkgpu").rglob("*.py")]):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
