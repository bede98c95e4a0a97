"""Launches, allocations and the host's milliseconds of a Groth16 proof on a device that computes nothing.

What is counted is a proof after two others with the same key: `calls` are the launches that the host makes one by
one and the replays of recorded sums, `launches` are all that the device does.

`python bench/gpu_launches.py [--sizes 12 16 20]` needs no GPU. It prints a table and appends a line a size to
bench/results/gpu_launches.jsonl. Milliseconds are those of zkgpu's own Python: a real driver's come on top.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from counting import CountingDriver, Counts  # noqa: E402
from gpu_run.results import version  # noqa: E402
from lines import RESULTS  # noqa: E402
from measuring import Measurement, measure_once  # noqa: E402
from shapes import SHAPES  # noqa: E402

FILE = RESULTS / "gpu_launches.jsonl"
RUNS = 9
WARM_UP = 1  # sums are recorded in their second run, after the one that makes tables, and replayed from then on


def counted(name: str, log_size: int) -> tuple[Counts, Measurement]:
    """What a run of a shape launches from the third on, and the host's seconds for it, of several runs."""
    driver = CountingDriver()
    run = SHAPES[name](driver, log_size)
    taken = []
    for _ in range(WARM_UP + RUNS):
        with driver.counting() as counts:
            taken.append(measure_once(run))
    return counts, Measurement.joined(taken[WARM_UP:])


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=[12, 16, 20], help="logarithms of the domain")
    for log_size in options.parse_args().sizes:
        counts, taken = counted("groth16", log_size)
        kernels = dict(counts.by_kernel().most_common())
        calls = {"calls": counts.calls, "launches": len(counts.launches), "replays": counts.replays}
        calls |= {"allocations": counts.allocations, "events": counts.events, "copies": counts.copies}
        moment = {"commit": version(), "date": time.strftime("%Y-%m-%d")}
        # the best run of the processor's time: other processes make it longer, none makes it shorter
        host = {"host_ms": round(min(taken.cpu_seconds) * 1e3, 2), "bytes_up": counts.written}
        line = {"bench": "gpu_launches", **moment, "primitive": "groth16", "log_size": log_size, **calls, **host}
        with FILE.open("a") as file:
            file.write(json.dumps({**line, "kernels": kernels}) + "\n")
        print(f"groth16 2^{log_size}: {calls}, {host['host_ms']} ms of the host")
        print("   " + ", ".join(f"{name} {n}" for name, n in kernels.items()))


if __name__ == "__main__":
    main()
