"""What an audit by sample costs: gas of each transaction of AuditedInference.sol, and seconds of each command.

`python bench/audit.py` logs 1,000 inferences of the network that reads digits, commits to them, has 16 drawn, proves
these, and sends everything to an EVM. It prints a table and appends one JSON line a row to bench/results/audit.jsonl.
Gas does not depend on the machine; seconds are those of whole processes.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "solidity")]

from audit_run import whole_run  # noqa: E402
from harness import calibration, context  # noqa: E402

RESULTS = ROOT / "bench" / "results" / "audit.jsonl"
COUNT, SAMPLES, SIZES = 1000, 16, (1, 4, 16)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        costs = whole_run(Path(folder), COUNT, SAMPLES, SAMPLES, SIZES)
    told = [{"what": what, "gas": gas} for what, gas in costs.gas.items()]
    once = {"repeats": 1, "threads": os.cpu_count(), "calibration_ns": calibration(), "load": os.getloadavg()[0]}
    timed = [
        {"what": f"zkgpu audit {what}", "seconds": round(s, 3), "best": round(s, 3)} | once
        for what, s in costs.seconds.items()
    ]
    shared = {"bench": "audit", **context(), "evm": "revm, Cancun", "solc": "0.8.37, 200 runs"}
    size = {"inferences": COUNT, "samples": SAMPLES, "checked": True}
    rows = [{**shared, **size, **row} for row in (*told, *timed)]
    for row in (*told, *timed):
        print(f"{row['what']:>20}", *(f"{value:>12,}" for key, value in row.items() if key in ("gas", "seconds")))
    with RESULTS.open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


if __name__ == "__main__":
    main()
