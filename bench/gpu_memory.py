"""What a Groth16 proof takes of a GPU's memory, and what gives way on smaller ones, without a GPU.

`python bench/gpu_memory.py [--sizes 16 18 20 22] [--gb 8 16 80]` prints a table and appends a line a size and a memory
to bench/results/gpu_memory.jsonl: the most bytes in use at once, which of the points have tables, which are on the
device at all, and how often a proof makes the driver give memory back that it keeps for later, which waits for the
device. Circuits have as many wires as rows, three entries in a row; `--committed` has all of the wires but a few
committed to, as a model's private weights are. A device's own memory is what is left of it by CUDA and the kernels.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from gpu_run.results import version  # noqa: E402
from lines import RESULTS  # noqa: E402
from metering import MeteredDriver  # noqa: E402
from shapes import Size, key_of, proof_on  # noqa: E402

from zkgpu.backend.cuda import CudaBackend  # noqa: E402
from zkgpu.backend.protocol import opaque  # noqa: E402
from zkgpu.fields.field import Limbs  # noqa: E402
from zkgpu.gpu.cupy_driver import rounded  # noqa: E402
from zkgpu.gpu.driver import OutOfMemory  # noqa: E402
from zkgpu.groth16.keys import ProvingKey  # noqa: E402
from zkgpu.groth16.resident import ResidentKey  # noqa: E402

FILE = RESULTS / "gpu_memory.jsonl"
GB = 10**9
OF_CUDA = 1_765_000_000  # bytes that an H200 with modules loaded had neither free nor in use (results/gpu.jsonl, smoke)
FEW = 1 << 10  # wires that are not committed to
PROOFS = 3  # the first makes tables, the second recordings
PRECISION = 10_000_000  # bytes: of the least memory


def sized(log_size: int, committed: bool = False) -> Size:
    wires = 1 << log_size
    return Size(wires, committed=wires - FEW if committed else 0)


def of_proof(key: ProvingKey, memory: int) -> dict[str, Any]:
    """What a third proof takes of a device with so many bytes for arrays. Raises OutOfMemory."""
    driver = MeteredDriver(memory, rounded)
    resident = ResidentKey(key, opaque(CudaBackend(driver, key.verifying_key.curve)))
    assignment = key.a_query[:, :4]
    prove = proof_on(resident, assignment)
    for _ in range(PROOFS - 1):
        before = driver.given_back
        prove()
    given_back = driver.given_back - before
    return {"most_bytes": driver.most, **places(resident, assignment), "given_back": given_back}


def places(resident: ResidentKey, assignment: Limbs) -> dict[str, int]:
    """How many queries there are, how many of them have tables, and how many are on the device."""
    queries: list[Any] = [points for points, _ in resident.pairs(assignment)]
    queries += [points for pair in resident.commitments for points in pair]
    with_tables, on_device = (sum(x) for x in zip(*((q.has_tables, q.is_resident) for q in queries), strict=True))
    return {"queries": len(queries), "with_tables": with_tables, "on_device": on_device}


def least_memory(key: ProvingKey, most: int, precision: int = PRECISION) -> int:
    """Bytes for arrays with which a proof is made, at most `most`; `precision` bytes less are too few."""
    too_few, enough = 0, most
    while enough - too_few > precision:
        middle = (too_few + enough) // 2
        try:
            enough = of_proof(key, middle)["most_bytes"]
        except OutOfMemory:
            too_few = middle
    return enough


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--sizes", type=int, nargs="+", default=[16, 18, 20, 22], help="logarithms of the domain")
    options.add_argument("--gb", type=int, nargs="+", default=[8, 16, 80], help="10^9 bytes of the GPU")
    options.add_argument("--committed", action="store_true", help="with a commitment to nearly all wires")
    chosen = options.parse_args()
    print("| | GPU | most in use | with tables | on the GPU | given back |\n|---|---|---|---|---|---|")
    for log_size in chosen.sizes:
        size = sized(log_size, chosen.committed)
        key = key_of(log_size, size)
        facts = {"primitive": "groth16", "log_size": log_size, "committed_wires": size.committed}
        for gb in chosen.gb:
            found = of_proof(key, gb * GB - OF_CUDA)
            record({**facts, "gpu_gb": gb, **found})
            points = f"{found['with_tables']} of {found['queries']} | {found['on_device']}"
            print(f"| 2^{log_size} | {gb} GB | {found['most_bytes'] / GB:.2f} GB | {points} | {found['given_back']} |")
        least = least_memory(key, found["most_bytes"])
        record({**facts, "what": "least memory", "most_bytes": least})
        print(f"| 2^{log_size} | | {least / GB:.2f} GB at least | | | |", flush=True)


def record(facts: dict[str, Any]) -> None:
    line = {"bench": "gpu_memory", "commit": version(), "date": time.strftime("%Y-%m-%d"), **facts}
    with FILE.open("a") as file:
        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
