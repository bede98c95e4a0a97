"""The service over HTTP, with a place that does as it is told."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.service.running import Puppet, Running, replace, running, wait_for
from zkgpu.service.settings import Settings


def test_a_proof_is_asked_for_and_told_with_its_stages(serve: Running, puppet: Puppet) -> None:
    id_ = serve.accepted(b"the witness")
    wait_for(lambda: serve.job(id_, wait=0)["stages"] == {"quotient": None})
    puppet.go.set()
    job = serve.job(id_)
    assert (job["state"], job["exit_code"], job["stages"]) == ("done", 0, {"quotient": 0.5})
    assert (job["result"]["public"], job["result"]["verified"]) == (["35"], True)
    assert puppet.proven == [(id_, b"the witness")]


def test_an_error_is_told_as_the_command_tells_it(serve: Running, puppet: Puppet) -> None:
    puppet.outcome = {"ok": False, "error": "constraint cubic does not hold", "exit_code": 4}
    puppet.go.set()
    job = serve.job(serve.accepted())
    assert (job["state"], job["error"], job["exit_code"]) == ("failed", "constraint cubic does not hold", 4)
    assert "result" not in job


def test_equal_idempotency_keys_are_one_job(serve: Running, puppet: Puppet) -> None:
    first = serve.accepted(b"w", Idempotency_Key="k")
    assert serve.accepted(b"w", Idempotency_Key="k") == first
    for body, query in ((b"x", "key=cubic"), (b"w", "key=other"), (b"w", "key=cubic&clamp=true")):
        other = serve.ask("POST", f"/v1/proofs?{query}", body, Idempotency_Key="k")
        assert "another body" in other.error(409, 2)
    puppet.go.set()
    assert serve.job(first)["state"] == "done"
    assert serve.accepted(b"w", Idempotency_Key="k") == first
    assert len(puppet.proven) == 1


def test_priorities_go_first_and_the_older_of_equal_ones(serve: Running, puppet: Puppet) -> None:
    ids = [serve.accepted(query=f"key=cubic&priority={p}") for p in (0, 0, 5, -5)]
    puppet.go.set()
    assert [serve.job(id_)["state"] for id_ in ids] == ["done"] * 4
    assert [id_ for id_, _ in puppet.proven] == [ids[0], ids[2], ids[1], ids[3]]


def test_a_full_queue_says_so_before_it_takes_a_body(settings: Settings, puppet: Puppet) -> None:
    with running(replace(settings, most_waiting=1), puppet) as serve:
        ids = [serve.accepted(), serve.accepted()]  # one is proven, one waits
        full = serve.ask("POST", "/v1/proofs?key=cubic", b"w")
        assert "full" in full.error(429, 5)
        assert int(full.headers["retry-after"]) >= 1
        puppet.go.set()
        assert [serve.job(id_)["state"] for id_ in ids] == ["done"] * 2
        serve.accepted()


def test_a_job_that_waits_is_cancelled_at_once_and_one_that_is_proven_between_stages(
    serve: Running, puppet: Puppet
) -> None:
    proven, waits = serve.accepted(), serve.accepted()
    assert serve.ask("DELETE", f"/v1/proofs/{waits}").json["state"] == "cancelled"
    assert serve.ask("DELETE", f"/v1/proofs/{proven}").status == 202
    job = serve.job(proven)
    assert (job["state"], job["exit_code"]) == ("cancelled", 130)
    assert serve.ask("DELETE", f"/v1/proofs/{proven}").json["state"] == "cancelled"
    assert puppet.proven == []


def test_a_deadline_ends_a_job_wherever_it_is(serve: Running, puppet: Puppet) -> None:
    ids = [serve.accepted(query="key=cubic&deadline=0.2") for _ in range(2)]
    jobs = [serve.job(id_) for id_ in ids]
    assert [(job["state"], job["exit_code"]) for job in jobs] == [("failed", 5)] * 2
    assert all("deadline" in job["error"] for job in jobs)


def test_a_job_whose_place_dies_is_proven_by_another_try(serve: Running, puppet: Puppet) -> None:
    puppet.dies = 2
    puppet.go.set()
    job = serve.job(serve.accepted())
    assert (job["state"], job["lost"]) == ("done", 2)
    assert b'zkgpu_retries_total{place="puppet",reason="lost"} 2.0' in serve.ask("GET", "/metrics").body


def test_a_job_that_places_die_of_ends(serve: Running, puppet: Puppet) -> None:
    puppet.dies = 3
    job = serve.job(serve.accepted())
    assert (job["state"], job["exit_code"]) == ("failed", 5)
    puppet.go.set()
    assert serve.job(serve.accepted())["state"] == "done"


def test_a_service_that_ends_leaves_what_is_not_over_to_the_next(settings: Settings, puppet: Puppet) -> None:
    with running(settings, puppet) as serve:
        ids = [serve.accepted(bytes([i])) for i in range(3)]
        serve.service.jobs.is_draining = True
        assert serve.ask("POST", "/v1/proofs?key=cubic", b"w").error(503, 5)
        assert serve.ask("GET", "/readyz").status == 503
    other = Puppet()
    other.go.set()
    with running(settings, other) as serve:
        assert [serve.job(id_)["state"] for id_ in ids] == ["done"] * 3
    assert {body for _, body in other.proven} | {body for _, body in puppet.proven} == {b"\0", b"\1", b"\2"}


def test_a_job_waits_for_a_service_that_has_its_key(settings: Settings, puppet: Puppet) -> None:
    """As where an operator forgot one, and gives it at the next start."""
    with running(settings, puppet) as serve:
        ids = [serve.accepted(query=f"key={name}") for name in ("cubic", "other", "other")]
        serve.service.jobs.is_draining = True
    less = replace(settings, served={"cubic": settings.served["cubic"]})
    other = Puppet()
    other.go.set()
    with running(less, other) as serve:
        assert serve.job(ids[0])["state"] == "done"
        assert serve.job(ids[1], wait=0.1)["state"] == "queued"
        assert serve.ask("DELETE", f"/v1/proofs/{ids[2]}").json["state"] == "cancelled"
    with running(settings, other) as serve:
        assert serve.job(ids[1])["state"] == "done"
        assert serve.job(ids[2])["state"] == "cancelled"


def test_a_drain_waits_for_what_is_proven(settings: Settings, puppet: Puppet) -> None:
    with running(settings, puppet) as serve:
        id_ = serve.accepted()
        threading.Timer(0.2, puppet.go.set).start()
        serve.server.handle_exit(15, None)
        serve.thread.join(60)
    with running(settings, Puppet()) as serve:
        assert serve.job(id_)["state"] == "done"


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("", 2, "key"),
        ("key=cubic&key=other", 2, "twice"),
        ("key=cubic&colour=red", 2, "colour"),
        ("key=cubic&priority=high", 2, "priority"),
        ("key=cubic&priority=10", 2, "priority"),
        ("key=cubic&deadline=-1", 2, "deadline"),
        ("key=cubic&deadline=nan", 2, "deadline"),
        ("key=..%2F..%2Fetc%2Fpasswd", 2, "no such key"),
        ("key=/etc/passwd", 2, "no such key"),
        ("key=cubic%00", 2, "no such key"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_by_name(serve: Running, query: str, code: int, said: str) -> None:
    answer = serve.ask("POST", f"/v1/proofs?{query}", b"w")
    assert said in answer.error(404 if "no such" in said else 400, code)
    assert "passwd" not in answer.json["error"]


def test_what_is_not_there_is_not_found(serve: Running) -> None:
    for path in ("/v1/proofs/0", "/v1/proofs/..%2f..%2fjobs.sqlite", "/v1/keys/..%2fspool", "/nothing"):
        assert serve.ask("GET", path).error(404, 2)
    for method, path in (("PUT", "/v1/proofs"), ("POST", "/healthz"), ("DELETE", "/v1/keys/cubic")):
        other = serve.ask(method, path)
        assert "method not allowed" in other.error(405, 2)
        assert other.headers["allow"]
    assert serve.ask("POST", "/v1/proofs?key=cubic", b"").error(400, 2)


def test_keys_health_and_the_description_are_there(serve: Running) -> None:
    assert serve.ask("GET", "/healthz").json == {"ok": True}
    assert serve.ask("GET", "/readyz").json == {"ready": True}
    assert set(serve.ask("GET", "/v1/keys").json) == {"cubic", "other"}
    described = serve.ask("GET", "/openapi.json").json
    assert {f"{method} {path}" for path, calls in described["paths"].items() for method in calls} == {
        *("post /v1/proofs", "get /v1/proofs/{id}", "delete /v1/proofs/{id}", "post /v1/verify"),
        *("get /v1/keys", "get /v1/keys/{name}", "get /healthz", "get /readyz", "get /metrics"),
    }
    assert {p["name"] for p in described["paths"]["/v1/proofs"]["post"]["parameters"]} >= {
        "key",
        "priority",
        "deadline",
    }
    assert b"/v1/proofs" in serve.ask("GET", "/docs").body


def test_metrics_count_what_happened(serve: Running, puppet: Puppet) -> None:
    serve.accepted()
    serve.accepted()
    wait_for(lambda: b"zkgpu_queue_depth 1.0" in serve.ask("GET", "/metrics").body)
    puppet.go.set()
    wait_for(
        lambda: b'zkgpu_jobs_total{exit_code="0",key="cubic",state="done"} 2.0' in serve.ask("GET", "/metrics").body
    )
    text = serve.ask("GET", "/metrics").body
    for line in (b'zkgpu_stage_seconds_sum{stage="quotient"} 1.0', b"zkgpu_queue_wait_seconds_count 2.0"):
        assert line in text


def test_an_outcome_that_cannot_be_written_is_nobodys_to_see_until_it_can(serve: Running, puppet: Puppet) -> None:
    spool = serve.service.jobs._spool
    finish, failures = spool.finish, [OSError(28, "No space left on device")]

    def failing(job: object) -> None:
        if failures:
            raise failures.pop()
        finish(job)  # type: ignore[arg-type]

    spool.finish = failing  # type: ignore[method-assign]
    puppet.go.set()
    id_ = serve.accepted()
    assert serve.job(id_)["state"] == "done"
    assert not failures
    assert len(puppet.proven) == 1


def test_a_question_for_the_end_comes_back_in_time(serve: Running) -> None:
    id_ = serve.accepted()
    wait_for(lambda: serve.job(id_, wait=0)["state"] == "running")
    started = time.monotonic()
    assert serve.job(id_, wait=0.2)["state"] == "running"
    assert 0.15 < time.monotonic() - started < 30


def test_keys_that_cannot_be_opened_end_the_service(settings: Settings, puppet: Puppet) -> None:
    error = ValueError("the bytes are 35")

    def broken(key: str) -> dict[str, object]:
        raise error

    puppet.open = broken  # type: ignore[method-assign, assignment]
    with running(settings, puppet, ready=False) as serve:
        serve.thread.join(60)
        assert not serve.thread.is_alive()
        assert serve.service.failure is error


def test_files_of_uploads_that_were_refused_do_not_stay(serve: Running, settings: Settings) -> None:
    serve.ask("POST", "/v1/proofs?key=cubic", b"")
    assert list(Path(settings.spool, "inputs").iterdir()) == []
