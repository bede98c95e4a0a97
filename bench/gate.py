"""What NVIDIA's compiler makes of every kernel, without a GPU: registers, shared memory, spills, multiplies.

`python bench/gate.py [sm_90 ...]` compiles all kernels for these architectures, those of the compile gate when none is
named, and appends a line a kernel to bench/results/gate.jsonl; `python bench/table.py` prints them. Minutes for each
architecture. Needs `pip install '.[gate]'`.
"""

from __future__ import annotations

import json
import sys
import time

from harness import RESULTS, ROOT, commit

sys.path.insert(0, str(ROOT))  # the gate compiles, this records
from tests.gate import nvrtc


def main(architectures: list[str]) -> None:
    problem = nvrtc.missing()
    if problem:
        raise SystemExit(problem)
    shared = {"bench": "gate", "commit": commit(), "date": time.strftime("%Y-%m-%d"), "compiler": nvrtc.version()}
    with (RESULTS / "gate.jsonl").open("a") as file:
        for architecture in architectures or nvrtc.ARCHITECTURES:
            for source in nvrtc.all_sources():
                for usage in nvrtc.usages(source, architecture):
                    where = {"source": source.name, "kernel": usage.kernel, "architecture": architecture}
                    facts = {name: getattr(usage, name) for name in ("registers", "shared", "stack", "local", "spills")}
                    line = {**shared, **where, **facts, "multiply_slots": usage.multiply_slots}
                    file.write(json.dumps(line) + "\n")
                print(f"{architecture}  {source.name}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
