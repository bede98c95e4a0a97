"""Answers of an audit by a service, by processes beside each other, and by a cluster: the proofs of what was drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")

from tests.cli.test_audit_commands import Audit, audit, build  # noqa: F401  fixtures, but for the first
from tests.conftest import Command
from tests.service.running import Running, running, wait_for
from zkgpu.service.opened import Devices
from zkgpu.service.places import Order, Outcome, State
from zkgpu.service.resident import Residents
from zkgpu.service.served import Served, by_name, model_of
from zkgpu.service.settings import Settings
from zkgpu.stages import Listener


@dataclass(eq=False)
class InProcess:
    """A place that proves in this process.

    Attributes:
        bodies: what it was asked for
        instead: an inference that it proves in the place of every other
        fails: what it answers first in the place of a proof; it goes on with the next until that is cancelled
    """

    residents: Residents
    name: str = "here"
    is_shared: bool = True
    bodies: list[bytes] = field(default_factory=list)
    instead: bytes = b""
    fails: dict[str, Any] | None = None
    cancelled: set[str] = field(default_factory=set)
    state: State = field(default_factory=State)

    @classmethod
    def of(cls, served: dict[str, Served]) -> InProcess:
        return cls(Residents(served, Devices.open("cpu", 1, 1), 1 << 30))

    def open(self, key: str) -> dict[str, Any]:
        return self.residents.facts(key)

    def prove(self, order: Order, listener: Listener) -> Outcome:
        assert (
            order.options.clamp
        )  # what was logged is proven as it was logged, inner values that were clamped among it
        self.bodies.append(order.body())
        if self.fails is not None:
            return self.fails if len(self.bodies) == 1 else self._stopped(order.job)
        return self.residents.outcome(order.key, self.instead or order.body(), order.options, listener)

    def _stopped(self, job: str) -> Outcome:
        wait_for(lambda: job in self.cancelled)
        return {"ok": False, "error": "stopped, as was asked", "exit_code": 130}

    def cancel(self, job: str) -> None:
        self.cancelled.add(job)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def place(build: Path) -> InProcess:  # noqa: F811
    return InProcess.of(by_name([model_of(f"digits={build / 'build'}")]))


@pytest.fixture
def serve(place: InProcess, tmp_path: Path) -> Iterator[Running]:
    place.bodies.clear()
    place.instead, place.fails = b"", None
    with running(Settings(place.residents._served, tmp_path / "spool"), place) as made:
        yield made


def drawn(audit: Audit, samples: int = 3) -> list[int]:  # noqa: F811
    audit.log()
    audit.ok(*audit.committing)
    return list(audit.draw(samples)["drawn"])


def answered(folder: Path) -> dict[str, Any]:
    return {path.name: json.loads(path.read_text()) for path in (folder / "batch_0").glob("answer_*.json")}


def asked(command: Command, serve: Running, audit: Audit, *more: object) -> Any:  # noqa: F811
    """`audit answer` by the service."""
    return command("--json", "--server", f"http://127.0.0.1:{serve.port}", "audit", *audit.answering, *more)


def refused(code: int, done: Any) -> str:
    """The one line of the error."""
    assert done.code == done.json["exit_code"] == code, done
    return str(done.json["error"])


def test_a_service_proves_exactly_what_was_drawn(
    audit: Audit,  # noqa: F811
    serve: Running,
    place: InProcess,
    command: Command,
) -> None:
    indices = drawn(audit)
    done = asked(command, serve, audit, "--per-call", 2)
    assert (done.code, done.json["drawn"], len(done.json["calls"])) == (0, indices, 2), done.err
    assert len(place.bodies) == 3
    found = answered(audit.folder)
    assert [found[f"answer_{p}.json"]["index"] for p in range(3)] == indices
    (audit.folder / "batch_0" / "answer_1.json").unlink()
    assert asked(command, serve, audit).code == 0
    assert len(place.bodies) == 4
    assert answered(audit.folder)["answer_0.json"] == found["answer_0.json"]
    audit.ok(*audit.answering)  # here all are found valid, and none is made
    assert answered(audit.folder)["answer_0.json"] == found["answer_0.json"]


def test_more_samples_than_a_service_is_given_at_a_time(
    audit: Audit,  # noqa: F811
    serve: Running,
    place: InProcess,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from zkgpu.service import each

    monkeypatch.setattr(each, "_AHEAD", 2)
    drawn(audit, 5)
    assert asked(command, serve, audit).code == 0
    assert len(place.bodies) == len(answered(audit.folder)) == 5


def test_what_a_service_proves_otherwise_or_not_at_all_is_refused(
    audit: Audit,  # noqa: F811
    serve: Running,
    place: InProcess,
    command: Command,
) -> None:
    drawn(audit)
    place.fails = {"ok": False, "error": "bytes: the machine is short of memory", "exit_code": 5, "stages": {}}
    assert "short of memory" in refused(5, asked(command, serve, audit))
    place.fails = None
    place.instead = place.bodies[-1]
    assert "of another inference than the logged one" in refused(6, asked(command, serve, audit))
    assert len(answered(audit.folder)) <= 1


def test_jobs_that_nobody_waits_for_any_more_are_cancelled(
    audit: Audit,  # noqa: F811
    serve: Running,
    place: InProcess,
    command: Command,
) -> None:
    """The first one fails, the second is proven meanwhile, the others wait."""
    drawn(audit, 9)
    place.fails = {"ok": False, "error": "no", "exit_code": 5, "stages": {}}
    place.cancelled.clear()
    assert refused(5, asked(command, serve, audit)) == "no"
    wait_for(lambda: not serve.service.jobs._live)
    told = serve.ask("GET", "/metrics").body.decode()
    counted = [line for line in told.splitlines() if line.startswith("zkgpu_jobs_total") and "cancelled" in line]
    assert sum(float(line.split()[-1]) for line in counted) == 8


def test_a_service_with_another_key_or_none_is_refused(
    build: Path,  # noqa: F811
    audit: Audit,  # noqa: F811
    serve: Running,
    place: InProcess,
    command: Command,
) -> None:
    drawn(audit)
    there = ("--json", "--server", f"http://127.0.0.1:{serve.port}")
    other = command(*there, "audit", "answer", build / "other", *audit.answering[2:])
    assert "no such key" in refused(2, other)
    key = build / "build" / "key.zkey"
    aside = key.rename(build / "key.aside")
    try:
        assert "there is no such key" in refused(2, asked(command, serve, audit))
        renamed = build / "digits"
        (build / "build").rename(renamed)
        done = command(*there, "audit", "answer", renamed, *audit.answering[2:])
        assert done.code == 0, done.err  # by its name there, without the key itself
        renamed.rename(build / "build")
    finally:
        aside.rename(key)
    for option in (("--cluster", "local"), ("--workers", 2), ("--memory", "1G"), ("--allow-insecure-key",)):
        assert f"{option[0]}: with --server" in refused(2, asked(command, serve, audit, *option))
    assert "services do" in refused(2, command(*there, "audit", "status", audit.folder))


def test_a_key_of_the_same_name_that_is_another_is_refused(
    build: Path,  # noqa: F811
    audit: Audit,  # noqa: F811
    tmp_path: Path,
    command: Command,
) -> None:
    drawn(audit)
    key = build / "build" / "key.zkey"
    served = by_name([model_of(f"build={build / 'other'}")])
    with running(Settings(served, tmp_path / "spool"), InProcess.of(served)) as serve:
        aside = key.rename(build / "key.aside")
        try:
            assert "another key by this name" in refused(2, asked(command, serve, audit))
        finally:
            aside.rename(key)


def test_one_process_answers_at_a_time(audit: Audit, command: Command) -> None:  # noqa: F811
    from zkgpu.audit import AuditFolder

    drawn(audit)
    with AuditFolder(audit.folder).answering(0):
        assert "another process answers for batch 0" in audit.refused(2, *audit.answering)
    audit.ok(*audit.answering)


@pytest.mark.slow
def test_processes_beside_each_other_prove_what_was_drawn(audit: Audit) -> None:  # noqa: F811
    indices = drawn(audit, 5)
    assert audit.ok(*audit.answering, "--workers", 2)["drawn"] == indices
    found = answered(audit.folder)
    assert [found[f"answer_{p}.json"]["index"] for p in range(5)] == indices
    audit.ok(*audit.answering)
    assert answered(audit.folder) == found
    assert "leave out --workers" in audit.refused(2, *audit.answering, "--workers", 1, "--allow-insecure-key")


@pytest.mark.slow
def test_a_cluster_proves_what_was_drawn(audit: Audit) -> None:  # noqa: F811
    """A process of its own: Ray ends one that begins several clusters."""
    import subprocess
    import sys

    pytest.importorskip("ray")
    indices = drawn(audit, 5)
    arguments = (*audit.answering, "--cluster", "local", "--workers", 2)
    done = subprocess.run(
        [sys.executable, "-m", "zkgpu", "--json", "audit", *map(str, arguments)], capture_output=True, text=True
    )
    assert (done.returncode, json.loads(done.stdout)["drawn"]) == (0, indices), done.stderr
    found = answered(audit.folder)
    audit.ok(*audit.answering)
    assert answered(audit.folder) == found
