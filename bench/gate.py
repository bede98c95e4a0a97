"""What NVIDIA's compiler makes of every kernel, without a GPU: registers, shared memory, spills, multiplies.

`blocks` is how many of the kernel's largest blocks a multiprocessor holds, as far as registers and threads go.

`python bench/gate.py [sm_90 ...]` compiles all kernels for these architectures, those of the compile gate when none is
named, and appends a line a kernel to bench/results/gate.jsonl; `python bench/table.py` prints them. What was recorded
of the same text with the same compiler stays. Minutes for each architecture. Needs `pip install 'zkgpu[gate]'`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from typing import Any

from harness import ROOT, commit
from lines import RESULTS

sys.path.insert(0, str(ROOT))  # the gate compiles, this records
from tests.gate import nvrtc
from zkgpu.gpu.architectures import BY_NAME
from zkgpu.gpu.source import Source

FILE = RESULTS / "gate.jsonl"


def main(architectures: list[str]) -> None:
    problem = nvrtc.missing()
    if problem:
        raise SystemExit(problem)
    recorded = {(line["digest"], line["architecture"], line["compiler"]) for line in lines()}
    for architecture in architectures or nvrtc.ARCHITECTURES:
        for source in nvrtc.all_sources():
            if (digest(source), architecture, nvrtc.version()) not in recorded:
                record(source, architecture)
                print(f"{architecture}  {source.name}", flush=True)


def lines() -> list[dict[str, Any]]:
    return [json.loads(text) for text in FILE.read_text().splitlines()] if FILE.exists() else []


def digest(source: Source) -> str:
    return hashlib.sha256(source.text.encode()).hexdigest()[:16]


def record(source: Source, architecture: str) -> None:
    """Append a line for each kernel of a source."""
    conditions = {"commit": commit(), "date": time.strftime("%Y-%m-%d"), "compiler": nvrtc.version()}
    named = {"bench": "gate", **conditions, "module": source.name, "digest": digest(source)}
    found = nvrtc.usages(source, architecture)
    with FILE.open("a") as file:
        for usage in found:
            facts = {name: getattr(usage, name) for name in ("registers", "shared", "stack", "local", "spills")}
            threads = source.signatures()[usage.kernel].max_threads
            facts["blocks"] = BY_NAME[architecture].resident_blocks(threads, usage.registers, usage.shared)
            whole = {**named, "kernel": usage.kernel, "architecture": architecture, **facts}
            file.write(json.dumps({**whole, "multiply_slots": usage.multiply_slots}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
