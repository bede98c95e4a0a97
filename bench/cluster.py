"""A Ray cluster of two actors on this machine: against one, killed in the midst of proofs, and with one large key.

    python bench/cluster.py [--size 14] [--jobs 200] [--kills 10] [--mebibytes 1024]

Prints lines of JSON, and ends with an error where a job was lost or the key was held twice; about 3 minutes on two idle
cores, most of them for the large key, which must have 2^18 rows (140 MiB) to be shared. Where something else runs, look
at the gain by CPU seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import ray
from service import Files, Load, anonymous, cpu_seconds_of, say, serving

from zkgpu import Circuit
from zkgpu.curves.bn254 import Fr
from zkgpu.formats.wtns import write_wtns
from zkgpu.service.cluster import ActorPlace, actors_of
from zkgpu.service.opened import Options
from zkgpu.service.places import Order, PlaceLost
from zkgpu.service.served import key_of

_TRIES = 5  # of a job whose actor is lost
_PROVES = "ray::Actor.prove"  # as Ray calls an actor's process once it has proven
_KEY_BYTES = 836  # of a square
_MORE = 1.2  # of what one actor has of the key's files, with which both must do


class Squares(Files):
    """A large key, soon made: the sum of many squares is public. Proofs read all of it, and take little else."""

    def __init__(self, folder: Path, mebibytes: int) -> None:
        self._count = (mebibytes << 20) // _KEY_BYTES
        super().__init__(folder, self._count.bit_length())

    def _written(self) -> Circuit:
        circuit = Circuit()
        x = circuit.private("x", (self._count,))
        circuit.assert_equal((x * x).sum(), circuit.public("y"))
        return circuit

    def witness(self, x: int) -> Path:
        path = self._folder / f"{x}.wtns"
        if not path.exists():
            inputs = {"x": np.full(self._count, x), "y": self._count * x * x}
            write_wtns(path, Fr, self._circuit.witness(inputs))
        return path


def pid_of(place: ActorPlace) -> int:
    return int(ray.get(place._actor.where.remote())[1])


def prove(place: ActorPlace, files: Files) -> dict[str, Any]:
    """The outcome; a place that is lost is asked again, as the service does."""
    order = Order("job", files.name, os.fspath(files.witness(3)), Options())
    for _ in range(_TRIES):
        try:
            return place.prove(order, lambda *_: None)
        except PlaceLost:
            continue
    raise SystemExit("an actor does not come back")


def pace(places: Sequence[ActorPlace], files: Files, jobs: int) -> tuple[float, float]:
    """Seconds a proof by all the places, and CPU seconds of their processes."""
    work: Iterator[int] = iter(range(jobs))
    for place in places:
        prove(place, files)
    pids = [pid_of(place) for place in places]

    def drain(place: ActorPlace) -> int:
        return sum(prove(place, files)["ok"] for _ in work)

    started, before = time.monotonic(), sum(map(cpu_seconds_of, pids))
    with ThreadPoolExecutor(len(places)) as pool:
        done = sum(pool.map(drain, places))
    return (time.monotonic() - started) / done, (sum(map(cpu_seconds_of, pids)) - before) / done


def memory(places: Sequence[ActorPlace], files: Files) -> dict[str, Any]:
    """What the actors that have a large key open take of their own, and what they share by its files."""
    for place in places:
        place.open(files.name)
    valid = sum(files.is_valid(prove(place, files)) for place in places)
    pids = [pid_of(place) for place in places]
    return {
        "key_mebibytes": files.key.stat().st_size >> 20,
        "valid": valid,
        "own_mebibytes": [anonymous(pid) >> 20 for pid in pids],
        "mapped_mebibytes": [_of_files(pid, "Rss") >> 20 for pid in pids],
        "share_mebibytes": [_of_files(pid, "Pss") >> 20 for pid in pids],
    }


def _of_files(pid: int, what: str) -> int:
    """Bytes of a process's mapped .zkey and prepared files: all, or its share among those that map them too."""
    total, counted = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if "-" in words[0] and not words[0].endswith(":"):
            counted = line.endswith((".zkey", ".bin"))
        elif counted and words[0] == f"{what}:":
            total += int(words[1]) << 10
    return total


class Deaths(Load):
    """Jobs for a service on a cluster, whose actors are killed while they prove."""

    def _kill(self) -> bool:
        pid = next(_proving(self._running.process.pid), None)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
        return pid is not None


def _proving(service: int) -> Iterator[int]:
    """The actors of a service that prove."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_one = folder.joinpath("cmdline").read_bytes().startswith(_PROVES.encode())
            if is_one and service in _ancestors(int(folder.name)):
                yield int(folder.name)
        except OSError:  # it has ended
            continue


def _ancestors(pid: int) -> list[int]:
    found = []
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        found.append(pid)
    return found


def killed(size: int, jobs: int, kills: int) -> None:
    """Jobs by `zkgpu serve --cluster local`, with deaths."""
    with serving((size,), "--cluster", "local", "--workers", "2") as (files, running):
        done = Deaths(files, running, jobs, kills)
        took, states = done.run(clients=8), Counter(job["state"] for job in done.results)
        ids, valid = len({job["id"] for job in done.results}), sum(map(done.is_valid, done.results))
        lost = sum(job["lost"] for job in done.results)
        facts = {"jobs": jobs, "kills": done.killed, "in_proof": lost, "ids": ids, "valid": valid}
        say(bench="cluster killed", log=size, **facts, states=dict(states), seconds=round(took, 1))
        if (ids, valid) != (jobs, jobs) or lost < min(kills, 1):
            raise SystemExit("jobs were lost, or no actor was killed in the midst of a proof")


def together(folder: Path, size: int, jobs: int, mebibytes: int) -> None:
    """Two actors against one, and with one large key."""
    small, large = Files(folder, size), Squares(folder, mebibytes)
    places = actors_of([key_of(f"{one.name}={one.key}") for one in (small, large)], "local", 2, 8 << 30)
    actors = [place for place in places if isinstance(place, ActorPlace)]
    try:
        (one, cpu_one), (two, cpu_two) = pace(actors[:1], small, jobs), pace(actors, small, jobs)
        gains = {"gain": round(one / two, 2), "gain_of_idle_cores": round(2 * cpu_one / cpu_two, 2)}
        say(bench="cluster", log=size, one=round(one, 4), two=round(two, 4), **gains)
        facts = memory(actors, large)
        say(bench="cluster key", **facts)
        if sum(facts["share_mebibytes"]) > _MORE * max(facts["mapped_mebibytes"]) or facts["valid"] < len(actors):
            raise SystemExit("the key lies in memory twice, or a proof by it is wrong")
    finally:
        for place in places:
            place.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("size", 14), ("jobs", 200), ("kills", 10), ("mebibytes", 1024)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="zkgpu-cluster-"))
    try:
        killed(given.size, given.jobs, given.kills)
        together(folder, given.size, given.jobs, given.mebibytes)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
