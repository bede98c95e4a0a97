"""What a run's launches need, against what a chip does at most: predictions that runs on GPUs are held against.

`python bench/gpu_model.py` prints them and writes bench/results/gpu_model.json; with `--compare FILE`, beside what a
run on a GPU recorded (bench/results/gpu.jsonl). Launches come from a device that counts (counting.py), slots and bytes
from formulas (gpu_costs.py). A launch takes the longest of three: its slots at SLOTS_REACHED of the chip's, its bytes
at BYTES_REACHED of a copy's speed, and its longest thread, whose products wait for each other. Launches follow one
another; the host enqueues them meanwhile.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from counting import CountingDriver, Counts  # noqa: E402
from gpu_costs import Work, work_of  # noqa: E402
from gpu_run.results import lines_of, version  # noqa: E402
from lines import RESULTS  # noqa: E402
from shapes import SHAPES  # noqa: E402

# as an H200 and its host showed (results/gpu.jsonl): of the peaks, in kernels that fill a chip
SLOTS_REACHED, BYTES_REACHED = 0.90, 0.85
NANOSECONDS_A_SLOT = 1.3  # of one thread alone: a sum of 3,584 slots added after another took 4.6 us
LAUNCH_US, LEAST_KERNEL_US = 9.0, 5.0  # of the host through CuPy, an allocation included; of the shortest kernel
UPWARD = 10e9  # bytes a second that the host copied to pinned memory
SELF_CHECK_MS = 2.4  # of the host
LAST_SUM_MS = 0.5  # of the host: what the sums make of C, when a device has done all
PLAN = (
    *(("ntt", k) for k in (20, 22, 24)),
    *(("msm_g1", k) for k in (20, 22, 24)),
    ("msm_g2", 20),
    *(("groth16", k) for k in (12, 16, 20)),
)
RUNS = 3
FILE = RESULTS / "gpu_model.json"


@dataclass(frozen=True)
class Chip:
    """A GPU's peaks: slots of 32-bit multiplies a second, a wide one taking two, and bytes of a copy, both ways."""

    name: str
    slots: float
    nbytes: float


CHIPS = (Chip("H100", 132 * 64 * 1.83e9, 3.0e12), Chip("H200", 132 * 64 * 1.83e9, 4.3e12))


@dataclass
class KernelShare:
    """One kernel's part of a run."""

    launches: int = 0
    slots: float = 0.0
    nbytes: float = 0.0
    ms: float = 0.0

    def add(self, work: Work, ms: float) -> None:
        self.launches += 1
        self.slots += work.slots
        self.nbytes += work.nbytes
        self.ms += ms


@dataclass(frozen=True)
class Prediction:
    """A run on a chip, in milliseconds: of the device, of the host that enqueues it, and of both.

    Attributes:
        calls: launches as the host makes them, the replay of a recorded sum being one
    """

    primitive: str
    log_size: int
    chip: str
    ms: float
    device_ms: float
    host_ms: float
    launches: int
    calls: int
    allocations: int
    kernels: dict[str, KernelShare]
    unknown: tuple[str, ...]


@cache
def counts_of(primitive: str, log_size: int) -> Counts:
    """Of a run after those that make tables and recordings."""
    driver = CountingDriver()
    run = SHAPES[primitive](driver, log_size)
    for _ in range(RUNS):
        with driver.counting() as counts:
            run()
    return counts


def milliseconds(work: Work, chip: Chip) -> float:
    by_slots = work.slots / (chip.slots * SLOTS_REACHED)
    by_bytes = work.nbytes / (chip.nbytes * BYTES_REACHED)
    return max(by_slots, by_bytes, work.depth * NANOSECONDS_A_SLOT * 1e-9, LEAST_KERNEL_US * 1e-6) * 1e3


def predicted(primitive: str, log_size: int, chip: Chip) -> Prediction:
    counts, unknown = counts_of(primitive, log_size), set()
    shares: dict[str, KernelShare] = defaultdict(KernelShare)
    for launch in counts.launches:
        work, known = work_of(launch)
        shares[launch.kernel].add(work, milliseconds(work, chip))
        if not known:
            unknown.add(launch.kernel)
    device = sum(share.ms for share in shares.values())
    host, launches = counts.calls * LAUNCH_US * 1e-3, (len(counts.launches), counts.calls)
    ms = max(device, host)
    if primitive == "groth16":
        ms += LAST_SUM_MS + SELF_CHECK_MS + counts.written / UPWARD * 1e3
    ranked = dict(sorted(shares.items(), key=lambda item: -item[1].ms))
    ms, device, host = (round(x, 3) for x in (ms, device, host))
    named = primitive, log_size, chip.name
    return Prediction(*named, ms, device, host, *launches, counts.allocations, ranked, tuple(sorted(unknown)))


def table(predictions: list[Prediction], measured: dict[tuple[str, int], dict[str, Any]]) -> str:
    rows = [
        "| | chip | predicted ms | device | host | launches, calls | measured ms | most of it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for p in predictions:
        parts = ", ".join(f"{name} {share.ms:.2g}" for name, share in list(p.kernels.items())[:4])
        line = measured.get((p.primitive, p.log_size), {})
        seen = f"{line['best'] * 1e3:.3g}" if p.chip in str(line.get("device", "")) else ""
        figures = f"{p.ms:.3g} | {p.device_ms:.3g} | {p.host_ms:.3g} | {p.launches}, {p.calls} | {seen}"
        rows.append(f"| {p.primitive} 2^{p.log_size} | {p.chip} | {figures} | {parts} |")
    return "\n".join(rows)


def kernels_beside(prediction: Prediction, line: dict[str, Any]) -> str:
    """Each kernel's predicted launches and milliseconds beside those that a run recorded."""
    names = {**prediction.kernels, **line["kernels"]}
    rows = [f"{prediction.primitive} 2^{prediction.log_size}, {prediction.chip}: launches and ms, predicted | measured"]
    for name in names:
        share, seen = prediction.kernels.get(name, KernelShare()), line["kernels"].get(name, {"launches": 0, "ms": 0})
        rows.append(f"  {name:22} {share.launches:5} {share.ms:9.3f} | {seen['launches']:5} {seen['ms']:9.3f}")
    return "\n".join(rows)


def measured_in(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The last line of each primitive and size."""
    lines = (line for line in lines_of(path) if "best" in line and "log_size" in line)
    return {(line["primitive"], line["log_size"]): line for line in lines}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--compare", type=Path, help="lines of a run on a GPU")
    chosen = options.parse_args()
    measured = measured_in(chosen.compare) if chosen.compare else {}
    predictions = [predicted(name, log_size, chip) for name, log_size in PLAN for chip in CHIPS]
    print(table(predictions, measured))
    if unknown := sorted({name for p in predictions for name in p.unknown}):
        print(f"no formula, bytes of all arguments instead: {', '.join(unknown)} (bench/gpu_costs.py)")
    for p in predictions:
        line = measured.get((p.primitive, p.log_size))
        if line and line.get("kernels") and p.chip in line["device"]:
            print(kernels_beside(p, line))
    if not chosen.compare:
        figures = {"commit": version(), "predictions": [asdict(p) for p in predictions]}
        FILE.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
