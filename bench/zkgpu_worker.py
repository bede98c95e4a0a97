"""A process that proves with zkgpu: `python bench/zkgpu_worker.py KEY.zkey WITNESS.wtns THREADS`.

Reads lines from standard input and answers each with one line of JSON. A line "prove PROOF.json PUBLIC.json" makes a
proof from the witness file with the key already loaded. The answer says the seconds, by the clock and of the
processor, and the peak of the process's own memory since the line came, without what files are mapped to.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from zkgpu import open_backend
from zkgpu.formats.wtns import read_wtns
from zkgpu.systems.files import read_key
from zkgpu.systems.registry import system_of


def anonymous_bytes() -> int:
    """Memory of this process that no file backs."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    raise SystemExit("this system does not report anonymous memory")


class PeakMemory(threading.Thread):
    """The largest of many samples; Linux keeps no such peak itself."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.watching = anonymous_bytes(), True

    def begin(self) -> None:
        """Forgets what was before."""
        self.peak = anonymous_bytes()

    def run(self) -> None:
        while self.watching:
            self.peak = max(self.peak, anonymous_bytes())
            time.sleep(0.002)


def answer(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def main() -> None:
    key_file, witness, threads = sys.argv[1:]
    start = time.perf_counter()
    backend = open_backend("cpu", threads=int(threads))
    idle = anonymous_bytes()
    memory = PeakMemory()
    memory.start()
    key = read_key(key_file, backend.first_invalid_point)
    prover = system_of(key).prover(key, backend)
    answer(seconds=time.perf_counter() - start, device=backend.name, peak_bytes=memory.peak)
    for line in sys.stdin:
        _, proof_file, public_file = line.split()
        memory.begin()
        start, cpu = time.perf_counter(), time.process_time()
        assignment = read_wtns(witness)
        statement = prover.statement(assignment)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        statement.save(proof_file, public_file)
        answer(seconds=seconds, cpu_seconds=cpu_seconds, peak_bytes=memory.peak, idle_bytes=idle)


if __name__ == "__main__":
    main()
