"""A service inside the test's process: real HTTP and a real spool, with places that do as they are told."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from zkgpu.service.places import Order, Outcome, PlaceLost, State
from zkgpu.service.served import Served
from zkgpu.service.service import Service
from zkgpu.service.serving import Server, bound
from zkgpu.service.settings import Settings
from zkgpu.stages import Listener

PROOF = {"ok": True, "exit_code": 0, "proof": {"pi_a": []}, "public": ["35"], "verified": True}


@dataclass(eq=False)
class Puppet:
    """A place whose proofs end when they are let go.

    Attributes:
        go: proofs wait for it, or for their cancel
        dies: how many of the next orders it dies of
        proven: the jobs that it proved, with their bodies
    """

    name: str = "puppet"
    is_shared: bool = True
    large: frozenset[str] = frozenset()
    dies: int = 0
    go: threading.Event = field(default_factory=threading.Event)
    proven: list[tuple[str, bytes]] = field(default_factory=list)
    state: State = field(default_factory=State)
    outcome: dict[str, Any] = field(default_factory=lambda: dict(PROOF))
    cancelled: set[str] = field(default_factory=set)

    def open(self, key: str) -> dict[str, Any]:
        self.state.resident.append(key)
        return {"large": key in self.large, "digest": "00", "verification_key": {}}

    def prove(self, order: Order, listener: Listener) -> Outcome:
        listener("quotient", None)
        if self.dies:
            self.dies -= 1
            raise PlaceLost("it died")
        while not self.go.wait(0.01):
            if order.job in self.cancelled:
                return {"ok": False, "error": "stopped before the stage 'self-check', as was asked", "exit_code": 130}
        self.proven.append((order.job, order.body()))
        listener("quotient", 0.5)
        return {**self.outcome, "stages": {"quotient": 0.5}, "seconds": 0.5}

    def cancel(self, job: str) -> None:
        self.cancelled.add(job)

    def close(self) -> None:
        self.cancelled |= {"all"}
        self.go.set()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def error(self, status: int, code: int) -> str:
        """The one line of an error with that status and that exit code."""
        assert self.status == status, (self.status, self.body)
        assert (self.json["ok"], self.json["exit_code"]) == (False, code)
        assert "\n" not in self.json["error"]
        return str(self.json["error"])


@dataclass
class Running:
    """A service that runs, and how to ask it."""

    port: int
    service: Service
    server: Server
    thread: threading.Thread
    token: str | None = None

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        given = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)) as connection:
            connection.request(method, path, body, given)
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def accepted(self, body: bytes = b"wtns", query: str = "key=cubic", **headers: str) -> str:
        answer = self.ask("POST", f"/v1/proofs?{query}", body, **headers)
        assert answer.status == 202, answer.body
        return str(answer.json["id"])

    def job(self, id_: str, wait: float = 60) -> Any:
        return self.ask("GET", f"/v1/proofs/{id_}?wait={wait}").json

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(60)


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


@contextmanager
def running(settings: Settings, *places: Any, ready: bool = True) -> Iterator[Running]:
    service = Service(settings, lambda: list(places))
    with bound("127.0.0.1", 0) as listening:
        server = Server(service)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        wait_for(lambda: server.started and (service.is_ready or not ready))
        token = settings.token.decode() if settings.token else None
        made = Running(listening.getsockname()[1], service, server, thread, token)
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    served = {name: Served(name, str(tmp_path / f"{name}.zkey")) for name in ("cubic", "other")}
    return Settings(served, tmp_path / "spool", grace=5.0)


@pytest.fixture
def puppet() -> Puppet:
    return Puppet()


@pytest.fixture
def serve(settings: Settings, puppet: Puppet) -> Iterator[Running]:
    with running(settings, puppet) as made:
        yield made


__all__ = ["Puppet", "Running", "puppet", "replace", "running", "serve", "settings", "wait_for"]
