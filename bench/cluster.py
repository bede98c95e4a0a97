"""A Ray cluster of two actors on this machine: against one, killed over and over, and with a key that both have open.

    python bench/cluster.py [--jobs 200] [--kills 10] [--log 20] [--size 14]

Prints lines of JSON; about 8 minutes on two idle cores. `--log 21` makes a key of 1 GB, which takes minutes more.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ray
from service import Files, anonymous, say

from zkgpu.service.cluster import ActorPlace, actors_of
from zkgpu.service.opened import Options
from zkgpu.service.places import Order, PlaceLost
from zkgpu.service.served import key_of

_TRIES = 5  # of a job whose actor is lost


def order_of(files: Files, job: str = "job") -> Order:
    return Order(job, files.name, os.fspath(files.witness(3)), Options())


def pid_of(place: ActorPlace) -> int:
    return int(ray.get(place._actor.where.remote())[1])


def prove(place: ActorPlace, files: Files) -> dict[str, Any]:
    """The outcome; a place that is lost is asked again, as the service does."""
    for _ in range(_TRIES):
        try:
            return place.prove(order_of(files), lambda *_: None)
        except PlaceLost:
            continue
    raise SystemExit("an actor does not come back")


def pace(places: Sequence[ActorPlace], files: Files, jobs: int) -> float:
    """Seconds a proof, by all the places."""
    work: Iterator[int] = iter(range(jobs))
    for place in places:
        prove(place, files)

    def drain(place: ActorPlace) -> int:
        return sum(prove(place, files)["ok"] for _ in work)

    started = time.monotonic()
    with ThreadPoolExecutor(len(places)) as pool:
        done = sum(pool.map(drain, places))
    return (time.monotonic() - started) / done


def kill(places: Sequence[ActorPlace], files: Files, kills: int) -> dict[str, int]:
    """Kills one actor after another in the middle of a proof; all proofs that were asked for."""
    lost, valid = sum(place.state.restarts for place in places), 0
    for i in range(kills):
        place = places[i % len(places)]
        pid = pid_of(place)
        with ThreadPoolExecutor(1) as pool:
            proof = pool.submit(prove, place, files)
            time.sleep(0.1)
            os.kill(pid, signal.SIGKILL)
            valid += files.is_valid(proof.result())
    return {"kills": kills, "lost": sum(place.state.restarts for place in places) - lost, "valid": valid}


def memory(places: Sequence[ActorPlace], files: Files) -> dict[str, Any]:
    """What the actors that have a large key open take of their own, and what they share by its files."""
    for place in places:
        place.open(files.name)
        prove(place, files)
    pids = [pid_of(place) for place in places]
    return {
        "key_mebibytes": files.key.stat().st_size >> 20,
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("jobs", 200), ("kills", 10), ("log", 20), ("size", 14)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="zkgpu-cluster-"))
    small, large = Files(folder, given.size), Files(folder, given.log)
    places = actors_of([key_of(f"{one.name}={one.key}") for one in (small, large)], "local", 2, 8 << 30)
    actors = [place for place in places if isinstance(place, ActorPlace)]
    try:
        one, two = pace(actors[:1], small, given.jobs), pace(actors, small, given.jobs)
        say(bench="cluster", log=given.size, one=round(one, 4), two=round(two, 4), gain=round(one / two, 2))
        say(bench="cluster killed", **kill(actors, small, given.kills))
        say(bench="cluster key", log=given.log, **memory(actors, large))
    finally:
        for place in places:
            place.close()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
