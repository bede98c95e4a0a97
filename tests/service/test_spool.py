"""Jobs on disk: kept before they are accepted, over once, and nobody else's to read."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from zkgpu.errors import ResourceError, UsageError
from zkgpu.service.opened import Options
from zkgpu.service.spool import DONE, Conflict, Job, Spool

Opening = Callable[[Path], Spool]


@pytest.fixture
def opened() -> Iterator[Opening]:
    """Opens spools, which are closed with the test if it has not closed them."""
    with ExitStack() as spools:
        yield lambda folder: spools.enter_context(closing(Spool(folder)))


def accepted(spool: Spool, body: bytes = b"secret", idempotency: str | None = None, **facts: object) -> Job:
    path, file = spool.upload()
    with file:
        file.write(body)
    digest = spool.digest()
    digest.update(body)
    job = Job("cubic", Options(), digest.digest(), len(body), idempotency=idempotency, **facts)  # type: ignore[arg-type]
    return spool.accept(job, path)


def over(spool: Spool, job: Job, at: float) -> None:
    job.state, job.finished, job.outcome = DONE, at, {"ok": True}
    spool.finish(job)


def test_what_was_accepted_is_there_for_the_next_service_with_its_inputs(tmp_path: Path, opened: Opening) -> None:
    spool = opened(tmp_path)
    jobs = [accepted(spool, bytes([i]), priority=i, deadline=5.0) for i in range(3)]
    spool.close()
    found = opened(tmp_path).recover()
    assert [(job.id, job.priority, job.deadline) for job in found] == [(job.id, i, 5.0) for i, job in enumerate(jobs)]
    assert [Path(spool.path_of(job)).read_bytes() for job in found] == [b"\0", b"\1", b"\2"]


def test_what_is_over_is_not_proven_again_and_its_inputs_are_gone(tmp_path: Path, opened: Opening) -> None:
    spool = opened(tmp_path)
    job = accepted(spool)
    over(spool, job, time.time())
    assert not os.path.exists(spool.path_of(job))
    spool.close()
    again = opened(tmp_path)
    assert again.recover() == []
    found = again.find(job.id)
    assert found is not None
    assert (found.state, found.outcome) == (DONE, {"ok": True})


def test_bodies_of_no_job_are_removed(tmp_path: Path, opened: Opening) -> None:
    """As those of uploads that a killed service was in the middle of, and of jobs that were over just then."""
    spool = opened(tmp_path)
    kept, done = accepted(spool), accepted(spool)
    spool.upload()[1].close()
    path = Path(spool.path_of(done))
    over(spool, done, time.time())
    path.write_bytes(b"as if the process had died before it was removed")
    spool.recover()
    assert os.listdir(tmp_path / "inputs") == [kept.id]


def test_an_idempotency_key_gives_the_same_job_and_refuses_another_body(tmp_path: Path, opened: Opening) -> None:
    spool = opened(tmp_path)
    job = accepted(spool, b"one", "k")
    assert accepted(spool, b"one", "k").id == job.id
    with pytest.raises(Conflict, match="another body"):
        accepted(spool, b"two", "k")
    over(spool, job, time.time())
    assert accepted(spool, b"one", "k").id == job.id
    assert os.listdir(tmp_path / "inputs") == []


def test_all_files_are_their_owners(tmp_path: Path, opened: Opening) -> None:
    os.umask(os.umask(0o022))
    spool = opened(tmp_path / "spool")
    accepted(spool)
    found = [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]
    assert len(found) > 5
    assert {path: oct(path.stat().st_mode & 0o777) for path in found} == {
        path: oct(0o700 if path.is_dir() else 0o600) for path in found
    }


def test_digests_of_equal_bodies_differ_between_spools(tmp_path: Path, opened: Opening) -> None:
    one, other = opened(tmp_path / "one"), opened(tmp_path / "other")
    assert accepted(one).digest != accepted(other).digest


def test_results_go_when_they_are_old(tmp_path: Path, opened: Opening) -> None:
    spool = opened(tmp_path)
    old, new, open_ = (accepted(spool) for _ in range(3))
    over(spool, old, 100.0)
    over(spool, new, 200.0)
    assert spool.forget(150.0) == 1
    assert [spool.find(job.id) is not None for job in (old, new, open_)] == [False, True, True]


def test_two_services_do_not_share_a_spool(tmp_path: Path, opened: Opening) -> None:
    spool = opened(tmp_path)
    with pytest.raises(UsageError, match="another service"):
        opened(tmp_path)
    spool.close()
    opened(tmp_path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, opened: Opening) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(ResourceError, match="cannot be used"):
        opened(tmp_path)
