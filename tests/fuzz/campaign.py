"""Cases by the thousand, in workers that are ended when they take too long.

`python -m tests.fuzz.campaign 2000 SEED [TARGET ..]` prints the table.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets import TARGETS, Target

SECONDS = 5.0
STARTING = 120.0  # for the first case of a target, before which good files are made and modules imported
WORKER = ("-m", "tests.fuzz.worker")
OUTCOMES = ("read", "2", "3", "4", "5", "memory", "bug", "hang", "crash")
FAULTS = OUTCOMES[5:]

Case = tuple[str, int]


@dataclass
class Table:
    """How often each outcome came out for each target; the cases that show a fault, and the slowest."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    slowest: float = 0.0

    def add(self, case: Case, outcome: str, seconds: float, said: str) -> None:
        self.counts.setdefault(case[0], Counter())[outcome] += 1
        self.slowest = max(self.slowest, seconds)
        if outcome in FAULTS:
            self.faults.append(f"{case[0]} {case[1]}: {outcome} after {seconds:.1f} s {said}".rstrip())

    def __str__(self) -> str:
        rows = [("target", "cases", *OUTCOMES)]
        for target, counts in self.counts.items():
            rows.append((target, f"{counts.total():,}", *(f"{counts[o]:,}" for o in OUTCOMES)))
        total = sum(self.counts.values(), Counter())
        rows.append(("all", f"{total.total():,}", *(f"{total[o]:,}" for o in OUTCOMES)))
        return "\n".join("  ".join(f"{cell:>{14 if i == 0 else 7}}" for i, cell in enumerate(row)) for row in rows)


def cases(number: int, seed: int, targets: Iterable[Target] = TARGETS) -> Iterator[Case]:
    """So many cases, shared out by the weights of the targets; each target's in a row."""
    targets = list(targets)
    weight = sum(target.weight for target in targets)
    for target in targets:
        share = -(-number * target.weight // weight)
        yield from ((target.name, seed * 1_000_000 + i) for i in range(share))


def run(wanted: Iterable[Case]) -> Table:
    """The table of these cases, by one worker after another."""
    table, waiting = Table(), iter(wanted)
    while (left := _one_worker(waiting, table)) is not None:
        waiting = left
    return table


def _one_worker(waiting: Iterator[Case], table: Table) -> Iterator[Case] | None:
    """Asks a worker until it fails; what is left then, or None when all is done."""
    command = [sys.executable, *WORKER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    ) as worker:
        assert worker.stdin is not None
        assert worker.stdout is not None
        known: set[str] = set()
        for case in waiting:
            late = threading.Event()
            patience = SECONDS * _crowding() if case[0] in known else STARTING
            known.add(case[0])
            timer = threading.Timer(patience, lambda event=late: (event.set(), worker.kill()))
            timer.start()
            try:
                worker.stdin.write(f"{case[0]}\t{case[1]}\n")
                worker.stdin.flush()
                answer = worker.stdout.readline()
            except BrokenPipeError:
                answer = ""
            timer.cancel()
            if not answer:
                worker.kill()
                table.add(case, "hang" if late.is_set() else "crash", patience if late.is_set() else 0.0, "")
                return waiting
            _, _, outcome, seconds, said = answer.rstrip("\n").split("\t")
            table.add(case, outcome, float(seconds), said)
        worker.stdin.close()
    return None


def _crowding() -> float:
    """How many processes share a core of this machine; at least one."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def main() -> None:
    number, seed = int(sys.argv[1]), int(sys.argv[2])
    chosen = [target for target in TARGETS if target.name in sys.argv[3:]] or TARGETS
    table = run(cases(number, seed, chosen))
    print(table, f"slowest: {table.slowest:.2f} s", *table.faults, sep="\n")


if __name__ == "__main__":
    main()
