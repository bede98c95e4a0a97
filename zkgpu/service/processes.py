"""Processes of this machine that prove, each beside the others, and one that verifies."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable
from dataclasses import asdict
from multiprocessing.connection import Connection
from typing import Any

from zkgpu.errors import error_with
from zkgpu.records import dataclass
from zkgpu.service.places import Order, Outcome, Place, PlaceLost, State
from zkgpu.service.served import Served
from zkgpu.service.worker import Message, receive, send
from zkgpu.stages import Listener

MOST_PROCESSES = 8  # by default: each has Python, NumPy and kernels of its own, about 150 MB
_PATIENCE = 5.0  # seconds for a process to end once nobody speaks to it


@dataclass(frozen=True)
class Plan:
    """How many processes there are, and what each may take.

    Attributes:
        devices: one for each process
        threads: of a proof that has the machine to itself
        share: of one beside others
        memory: bytes of open keys in each
    """

    devices: tuple[str, ...]
    threads: int
    share: int
    memory: int

    @classmethod
    def of(cls, devices: Iterable[str], workers: int | None, threads: int, memory: int) -> Plan:
        """One process a GPU; on a CPU as many as threads, up to MOST_PROCESSES, or as are given."""
        given = list(devices)
        count = workers or min(threads, MOST_PROCESSES)
        split = [device for device in given for _ in range(count if device == "cpu" else 1)]
        share = max(threads // len(split), 1)
        return cls(tuple(split), threads, share, memory // len(split))


def places_of(served: Iterable[Served], plan: Plan) -> list[Place]:
    """The processes, started."""
    listed = [one.to_json() for one in served]
    same = {"served": listed, "threads": plan.threads, "share": plan.share, "memory": plan.memory}
    return [Process(f"{device}/{i}", {**same, "device": device}) for i, device in enumerate(plan.devices)]


def verifier_of(threads: int) -> Process:
    """A process that proves nothing."""
    return Process("verifier", {"served": [], "device": "cpu", "threads": threads, "share": threads, "memory": 0})


class Process:
    """A process of `service.worker` and the line to it, which is begun anew when it breaks."""

    def __init__(self, name: str, config: Message) -> None:
        self.name, self.state = name, State()
        self.is_shared = config["device"] == "cpu"
        self._config, self._sending, self._closed = config, threading.Lock(), False
        self._begin()

    def _begin(self) -> None:
        mine, other = socket.socketpair()
        with other:
            command = [sys.executable, "-m", "zkgpu.service.worker", str(other.fileno())]
            self._process = subprocess.Popen(  # noqa: S603
                command, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL, env=_environment()
            )
        self._connection = Connection(mine.detach())
        with contextlib.suppress(OSError):  # one that died at once is missed by the first order
            self._send(self._config)

    def open(self, key: str) -> dict[str, Any]:
        facts: dict[str, Any] = _required(self._ask({"open": key}, _ignore))["facts"]
        return facts

    def prove(self, order: Order, listener: Listener) -> Outcome:
        inputs = order.inputs
        asked = {"prove": order.key, "job": order.job, "options": asdict(order.options)}
        if isinstance(inputs, bytes):
            return self._ask({**asked, "path": None}, listener, inputs)
        return self._ask({**asked, "path": inputs}, listener)

    def verify(self, text: str, own_key: Any) -> Outcome:
        """As `verdicts.verdict`; what it raises is an outcome too. Raises PlaceLost."""
        return self._ask({"verify": text, "own_key": own_key}, _ignore)

    def cancel(self, job: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._send({"cancel": job})

    def close(self) -> None:
        self._closed = True
        self._end()

    def _ask(self, order: Message, listener: Listener, body: bytes | None = None) -> Outcome:
        """The end of an order; whatever breaks the line, there is a new one afterwards."""
        try:
            self._send(order, body)
            while "end" not in (message := receive(self._connection)):
                for stage, seconds in message["stages"].items():
                    listener(stage, seconds)
        except (EOFError, OSError, ValueError) as error:
            self._again()
            raise PlaceLost(f"{self.name}: the process that proved has died") from error
        return self._heard(message)

    def _heard(self, message: Message) -> Outcome:
        end: Outcome = message["end"]
        if message.get("fatal"):
            self._again()
            raise error_with(end["error"], end["exit_code"])
        self.state.hear(message)
        if message["faulty"]:
            self._again()
        return end

    def _again(self) -> None:
        self._end()
        if not self._closed:
            self.state = State(restarts=self.state.restarts + 1)
            self._begin()

    def _send(self, message: Message, body: bytes | None = None) -> None:
        with self._sending:
            send(self._connection, message)
            if body is not None:
                self._connection.send_bytes(body)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait(_PATIENCE)
        self._connection.close()


def _required(outcome: Outcome) -> Outcome:
    """Raises the error that came in the place of what was asked for."""
    if not outcome["ok"]:
        raise error_with(outcome["error"], outcome["exit_code"])
    return outcome


def _environment() -> dict[str, str]:
    """Threads are counted out by the service: what NumPy would start for its products is too many."""
    return {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **os.environ}


def _ignore(_: str, __: float | None) -> None:
    pass
