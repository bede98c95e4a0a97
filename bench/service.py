"""A service under load, as operators fear it: many clients, deaths in between, and a look at what is left.

    python bench/service.py load  [--jobs 2000] [--clients 50] [--kills 20]   # jobs of mixed size, the service killed
    python bench/service.py pace  [--jobs 40]                                 # side by side against one after another
    python bench/service.py soak  [--jobs 5000]                               # memory of all processes over many proofs
    python bench/service.py idle  [--connections 1000]                        # connections that say nothing

Each prints lines of JSON. Run it where nothing else runs; on two cores they take about 2, 2, 1 and 0.2 minutes.
Where something else runs, look at the CPU seconds (`cpu_..`): two idle cores prove 2 / cpu_together a second.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from zkgpu import Circuit, load_verifying_key, unsafe_setup, verify
from zkgpu.curves.bn254 import Fr
from zkgpu.errors import ZkgpuError
from zkgpu.formats.public_values import read_public_values
from zkgpu.formats.wtns import write_wtns
from zkgpu.provers.statement import Statement
from zkgpu.service.client import Client
from zkgpu.systems.files import read_proof, write_key, write_verifying_key

LOGS = (8, 10, 12, 13, 14)  # of the constraints of a load's circuits
PACE = (12, 14, 16)
_STARTED = 300.0  # seconds in which a service is to have its keys open, kernels compiled and a cluster begun
_ENDED = 60.0  # seconds for one that is asked to end


def say(**facts: Any) -> None:
    print(json.dumps(facts), flush=True)


class Files:
    """A key of 2^log constraints, and witnesses of it."""

    def __init__(self, folder: Path, log: int) -> None:
        self.name, self._folder = f"squares{log}", folder / f"squares{log}"
        self._folder.mkdir(parents=True)
        self.key = self._folder / "key.zkey"
        self._steps = (1 << log) - 8
        self._circuit = self._written().compile()
        key = unsafe_setup(self._circuit, backend="cpu")
        write_key(self.key, key)
        write_verifying_key(self._folder / "vk.json", key.verifying_key)
        self.verifying_key = load_verifying_key(self._folder / "vk.json")

    def _written(self) -> Circuit:
        circuit = Circuit()
        value = circuit.private("x")
        for i in range(self._steps):
            value = value * value + i
        circuit.assert_equal(value * 1, circuit.public("y"))
        return circuit

    def witness(self, x: int) -> Path:
        """The file of the witness with that secret."""
        path, y = self._folder / f"{x}.wtns", x
        if not path.exists():
            for i in range(self._steps):
                y = (y * y + i) % Fr.modulus
            write_wtns(path, Fr, self._circuit.witness({"x": x, "y": y}))
        return path

    def is_valid(self, result: dict[str, Any]) -> bool:
        proof = read_proof(json.dumps(result["proof"]).encode(), self.verifying_key)
        public, _ = read_public_values(json.dumps(result["public"]).encode())
        return verify(self.verifying_key, Statement(public, proof))


class Running:
    """`zkgpu serve`, which may be killed and started again at the same place."""

    def __init__(self, files: list[Files], folder: Path, *options: str) -> None:
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.url, self.folder = f"http://127.0.0.1:{self.port}", folder
        keys = [f"--key={one.name}={one.key}" for one in files]
        spool = ["--spool", str(folder / "spool"), "--listen", f"127.0.0.1:{self.port}"]
        self._command = [sys.executable, "-m", "zkgpu", "serve", *keys, *spool, *options]
        self.log = open(folder / "log", "ab")  # noqa: SIM115  for as long as the service is
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=self.log, stderr=self.log)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """As an operator does, so that whatever it has begun ends with it."""
        self.process.terminate()
        try:
            self.process.wait(_ENDED)
        except subprocess.TimeoutExpired:
            self.kill()
        self.log.close()

    def ready(self) -> None:
        until = time.monotonic() + _STARTED
        while self.get("/readyz")[0] != 200:
            if time.monotonic() > until or self.process.poll() is not None:
                raise SystemExit(f"the service does not start: {self.folder / 'log'}")
            time.sleep(0.1)

    def get(self, path: str) -> tuple[int, bytes]:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
                connection.request("GET", path)
                response = connection.getresponse()
                return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return 0, b""

    def cpu_seconds(self) -> float:
        """Of all its processes, since they began."""
        return sum(cpu_seconds_of(pid) for pid in [self.process.pid, *_children(self.process.pid)])

    def resident(self) -> int:
        """Bytes that the service's processes have in memory, without what they share by files."""
        pids = [self.process.pid, *_children(self.process.pid)]
        return sum(anonymous(pid) for pid in pids)


def _children(pid: int) -> list[int]:
    """The processes that any thread of a process has started."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for listed in lists for child in listed.read_text().split()]


def cpu_seconds_of(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def anonymous(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))


@contextmanager
def serving(logs: tuple[int, ...], *options: str) -> Iterator[tuple[list[Files], Running]]:
    folder = Path(tempfile.mkdtemp(prefix="zkgpu-service-"))
    files = [Files(folder, log) for log in logs]
    running = Running(files, folder, *options)
    try:
        running.ready()
        yield files, running
    finally:
        running.end()
        shutil.rmtree(folder, ignore_errors=True)


class Load:
    """Jobs of mixed size from many clients, a service that is killed meanwhile, and a look at its health."""

    def __init__(self, files: list[Files], running: Running, jobs: int, kills: int) -> None:
        draw = random.Random(1)
        self._chosen = [draw.choice(files) for _ in range(jobs)]
        self._files = {one.name: one for one in files}
        self._running, self._jobs, self._kills = running, jobs, kills
        self.seconds: list[float] = []
        self.health: list[float] = []
        self.results: list[dict[str, Any]] = []
        self.killed = 0
        self._over = threading.Event()
        for one in files:
            one.witness(3)

    def run(self, clients: int) -> float:
        """Seconds of all."""
        watchers = [threading.Thread(target=target) for target in (self._disturb, self._look)]
        for watcher in watchers:
            watcher.start()
        with ThreadPoolExecutor(clients) as pool:
            took = _timed(lambda: list(pool.map(self._ask, self._chosen)))
        self._over.set()
        for watcher in watchers:
            watcher.join()
        return took

    def _ask(self, one: Files) -> None:
        started = time.monotonic()
        self.results.append(Client(self._running.url, patience=600).prove(one.witness(3), {"key": one.name}))
        self.seconds.append(time.monotonic() - started)

    def _disturb(self) -> None:
        while self.killed < self._kills and not self._over.wait(0.5):
            if len(self.results) * (self._kills + 1) > self._jobs * self.killed:
                self.killed += self._kill()

    def _kill(self) -> bool:
        self._running.kill()
        self._running.start()
        return True

    def _look(self) -> None:
        while not self._over.wait(0.2):
            started = time.monotonic()
            if self._running.get("/healthz")[0] == 200:
                self.health.append(time.monotonic() - started)

    def is_valid(self, job: dict[str, Any]) -> bool:
        return job["state"] == "done" and self._files[job["key"]].is_valid(job["result"])


def load(jobs: int, clients: int, kills: int) -> None:
    with serving(LOGS, "--most-waiting", str(max(jobs, 10))) as (files, running):
        done = Load(files, running, jobs, kills)
        took = done.run(clients)
        ids, valid = len({job["id"] for job in done.results}), sum(map(done.is_valid, done.results))
        facts = {"jobs": jobs, "clients": clients, "kills": done.killed, "ids": ids, "valid": valid}
        say(
            bench="load",
            **facts,
            states=dict(Counter(job["state"] for job in done.results)),
            seconds=round(took, 1),
            a_second=round(jobs / took, 2),
            p50=round(statistics.median(done.seconds), 2),
            p99=round(statistics.quantiles(done.seconds, n=100)[98], 2),
            health_p50_ms=round(1e3 * statistics.median(done.health), 1),
            health_p99_ms=round(1e3 * statistics.quantiles(done.health, n=100)[98], 1),
            left_in_spool=len(os.listdir(running.folder / "spool" / "inputs")),
        )
        if (ids, valid) != (jobs, jobs):
            raise SystemExit("jobs were lost, or came to nothing")


def pace(jobs: int) -> None:
    """Proofs a second: the command in a loop, the service with one client, and with as many as it has work for."""
    for log in PACE:
        with serving((log,)) as ((one,), running):
            say(bench="pace", log=log, **_pace_of(one, running, max(4, min(jobs, (jobs << 14) >> log))))


def _pace_of(one: Files, running: Running, count: int) -> dict[str, float]:
    """Seconds a proof."""
    path, loop, client = one.witness(3), max(2, count // 8), Client(running.url)

    def ask(_: int) -> None:
        client.prove(path, {"key": one.name})

    ask(0)
    ask(1)
    command = _timed(lambda: _again(loop, lambda _: _by_command(one, path))) / loop
    one_client = _timed(lambda: _again(count, ask)) / count
    in_turn, cpu_in_turn = _in_turn(one, path, count)
    before = running.cpu_seconds()
    with ThreadPoolExecutor(8) as pool:
        together = _timed(lambda: list(pool.map(ask, range(2 * count)))) / (2 * count)
    cpu_together = (running.cpu_seconds() - before) / (2 * count)
    again, cpu_again = _in_turn(one, path, count)  # on both sides: a busy machine is never the same twice
    in_turn, cpu_in_turn = (in_turn + again) / 2, (cpu_in_turn + cpu_again) / 2
    found = {"command": command, "one_client": one_client, "in_turn": in_turn, "together": together}
    found |= {"cpu_in_turn": cpu_in_turn, "cpu_together": cpu_together}
    gains = {"gain": in_turn / together, "gain_of_idle_cores": 2 * cpu_in_turn / cpu_together}
    return {name: round(value, 4) for name, value in {**found, **gains}.items()}


def _by_command(one: Files, path: Path) -> None:
    proof = str(path.with_suffix(".json"))
    command = [sys.executable, "-m", "zkgpu", "-q", "prove", str(one.key), str(path), "--proof", proof]
    subprocess.run(command, check=True, capture_output=True)


def _in_turn(one: Files, path: Path, count: int) -> tuple[float, float]:
    """Seconds a proof of the library, one after another on one thread, and CPU seconds: what two at once are measured
    by."""
    from zkgpu import Prover, load_key, load_witness

    prover, witness = Prover(load_key(one.key), "cpu", threads=1), load_witness(path)
    prover.prove(witness)
    before = time.process_time()
    took = _timed(lambda: [prover.prove(witness) for _ in range(count)]) / count
    return took, (time.process_time() - before) / count


def _again(count: int, work: Callable[[int], None]) -> None:
    for i in range(count):
        work(i)


def _timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


def soak(jobs: int) -> None:
    """The memory of all processes, at the beginning, after a tenth, and at the end."""
    with serving((8,)) as ((one,), running):
        path, client = one.witness(3), Client(running.url)

        def ask(_: int) -> None:
            client.prove(path, {"key": one.name})

        with ThreadPoolExecutor(8) as pool:
            for part in range(11):
                say(bench="soak", proofs=part * jobs // 10, mebibytes=round(running.resident() / 2**20, 1))
                list(pool.map(ask, range(jobs // 10 if part < 10 else 0)))


def idle(connections: int) -> None:
    """How fast the service answers beside connections that say nothing, and when those are closed."""
    with serving((8,)) as (_, running), ExitStack() as stack:
        place, started = ("127.0.0.1", running.port), time.monotonic()
        silent = [stack.enter_context(socket.create_connection(place)) for _ in range(connections)]
        answered = _timed(lambda: running.get("/healthz"))
        for one in silent:
            one.settimeout(60)
            one.recv(1)
        took = time.monotonic() - started
        say(bench="idle", connections=connections, health_ms=round(1e3 * answered, 1), closed=round(took, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("load", "pace", "soak", "idle"))
    for name, default in (("jobs", None), ("clients", 50), ("kills", 20), ("connections", 1000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    given = parser.parse_args()
    defaults = {"load": 2000, "pace": 40, "soak": 5000}
    jobs = given.jobs or defaults.get(given.what, 0)
    try:
        if given.what == "load":
            load(jobs, given.clients, given.kills)
        elif given.what == "idle":
            idle(given.connections)
        else:
            {"pace": pace, "soak": soak}[given.what](jobs)
    except ZkgpuError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
